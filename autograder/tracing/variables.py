"""The variable that a result is assigned to, read from the instruction that comes after the call.

`scores = q @ k.mT` calls `@` and then stores `scores`; what stands between a call and a store in the compiled code is
exact, so that a name is known or not, and never guessed.
"""

from __future__ import annotations

import ast
import dis
import linecache
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn

from autograder.tracing.leaves import tensors

OWN = (str(Path(torch.__file__).parent), str(Path(__file__).parent))  # code that no reader wrote
BOUNDARY = nn.Module._call_impl.__code__  # a module's call: what lies beyond is the module's result, not this call's
STORES = {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
RETURNS = "return"

Targets = tuple[str, ...] | str  # the names of an unpacked result, the name of a whole one, or ""


def reader_frame(frame: FrameType | None, through_module: bool = False) -> FrameType | None:
    """The frame of the code that a reader wrote, from a frame of torch's upwards; None where a module's call comes
    first. `through_module` is for the module's own call: one boundary is passed."""
    while frame is not None:
        if frame.f_code is BOUNDARY:
            if not through_module:
                return None
            through_module = False
        elif not is_own(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    return None


@cache
def is_own(filename: str) -> bool:
    """Whether a file is torch's or part of the tracing."""
    return filename.startswith(OWN)


@dataclass
class Variables:
    """Finds names; remembers each piece of code that it has read."""

    _targets: dict[tuple[CodeType, int], Targets | None] = field(default_factory=dict)

    def of_result(self, frame: FrameType | None) -> Targets:
        """What the call that `frame` is making is assigned to, where need be by the functions that return it."""
        while frame is not None:
            place = (frame.f_code, frame.f_lasti)
            if place not in self._targets:
                self._targets[place] = _targets(*place)
            found = self._targets[place]
            if found != RETURNS:
                return found or ""
            caller = frame.f_back
            if caller is None or is_own(caller.f_code.co_filename) or not _calls(caller, frame.f_code):
                return ""
            frame = caller
        return ""


def names_of_parts(targets: Targets, result: Any) -> list[str]:
    """A name for each tensor in a result that is assigned to `targets`; none where they do not fit."""
    if isinstance(targets, str):
        return [name for name, _ in tensors(result, targets)] if targets else []
    if isinstance(result, tuple | list) and len(result) == len(targets):
        return [name for part, target in zip(result, targets, strict=True) for name, _ in tensors(part, target)]
    return []


def of_tensor(tensor: Tensor, frame: FrameType | None) -> str:
    """The name that a tensor has where it is used: a local, an enclosing or a global variable; "" for none."""
    if frame is None:
        return ""
    for space in (frame.f_locals, frame.f_globals):
        for name, value in list(space.items()):
            if value is tensor and not name.startswith("_"):
                return name
    return ""


def _targets(code: CodeType, offset: int) -> Targets | None:
    """Names stored right after the instruction at `offset`, RETURNS where it is returned, None where it is used up."""
    instructions, places = _instructions(code)
    place = places.get(offset)
    if place is None:
        return None
    if instructions[place].opname != "UNPACK_SEQUENCE":  # `a, b = tensor` calls from within the unpacking itself
        place += 1
    while place < len(instructions) and instructions[place].opname in ("COPY", "NOP"):  # `(a := ...)`, `a = b = ...`
        place += 1
    if place >= len(instructions):
        return None
    first = instructions[place]
    if first.opname == "RETURN_VALUE":
        return RETURNS
    if first.opname == "UNPACK_SEQUENCE":
        names = _stored(instructions[place + 1 : place + 1 + first.arg], first.arg) if first.arg else []
        return tuple(names) if len(names) == first.arg else None
    names = _stored([first], 1)
    return names[0] if names else None


def _stored(instructions: list[dis.Instruction], count: int) -> list[str]:
    """The names that successive instructions store, at most `count`."""
    names: list[str] = []
    for instruction in instructions:
        if instruction.opname in STORES:
            names.append(str(instruction.argval))
        elif instruction.opname == "STORE_FAST_STORE_FAST":
            names += map(str, instruction.argval)
        elif instruction.opname == "STORE_FAST_LOAD_FAST":
            names.append(str(instruction.argval[0]))
        else:
            break
    return ["" if name == "_" else name for name in names[:count]]


@lru_cache(maxsize=256)
def _instructions(code: CodeType) -> tuple[list[dis.Instruction], dict[int, int]]:
    instructions = list(dis.get_instructions(code))
    return instructions, {instruction.offset: place for place, instruction in enumerate(instructions)}


def _calls(frame: FrameType, code: CodeType) -> bool:
    """Whether the call that `frame` is making is one of the function with this code, by its source: what `map` or
    `sorted` make of a function's result is not that result."""
    expression = _expression(frame.f_code, frame.f_lasti)
    if not isinstance(expression, ast.Call):
        return False
    called: Any = None
    match expression.func:
        case ast.Name(name):
            called = frame.f_locals.get(name, frame.f_globals.get(name))
        case ast.Attribute(ast.Name(name), attribute):
            owner = frame.f_locals.get(name, frame.f_globals.get(name))
            called = getattr(type(owner), attribute, None) or getattr(owner, "__dict__", {}).get(attribute)
    return getattr(getattr(called, "__func__", called), "__code__", None) is code


@lru_cache(maxsize=1024)
def _expression(code: CodeType, offset: int) -> ast.expr | None:
    """The expression whose call is at `offset`; None where the source is not to be had."""
    first, last, start, end = list(code.co_positions())[offset // 2]
    if first is None or last is None or start is None or end is None:
        return None
    lines = [linecache.getline(code.co_filename, line).encode() for line in range(first, last + 1)]
    lines[-1] = lines[-1][:end]  # columns count bytes
    lines[0] = lines[0][start:]
    try:
        return ast.parse(f"({b''.join(lines).decode()})", mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return None
