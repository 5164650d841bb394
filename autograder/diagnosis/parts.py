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
    known = _all_parts(evidence)
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


def copied_part_finding(evidence: Evidence) -> Finding | None:
    """A part or an entry that is what is expected of another one, on every case."""
    known = _all_parts(evidence)
    if not known or any(list(e) != list(known[0][0]) for e, _ in known):
        return None
    wrong = [(e, y) for e, y in known if any(not _same(e[name], y[name]) for name in e)]
    names = {name for e, y in wrong for name in e if not _same(e[name], y[name])}
    if len(names) != 1:
        return None
    name = names.pop()
    others = [each for each in known[0][0] if each != name and all(_same(e[each], y[name]) for e, y in known)]
    if len(others) != 1 or not _tells(wrong, name, others[0]):
        return None
    shown = [f"“{each}”" if isinstance(each, str) else f"part {each}" for each in (name, others[0])]
    return Finding(
        f"{shown[0][0].upper()}{shown[0][1:]} of yours is what is expected of {shown[1]}.",
        f"In what does {shown[0]} differ from {shown[1]}?",
    )


def one_part_finding(evidence: Evidence) -> Finding | None:
    """The parts of a tuple of tensors that are right on every case, where others are not."""
    known = [(e, y) for e, y in _all_parts(evidence) if all(isinstance(part, Tensor) for part in e.values())]
    if not known or any(list(e) != list(known[0][0]) or isinstance(next(iter(e)), str) for e, _ in known):
        return None
    right = [name for name in known[0][0] if all(_same(e[name], y[name]) for e, y in known)]
    if not right or sum(informative(e[name]) for e, _ in known for name in right) < LEAST:
        return None
    wrong = [name for name in known[0][0] if name not in right]
    texts = [f"part{'s' if len(each) > 1 else ''} {' and '.join(map(str, each))}" for each in (right, wrong)]
    verbs = ["are" if len(each) > 1 else "is" for each in (right, wrong)]
    return Finding(
        f"{texts[0].capitalize()} of your result {verbs[0]} right in every case; {texts[1]} {verbs[1]} not.",
        f"What comes between {texts[0]} and {texts[1]}?",
    )


def _all_parts(evidence: Evidence) -> list[tuple[dict[Any, Any], dict[Any, Any]]]:
    """Both sides of each result that has parts; none where one without them is wrong."""
    whole = [(expected, yours, _parts(expected, yours)) for expected, yours in _whole(evidence)]
    if any(parts is None and not _same(expected, yours) for expected, yours, parts in whole):
        return []
    return [parts for _, _, parts in whole if parts is not None]


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
