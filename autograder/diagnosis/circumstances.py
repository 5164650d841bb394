"""Circumstances: what the wrong cases have in common and no right one has, such as a batch larger than one."""

from __future__ import annotations

from autograder.diagnosis.evidence import CALL, Evidence, Finding, informative
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
        f"Which step does something else as soon as {names[0]} is 2?",
    )


def call_finding(evidence: Evidence) -> Finding | None:
    """A first call that is right and a later one that is not."""
    call = CALL.search(evidence.name)
    if call is None:
        return None
    first = evidence.name[: call.start()]
    if not evidence.right_by_name.get(first) or not evidence.name.startswith("result"):
        return None
    return Finding(
        f"The result is right in call 1 and wrong in call {call[1]}.",
        "What is kept from one call to the next, and what changes between training and evaluation?",
    )


def _divides(evidence: Evidence, name: str) -> bool:
    """Whether a size is one on all right cases and larger on all wrong ones."""
    right, wrong = ([named_sizes(s).get(name, 0) for s in samples] for samples in (evidence.right, evidence.wrong))
    return all(size == 1 for size in right) and all(size > 1 for size in wrong)
