"""Ignored: a result that does not follow an argument, or that mistakes one axis for another.

What is told here was tried: the candidate was called again with one argument changed, or with two axes exchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from autograder.contrast import gives
from autograder.diagnosis.evidence import Evidence, Finding


def ignored_finding(evidence: Evidence) -> Finding | None:
    """The arguments that make no difference, where they make one for a right answer.

    Each of an argument's contrasts, which change it in different ways and cases, must have given the same result to the
    bit, and a right answer must follow in at least two of them.
    """
    if any(sample.yours is None for sample in evidence.wrong):
        return None
    outcomes: dict[str, list[str]] = {}
    telling: Counter[str] = Counter()
    for contrast, tried in _tried(evidence):
        if contrast["argument"]:
            outcomes.setdefault(contrast["argument"], []).append(tried["outcome"])
            telling[contrast["argument"]] += contrast["telling"]
    ignored = [name for name, each in outcomes.items() if telling[name] > 1 and set(each) == {"same"}]
    if not ignored:
        return None
    names = " and ".join(f"`{name}`" for name in ignored) if len(ignored) < 3 else "any of its arguments"
    verb = "changes" if len(ignored) != 2 else "change"
    if len(ignored) > 2 and len(ignored) < len(outcomes):
        names, verb = ", ".join(f"`{name}`" for name in ignored[:-1]) + f" and `{ignored[-1]}`", "change"
    return Finding(
        f"Your result does not change when {names} {verb}.", f"Where in your code does {_one_of(ignored)} come in?"
    )


def _one_of(names: Sequence[str]) -> str:
    return f"`{names[0]}`" if len(names) == 1 else "each of them"


def mistaken_axis_finding(evidence: Evidence) -> Finding | None:
    """Two axes of the inputs that the candidate takes for each other: with them exchanged, its answer is right."""
    right: dict[tuple[str, str], list[bool]] = {}
    changed: dict[tuple[str, str], list[str]] = {}
    for contrast, tried in _tried(evidence):
        if contrast["exchanged"]:
            pair = (contrast["exchanged"][0], contrast["exchanged"][1])
            right.setdefault(pair, []).append(_is_right(evidence, contrast, tried))
            changed[pair] = list(contrast["values"])
    for (first, second), each in right.items():
        if len(each) > 1 and all(each):
            given = " and ".join(f"`{name}`" for name in changed[(first, second)])
            return Finding(
                f"Your function takes {first} for {second}: given {given} with these two axes exchanged, it returns "
                "what is asked for.",
                f"Which axis of {given} comes first?",
            )
    return None


def _is_right(evidence: Evidence, contrast: dict[str, Any], tried: dict[str, Any]) -> bool:
    if tried["outcome"] not in ("same", "other"):
        return False
    expected = evidence.key.cases[contrast["case"]]["expected"]
    return gives(expected, tried["results"], contrast["exchanged"], evidence.key.returns)


def again_finding(evidence: Evidence) -> Finding | None:
    """Another result where nothing was changed."""
    for contrast, tried in _tried(evidence):
        if not contrast["values"] and tried["outcome"] == "other":
            return Finding(
                "Called a second time with the same inputs, your function gives another result.",
                "What does it keep between two calls, or draw at random?",
            )
    return None


def _tried(evidence: Evidence) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each contrast and what became of it; none where the candidate did not get so far."""
    contrasts, tried = evidence.key.contrasts, evidence.answers.contrasts
    return list(zip(contrasts, tried, strict=True)) if len(contrasts) == len(tried) else []
