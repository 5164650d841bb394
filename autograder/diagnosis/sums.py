"""Sums: shares that add up to one along the wrong axis, as a softmax over another axis gives."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample

CLOSE = {torch.float16: 2e-2, torch.bfloat16: 5e-2}
LEAST = 4  # sums that are one


def softmax_finding(evidence: Evidence) -> Finding | None:
    """The axes along which the candidate's shares sum to one, where they are not those asked for."""
    if (
        not evidence.comparable
        or not evidence.alike
        or not all(sample.yours.dtype.is_floating_point for sample in evidence.wrong)
    ):
        return None
    names = evidence.wrong[0].names
    count = evidence.wrong[0].expected.dim()
    asked = [index for index in range(count) if all(sums_to_one(s.expected, (index,)) for s in evidence.wrong)]
    if len(asked) != 1 or any(sums_to_one(sample.yours, tuple(asked)) for sample in evidence.wrong):
        return None
    for number in (1, 2, 3):
        for axes in combinations(range(count), number):
            if _all_sum_to_one(evidence.wrong, axes):
                along = " and ".join(axis(names, index) for index in axes)
                together = " together" if number > 1 else ""
                return Finding(
                    f"{evidence.your} sums to one along {along}{together}; along {axis(names, asked[0])} is asked for.",
                    "`dim` names the axis along which the shares are shared out.",
                )
    return None


def _all_sum_to_one(samples: list[Sample], axes: tuple[int, ...]) -> bool:
    """Whether all these results sum to one along the axes, in places enough to tell."""
    if not all(sums_to_one(sample.yours, axes) for sample in samples):
        return False
    sizes = [sample.yours.shape[index] for sample in samples for index in axes]
    sums = sum(sample.yours.sum(dim=axes).numel() for sample in samples)
    return max(sizes) > 1 and (sums >= LEAST or len(samples) > 1)


def sums_to_one(values: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether values are shares: none negative, and each sum along the axes one; or zero where all of them are."""
    if not bool(values.isfinite().all()) or bool((values < 0).any()) or not axes:
        return False
    sums = values.double().sum(dim=axes)
    near = CLOSE.get(values.dtype, 1e-4)
    ones = (sums - 1).abs() < near
    return bool(ones.any()) and bool((ones | (sums == 0)).all())
