"""Flat: a result that is the same at every index of an axis along which it should vary."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample, close
from autograder.diagnosis.rearranged import least_of

REDUCED: tuple[tuple[str, Callable[[Tensor, int], Tensor]], ...] = (
    ("the largest of those expected along it", lambda e, i: e.amax(dim=i, keepdim=True)),
    ("the mean of those expected along it", lambda e, i: e.mean(dim=i, keepdim=True)),
    ("the sum of those expected along it", lambda e, i: e.sum(dim=i, keepdim=True)),
    ("what is expected at the first one", lambda e, i: e.narrow(i, 0, 1)),
    ("what is expected at the last one", lambda e, i: e.narrow(i, e.shape[i] - 1, 1)),
)


def reduced_finding(evidence: Evidence) -> Finding | None:
    """One value along an axis that is made of all those expected along it, such as the largest."""
    index = _flat_axis(evidence)
    if index is None or evidence.boolean:
        return None
    where = axis(evidence.wrong[0].names, index)
    for text, reduced in REDUCED:
        if evidence.explained_by(partial(_stretched, reduced, index), least_of(evidence)):
            return Finding(f"{evidence.your} is the same at every index of {where}: {text}.", _look(where))
    return None


def flat_finding(evidence: Evidence) -> Finding | None:
    """The one axis along which no result of the candidate varies, while every one that is expected does."""
    index = _flat_axis(evidence)
    if index is None:
        return None
    where = axis(evidence.wrong[0].names, index)
    return Finding(f"{evidence.your} is the same at every index of {where}.", _look(where))


def _look(where: str) -> str:
    return f"Where does each index of {where} get a value of its own?"


def _flat_axis(evidence: Evidence) -> int | None:
    """The axis along which nothing varies; None where there is none, or several."""
    if not evidence.comparable or not evidence.alike:
        return None
    flat = [index for index in range(len(evidence.wrong[0].names)) if _is_flat(evidence, index)]
    return flat[0] if len(flat) == 1 else None


def _is_flat(evidence: Evidence, index: int) -> bool:
    """Whether every wrong result is flat where it should vary, in places enough, and no right one varies."""
    if not all(_one_value(s.yours, index) and not _one_value(s.expected, index) for s in evidence.wrong):
        return False
    right = [s for s in evidence.right if isinstance(s.expected, Tensor) and s.expected.dim() > index]
    varying = sum(s.expected.numel() - s.expected.numel() // s.expected.shape[index] for s in evidence.wrong)
    return varying >= least_of(evidence) and all(_one_value(s.expected, index) for s in right)


def _one_value(values: Tensor, index: int) -> bool:
    first = values.narrow(index, 0, 1) if values.shape[index] else values
    return bool(close(first.expand_as(values), values).all())


def _stretched(reduced: Callable[[Tensor, int], Tensor], index: int, sample: Sample) -> Tensor | None:
    if sample.expected.dim() <= index or not sample.expected.shape[index]:
        return None
    return torch.broadcast_to(reduced(sample.expected.double(), index), sample.expected.shape)
