"""Misconceptions: wrong answers that an author wrote down, each with its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograder.answers import Answer
from autograder.compare import compare
from autograder.effects import memory_fault
from autograder.key import ExerciseKey


def misconception_sentence(key: ExerciseKey, cases: Sequence[Answer]) -> str:
    """The sentence of the misconception that the answers equal on every case, or "" where there is none."""
    for misconception in key.misconceptions:
        if all(map(_same, misconception["answers"], cases, key.cases)):
            return str(misconception["sentence"])
    return ""


def _same(wrong: Answer, answer: Answer, case: dict[str, Any]) -> bool:
    if wrong.outcome != answer.outcome or wrong.changed != answer.changed or wrong.raised != answer.raised:
        return False
    if (memory_fault(case, wrong) is None) != (memory_fault(case, answer) is None):
        return False
    return compare(wrong.results, answer.results) is None
