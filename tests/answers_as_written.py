"""Wrong answers as learners write them, kept as text beside the tests, with the sentence that each should be told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.key import ExerciseKey

FOLDER = Path(__file__).parent / "wrong_answers"
HEAD = re.compile(r"^== (\w+) \| (.*)$", re.M)


@dataclass(frozen=True)
class Written:
    """A wrong answer: the body of its function, and a part of what its learner should read."""

    exercise: str
    says: str
    body: str


def written(lesson: str) -> list[Written]:
    """The wrong answers to a lesson's exercises, in the order of the file."""
    _, *parts = HEAD.split((FOLDER / f"{lesson}.txt").read_text(encoding="utf-8"))
    return [Written(*parts[i : i + 3]) for i in range(0, len(parts), 3)]


def defined(key: ExerciseKey, body: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """The function that a learner would have written, in a namespace of its own."""
    parameters = ", ".join(parameter["written"] for parameter in key.parameters)
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    space = dict(namespace)
    exec(compile(f"def {key.name}({parameters}):\n{lines}", "written", "exec", dont_inherit=True), space)
    function: Callable[..., Any] = space[key.name]
    return function
