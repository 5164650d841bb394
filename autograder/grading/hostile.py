"""Reading what a submission's process sends. It may send anything: whatever is not as it should be is refused.

Messages come as `multiprocessing.connection` frames them. Nothing in them is believed but what a candidate could have
answered: names that were asked for, results as data.
"""

from __future__ import annotations

import functools
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

LONGEST_MESSAGE = 64 * 2**20  # bytes
MOST_BYTES = 256 * 2**20  # of one submission
MOST_ITEMS = 100_000


def frame(message: bytes) -> bytes:
    """A message as `multiprocessing.connection` reads it."""
    return (struct.pack("!i", len(message)) if len(message) < 2**31 else struct.pack("!iQ", -1, len(message))) + message


def receive(channel: socket.socket, until: float, most: int = MOST_BYTES) -> bytes:
    """The next message's bytes. Raises TimeoutError at the time `until`, EOFError at the end, ValueError where it is
    longer than allowed."""
    (size,) = struct.unpack("!i", _exactly(channel, 4, until))
    if not 0 <= size <= min(LONGEST_MESSAGE, most):
        raise ValueError("a message is longer than any answer")
    return _exactly(channel, size, until)


def _exactly(channel: socket.socket, size: int, until: float) -> bytes:
    """However slowly it comes: a message that stops half-way holds nobody up."""
    data = bytearray()
    while len(data) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        channel.settimeout(left)
        try:
            part = channel.recv(min(size - len(data), 2**20))
        except ConnectionError as error:
            raise EOFError from error
        if not part:
            raise EOFError
        data += part
    return bytes(data)


class Check:
    """Knows what was asked: `cases` is the number of cases by exercise, `cells` the numbers of the cells."""

    def __init__(self, cases: Mapping[str, int], cells: set[int]) -> None:
        self.cases = cases
        self.cells = cells
        self.given: dict[str, int] = {}  # answers so far, of the exercises that were begun

    def messages(self, data: bytes) -> list[dict[str, Any]]:
        """Messages in the form that the worker sends. Raises ValueError on anything else."""
        from autograder.values import unpack

        messages = unpack(data)
        if type(messages) is not list:
            raise ValueError("messages are no list")
        return [self._message(message) for message in messages]

    def _message(self, message: Any) -> dict[str, Any]:
        from autograder.answers import Answer, Answers

        try:
            match message:
                case {"kind": "done" | "answered" as kind}:
                    return {"kind": kind}
                case {"kind": "begin", "cell": number}:
                    return {"kind": "begin", "cell": self._cell(number)}
                case {"kind": "end", "cell": number, "problem": str(problem)}:
                    return {"kind": "end", "cell": self._cell(number), "problem": problem[:1000]}
                case {"kind": "try", "exercise": str(name)}:
                    self.given[self._exercise(name)] = 0
                    return {"kind": "try", "exercise": name}
                case {"kind": "answer", "exercise": str(name), "answer": dict(answer)}:
                    self.given[name] += 1
                    return {"kind": "answer", "exercise": name, "answer": _conforming(answer, Answer)}
                case {"kind": "answers", "exercise": str(name), "answers": dict(answers)}:
                    return {"kind": "answers", "exercise": name, "answers": self._answers(name, answers)}
                case {"kind": "contrasts", "exercise": str(name), "contrasts": list(tried)}:
                    told = _conforming({"contrasts": tried}, Answers)["contrasts"]
                    return {"kind": "contrasts", "exercise": self._concluded(name), "contrasts": told}
        except (RecursionError, MemoryError, TypeError, KeyError, AttributeError) as error:
            raise ValueError("a message is no message") from error
        raise ValueError("a message is of no known kind")

    def _cell(self, number: object) -> int:
        if type(number) is not int or number not in self.cells:
            raise ValueError("a message names a cell that is not there")
        return number

    def _exercise(self, name: str) -> str:
        if name not in self.cases:
            raise ValueError("a message names an exercise that was not asked for")
        return name

    def _concluded(self, name: str) -> str:
        if self.given[self._exercise(name)] != self.cases[name]:
            raise ValueError("an exercise's answers are not as many as its cases")
        return name

    def _answers(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        from autograder.answers import Answers

        answers = {"problem": "", **_conforming({**data, "cases": []}, Answers)}
        self._exercise(name) if answers["problem"] else self._concluded(name)
        return answers


def _conforming(data: Any, kind: type) -> dict[str, Any]:
    """`data` as the fields of a dataclass, each of the type that is written there."""
    if type(data) is not dict:
        raise ValueError(f"a message holds no {kind.__name__}")
    for name, hint in _hints(kind).items():
        if name in data and not fits(data[name], hint):
            raise ValueError(f"the field {name} of a message is of another type")
    return {field.name: data[field.name] for field in fields(kind) if field.name in data}


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@functools.cache
def _form(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(hint), get_args(hint)


def fits(value: Any, hint: Any) -> bool:
    """Whether data is of a type as annotations write it.

    >>> fits({"a": [1]}, dict[str, list[int]]), fits({"a": [True]}, dict[str, list[int]]), fits(None, int | None)
    (True, False, True)
    """
    if hint is Any:
        return True
    if hint is None:
        return value is None
    origin, inner = _form(hint)
    if origin in (Union, UnionType):
        return any(fits(value, option) for option in inner)
    if origin in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and len(value) <= MOST_ITEMS and all(fits(v, inner[0]) for v in value)
    if origin in (dict, Mapping):
        return type(value) is dict and len(value) <= MOST_ITEMS and all(fits(v, inner[1]) for v in value.values())
    return type(value) is hint
