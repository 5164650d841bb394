"""Gradients: right values whose gradients are wrong, or cut."""

from __future__ import annotations

from torch import Tensor

from autograder.diagnosis.evidence import Evidence, Finding

MARK = "gradient"


def gradient_finding(evidence: Evidence) -> Finding | None:
    """A gradient that does not arrive, where all that is no gradient is right."""
    if MARK not in evidence.what or evidence.raised:
        return None
    wrong = evidence.wrong
    if all(isinstance(s.expected, Tensor) and _none_or_zero(s.yours) and bool(s.expected.any()) for s in wrong):
        return Finding(
            f"The values are right, but no gradient arrives: {evidence.what} is 0 everywhere.",
            "`detach`, `item`, `torch.no_grad`, `.data` and comparisons cut the path along which gradients flow.",
        )
    return None


def _none_or_zero(value: object) -> bool:
    return value is None or (isinstance(value, Tensor) and not bool(value.any()))
