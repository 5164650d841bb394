"""Numbers: a result that is not finite, that is one value everywhere, or that is right to a few digits only."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autograder.axes import place
from autograder.diagnosis.evidence import SLACK, Evidence, Finding, Sample, close, distinct_values, uncapitalized

# dtypes by their precision, the lowest first, each with the relative size of its rounding
PRECISIONS = ((torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11), (torch.float32, 2.0**-24))
LEAST = 8  # numbers of which each would have to be rounded by chance


def nonfinite_finding(evidence: Evidence) -> Finding | None:
    """NaN or infinity where a finite number is expected, and where it is first."""
    if not evidence.comparable or not all(_has_nonfinite(sample) for sample in evidence.wrong):
        return None
    first = evidence.wrong[0]
    bad = _nonfinite(first)
    index = tuple(int(i) for i in bad.nonzero()[0])
    kind = "NaN" if bool(first.yours[index].isnan()) else "infinity"
    where = f", first at {place(index, first.names)}" if index else ""
    alone = all(bool((~sample.differs | _nonfinite(sample)).all()) for sample in evidence.wrong)
    all_of_it = all(bool(_nonfinite(sample).all()) for sample in evidence.wrong)
    rest = "" if not alone or all_of_it else "; all other values are right"
    looks = {
        "NaN": "0 / 0, infinity minus infinity and the root of a negative number give NaN: which of them is there?",
        "infinity": "A division by 0, a logarithm of 0 and a number too large for the dtype give infinity.",
    }
    return Finding(f"{evidence.your} holds {kind}{where}{rest}.", looks[kind])


def _has_nonfinite(sample: Sample) -> bool:
    return sample.yours.dtype.is_floating_point and bool(_nonfinite(sample).any())


def _nonfinite(sample: Sample) -> Tensor:
    """Where the candidate's value is not finite and wrong for that."""
    bad: Tensor = ~sample.yours.isfinite() & sample.expected.isfinite()
    return bad


def constant_finding(evidence: Evidence) -> Finding | None:
    """One value everywhere, where several are expected."""
    if not evidence.comparable or any(sample.yours.numel() == 0 for sample in evidence.wrong):
        return None
    values = {_only_value(sample.yours) for sample in evidence.wrong}
    varied = any(not bool((s.expected == s.expected.flatten()[0]).all()) for s in evidence.wrong)
    if None in values or len(values) != 1 or not varied:
        return None
    value = values.pop()
    if value is None:
        return None
    shown = value if isinstance(value, bool) else f"{value + 0.0:.4g}"  # 0, not -0
    return Finding(
        f"Every place of {uncapitalized(evidence.your)} is {shown}.", "Which of the inputs does it depend on?"
    )


def value_finding(evidence: Evidence) -> Finding | None:
    """One value in the place of another wherever that is expected, and nothing else wrong."""
    if not evidence.comparable or any(sample.expected.dim() == 0 for sample in evidence.wrong):
        return None
    pairs = [_exchanged_values(sample) for sample in evidence.wrong]
    lowest = _in_place_of_the_lowest(evidence, pairs)
    if lowest is not None:
        return lowest
    if None in pairs or len(set(pairs)) != 1 or sum(int((~s.differs).sum()) for s in evidence.wrong) < LEAST:
        return None
    if sum(int(sample.differs.sum()) for sample in evidence.wrong) < LEAST or pairs[0] is None:
        return None
    wanted, came = pairs[0]
    if not math.isfinite(came):
        return None
    your = uncapitalized(evidence.your)
    return Finding(
        f"Wherever {wanted:.4g} is expected, {your} holds {came:.4g}; everything else is right.",
        f"Where does the {came:.4g} come from?",
    )


def _in_place_of_the_lowest(evidence: Evidence, pairs: list[tuple[float, float] | None]) -> Finding | None:
    """One number, whatever the dtype, wherever its lowest finite one is expected."""
    told = [(s, *pair) for s, pair in zip(evidence.wrong, pairs, strict=True) if pair is not None]
    if len(told) < len(pairs) or sum(int(sample.differs.sum()) for sample in evidence.wrong) < LEAST:
        return None
    if any(not s.yours.is_floating_point() or wanted != torch.finfo(s.yours.dtype).min for s, wanted, _ in told):
        return None
    _, _, came = min(told, key=lambda each: torch.finfo(each[0].yours.dtype).eps)
    # as each dtype holds it: half precision makes infinity of what is too large
    if any(torch.tensor(came, dtype=torch.float64).to(s.yours.dtype).item() != number for s, _, number in told):
        return None
    shown = "minus infinity" if came == -math.inf else f"{came:.4g}"
    return Finding(
        f"Wherever the lowest finite number of the dtype is expected, {uncapitalized(evidence.your)} holds {shown}.",
        "torch.finfo(dtype) knows the numbers of each dtype.",
    )


def _exchanged_values(sample: Sample) -> tuple[float, float] | None:
    """The one expected value that is wrong everywhere, and the one that stands there."""
    wanted, came = distinct_values(sample.expected[sample.differs]), distinct_values(sample.yours[sample.differs])
    if sample.expected.dtype == torch.bool or wanted.numel() != 1 or came.numel() != 1:
        return None
    everywhere = bool(sample.differs[sample.expected == wanted].all())
    return (float(wanted), float(came)) if everywhere and not bool(came.isnan().any()) else None


def _only_value(values: Tensor) -> bool | float | None:
    first = values.flatten()[0]
    return first.item() if bool((values == first).all()) else None


def precision_finding(evidence: Evidence) -> Finding | None:
    """Right up to the precision of a dtype that is lower than the result's."""
    if not evidence.comparable or not all(sample.yours.dtype.is_floating_point for sample in evidence.wrong):
        return None
    if sum(distinct_values(sample.expected).numel() for sample in evidence.wrong) < LEAST:
        return None
    for dtype, rounding in PRECISIONS:
        if all(_rounded_to(sample, dtype, rounding) for sample in evidence.wrong):
            name = str(dtype).removeprefix("torch.")
            return Finding(
                f"{evidence.your} is right up to the precision of {name}.",
                f"Where do the numbers pass through {name} on their way?",
            )
    return None


def _rounded_to(sample: Sample, dtype: torch.dtype, rounding: float) -> bool:
    """Whether every value is representable in the dtype and within its rounding of the expected one."""
    yours, expected = sample.yours, sample.expected
    if torch.finfo(dtype).eps <= torch.finfo(yours.dtype).eps:
        return False
    if not bool(yours.isfinite().all()) or not torch.equal(yours.to(dtype).to(yours.dtype), yours):
        return False
    near = (expected.double() - yours.double()).abs() <= 8 * rounding * (
        expected.double().abs() + expected.double().abs().max()
    )
    return bool(near.all())


def dtype_finding(evidence: Evidence) -> Finding | None:
    """Right values in another dtype, on every wrong case."""
    for sample in evidence.wrong:
        if (
            not sample.tensors
            or sample.expected.shape != sample.yours.shape
            or sample.expected.dtype == sample.yours.dtype
        ):
            return None
        lower = min((sample.expected, sample.yours), key=_digits)
        one, other = (sample.expected, sample.yours) if lower is sample.yours else (sample.yours, sample.expected)
        if not bool(close(one, other, SLACK).all()):
            return None
    if all(distinct_values(sample.expected).numel() < 2 for sample in evidence.wrong):
        return None
    came = {str(sample.yours.dtype).removeprefix("torch.") for sample in evidence.wrong}
    kind = came.pop() if len(came) == 1 else "another dtype"
    return Finding(f"{evidence.your} has the right values; they are held as {kind}, which is not the dtype asked for.")


def _digits(values: Tensor) -> float:
    return -torch.finfo(values.dtype).eps if values.dtype.is_floating_point else 0.0
