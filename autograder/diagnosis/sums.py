"""Sums: shares that add up to one along the wrong axis, as a softmax over another axis gives."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample
from autograder.diagnosis.factors import either
from autograder.diagnosis.quantities import quantities

CLOSE = {torch.float16: 2e-2, torch.bfloat16: 5e-2}
LEAST = 4  # sums that are one
LEAST_SHARES = 12  # shares that a factor of the scores explains


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


def temperature_finding(evidence: Evidence) -> Finding | None:
    """Shares as a softmax gives them of scores that are larger or smaller by a factor."""
    if not evidence.comparable or not evidence.alike or not all(s.yours.is_floating_point() for s in evidence.wrong):
        return None
    for index in range(evidence.wrong[0].expected.dim()):
        if all(sums_to_one(s.expected, (index,)) and sums_to_one(s.yours, (index,)) for s in evidence.wrong):
            return _with_factor(evidence, index)
    return None


def _with_factor(evidence: Evidence, index: int) -> Finding | None:
    """The factor of the scores, by its name, where it has one."""
    factors = [_score_factor(sample, index) for sample in evidence.wrong]
    if any(factor is None for factor in factors):
        return None
    known = [quantities(sample) for sample in evidence.wrong]
    names = [
        name
        for name in known[0]
        if all(name in k and _same(k[name], factor) for k, factor in zip(known, factors, strict=True))
        and evidence.explained_by(partial(_with_scores_times, index, name), LEAST_SHARES)
    ]
    if not names:
        return None
    return Finding(
        f"{evidence.your} is what a softmax gives when the scores are multiplied by {either(names)} first.",
        "What are the scores divided by before the softmax?",
    )


def _score_factor(sample: Sample, index: int) -> float | None:
    """By how much the differences of logarithms along an axis are larger than expected."""
    e, y = sample.expected.double(), sample.yours.double()
    seen = (e > 1e-6) & (y > 1e-6)
    e, y = (torch.where(seen, value, torch.nan).log() for value in (e, y))
    e, y = (value - value.nanmean(dim=index, keepdim=True) for value in (e, y))
    square = float((e * e).nansum())
    return float((e * y).nansum()) / square if square > 1e-9 else None


def _with_scores_times(index: int, name: str, sample: Sample) -> Tensor | None:
    factor = quantities(sample).get(name)
    if factor is None:
        return None
    shares: Tensor = sample.expected.double() ** factor
    return shares / shares.sum(dim=index, keepdim=True).clamp(min=1e-300)


def _same(a: float, b: float | None) -> bool:
    return b is not None and abs(a - b) <= 1e-2 * abs(a) and abs(a - 1) > 1e-2


def _all_sum_to_one(samples: list[Sample], axes: tuple[int, ...]) -> bool:
    """Whether all these results sum to one along the axes, in places enough to tell."""
    if not all(sums_to_one(sample.yours, axes) for sample in samples):
        return False
    sizes = [sample.yours.shape[index] for sample in samples for index in axes]
    sums = sum(sample.yours.sum(dim=axes).numel() for sample in samples)
    return max(sizes) > 1 and (sums >= LEAST or len(samples) > 1)


def sums_to_one(values: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether values are shares: none negative, and each sum along the axes one; or zero where all of them are, or NaN,
    as where nothing is left to share."""
    if not axes or bool(values.isinf().any()) or bool((values < 0).any()):
        return False
    sums = values.double().sum(dim=axes)
    near = CLOSE.get(values.dtype, 1e-4)
    ones = (sums - 1).abs() < near
    return bool(ones.any()) and bool((ones | (sums == 0) | sums.isnan()).all())
