"""Masks: a result of two values that is inverted, transposed, shifted, or lacks its diagonal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import torch
from torch import Tensor

from autograder.axes import distinct
from autograder.diagnosis.evidence import Evidence, Finding, Sample, Transform, distinct_values

# places that have to agree: a random mask of 20 places is one particular mask once in a million times
LEAST = 20
# axes whose indices have no order
SETS = ("batch", "heads", "n", "m", "channel", "feature", "classes")


def mask_finding(evidence: Evidence) -> Finding | None:
    """The one operation on a mask that turns what was expected into the candidate's."""
    if not evidence.comparable:
        return None
    values = (0.0, 1.0) if evidence.boolean else two_values(evidence)
    if values is None and not all(two_valued(sample) for sample in evidence.wrong):
        return None
    for transform, sentence, look in _changes(evidence, values):
        if evidence.explained_by(transform, LEAST):
            return Finding(sentence, look)
    names = evidence.wrong[0].names
    return _pattern(evidence) if evidence.boolean and evidence.alike and has_steps(names) else None


def has_steps(names: Sequence[str]) -> bool:
    """Whether the last two axes number positions, so that before and after mean something."""
    return len(names) > 1 and bool(names[-1]) and bool(names[-2]) and names[-2] not in SETS


def _pattern(evidence: Evidence) -> Finding | None:
    """A mask that is a diagonal or a triangle in every case, whatever the inputs."""
    row, column = (distinct(evidence.wrong[0].names) or [])[-2:]
    row, column = row or "row", column or "column"
    patterns: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
        (f"on the diagonal alone, where {row} and {column} are equal", lambda steps: steps == 0),
        (f"wherever the {column} is not after the {row}, and nowhere else", lambda steps: steps <= 0),
        (f"wherever the {column} is not before the {row}, and nowhere else", lambda steps: steps >= 0),
        (f"wherever the {column} is before the {row}, and nowhere else", lambda steps: steps < 0),
        (f"wherever the {column} is after the {row}, and nowhere else", lambda steps: steps > 0),
    )
    for text, pattern in patterns:
        if evidence.explained_by(partial(_square, pattern), LEAST):
            return Finding(f"Your mask is True {text}.", "Which of the inputs should it depend on, and how?")
    return None


def _square(pattern: Callable[[Tensor], Tensor], sample: Sample) -> Tensor:
    rows, columns = sample.expected.shape[-2:]
    return pattern(torch.arange(columns) - torch.arange(rows)[:, None]).expand(sample.expected.shape)


def two_values(evidence: Evidence) -> tuple[float, float] | None:
    """The only two values that are expected in any case and that the candidate's results hold; None where there are
    others, or where they differ between the cases."""
    expected = [s.expected.double().flatten() for s in evidence.samples if isinstance(s.expected, Tensor)]
    values = distinct_values(torch.cat(expected))
    yours = distinct_values(torch.cat([sample.yours.double().flatten() for sample in evidence.wrong]))
    if values.numel() != 2 or not bool(torch.isin(yours, values).all()):
        return None
    return float(values[0]), float(values[1])


def two_valued(sample: Sample) -> bool:
    """Whether a sample's expected result holds two values, and the candidate's no others."""
    wanted = distinct_values(sample.expected)
    return wanted.numel() == 2 and bool(torch.isin(sample.yours, wanted).all())


def opposite(values: Tensor) -> Tensor:
    """The other one of the two values that a tensor holds."""
    if values.dtype == torch.bool:
        return ~values
    low, high = values.min(), values.max()
    return torch.where(values == low, high, low)


def _changes(evidence: Evidence, values: tuple[float, float] | None) -> Iterator[tuple[Transform, str, str]]:
    your, names = evidence.your, evidence.wrong[0].names
    yield _inverted, f"{your} is the expected one inverted{_meaning(evidence)}.", _convention(evidence)
    if all(len(sample.names) >= 2 for sample in evidence.wrong):
        rows, columns = evidence.axis_from_end(-2), evidence.axis_from_end(-1)
        yield (
            _transposed,
            f"{your} is the expected one transposed: {rows} and {columns} are exchanged.",
            "`transpose(-2, -1)` exchanges them. Which of the two numbers varies along a row?",
        )
        yield (
            lambda sample: _then(_inverted, _transposed(sample)),
            f"{your} is the expected one inverted and transposed: {rows} and {columns} are exchanged too.",
            "Which of the two numbers varies along a row, and which values mean what?",
        )
        yield (
            lambda sample: _diagonal(sample, False),
            f"{your} is the expected one without its diagonal: a position's own place is the other way round.",
            "Is equality part of the comparison?",
        )
        yield (
            lambda sample: _diagonal(sample, True),
            f"{your} is the expected one with the diagonal added to it.",
            "Is equality part of the comparison?",
        )
    bounds = "Is a bound off by one: `<` or `<=`, a range that starts at 0 or at 1?"
    for turned, index, steps in product((False, True), (-1, -2), (1, -1, 2, -2)):
        if len(names) + index < 0:
            continue
        how = f"{'inverted and ' if turned else ''}shifted along {evidence.axis_from_end(index)} by {_places(steps)}"
        for fill in ("edge", "low", "high"):
            yield (
                partial(_shifted, turned, index, steps, fill, values),
                f"{your} is the expected one {how}.",
                bounds,
            )


def _shifted(
    turned: bool, index: int, steps: int, fill: str, values: tuple[float, float] | None, sample: Sample
) -> Tensor | None:
    if sample.expected.dim() < -index:
        return None
    return shifted(opposite(sample.expected) if turned else sample.expected, index, steps, fill, values)


def _inverted(sample: Sample) -> Tensor | None:
    return opposite(sample.expected)


def _transposed(sample: Sample) -> Tensor | None:
    return sample.expected.transpose(-2, -1) if sample.expected.dim() > 1 else None


def _then(change: Transform, values: Tensor | None) -> Tensor | None:
    return opposite(values) if values is not None else None


def _diagonal(sample: Sample, added: bool) -> Tensor | None:
    """The expected mask with every place on the diagonal True, or False. Masks of numbers have no such sense."""
    expected = sample.expected
    if expected.dtype != torch.bool or expected.dim() < 2 or expected.shape[-1] != expected.shape[-2]:
        return None
    diagonal = torch.eye(expected.shape[-1], dtype=torch.bool)
    changed: Tensor = expected | diagonal if added else expected & ~diagonal
    return changed


def shifted(
    values: Tensor, axis_index: int, steps: int, fill: str, low_high: tuple[float, float] | None = None
) -> Tensor:
    """Values moved along an axis; what comes in is the edge's own value, the lower or the higher of the values."""
    size = values.shape[axis_index]
    steps = max(-size, min(size, steps))
    if size == 0 or (abs(steps) == size and fill == "edge"):
        return values
    moved = values.roll(steps, axis_index)
    start, edge = (0, 0) if steps > 0 else (size + steps, size - 1)
    gap = moved.narrow(axis_index, start, abs(steps))
    if fill == "edge":
        gap.copy_(values.narrow(axis_index, edge, 1).expand_as(gap))
    else:
        low, high = low_high or (float(values.min()), float(values.max()))
        gap.fill_(low if fill == "low" else high)
    return moved


def _places(steps: int) -> str:
    count = "one place" if abs(steps) == 1 else f"{abs(steps)} places"
    return f"{count}, towards {'higher' if steps > 0 else 'lower'} indices"


def _meaning(evidence: Evidence) -> str:
    if evidence.boolean:
        return ": True where False is expected, and the other way round"
    low, high = (float(evidence.wrong[0].expected.min()), float(evidence.wrong[0].expected.max()))
    return f": {low:.4g} where {high:.4g} is expected, and the other way round"


def _convention(evidence: Evidence) -> str:
    if evidence.boolean:
        return "Read in the stub what True stands for."
    return "Read in the stub which places get which number."
