"""Places: which part of a result is wrong, where the rest is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import torch
from torch import Tensor

from autograder.axes import axis, distinct
from autograder.diagnosis.evidence import Evidence, Finding, Sample, uncapitalized
from autograder.diagnosis.masks import has_steps

CHANCE = 1e-6  # of the rest being right, were differences as frequent there
LEAST = 6  # right places outside the part, in all wrong cases together
Region = Callable[[Sample], "Tensor | None"]


def place_finding(evidence: Evidence) -> Finding | None:
    """The named part of the result in which all differences lie, on every wrong case."""
    if not evidence.comparable or not evidence.alike:
        return None
    found = [(sizes, sentence) for region, sentence in _regions(evidence) if (sizes := held(evidence, region))]
    if not found:
        return None
    _, sentence = min(found, key=lambda each: each[0])  # the smallest part says most
    return Finding(sentence.format(your=uncapitalized(evidence.your)), "What is different about these places?")


def padding_finding(evidence: Evidence) -> Finding | None:
    """All differences where a mask or lengths among the arguments leave something out."""
    if not evidence.comparable or not evidence.alike:
        return None
    smallest = min((size for region, _ in _regions(evidence) if (size := held(evidence, region))), default=None)
    for name in evidence.wrong[0].arguments:
        size = held(evidence, partial(_left_out, name))
        if size and (smallest is None or size <= smallest):  # else `place_finding` says more
            boolean = evidence.wrong[0].arguments[name].dtype == torch.bool
            where = f"where `{name}` is False" if boolean else f"beyond `{name}`"
            return Finding(
                f"Only places {where} are wrong in {uncapitalized(evidence.your)}.",
                f"What do places {where} go through on their way?",
            )
    return None


def held(evidence: Evidence, region: Region) -> int:
    """How many places a region has in which all differences lie; 0 where they do not, or where chance would leave the
    rest right too: it has few places, or there are few differences in all."""
    inside = outside = differing = 0
    for sample in evidence.wrong:
        places = region(sample)
        if places is None:
            return 0
        places = places.expand(sample.expected.shape)
        rest = int((~places).sum())
        if rest == 0 or bool((sample.differs & ~places).any()):
            return 0
        inside += int(places.sum())
        outside += rest
        differing += int(sample.differs.sum())
    by_chance = (1 - differing / inside) ** outside if inside else 1.0
    return inside if outside >= LEAST and by_chance < CHANCE else 0


def held_where_it_can_be(evidence: Evidence, region: Region) -> int:
    """The same, where a region may be the whole of some results: those cannot tell."""
    whole = [sample for sample in evidence.wrong if (places := region(sample)) is not None and bool(places.all())]
    rest = [sample for sample in evidence.wrong if not any(sample is each for each in whole)]
    return held(replace(evidence, samples=rest), region) if rest else 0


def _regions(evidence: Evidence) -> Iterator[tuple[Region, str]]:
    names = evidence.wrong[0].names
    if has_steps(names):
        row, column = (distinct(names) or names)[-2:]
        yield partial(_triangle, 0), f"Only the diagonal, where {row} and {column} are equal, is wrong in {{your}}."
    for index in range(len(names)):
        name = axis(names, index)
        yield partial(_only, index, 0), f"Only the first index of {name} is wrong in {{your}}."
        yield partial(_only, index, -1), f"Only the last index of {name} is wrong in {{your}}."
        for position in range(1, 8):
            yield (
                partial(_only, index, position),
                f"Only index {position} of {name} is wrong in {{your}}.",
            )


def all_but_finding(evidence: Evidence) -> Finding | None:
    """All differences outside the first or the last index of an axis, and some at each other index."""
    for where, look, index in _edges(evidence):
        if all(_is_wrong_at_all_others(sample, index) for sample in evidence.wrong):
            return Finding(f"Only {where} is right in {uncapitalized(evidence.your)}.", look)
    return None


def edge_finding(evidence: Evidence) -> Finding | None:
    """All differences outside the first or the last index of the first axis. A gradient has a sentence of its own."""
    for where, look, index in () if evidence.name.startswith("gradient of ") else _edges(evidence):
        if index == 0:  # of the axes behind it an end is often right by chance
            return Finding(
                f"All differences in {uncapitalized(evidence.your)} lie at other indices than {where}.", look
            )
    return None


def _edges(evidence: Evidence) -> Iterator[tuple[str, str, int]]:
    """The first or last index of an axis at which nothing is wrong, as it is named; where to look, and the axis."""
    names = evidence.wrong[0].names
    for index, (position, which) in product(range(len(names)), ((0, "first"), (-1, "last"))):
        at_an_edge = evidence.boolean and has_steps(names) and index >= len(names) - 2  # of a mask: little can be wrong
        tells = evidence.comparable and evidence.alike and not at_an_edge
        if tells and held(evidence, partial(_but, index, position)):
            name = axis(names, index)
            look = f"What do you compute once where it should be done for each index of {name}?"
            yield f"the {which} index of {name}", look, index


def triangle_finding(evidence: Evidence) -> Finding | None:
    """All differences on one side of the diagonal."""
    names = evidence.wrong[0].names
    if not evidence.comparable or not evidence.alike or not has_steps(names):
        return None
    row, column = (distinct(names) or names)[-2:]
    for side, word in ((1, "larger"), (-1, "smaller")):
        if held(evidence, partial(_triangle, side)):
            return Finding(
                f"All differences in {uncapitalized(evidence.your)} lie where {column} is {word} than {row}.",
                "What is different about these places?",
            )
    return None


def _only(index: int, position: int, sample: Sample) -> Tensor | None:
    """One index of an axis; None where the axis has no other."""
    size = sample.expected.shape[index]
    if size < 2 or position >= size:
        return None
    places = torch.zeros(sample.expected.shape, dtype=torch.bool)
    places.select(index, position).fill_(True)
    return places


def _but(index: int, position: int, sample: Sample) -> Tensor | None:
    places = _only(index, position, sample)
    return None if places is None else ~places


def _is_wrong_at_all_others(sample: Sample, index: int) -> bool:
    """Whether each index of an axis but one is wrong somewhere."""
    wrong = sample.differs.movedim(index, 0).reshape(sample.differs.shape[index], -1).any(dim=1)
    return int(wrong.sum()) == len(wrong) - 1


def _triangle(side: int, sample: Sample) -> Tensor | None:
    """The places on the diagonal of the last two axes, or on one side of it."""
    rows, columns = sample.expected.shape[-2:]
    if rows < 2 or columns < 2:
        return None
    steps = torch.arange(columns) - torch.arange(rows)[:, None]
    return steps.sign() == side


def _left_out(name: str, sample: Sample) -> Tensor | None:
    """The places that a boolean mask, or the lengths of rows, leave out, where the result has their axes."""
    value, names = sample.arguments.get(name), sample.argument_names.get(name)
    if not isinstance(value, Tensor) or not names or not all(each in sample.names for each in names if each):
        return None
    if value.dtype == torch.bool:
        aligned = _aligned(value, names, sample)
        return None if aligned is None else ~aligned
    if "length" in name and value.dim() == 1 and sample.names[:1] == names and len(sample.names) > 1:
        real = torch.arange(sample.expected.shape[1]) < value[:, None]
        return ~real.reshape(*real.shape, *[1] * (len(sample.names) - 2))
    return None


def _aligned(value: Tensor, names: list[str], sample: Sample) -> Tensor | None:
    """A tensor with its axes under those of the result that have their names; None where names come twice."""
    if names == sample.names[len(sample.names) - len(names) :]:
        return value
    kept = [(each, size) for each, size in zip(names, value.shape, strict=True) if each]
    if len({each for each, _ in kept}) < len(kept) or len(set(sample.names)) < len(sample.names):
        return None
    shape = [1] * len(sample.names)
    for each, size in kept:
        shape[sample.names.index(each)] = size
    order = sorted(range(len(kept)), key=lambda i: sample.names.index(kept[i][0]))
    return value.reshape([size for _, size in kept]).permute(order).reshape(shape)
