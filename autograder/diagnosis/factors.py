"""Factors and offsets: a result that is the expected one times a number or plus one, named where it has a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.compare import TOLERANCES
from autograder.diagnosis.evidence import (
    SLACK,
    Evidence,
    Finding,
    Sample,
    close,
    distinct_values,
    uncapitalized,
    unchanged,
)
from autograder.diagnosis.quantities import named_sizes, quantities

LEAST = 8  # numbers other than zero, in all wrong cases together
LEAST_IN_A_CASE = 6  # where each case has a factor of its own, without a name
Measure = Callable[[Tensor, Tensor, Tensor], "float | None"]


def factor_finding(evidence: Evidence) -> Finding | None:
    """One factor in each case: a named one, the same one everywhere, or one that has no name."""
    if not numbers(evidence):
        return None
    found = _measured(evidence, factor)
    if found is None:
        return None
    name, constant = found
    look = "What is divided or multiplied by once too often, or not at all?"
    if name:
        return Finding(f"{evidence.your} is the expected one times {name}.", look)
    if constant is None:
        return Finding(
            f"In each case that is wrong, {uncapitalized(evidence.your)} is the expected one times one number.", look
        )
    if constant == -1:
        return Finding(
            f"{evidence.your} is the expected one times -1: the sign is the other way round.",
            "Which is subtracted from which?",
        )
    return Finding(f"{evidence.your} is the expected one times {constant:.4g}, in every case.", look)


def offset_finding(evidence: Evidence) -> Finding | None:
    """One offset in each case: a named one, or the same one everywhere."""
    if not numbers(evidence):
        return None
    found = _measured(evidence, offset)
    if found is None or (not found[0] and found[1] is None):
        return None
    name, constant = found
    look = "What is added or subtracted once too often, or not at all?"
    if name:
        sign, name = ("minus", name[1:]) if name.startswith("−") else ("plus", name)
        return Finding(f"{evidence.your} is the expected one {sign} {name}.", look)
    assert constant is not None
    sign = "plus" if constant > 0 else "minus"
    return Finding(f"{evidence.your} is the expected one {sign} {abs(constant):.4g}, in every case.", look)


def numbers(evidence: Evidence) -> bool:
    """Whether the wrong results are tensors of numbers that can be compared."""
    return evidence.comparable and all(sample.expected.dtype != torch.bool for sample in evidence.wrong)


def _measured(evidence: Evidence, measure: Callable[[Sample], float | None]) -> tuple[str, float | None] | None:
    """The name of what is measured in every case, or else its value where that is one; None where nothing fits.

    A name is given only where the quantity takes several values in the wrong cases, so that no constant explains them.
    """
    tellers = [sample for sample in evidence.wrong if measure is offset or _tells(sample)]
    if len(tellers) != len(evidence.wrong) or sum(_told(sample) for sample in tellers) < LEAST:
        return None
    measured = [measure(sample) for sample in tellers]
    if any(value is None for value in measured):
        return None
    values = [value for value in measured if value is not None]
    named = _named if measure is factor else _named_offset
    name = named(evidence, tellers, values)
    if name:
        return name, None
    if all(_same(value, values[0]) for value in values) and _not_contradicted(evidence, measure, values[0]):
        return "", values[0] if abs(values[0] - round(values[0], 3)) > 1e-4 * abs(values[0]) else round(values[0], 3)
    enough = len(values) > 1 and all(_told(sample) >= LEAST_IN_A_CASE for sample in tellers)
    return ("", None) if enough else None


def _told(sample: Sample) -> int:
    return int(distinct_values(sample.expected).numel())


def _tells(sample: Sample) -> bool:
    return sample.tensors and bool((sample.expected != 0).any())


def factor(sample: Sample) -> float | None:
    """The number that turns the expected values into the candidate's; None where there is none, or it is 1 or 0."""
    e, y = sample.expected.double(), sample.yours.double()
    if not bool(y.isfinite().all()) or not bool(e.isfinite().all()):
        return None
    index = e.abs().argmax()
    value = float(y.flatten()[index] / e.flatten()[index])
    if value == 0 or not _fits(sample, e * value) or unchanged(sample.expected, e * value):
        return None
    nonzero = e.abs() > 0
    return (
        float((y[nonzero] / e[nonzero]).median()) if int(nonzero.sum()) and sample.yours.dtype in TOLERANCES else value
    )


def offset(sample: Sample) -> float | None:
    """The number that is added to every expected value; None where there is none."""
    e, y = sample.expected.double(), sample.yours.double()
    if not bool(y.isfinite().all()) or not bool(e.isfinite().all()):
        return None
    value = float((y - e).median())
    return value if _fits(sample, e + value) and not unchanged(sample.expected, e + value) else None


def _fits(sample: Sample, values: Tensor) -> bool:
    if sample.yours.dtype not in TOLERANCES:
        return bool((values == sample.yours.double()).all())
    return bool(close(values, sample.yours, SLACK).all())


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 2e-3 * max(abs(a), abs(b))


def _named(evidence: Evidence, samples: list[Sample], values: list[float]) -> str:
    return _name(evidence, samples, values, quantities)


def _named_offset(evidence: Evidence, samples: list[Sample], values: list[float]) -> str:
    """The quantity that is added; with a minus sign before its name where it is subtracted."""
    return _name(evidence, samples, values, named_sizes) or (
        "−" + name if (name := _name(evidence, samples, [-value for value in values], named_sizes)) else ""
    )


def _name(evidence: Evidence, samples: list[Sample], values: list[float], known: Any) -> str:
    candidates = [known(sample) for sample in samples]
    found = []
    for name in candidates[0]:
        fits = all(name in each and _same(each[name], value) for each, value in zip(candidates, values, strict=True))
        if not fits or len({round(each[name], 9) for each in candidates}) < 2:
            continue
        neutral = 1.0 if known is quantities else 0.0
        if all(abs(known(sample).get(name, neutral) - neutral) < 1e-9 for sample in evidence.right if _tells(sample)):
            found.append(str(name))
    return either(found)


def either(names: Sequence[str]) -> str:
    """The name of a quantity, or the two simplest where the cases do not tell them apart."""
    return " or ".join(names[:2])


def _not_contradicted(evidence: Evidence, measure: Any, value: float) -> bool:
    """A constant holds on the right cases too only where they cannot show it: where all is zero, for a factor."""
    return not evidence.right or (measure is factor and not any(_tells(sample) for sample in evidence.right))
