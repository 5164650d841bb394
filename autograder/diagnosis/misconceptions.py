"""Misconceptions: wrong answers that an author wrote down, each with its sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from autograder.answers import Answer
from autograder.compare import compare
from autograder.diagnosis.evidence import close
from autograder.effects import memory_fault
from autograder.key import ExerciseKey

NEARLY = 0.9  # of the places at which a misconception is wrong, that have to be wrong in the same way
LEAST_CASES = 2  # that are wrong in the same way
LEAST = 12  # places


def misconception_sentence(key: ExerciseKey, cases: Sequence[Answer]) -> str:
    """The sentence of the misconception that the answers equal on every case, or "" where there is none."""
    for misconception in key.misconceptions:
        if all(map(_same, misconception["answers"], cases, key.cases)):
            return str(misconception["sentence"])
    return ""


def nearly_sentence(key: ExerciseKey, cases: Sequence[Answer]) -> str:
    """The sentence of the one misconception that explains every wrong place: the answers are wrong on the same cases,
    nowhere else than it and with the same values there, and right at a tenth of its wrong places at most."""
    found = [each["sentence"] for each in key.misconceptions if _explains(key, each["answers"], cases)]
    return str(found[0]) if len(set(found)) == 1 else ""


def _same(wrong: Answer, answer: Answer, case: dict[str, Any]) -> bool:
    if wrong.outcome != answer.outcome or wrong.changed != answer.changed or wrong.raised != answer.raised:
        return False
    if (memory_fault(case, wrong) is None) != (memory_fault(case, answer) is None):
        return False
    # both ways: an int is right where a float is expected, but who divides gives floats
    return compare(wrong.results, answer.results) is None and compare(answer.results, wrong.results) is None


def _explains(key: ExerciseKey, wrong: Sequence[Answer], cases: Sequence[Answer]) -> bool:
    told = missed = agreeing = 0
    for case, theirs, yours in zip(key.cases, wrong, cases, strict=True):
        if theirs.outcome != yours.outcome or theirs.changed != yours.changed:
            return False
        if theirs.outcome != "returned":
            continue
        differing = 0
        for expected, one, other in _results(case["expected"], theirs.results, yours.results):
            if not all(isinstance(each, Tensor) and each.shape == expected.shape for each in (expected, one, other)):
                if compare(one, other) is not None:
                    return False
                continue
            bad, yours_bad = ~close(expected, one), ~close(expected, other)
            if bool((yours_bad & ~close(one, other)).any()) or bool(bad.any()) != bool(yours_bad.any()):
                return False
            told += int(bad.sum())
            missed += int((bad & ~yours_bad).sum())
            differing += int(yours_bad.sum())
        agreeing += differing > 0
    return agreeing >= LEAST_CASES and told - missed >= LEAST and missed <= (1 - NEARLY) * told


def _results(expected: dict[str, Any], *others: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """What was returned, part by part; gradients follow from it."""
    for name, value in expected.items():
        if name.startswith("gradient of "):
            continue
        sides = (value, *(other.get(name) for other in others))
        if isinstance(value, tuple) and all(isinstance(each, tuple) and len(each) == len(value) for each in sides):
            yield from zip(*sides, strict=True)
        else:
            yield sides
