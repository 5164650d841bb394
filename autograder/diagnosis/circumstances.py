"""Circumstances: what the wrong cases have in common and no right one has, such as a batch larger than one."""

from __future__ import annotations

from autograder.diagnosis.evidence import Evidence, Finding, informative
from autograder.diagnosis.quantities import named_sizes

LEAST_WRONG = 2
LEAST_RIGHT = 6  # places of the right cases that could have been wrong


def circumstance_finding(evidence: Evidence) -> Finding | None:
    """The size that is one on every right case and more on every wrong one."""
    told = sum(informative(sample.expected) for sample in evidence.right if sample.tensors)
    if told < LEAST_RIGHT or len(evidence.wrong) < LEAST_WRONG:
        return None
    names = [name for name in named_sizes(evidence.wrong[0]) if _divides(evidence, name)]
    if len(names) != 1:
        return None
    return Finding(
        f"{evidence.your} is right where {names[0]} is 1, and wrong where it is larger.",
        f"What do you compute once where it should be done for each index of {names[0]}?",
    )


def _divides(evidence: Evidence, name: str) -> bool:
    """Whether a size is one on all right cases and larger on all wrong ones."""
    right, wrong = ([named_sizes(s).get(name, 0) for s in samples] for samples in (evidence.right, evidence.wrong))
    return all(size == 1 for size in right) and all(size > 1 for size in wrong)
