"""Wrong answers as learners write them, kept as text beside the tests, with the sentence that each should be told."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from autograder.authoring import Lesson
from autograder.key import ExerciseKey
from autograder.quiet import quiet
from autograder.report import Report

FOLDER = Path(__file__).parent / "wrong_answers"
HEAD = re.compile(r"^== (\w+) \| (.*)$", re.M)


@dataclass(frozen=True)
class Written:
    """A wrong answer: the body of its function, or a whole class, and a part of what its learner should read."""

    exercise: str
    says: str
    body: str

    def is_said_in(self, report: Report) -> bool:
        """Whether the report says so: in its diagnosis, or in the first fault where that is all there is to say; or in
        an author's own words, where the answer equals a misconception on every case."""
        failure = report.first_failure
        assert failure is not None
        assert failure.fault is not None
        text = " ".join([report.diagnosis, report.look, failure.fault.headline, failure.fault.yours])
        return report.recogniser == "misconception" or any(part in text for part in self.says.split(" or "))


def written(lesson: str) -> list[Written]:
    """The wrong answers to a lesson's exercises, in the order of the file."""
    _, *parts = HEAD.split((FOLDER / f"{lesson}.txt").read_text(encoding="utf-8"))
    return [Written(*parts[i : i + 3]) for i in range(0, len(parts), 3)]


def right_answers() -> list[tuple[str, str]]:
    """Right answers in odd styles: the exercise, and the body."""
    text = (FOLDER.parent / "right_answers.txt").read_text(encoding="utf-8")
    _, *parts = re.split(r"^== (\w+)$", text, flags=re.M)
    return [(parts[i], parts[i + 1]) for i in range(0, len(parts), 2)]


def cells(lesson: Lesson) -> dict[str, Any]:
    """The names in a notebook where everything is right: imports and all references, in a namespace of their own.

    What is written there belongs to it, as a learner's own functions do: a call of the learner's `conv2d` is none of
    torch's.
    """
    space: dict[str, Any] = {"__name__": "written"}
    with quiet():
        exec(_compiled(lesson.sources[0]), space)
    return space


@functools.cache
def _compiled(source: Path) -> CodeType:
    return compile(source.read_text(encoding="utf-8"), str(source), "exec", dont_inherit=True)


def defined(key: ExerciseKey, body: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """The function or class that a learner would have written in this namespace."""
    source = body.strip()
    if key.forward is None:
        parameters = ", ".join(parameter["written"] for parameter in key.parameters)
        source = f"def {key.name}({parameters}):\n" + "\n".join(f"    {line}" for line in source.splitlines())
    exec(compile(source, "written", "exec", dont_inherit=True), namespace)
    candidate: Callable[..., Any] = namespace[key.name]
    return candidate
