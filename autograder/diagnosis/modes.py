"""Modes: a module whose result is right in one mode alone, or whose norms remember the right means up to one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from autograder.answers import Answer
from autograder.compare import compare
from autograder.diagnosis.evidence import CALL, Evidence, Finding, informative
from autograder.plans import has_plan

LEAST = 6  # places of the right results that could have been wrong
MEAN = ".running_mean"


def mode_finding(evidence: Evidence) -> Finding | None:
    """Right in every call in one mode, and wrong in every call in the other."""
    right: dict[str, int] = {}
    wrong: set[str] = set()
    for case, answer in zip(evidence.key.cases, evidence.answers.cases, strict=True):
        for mode, expected, yours in _calls(case, answer):
            told = sum(informative(part) for part in _tensors(expected))
            if compare(expected, yours) is not None:
                wrong.add(mode)
            elif told:
                right[mode] = right.get(mode, 0) + told
    for mode, other in (("training", "evaluation"), ("evaluation", "training")):
        if wrong == {mode} and mode not in right and right.get(other, 0) >= LEAST:
            return Finding(
                f"Your result is right in {other}, and wrong in {mode}.",
                "What asks for `self.training`, and what should: dropout, and what is remembered?",
            )
    return None


def _tensors(value: Any) -> list[Tensor]:
    parts = value if isinstance(value, tuple | list) else [value]
    return [part for part in parts if isinstance(part, Tensor)]


def _calls(case: dict[str, Any], answer: Answer) -> Iterator[tuple[str, Any, Any]]:
    """Each call's mode, and its result as expected and as it came."""
    mode, number = "training", 0
    for step in case["arguments"]["steps"] if has_plan(case) and answer.outcome == "returned" else []:
        if step["do"] in ("train", "eval"):
            mode = "training" if step["do"] == "train" else "evaluation"
        if "positional" not in step:
            continue
        number += 1
        name = "result" if "result" in case["expected"] else f"result in call {number}"
        if name in case["expected"]:
            yield mode, case["expected"][name], answer.results.get(name)


def norm_finding(evidence: Evidence) -> Finding | None:
    """The first BatchNorm whose running mean is wrong, behind others whose are right."""
    if CALL.search(evidence.name) is not None or not evidence.name.startswith("result"):
        return None
    found: set[tuple[str, str]] = set()
    for case, answer in zip(evidence.key.cases, evidence.answers.cases, strict=True):
        first = _first_wrong(case, answer)
        if first is not None:
            found.add(first)
    if len(found) != 1:
        return None
    before, norm = found.pop()
    return Finding(
        f"The running mean of `{norm}` is not what was expected, and that of `{before}` is right.",
        f"What is `{norm}` given, and how often does it run?",
    )


def _first_wrong(case: dict[str, Any], answer: Answer) -> tuple[str, str] | None:
    """The last norm of which nothing before is wrong, and the one behind it; None where none or the first one is."""
    means = [
        (name, expected)
        for name, expected in case["expected"].items()
        if name.startswith("buffer ") and MEAN in name and (call := CALL.search(name), not call or call[1] == "1")[1]
    ]
    before = ""
    for name, expected in means if answer.outcome == "returned" else []:
        norm = name.removeprefix("buffer ").partition(MEAN)[0]
        if compare(expected, answer.results.get(name)) is not None:
            return (before, norm) if before else None
        before = norm
    return None
