"""Slips: an answer that is, on every case, what the reference gives with one thing done wrong."""

from __future__ import annotations

import torch

from autograder.diagnosis.evidence import Evidence, Finding
from autograder.slips.prints import UNTRIED, alike, print_of, print_of_answer


def slip_finding(evidence: Evidence) -> Finding | None:
    """The first slip whose prints are those of the answers, on all cases where a result is asked for."""
    slips = evidence.key.slips
    if not slips.get("sentences") or not evidence.name.startswith("result"):
        return None
    prints = slips["prints"].double()
    pairs = list(zip(evidence.key.cases, evidence.answers.cases, strict=True))
    if any(case["raises"] and case["raises"] not in answer.raised for case, answer in pairs):
        return None  # then something else is wrong, too
    yours = torch.stack([print_of_answer(answer) for _, answer in pairs])
    expected = torch.stack([print_of(case["expected"]) for case, _ in pairs])
    asked = torch.tensor([not case["raises"] for case, _ in pairs])
    untried = (prints == UNTRIED).any(-1)
    matching = (alike(prints, yours) | untried | ~asked).all(-1)
    told = ~alike(prints, expected) & prints.isfinite().all(-1)
    for index, clause in enumerate(slips["sentences"]):
        if bool(matching[index]) and bool(told[index].any()):
            return Finding(f"{evidence.your} is what comes out {clause}.")
    return None
