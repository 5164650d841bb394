"""Ranges: a stretch of an axis in which all differences lie, as where one of several joined parts is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample, uncapitalized
from autograder.diagnosis.gradients import MARK
from autograder.diagnosis.places import held, held_where_it_can_be
from autograder.diagnosis.quantities import named_sizes

MOST_BEFORE = 4  # sizes that add up to where a stretch begins
Span = tuple[int, int]


def range_finding(evidence: Evidence) -> Finding | None:
    """The stretch of an axis in which all differences lie, on every wrong case: by the names of its bounds, by the
    numbers of its bounds where these are always the same, or by its numbers on one case."""
    if not evidence.comparable or not evidence.alike or evidence.name.startswith(MARK):
        return None
    found = [each for index in range(len(evidence.wrong[0].names)) if (each := _along(evidence, index)) is not None]
    return min(found, key=lambda each: each[0])[1] if found else None


def _along(evidence: Evidence, index: int) -> tuple[int, Finding] | None:
    """How many places the stretch of one axis has, and what is said of it."""
    where, yours = axis(evidence.wrong[0].names, index), uncapitalized(evidence.your)
    found = [_span(sample, index) for sample in evidence.wrong]
    spans = [span for span in found if span is not None]
    if len(spans) < len(found):
        return None
    inner = [
        span
        for sample, span in zip(evidence.wrong, spans, strict=True)
        if span[1] - span[0] > 1 and span[1] - span[0] < sample.expected.shape[index]
    ]
    look = "What makes this part of the result?"
    if len(inner) == len(spans):
        size = held(evidence, partial(_stretch, index, None))
        named = _named(evidence.wrong, inner)
        if size and named is not None:
            start, length = named
            which = f"the {length} that follow the first {start}" if start else f"the first {length}"
            return size, Finding(f"Along {where}, {which} are wrong in {yours}; all others are right.", look)
    # behind the first index up to the end: `edge_finding` says that
    ends = [sample.expected.shape[index] for sample in evidence.wrong]
    is_rest = min(spans)[0] == 1 and max(stop for _, stop in spans) == max(ends)
    span = (min(start for start, _ in spans), max(stop for _, stop in spans))
    is_one = all(each == (span[0], min(span[1], end)) for each, end in zip(spans, ends, strict=True))
    if inner and is_one and not is_rest:
        size = held_where_it_can_be(evidence, partial(_stretch, index, span))
        if size:
            return size, Finding(f"Along {where}, indices {span[0]} to {span[1] - 1} alone are wrong in {yours}.", look)
    size = held(evidence, partial(_stretch, index, None)) if len(inner) == len(spans) and not is_rest else 0
    if not size:
        return None
    (start_at, stop), label = inner[0], evidence.wrong[0].label
    return size, Finding(
        f"On “{label}”, indices {start_at} to {stop - 1} of {where} are wrong in {yours}, and no others.", look
    )


def _span(sample: Sample, index: int) -> Span | None:
    """From the first to behind the last wrong index of an axis; None where one between them is right."""
    others = [i for i in range(sample.differs.dim()) if i != index]
    wrong = sample.differs.any(dim=others) if others else sample.differs
    where = wrong.nonzero()[:, 0]
    start, stop = int(where[0]), int(where[-1]) + 1
    return (start, stop) if len(where) == stop - start else None


def _stretch(index: int, span: Span | None, sample: Sample) -> Tensor | None:
    """The places of a stretch, the sample's own where none is given."""
    known = span or _span(sample, index)
    if known is None:
        return None
    start, stop = known
    places = torch.zeros(sample.expected.shape, dtype=torch.bool)
    places.movedim(index, 0)[start:stop] = True
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
