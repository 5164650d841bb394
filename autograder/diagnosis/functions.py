"""Functions: a result that is a well-known function of the expected one, or of an input, at every place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.evidence import Evidence, Finding, Sample, Transform, close, uncapitalized
from autograder.diagnosis.rearranged import LEAST, least_of

FUNCTIONS: tuple[tuple[str, str, Callable[[Tensor], Tensor]], ...] = (
    ("the square of the expected one", "Is a root missing, or a square too many?", torch.square),
    ("the root of the expected one", "Is a square missing, or a root too many?", torch.sqrt),
    ("the logarithm of the expected one", "Is the logarithm taken once too often?", torch.log),
    ("the exponential of the expected one", "Is a logarithm missing, or an exponential too many?", torch.exp),
    ("the sigmoid of the expected one", "Are scores asked for, or probabilities?", torch.sigmoid),
    ("the tanh of the expected one", "What bounds the numbers at the end?", torch.tanh),
    ("1 minus the expected one", "Which of the two does your result count?", lambda e: 1 - e),
    ("the reciprocal of the expected one", "What is divided by what?", torch.reciprocal),
    ("the absolute value of the expected one", "Where does the sign get lost?", torch.abs),
    ("the expected one, but its negative numbers are set to 0", "What cuts off below zero?", lambda e: e.clamp(min=0)),
)


def function_finding(evidence: Evidence) -> Finding | None:
    """The function that turns every expected number into the candidate's."""
    if not evidence.comparable or not all(sample.yours.dtype.is_floating_point for sample in evidence.wrong):
        return None
    least = least_of(evidence)
    for text, look, function in FUNCTIONS:
        if evidence.explained_by(partial(_applied, function), least):
            return Finding(f"{evidence.your} is {text}.", look)
    return _with_softmax(evidence, least)


def _with_softmax(evidence: Evidence, least: int) -> Finding | None:
    """A softmax too many, or one that is missing, along one axis."""
    if not evidence.alike:
        return None
    for index, name in enumerate(evidence.wrong[0].names):
        where = axis(evidence.wrong[0].names, index) if name else f"axis {index}"
        for text, function in (("a softmax", _softmax), ("a log_softmax", _log_softmax)):
            if evidence.explained_by(partial(function, index), least):
                return Finding(
                    f"{evidence.your} is the expected one after {text} along {where}.",
                    "Who takes the softmax: you, too?",
                )
        given = [
            replace(sample, expected=_seen(sample), yours=sample.expected) if sample.comparable else sample
            for sample in evidence.samples
        ]
        if replace(evidence, samples=given).explained_by(partial(_softmax, index), least):
            return Finding(
                f"A softmax along {where} would make the expected one of {uncapitalized(evidence.your)}.",
                "Where do scores become shares?",
            )
    return None


def _seen(sample: Sample) -> Tensor:
    """The candidate's numbers as scores: what is hidden, so that no share of it is expected, has none."""
    hidden = sample.expected == 0
    # where one place is left of each row, any score would make it one
    tells = bool(hidden.any()) and bool((~hidden & (sample.expected != 1)).any())
    seen: Tensor = sample.yours.masked_fill(hidden, -torch.inf) if tells else sample.yours
    return seen


def _softmax(index: int, sample: Sample) -> Tensor:
    shares: Tensor = sample.expected.double().softmax(index)
    return shares.nan_to_num(0.0)  # where everything is hidden


def _log_softmax(index: int, sample: Sample) -> Tensor:
    logarithms: Tensor = sample.expected.double().log_softmax(index)
    return logarithms


def _applied(function: Callable[[Tensor], Tensor], sample: Sample) -> Tensor:
    return function(sample.expected.double())


def cut_finding(evidence: Evidence) -> Finding | None:
    """Negative numbers in the place of zeros, and nothing else wrong, as where a ReLU is missing."""
    if not evidence.comparable or not all(_cut_is_missing(sample) for sample in evidence.wrong):
        return None
    cut = sum(int(sample.differs.sum()) for sample in evidence.wrong)
    kept = sum(int((sample.expected != 0).sum()) for sample in evidence.wrong)
    if cut >= LEAST and kept >= LEAST:
        return Finding(
            f"{evidence.your} is right but for numbers below 0, where 0 is expected.", "What cuts off below zero?"
        )
    return None


def _cut_is_missing(sample: Sample) -> bool:
    return bool(close(sample.expected, sample.yours.clamp(min=0)).all())


def argument_finding(evidence: Evidence) -> Finding | None:
    """A result that is an input as it came, or that lacks an input, or has it twice."""
    if not evidence.comparable:
        return None
    least = least_of(evidence)
    for name in evidence.wrong[0].arguments:
        for transform, sentence, look in _with_argument(evidence, name):
            if evidence.explained_by(transform, least):
                return Finding(sentence, look)
    return None


def _with_argument(evidence: Evidence, name: str) -> Iterator[tuple[Transform, str, str]]:
    your = evidence.your

    def same(sample: Sample) -> Tensor | None:
        value = sample.arguments.get(name)
        if not isinstance(value, Tensor) or value.shape != sample.expected.shape:
            return None
        return value.to(sample.expected.dtype)

    def plus(sample: Sample, times: int) -> Tensor | None:
        value = aligned(sample, name)
        return None if value is None else sample.expected.double() + times * value.double()

    def times(sample: Sample) -> Tensor | None:
        value = aligned(sample, name)
        return None if value is None else sample.expected.double() * value.double()

    yield same, f"{your} is `{name}` as it came.", "Is the value that you computed the one that you return?"
    if all(sample.expected.dtype.is_floating_point for sample in evidence.wrong):
        yield (
            lambda s: plus(s, -1),
            f"{your} lacks `{name}`: it is the expected one minus `{name}`.",
            "Where is it added?",
        )
        yield times, f"{your} is the expected one times `{name}`.", "What is multiplied by it?"
        yield (
            lambda s: plus(s, 1),
            f"{your} has `{name}` once too often: it is the expected one plus `{name}`.",
            "Where is it added?",
        )
        yield (
            lambda s: plus(s, -2),
            f"{your} has `{name}` with the opposite sign: it is the expected one minus twice `{name}`.",
            "Is it to be added or subtracted?",
        )


def aligned(sample: Sample, name: str) -> Tensor | None:
    """A tensor argument with its axes under those of the result that have their names; None where they have none."""
    value = sample.arguments.get(name)
    names = sample.argument_names.get(name)
    if not isinstance(value, Tensor) or value.dtype == torch.bool or names is None:
        return None
    if not all(each in sample.names for each in names) or len(set(sample.names)) != len(sample.names):
        return None
    places = [sample.names.index(each) for each in names]
    if places != sorted(places):
        return None
    shape = [1] * len(sample.names)
    for place, size in zip(places, value.shape, strict=True):
        shape[place] = size
    return value.reshape(shape)
