"""Parts: two parts of a result that stand in each other's place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from torch import Tensor

from autograder.compare import compare
from autograder.diagnosis.evidence import FIRST_CALL, Evidence, Finding, informative

LEAST = 6  # numbers that tell one part from the other, in all wrong cases together
LEAST_CASES = 2  # where the parts are no tensors


def exchanged_parts_finding(evidence: Evidence) -> Finding | None:
    """Two parts of a tuple, or two entries of a dictionary, that are exchanged on every wrong case."""
    whole = [(expected, yours, _parts(expected, yours)) for expected, yours in _whole(evidence)]
    if any(parts is None and not _same(expected, yours) for expected, yours, parts in whole):
        return None
    known = [parts for _, _, parts in whole if parts is not None]
    names = list(known[0][0]) if known else []
    if any(list(expected) != names for expected, _ in known):
        return None
    wrong = [(e, y) for e, y in known if not all(_same(e[name], y[name]) for name in names)]
    right = [e for e, y in known if all(_same(e[name], y[name]) for name in names)]
    for first, second in combinations(names, 2):
        fits = all(_are_exchanged(first, second, e, y) for e, y in wrong)
        if fits and all(_same(e[first], e[second]) for e in right) and _tells(wrong, first, second):
            what = (
                f"“{first}” and “{second}” of yours" if isinstance(first, str) else _numbered(evidence, first, second)
            )
            return Finding(f"{what} are exchanged.", "In which order do you put them together?")
    return None


def _whole(evidence: Evidence) -> Iterator[tuple[Any, Any]]:
    """The whole results of which the evidence is a part."""
    for case, answer in zip(evidence.key.cases, evidence.answers.cases, strict=True):
        for name, expected in case["expected"].items():
            if FIRST_CALL.sub("", name) == evidence.name and answer.outcome == "returned":
                yield expected, answer.results.get(name)


def _parts(expected: Any, yours: Any) -> tuple[dict[Any, Any], dict[Any, Any]] | None:
    """Both sides by their parts' names or numbers; None where they have other ones. One number among several is no part
    of its own: tuples of numbers are shapes."""
    if isinstance(expected, dict) and isinstance(yours, dict) and expected.keys() == yours.keys():
        return expected, {name: yours[name] for name in expected}
    if not isinstance(expected, tuple | list) or type(yours) is not type(expected) or len(yours) != len(expected):
        return None
    if len(expected) < 2 or not all(isinstance(part, Tensor) for part in expected):
        return None
    return dict(enumerate(expected)), dict(enumerate(yours))


def _are_exchanged(first: Any, second: Any, expected: dict[Any, Any], yours: dict[Any, Any]) -> bool:
    others = [name for name in expected if name not in (first, second)]
    exchanged = _same(expected[first], yours[second]) and _same(expected[second], yours[first])
    return exchanged and all(_same(expected[name], yours[name]) for name in others)


def _tells(wrong: list[tuple[dict[Any, Any], dict[Any, Any]]], first: Any, second: Any) -> bool:
    if all(isinstance(e[name], Tensor) for e, _ in wrong for name in (first, second)):
        return sum(informative(e[first]) for e, _ in wrong) >= LEAST
    return len(wrong) >= LEAST_CASES


def _same(expected: Any, yours: Any) -> bool:
    return compare(expected, yours) is None


def _numbered(evidence: Evidence, first: int, second: int) -> str:
    _, _, whole = evidence.what.partition(" of ")
    return f"Parts {first} and {second} of {whole or 'the result'}"
