"""Sizes: the name of a size that stands in a result, such as channel·height, ⌈image/2⌉ or c1 + c3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations, permutations
from math import ceil, floor, prod

from autograder.diagnosis.evidence import Sample
from autograder.diagnosis.quantities import Named, named_sizes

MOST_FACTORS = 4
MOST_SUMMANDS = 5
LEAST = 3  # cases that have to agree on a formula
Formula = Callable[[Named], float]


def size_name(samples: Sequence[Sample], values: Sequence[int]) -> str:
    """The number that a size always is, or the size or product of sizes, or a plain formula of them, that has its value
    in every case; "" where there is none, or where two are as plain."""
    if len(set(values)) == 1 and (len(values) > 1 or values[0] == 1):
        return str(values[0])
    known = [named_sizes(sample) for sample in samples]
    names = [name for name in known[0] if all(name in each for each in known)]
    for number in range(1, MOST_FACTORS + 1):
        found = [
            "·".join(group)
            for group in combinations(names, number)
            if all(prod(k[name] for name in group) == v for k, v in zip(known, values, strict=True))
        ]
        if found:
            return found[0] if len(found) == 1 else ""
    if len(values) < LEAST or len(set(values)) < 2:
        return ""
    varying = [name for name in names if len({each[name] for each in known}) > 1]
    for formulas in (_of_one(varying), _of_two(varying), _sums(varying)):
        found = [text for text, of in formulas if all(of(k) == v for k, v in zip(known, values, strict=True))]
        if found:
            return found[0] if len(found) == 1 else ""
    return ""


def _of_one(names: Sequence[str]) -> Iterator[tuple[str, Formula]]:
    for name in names:
        for step in (1, 2, 3, 4):
            yield f"{name} + {step}", partial(_linear, {name: 1}, step)
            yield f"{name} − {step}", partial(_linear, {name: 1}, -step)
        for part in (2, 4, 8):
            yield f"⌊{name}/{part}⌋", partial(_part, floor, name, part)
            yield f"⌈{name}/{part}⌉", partial(_part, ceil, name, part)


def _of_two(names: Sequence[str]) -> Iterator[tuple[str, Formula]]:
    for a, b in permutations(names, 2):
        for step in (0, 1, -1, 2, -2):
            shown = f" {'+' if step > 0 else '−'} {abs(step)}" if step else ""
            yield f"{a} − {b}{shown}", partial(_linear, {a: 1, b: -1}, step)


def _sums(names: Sequence[str]) -> Iterator[tuple[str, Formula]]:
    for number in range(2, MOST_SUMMANDS + 1):
        for group in combinations(names, number):
            yield " + ".join(group), partial(_linear, dict.fromkeys(group, 1), 0)


def _linear(factors: dict[str, int], step: int, known: Named) -> float:
    return sum(factor * known[name] for name, factor in factors.items()) + step


def _part(rounded: Callable[[float], int], name: str, part: int, known: Named) -> float:
    return rounded(known[name] / part)
