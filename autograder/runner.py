"""The parent's side: gives a notebook's cells and a key's inputs to a child process, and gathers its answers.

All notebooks share one server process that has torch loaded; each child is forked from it. A child that hangs or dies
costs the exercise or the cell at fault; the rest is run again without it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from autograder.answers import Answer, Answers, Question
    from autograder.notebook import Cell

LARGEST_MESSAGE = 256 * 2**20  # bytes


@dataclass(frozen=True)
class Limits:
    """Seconds: for one cell, for one case, and how much longer a silent child is waited for before it is ended."""

    cell: float = 20.0
    case: float = 10.0
    grace: float = 3.0


class Child(Protocol):
    """A process that runs a notebook's cells and tries what they define, whoever started it."""

    def receive(self, seconds: float) -> list[dict[str, Any]]:
        """Its next messages. Raises TimeoutError after `seconds`, EOFError or OSError where it is gone, ValueError,
        KeyError or TypeError where it sent something else."""

    def send(self, message: bytes) -> None:
        """Tell it something. Never raises: where it is gone, `receive` will tell."""

    def end(self) -> str:
        """See that it is gone; how it ended, as a sentence goes on after "The process"."""


Launch = Callable[[Sequence[bytes]], Child]
Doubts = Callable[[str, "Answers"], bool]
Packed = tuple[bytes, bytes]


def packed(question: Question) -> Packed:
    """A question as bytes, and apart from it its contrasts, which only a wrong answer is given."""
    from autograder.values import pack

    return pack(vars(replace(question, contrasts=[]))), pack(question.contrasts) if question.contrasts else b""


def start_server() -> None:
    """Start loading torch in the server process, without waiting for it. Safe to call again."""
    context = _context()
    if context.get_start_method() == "forkserver":
        from multiprocessing import forkserver

        context.set_forkserver_preload(["__main__", "autograder.worker"])
        forkserver.ensure_running()


def _context() -> Any:
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def run_notebook(
    path: Path,
    cells: Sequence[Cell],
    questions: Sequence[Question],
    limits: Limits | None = None,
    launch: Launch | None = None,
    doubts: Doubts = lambda name, answers: True,
    known: Mapping[str, Packed] | None = None,
) -> dict[str, Answers]:
    """Answers by exercise name. Never raises for what a notebook does.

    `launch` starts a process that is given a task as messages; without it, one is forked here that runs beside the
    notebook. `doubts` says of an exercise's answers whether they are wrong, so that contrasts are worth trying.
    `known` holds the questions that are packed already.
    """
    if launch is None:
        start_server()
        launch = lambda work: _Forked(work, path.parent)  # noqa: E731
    gathering = _Gathering(launch, list(cells), list(questions), limits or Limits(), doubts, known or {})
    while gathering.unanswered():
        gathering.run_child()
    return gathering.finished()


class _Gathering:
    """What is known so far of one notebook, over as many children as it takes."""

    def __init__(
        self,
        launch: Launch,
        cells: list[Cell],
        questions: list[Question],
        limits: Limits,
        doubts: Doubts,
        known: Mapping[str, Packed],
    ) -> None:
        self.launch = launch
        self.cells = cells
        self.questions = {question.name: question for question in questions}
        self.limits = limits
        self.doubts = doubts
        self.packed = {name: known.get(name) or packed(question) for name, question in self.questions.items()}
        self.answers: dict[str, Answers] = {}
        self.partial: dict[str, list[Answer]] = {}
        self.problems: dict[int, str] = {}  # of cells that failed
        self.fatal: set[int] = set()  # cells that ended their process: not run again
        self.replies: list[bytes] = []  # to the child that is listened to: contrasts of each exercise that it tried
        self.at_once = False  # whether a child sends what it finds at once, because one has ended before its time

    def unanswered(self) -> list[Question]:
        return [question for name, question in self.questions.items() if name not in self.answers]

    def run_child(self) -> None:
        """Run one child to its end; afterwards something more is answered, or a cell is known to be fatal."""
        from autograder.values import pack

        cells = [vars(cell) for cell in self.cells if cell.number not in self.fatal]
        how = {"cell_seconds": self.limits.cell, "case_seconds": self.limits.case, "at_once": self.at_once}
        questions = [self.packed[question.name][0] for question in self.unanswered()]
        child = self.launch([pack({"cells": cells, "questions": len(questions), **how}), *questions])
        at, ending = self._listen(child)
        ended = child.end()
        if ending and self.at_once:
            self._blame(at, ending if ending != "ended" else ended)
        self.at_once = bool(ending)

    def _listen(self, child: Child) -> tuple[dict[str, Any], str]:
        """Take messages until the child is done, silent for too long, or gone; what it was at, and how it ended."""
        at: dict[str, Any] = {}
        self.replies = []
        patience = max(self.limits.cell, self.limits.case) + self.limits.grace
        first_patience = patience + 60  # the server may still be loading torch
        while True:
            started = time.monotonic()
            try:
                for message in child.receive(patience if at else first_patience):
                    if message["kind"] == "done":
                        return at, ""
                    at = self._take(message, child) or at
            except TimeoutError:
                return at, f"did not finish within {time.monotonic() - started:.0f} s, and could not be interrupted"
            except (EOFError, OSError):
                return at, "ended"
            except (ValueError, KeyError, TypeError):
                return at, "sent something that is no answer"

    def _take(self, message: dict[str, Any], child: Child) -> dict[str, Any] | None:
        """Note a message; it is returned where it says what the child is at now."""
        from autograder.answers import Answer, Answers

        match message:
            case {"kind": "begin"}:
                return message
            case {"kind": "end", "cell": cell, "problem": problem}:
                self.problems[cell] = problem
            case {"kind": "try", "exercise": name}:
                self.partial[name] = []
                return message
            case {"kind": "answer", "exercise": name, "answer": answer}:
                self.partial[name].append(Answer(**answer))
            case {"kind": "answers", "exercise": name, "answers": answers}:
                cases = [] if answers["problem"] else self.partial[name]
                self.answers[name] = Answers(**{**answers, "cases": cases})
                if not answers["problem"]:
                    self.replies.append(self.packed[name][1] if self.doubts(name, self.answers[name]) else b"")
            case {"kind": "answered"}:
                for reply in self.replies:
                    child.send(reply)
                self.replies = []
            case {"kind": "contrasts", "exercise": name, "contrasts": tried}:
                self.answers[name] = replace(self.answers[name], contrasts=tried)
        return None

    def _blame(self, at: dict[str, Any], ending: str) -> None:
        """Lay a child's end at the door of what it was at."""
        from autograder.answers import Answer, Answers

        if at.get("kind") == "try" and at["exercise"] in self.answers:
            return  # all its cases are known; what ended was tried for the diagnosis alone
        if at.get("kind") == "try":
            question = next(question for question in self.unanswered() if question.name == at["exercise"])
            known = self.partial.get(question.name, [])
            lost = Answer("died", message=f"Your function {ending}.")
            untried = Answer("untried", message="This case was not tried, because an earlier one ended the process.")
            cases = [*known, lost, *[untried] * len(question.cases)][: len(question.cases)]
            self.answers[question.name] = Answers(cases=cases)
        elif at.get("kind") == "begin" and at["cell"] not in self.fatal:
            self.fatal.add(at["cell"])
            self.problems[at["cell"]] = ending
        else:
            for question in self.unanswered():
                self.answers[question.name] = Answers(problem="not run", detail=f"The notebook's process {ending}.")

    def finished(self) -> dict[str, Answers]:
        """The answers, with what is known of the cells that define each exercise."""
        from autograder.notebook import cells_defining

        finished = {}
        for name, answers in self.answers.items():
            defining = cells_defining(self.cells, name)
            failed = [f"Cell {c.number} {self.problems[c.number]}." for c in defining if c.number in self.problems]
            if answers.problem == "missing" and failed:
                answers = replace(answers, detail=" ".join(failed))
            elif answers.problem == "missing" and not defining and self.problems:
                cells = " ".join(f"Cell {number} {problem}." for number, problem in sorted(self.problems.items()))
                answers = replace(answers, detail=f"Its cell was deleted or renamed, or did not run. {cells}")
            if len(defining) > 1:
                numbers = " and ".join(str(cell.number) for cell in defining)
                answers = replace(answers, note=f"`{name}` is defined in cells {numbers}: the last one counts.")
            finished[name] = answers
        return finished


class _Forked:
    """A child of the server that all notebooks share, on this machine and with this user's rights."""

    def __init__(self, work: Sequence[bytes], folder: Path) -> None:
        from autograder.worker import run

        context = _context()
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=run, args=(theirs, str(folder)), daemon=True)
        self.process.start()
        theirs.close()
        for message in work:
            self.send(message)

    def receive(self, seconds: float) -> list[dict[str, Any]]:
        """The next messages."""
        from autograder.values import unpack

        if not self.connection.poll(seconds):
            raise TimeoutError
        messages: list[dict[str, Any]] = unpack(self.connection.recv_bytes(LARGEST_MESSAGE))
        return messages

    def send(self, message: bytes) -> None:
        """Tell it something."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(message)

    def end(self) -> str:
        """End the process."""
        self.process.kill()
        self.process.join()
        return how_it_ended(self.process.exitcode)


def how_it_ended(exitcode: int | None) -> str:
    """A process's end in words: a negative exit code is the signal that ended it."""
    if exitcode is not None and exitcode < 0:
        return f"was ended by signal {signal.Signals(-exitcode).name}"
    return f"ended the process with exit code {exitcode}"
