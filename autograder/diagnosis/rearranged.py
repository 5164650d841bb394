"""Rearranged: a result with the right numbers in the wrong places."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import combinations, permutations, product
from typing import Any

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample, Transform, distinct_values

LEAST = 6  # numbers that have to agree
LEAST_OF_FEW = 20  # places, where the numbers are only two or three different ones
MOST_AXES = 5  # of a permutation that is looked for


def rearranged_finding(evidence: Evidence) -> Finding | None:
    """The rearrangement of what was expected that gives the candidate's result."""
    if not all(sample.tensors and sample.expected.dtype == sample.yours.dtype for sample in evidence.wrong):
        return None
    if not all(sample.expected.numel() == sample.yours.numel() for sample in evidence.wrong):
        return None
    least = least_of(evidence)
    for transform, finding in _changes(evidence):
        if evidence.explained_by(transform, least):
            return finding
    return None


def least_of(evidence: Evidence) -> int:
    """How many places have to agree before an explanation is believed: more where there are few different values."""
    different = max((distinct_values(sample.expected).numel() for sample in evidence.wrong), default=0)
    return LEAST if different >= LEAST else LEAST_OF_FEW


def _changes(evidence: Evidence) -> Iterator[tuple[Transform, Finding]]:
    your, names = evidence.your, evidence.wrong[0].names
    count = len(names) if evidence.alike else 0
    for i, j in combinations(range(count), 2):
        exchanged = f"{your} is the expected one with {axis(names, i)} and {axis(names, j)} exchanged."
        yield (
            partial(_exchanged, i, j),
            Finding(exchanged, f"`transpose({i}, {j})` exchanges these two; so does the order of what is combined."),
        )
    if 3 <= count <= MOST_AXES:
        for order in permutations(range(count)):
            if sum(a != b for a, b in enumerate(order)) >= 3:
                shown = ", ".join(names[a] or str(a) for a in order)
                back = tuple(order.index(a) for a in range(count))
                yield (
                    partial(_permuted, order),
                    Finding(
                        f"{your} is the expected one with its axes in another order: ({shown}).",
                        f"`permute{back}` would bring them into the order that is asked for.",
                    ),
                )
    for index, name in _axes(evidence):
        yield (
            partial(_reversed, index),
            Finding(f"{your} is the expected one reversed along {name}.", f"In which direction does {name} run?"),
        )
    for (index, name), steps in product(_axes(evidence), (1, -1)):
        yield (
            partial(_rotated, index, steps),
            Finding(
                f"{your} is the expected one rotated along {name} by one place, towards "
                f"{'higher' if steps > 0 else 'lower'} indices; what falls out comes in at the other end.",
                "Where does the counting begin?",
            ),
        )


def _axes(evidence: Evidence) -> list[tuple[int, str]]:
    """The axes of the result with their names, the last one first; counted from the end where their number varies."""
    if evidence.alike:
        names = evidence.wrong[0].names
        return [(i, axis(names, i)) for i in reversed(range(len(names)))]
    fewest = min(len(sample.names) for sample in evidence.wrong)
    return [(index, evidence.axis_from_end(index)) for index in (-1, -2)[:fewest]]


def shuffled_finding(evidence: Evidence) -> Finding | None:
    """Slices of an axis in another order, or a reshape that scrambles."""
    if not evidence.comparable or not evidence.alike or evidence.boolean:
        return None
    if least_of(evidence) != LEAST or not all(_same_numbers(sample) for sample in evidence.wrong):
        return None
    your, names = evidence.your, evidence.wrong[0].names
    untouched = _in_memory_order_of(evidence)
    if untouched:
        return Finding(
            f"{your} holds the numbers of `{untouched}` in the order in which they lie there: a reshape moves none of "
            "them, and here they have to move.",
            "A `transpose` or `permute` moves axes; a reshape only cuts the row of numbers anew.",
        )
    for order in _orders(evidence):
        if evidence.explained_by(partial(_scrambled, order), LEAST):
            shown = ", ".join(names[a] or str(a) for a in order)
            return Finding(
                f"{your} holds the right numbers, cut anew by a reshape: they stand as if the axes came in the order "
                f"({shown}).",
                "A reshape keeps the order of the numbers in memory: bring the axes into order first.",
            )
    for index in range(len(names)):
        if all(_slices_shuffled(sample, index) for sample in evidence.wrong):
            first = evidence.wrong[0]
            mine, theirs = _moved(first, index)
            return Finding(
                f"{your} is right but for the order along {axis(names, index)}: on “{first.label}”, index {mine} holds "
                f"what belongs at index {theirs}.",
                "In which order do you put the parts together?",
            )
    return Finding(
        f"{your} holds the right numbers, each of them once, in the wrong places.",
        "Which axis does each step move, and in which order does a reshape read?",
    )


def _same_numbers(sample: Sample) -> bool:
    expected, yours = sample.expected.flatten().sort().values, sample.yours.flatten().sort().values
    return bool(torch.equal(expected, yours))


def _in_memory_order_of(evidence: Evidence) -> str:
    """The argument whose numbers the candidate's result holds in their own order, on every wrong case."""
    for name in evidence.wrong[0].arguments:
        given = [sample.arguments.get(name) for sample in evidence.wrong]
        if all(
            isinstance(value, Tensor)
            and value.numel() == sample.yours.numel()
            and torch.equal(value.flatten().to(sample.yours.dtype), sample.yours.flatten())
            for value, sample in zip(given, evidence.wrong, strict=True)
        ):
            return str(name)
    return ""


def _orders(evidence: Evidence) -> list[tuple[int, ...]]:
    count = evidence.wrong[0].expected.dim()
    return list(permutations(range(count)))[1:] if 2 <= count <= MOST_AXES else []


def _exchanged(first: int, second: int, sample: Sample) -> Any:
    return sample.expected.transpose(first, second)


def _permuted(order: tuple[int, ...], sample: Sample) -> Any:
    return sample.expected.permute(order)


def _reversed(index: int, sample: Sample) -> Any:
    return sample.expected.flip(index)


def _rotated(index: int, steps: int, sample: Sample) -> Any:
    return sample.expected.roll(steps, index)


def _scrambled(order: tuple[int, ...], sample: Sample) -> Any:
    return sample.expected.permute(order).reshape(sample.expected.shape)


def _slices_shuffled(sample: Sample, index: int) -> bool:
    """Whether the slices along an axis are the expected ones in another order."""
    size = sample.expected.shape[index]
    if size < 2 or math.prod(sample.expected.shape) == size:
        return False
    expected, yours = (value.movedim(index, 0).reshape(size, -1) for value in (sample.expected, sample.yours))
    pairs = (expected[:, None] == yours[None]).all(dim=2)
    return bool((pairs.sum(0) == 1).all() and (pairs.sum(1) == 1).all())


def _moved(sample: Sample, index: int) -> tuple[int, int]:
    """The first index of an axis whose slice stands in another place, and the index where it belongs."""
    size = sample.expected.shape[index]
    expected, yours = (value.movedim(index, 0).reshape(size, -1) for value in (sample.expected, sample.yours))
    belongs = (yours[:, None] == expected[None]).all(dim=2).int().argmax(dim=1)
    moved = int((belongs != torch.arange(size)).nonzero()[0])
    return moved, int(belongs[moved])
