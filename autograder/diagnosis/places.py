"""Places: which part of a result is wrong, where the rest is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from autograder.axes import axis, distinct
from autograder.diagnosis.evidence import Evidence, Finding, Sample

LEAST = 6  # right places outside the part, in all wrong cases together
Region = Callable[[Sample], "Tensor | None"]


def place_finding(evidence: Evidence) -> Finding | None:
    """The named part of the result in which all differences lie, on every wrong case."""
    if not evidence.comparable:
        return None
    for region, sentence in _regions(evidence):
        if _holds(evidence, region):
            return Finding(sentence.format(your=_of_yours(evidence)), "What is different about these places?")
    return None


def _holds(evidence: Evidence, region: Region) -> bool:
    """Whether all differences lie in the region, and the rest is large enough to tell."""
    outside = 0
    for sample in evidence.wrong:
        places = region(sample)
        if places is None:
            return False
        places = places.expand(sample.expected.shape)
        if bool((sample.differs & ~places).any()):
            return False
        rest = int((~places).sum())
        if rest == 0:
            return False
        outside += rest
    return outside >= LEAST


def _regions(evidence: Evidence) -> Iterator[tuple[Region, str]]:
    names = evidence.wrong[0].names
    yield _padded, "Only padded places of {your} are wrong."
    if len(names) >= 2:
        row, column = (distinct(names) or names)[-2:]
        row, column = row or f"axis {len(names) - 2}", column or f"axis {len(names) - 1}"
        yield (
            lambda s: _triangle(s, 0),
            f"{{your}} is wrong on the diagonal only, where {row} and {column} are equal.".replace(
                "{your}", "Your result"
            ),
        )
    for index in range(len(names)):
        name = axis(names, index)
        yield lambda s, i=index: _only(s, i, 0), f"Only the first index of {name} is wrong in {{your}}."
        yield lambda s, i=index: _only(s, i, -1), f"Only the last index of {name} is wrong in {{your}}."
        yield lambda s, i=index: _but(s, i, 0), f"Only the first index of {name} is right in {{your}}."
        yield lambda s, i=index: _but(s, i, -1), f"Only the last index of {name} is right in {{your}}."
        for position in range(1, 8):
            yield (
                lambda s, i=index, p=position: _only(s, i, p),
                f"Only index {position} of {name} is wrong in {{your}}.",
            )
    if len(names) >= 2:
        yield lambda s: _triangle(s, 1), f"All differences in {{your}} lie where {column} is larger than {row}."
        yield lambda s: _triangle(s, -1), f"All differences in {{your}} lie where {column} is smaller than {row}."


def _of_yours(evidence: Evidence) -> str:
    return evidence.your[0].lower() + evidence.your[1:]


def _only(sample: Sample, index: int, position: int) -> Tensor | None:
    """One index of an axis; None where the axis has no other."""
    size = sample.expected.shape[index]
    if size < 2 or position >= size:
        return None
    places = torch.zeros(sample.expected.shape, dtype=torch.bool)
    places.select(index, position).fill_(True)
    return places


def _but(sample: Sample, index: int, position: int) -> Tensor | None:
    places = _only(sample, index, position)
    # the one index that is right must be able to be wrong: something stands there
    return None if places is None or sample.expected.shape[index] < 3 else ~places


def _triangle(sample: Sample, side: int) -> Tensor | None:
    """The places on the diagonal of the last two axes, or on one side of it."""
    rows, columns = sample.expected.shape[-2:]
    if rows < 2 or columns < 2:
        return None
    steps = torch.arange(columns) - torch.arange(rows)[:, None]
    return steps.sign() == side


def _padded(sample: Sample) -> Tensor | None:
    """The places that a mask or lengths among the arguments leave out, where the result has their axes."""
    for name, value in sample.arguments.items():
        names = sample.argument_names.get(name)
        if not isinstance(value, Tensor) or names is None or not names:
            continue
        if value.dtype == torch.bool and all(each in sample.names for each in names if each):
            return ~_aligned(value, names, sample)
        if "length" in name and value.dim() == 1 and names[0] in sample.names[:1] and len(sample.names) > 1:
            real = torch.arange(sample.expected.shape[1]) < value[:, None]
            return ~real.reshape(*real.shape, *[1] * (len(sample.names) - 2))
    return None


def _aligned(value: Tensor, names: list[str], sample: Sample) -> Tensor:
    """A tensor with its axes under those of the result that have their names."""
    shape = [1] * len(sample.names)
    kept = [(each, size) for each, size in zip(names, value.shape, strict=True) if each]
    for each, size in kept:
        shape[sample.names.index(each)] = size
    order = sorted(range(len(kept)), key=lambda i: sample.names.index(kept[i][0]))
    return value.reshape([size for _, size in kept]).permute(order).reshape(shape)
