"""Regions: a mask that holds all it should and more, or a part of it and nothing else."""

from __future__ import annotations

import torch

from autograder.axes import distinct
from autograder.diagnosis.evidence import Evidence, Finding, Sample, distinct_values
from autograder.diagnosis.masks import has_steps

LEAST_AGREEING = 8  # places of each value that are right, in all wrong cases together


def region_finding(evidence: Evidence) -> Finding | None:
    """On every wrong case the mask is too wide, or on every one too narrow; and on which side of the diagonal."""
    if not evidence.comparable or not evidence.boolean:
        return None
    for value in (True, False):
        if all(_keeps(sample, value) for sample in evidence.wrong) and _enough(evidence, value):
            return Finding(
                f"Every place of your mask that should be {value} is {value}, and so are others{_where(evidence)}.",
                "Which condition lets them through?" if value else "Which condition shuts them out?",
            )
    return None


def _keeps(sample: Sample, value: bool) -> bool:
    """Whether the candidate has `value` wherever it is expected."""
    wanted = sample.expected == value
    return bool((sample.yours == value)[wanted].all())


def _enough(evidence: Evidence, value: bool) -> bool:
    """Whether it could have been otherwise: many places have this value, and many of the others are right."""
    kept = sum(int((sample.expected == value).sum()) for sample in evidence.wrong)
    others = sum(int(((sample.expected != value) & ~sample.differs).sum()) for sample in evidence.wrong)
    return kept >= LEAST_AGREEING and others >= LEAST_AGREEING


def _where(evidence: Evidence) -> str:
    """On which side of the diagonal all the others lie, where the last two axes number positions."""
    names = evidence.wrong[0].names
    if not evidence.alike or not has_steps(names):
        return ""
    row, column = (distinct(names) or names)[-2:]
    sides = {int(side) for sample in evidence.wrong for side in distinct_values(_sides(sample))}
    texts = {
        1: f", all where {column} is larger than {row}",
        -1: f", all where {column} is smaller than {row}",
        0: ", all on the diagonal",
    }
    return texts[sides.pop()] if len(sides) == 1 else ""


def _sides(sample: Sample) -> torch.Tensor:
    rows, columns = sample.expected.shape[-2:]
    steps = (torch.arange(columns) - torch.arange(rows)[:, None]).sign().expand(sample.expected.shape)
    return steps[sample.differs]
