"""Varying factors: a result that is the expected one times a number that differs along one axis."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.compare import TOLERANCES
from autograder.diagnosis.evidence import SLACK, Evidence, Finding, Sample, close, unchanged
from autograder.diagnosis.factors import numbers

LEAST = 8  # numbers that agree with the first one of their slice, in all wrong cases together


def varying_factor_finding(evidence: Evidence) -> Finding | None:
    """A factor for each index of one axis; named where it is a length against the whole axis."""
    if not numbers(evidence) or not evidence.alike or any(s.yours.dtype not in TOLERANCES for s in evidence.wrong):
        return None
    for index, name in enumerate(evidence.wrong[0].names):
        ratios = [ratios_along(sample, index) for sample in evidence.wrong]
        known = [ratio for ratio in ratios if ratio is not None]
        if not name or len(known) < len(ratios) or not any(map(varies, known)):
            continue
        if sum(_agreeing(sample, index) for sample in evidence.wrong) < LEAST:
            continue
        where = axis(evidence.wrong[0].names, index)
        quantity = _name(evidence, name, known)
        if quantity:
            return Finding(
                f"{evidence.your} is the expected one times {quantity}, for each index of {where}.",
                "What do you divide by: the whole axis, or what really counts?",
            )
        return Finding(
            f"{evidence.your} is the expected one times a number that differs along {where} only.",
            f"What do you compute once for each index of {where}?",
        )
    return None


def varying_offset_finding(evidence: Evidence) -> Finding | None:
    """A number that is added for each index of one axis."""
    if not numbers(evidence) or not evidence.alike:
        return None
    for index, name in enumerate(evidence.wrong[0].names):
        steps = [_steps_along(sample, index) for sample in evidence.wrong]
        known = [step for step in steps if step is not None]
        told = sum(sample.expected.numel() - sample.expected.shape[index] for sample in evidence.wrong)
        if name and len(known) == len(steps) and told >= LEAST and any(map(varies, known)):
            where = axis(evidence.wrong[0].names, index)
            return Finding(
                f"{evidence.your} is the expected one plus a number that differs along {where} only.",
                f"What do you add or subtract once for each index of {where}?",
            )
    return None


def _steps_along(sample: Sample, index: int) -> Tensor | None:
    """The number that is added to each slice along an axis; None where it is no one number."""
    size = sample.expected.shape[index]
    e, y = (value.double().movedim(index, 0).reshape(size, -1) for value in (sample.expected, sample.yours))
    if not size or not e.shape[1] or not bool(y.isfinite().all() and e.isfinite().all()):
        return None
    steps = (y - e).median(dim=1).values
    fits = bool(close(e + steps[:, None], y.to(sample.yours.dtype), SLACK).all())
    return steps if fits and not unchanged(e.to(sample.yours.dtype), e + steps[:, None]) else None


def ratios_along(sample: Sample, index: int) -> Tensor | None:
    """The number for each slice along an axis by which it is the expected one; NaN where that is zero. None where there
    is no such number."""
    size = sample.expected.shape[index]
    e, y = (value.double().movedim(index, 0).reshape(size, -1) for value in (sample.expected, sample.yours))
    if not size or not e.shape[1] or not bool(y.isfinite().all() and e.isfinite().all()):
        return None
    largest = e.abs().argmax(dim=1, keepdim=True)
    ratio = (y.gather(1, largest) / e.gather(1, largest)).where(e.gather(1, largest) != 0, torch.nan)
    fits = close(e * ratio.nan_to_num(1.0), y.to(sample.yours.dtype), SLACK).all()
    nothing = unchanged(e.to(sample.yours.dtype), e * ratio.nan_to_num(1.0))
    return ratio[:, 0] if bool(fits) and not nothing and not bool((ratio == 0).any()) else None


def varies(values: Tensor) -> bool:
    """Whether numbers differ by more than rounding."""
    told = values[~values.isnan()]
    return bool(told.numel()) and float(told.max() - told.min()) > 1e-2 * float(told.abs().max())


def _agreeing(sample: Sample, index: int) -> int:
    slices = sample.expected.movedim(index, 0).reshape(sample.expected.shape[index], -1)
    return int(((slices != 0).sum(dim=1) - 1).clamp(min=0).sum())


def _name(evidence: Evidence, along: str, ratios: list[Tensor]) -> str:
    """The lengths, or the number of True places, against the size of the axis that they count along."""
    tables = [dict(_quantities(sample, along)) for sample in evidence.wrong]
    for name in tables[0]:
        if all(name in table and _fits(table[name], ratio) for table, ratio in zip(tables, ratios, strict=True)):
            return name
    return ""


def _fits(quantity: Tensor, ratio: Tensor) -> bool:
    told = ~ratio.isnan()
    return quantity.shape == ratio.shape and bool(torch.allclose(quantity[told], ratio[told], rtol=2e-3))


def _quantities(sample: Sample, along: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in sample.arguments.items():
        names = sample.argument_names.get(name, [])
        if not isinstance(value, Tensor) or along not in names:
            continue
        if value.dtype == torch.bool and value.dim() == 2:
            other = 1 - names.index(along)
            count, size = value.sum(dim=other).double(), value.shape[other]
            text = f"(the number of True in `{name}`)"
            yield f"{text}/{names[other]}", count / size
            yield f"{names[other]}/{text}", size / count
            yield text, count
            yield f"1/{text}", 1 / count
        elif value.dim() == 1 and value.dtype in (torch.int64, torch.int32):
            yield f"`{name}`", value.double()
            yield f"1/`{name}`", 1 / value.double()
            for axis_name, size in sample.sizes.items():
                yield f"`{name}`/{axis_name}", value.double() / size
                yield f"{axis_name}/`{name}`", size / value.double()
