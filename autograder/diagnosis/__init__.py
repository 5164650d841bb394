"""Diagnosis: one true sentence about a wrong answer, from data alone.

An author's misconception is tried first, because its sentence was written for this very answer: one that is equal on
every case, else one that explains every place that is wrong. Then come the recognisers in the order of
`order.RECOGNISERS`, each on every result that is wrong. What is said holds on every case. Nothing is guessed: where no
recogniser explains the answer, there is no diagnosis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autograder.answers import Answer, Answers
from autograder.diagnosis.evidence import Evidence, Finding, gather, uncapitalized, with_recogniser
from autograder.diagnosis.ignored import mistaken_axis_finding
from autograder.diagnosis.misconceptions import misconception_sentence, nearly_sentence
from autograder.diagnosis.order import OF_PARAMETERS, OF_SLIGHT, RECOGNISERS
from autograder.diagnosis.raised import misfit_finding, none_finding, raised_finding, written_finding
from autograder.diagnosis.shapes import shape_finding
from autograder.key import ExerciseKey

__all__ = ["Finding", "diagnose"]

LEAST_RETURNED = 2  # wrong results that have to agree where others are missing


def diagnose(key: ExerciseKey, answers: Answers) -> Finding | None:
    """What is recognised in wrong answers, or None."""
    sentence = misconception_sentence(key, answers.cases) or nearly_sentence(key, answers.cases)
    if sentence:
        return Finding(sentence, recogniser="misconception")
    evidence = gather(key, answers)
    made_otherwise = any(each.name == "parameters" for each in evidence)
    if not made_otherwise and not all(map(_has_returned, key.cases, answers.cases)):
        return _in_errors(key, answers, evidence)
    for recogniser in OF_PARAMETERS if made_otherwise else RECOGNISERS:
        for each in evidence:
            if each.slight and recogniser not in OF_SLIGHT:
                continue
            finding = recogniser(each)
            if finding is not None:
                return with_recogniser(finding, recogniser)
    return None


def _has_returned(case: dict[str, Any], answer: Answer) -> bool:
    return answer.outcome == "returned" or bool(case["raises"])


def _in_errors(key: ExerciseKey, answers: Answers, evidence: list[Evidence]) -> Finding | None:
    """What is recognised where some cases gave no result; results of the other cases alone would prove little."""
    nothing = Evidence(key, answers, "the result", [], [])
    found = mistaken_axis_finding(nothing)
    if found is not None:
        return with_recogniser(found, mistaken_axis_finding)
    return (
        written_finding(key, answers)
        or none_finding(key, answers)
        or raised_finding(key, answers)
        or misfit_finding(key, answers)
        or _where_it_returns(key, answers, evidence)
    )


def _where_it_returns(key: ExerciseKey, answers: Answers, evidence: list[Evidence]) -> Finding | None:
    """A shape that is wrong in one way wherever there is a result."""
    for each in evidence:
        finding = shape_finding(each) if len(each.wrong) >= LEAST_RETURNED else None
        if finding is not None:
            sentence = f"Where your function returns: {uncapitalized(finding.sentence)}"
            return with_recogniser(replace(finding, sentence=sentence), shape_finding)
    return None
