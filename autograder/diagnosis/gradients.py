"""Gradients: right values through which no gradient flows."""

from __future__ import annotations

from torch import Tensor

from autograder.diagnosis.evidence import CALL, Evidence, Finding
from autograder.values import Foreign

MARK = "gradient of "


def gradient_finding(evidence: Evidence) -> Finding | None:
    """A gradient that is zero or missing where every result is right."""
    if not _alone(evidence):
        return None
    if all(isinstance(s.expected, Tensor) and bool(s.expected.any()) and _nothing(s.yours) for s in evidence.wrong):
        return Finding(
            f"The values are right, but no gradient reaches `{evidence.name.removeprefix(MARK)}`.",
            "detach(), .data, item(), torch.no_grad() and torch.tensor(...) cut the way back; so does a comparison.",
        )
    return None


def in_place_finding(evidence: Evidence) -> Finding | None:
    """An input that was written into, where the results are right and the gradients are not for that."""
    changed = {name for answer in evidence.answers.cases for name in answer.changed}
    if not _alone(evidence) or not changed:
        return None
    name = sorted(changed)[0].partition(" in call ")[0]
    return Finding(
        f"The values are right, but your function writes into its input `{name}`, and its gradients are not.",
        "Methods that end in an underscore, and assignments to x[...], write into the caller's tensor.",
    )


def unused_finding(evidence: Evidence) -> Finding | None:
    """Parameters of a module that no gradient reaches in any case, while it reaches others."""
    reached: dict[str, bool] = {}
    for case, answer in zip(evidence.key.cases, evidence.answers.cases, strict=True):
        for name, expected in case["expected"].items():
            subject = CALL.sub("", name).removeprefix(MARK)
            asked = name.startswith(MARK) and isinstance(expected, Tensor) and bool(expected.any())
            if asked and answer.outcome == "returned" and subject in case["expected"].get("parameters", {}):
                reached[subject] = reached.get(subject, False) or answer.results.get(name) is not None
    unused = [name for name, is_reached in reached.items() if not is_reached]
    if not unused or len(unused) == len(reached):
        return None
    others = f" and {len(unused) - 1} more" if len(unused) > 1 else ""
    return Finding(
        f"No gradient reaches the parameter `{unused[0]}`{others}: your result does not depend on it, or is cut off.",
        f"Where in `forward` does `{unused[0].rpartition('.')[0] or unused[0]}` come in?",
    )


def wrong_gradient_finding(evidence: Evidence) -> Finding | None:
    """A gradient that is wrong where every result is right."""
    if not _alone(evidence):
        return None
    errors = [sample.yours.text for sample in evidence.wrong if isinstance(sample.yours, Foreign)]
    if errors and all("inplace operation" in text for text in errors):
        return Finding(
            "The values are right, but no gradient can be computed: a step changes in place what the way back needs.",
            "`+=`, methods that end in an underscore, inplace=True and assignments to x[...] change a tensor in place.",
        )
    if errors:
        return Finding("The values are right, but no gradient can be computed: the way back ends in an error.")
    return Finding(
        f"The values are right, but the gradient of `{evidence.name.removeprefix(MARK)}` is not.",
        "A path that is cut in one place lets the rest through: which of the steps does not see the input?",
    )


def _alone(evidence: Evidence) -> bool:
    """Whether this is a gradient, and nothing but gradients is wrong."""
    results = [right for name, right in evidence.right_by_name.items() if not name.startswith(MARK)]
    return evidence.name.startswith(MARK) and all(results)


def _nothing(value: object) -> bool:
    return value is None or (isinstance(value, Tensor) and not bool(value.any()))
