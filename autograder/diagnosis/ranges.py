"""Ranges: a stretch of an axis in which all differences lie, as where one of several joined parts is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample
from autograder.diagnosis.gradients import MARK
from autograder.diagnosis.places import held
from autograder.diagnosis.quantities import named_sizes

MOST_BEFORE = 4  # sizes that add up to where a stretch begins
Span = tuple[int, int]


def range_finding(evidence: Evidence) -> Finding | None:
    """The stretch of an axis in which all differences lie, on every wrong case; by the names of its bounds, or by its
    numbers on one case."""
    if not evidence.comparable or not evidence.alike or evidence.name.startswith(MARK):
        return None
    found: list[tuple[int, int]] = []
    for index in range(len(evidence.wrong[0].names)):
        if all(_span(sample, index) is not None for sample in evidence.wrong):
            size = held(evidence, partial(_stretch, index))
            found += [(size, index)] if size else []
    if not found:
        return None
    index = min(found)[1]
    where = axis(evidence.wrong[0].names, index)
    spans = [span for sample in evidence.wrong if (span := _span(sample, index)) is not None]
    look = "What makes this part of the result?"
    named = _named(evidence.wrong, spans)
    if named is not None:
        start, length = named
        which = f"the {length} that follow the first {start}" if start else f"the first {length}"
        return Finding(f"Along {where}, {which} are wrong in {_of_yours(evidence)}; all others are right.", look)
    first, (start_at, stop) = evidence.wrong[0], spans[0]
    return Finding(
        f"On “{first.label}”, indices {start_at} to {stop - 1} of {where} are wrong in {_of_yours(evidence)}, and no "
        "others.",
        look,
    )


def _span(sample: Sample, index: int) -> Span | None:
    """From the first to behind the last wrong index of an axis; None where only one is wrong, or both ends are."""
    others = [i for i in range(sample.differs.dim()) if i != index]
    wrong = sample.differs.any(dim=others) if others else sample.differs
    where = wrong.nonzero()[:, 0]
    start, stop = int(where[0]), int(where[-1]) + 1
    return (start, stop) if stop - start > 1 and stop - start < sample.expected.shape[index] else None


def _stretch(index: int, sample: Sample) -> Tensor | None:
    span = _span(sample, index)
    if span is None:
        return None
    places = torch.zeros(sample.expected.shape, dtype=torch.bool)
    places.narrow(index, span[0], span[1] - span[0]).fill_(True)
    return places


def _named(samples: Sequence[Sample], spans: Sequence[Span]) -> tuple[str, str] | None:
    """Where the stretches begin and how long they are, in the names of sizes; None where there are none, or several."""
    known = [named_sizes(sample) for sample in samples]
    if len(set(spans)) < 2:
        return None
    lengths = [name for name in known[0] if _is(known, (name,), [stop - start for start, stop in spans])]
    if len(lengths) != 1:
        return None
    if all(start == 0 for start, _ in spans):
        return "", lengths[0]
    for number in range(1, MOST_BEFORE + 1):
        starts = [g for g in combinations(known[0], number) if _is(known, g, [start for start, _ in spans])]
        if starts:
            return (" + ".join(starts[0]), lengths[0]) if len(starts) == 1 else None
    return None


def _is(known: Sequence[dict[str, float]], names: Sequence[str], sizes: Sequence[int]) -> bool:
    return all(
        all(name in each for name in names) and sum(each[name] for name in names) == size
        for each, size in zip(known, sizes, strict=True)
    )


def _of_yours(evidence: Evidence) -> str:
    return evidence.your[0].lower() + evidence.your[1:]
