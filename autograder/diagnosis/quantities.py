"""Quantities: the numbers of an exercise that have a name, such as d_k, √d_k, n/(n−1) or a sequence's real length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, permutations

from autograder.diagnosis.evidence import Sample

Named = dict[str, float]


def named_sizes(sample: Sample) -> Named:
    """Sizes of axes and arguments that are one number, by name; an author's own quantities too."""
    found: Named = {name: float(size) for name, size in sample.sizes.items() if not name[-1].isdigit()}
    for name, value in sample.arguments.items():
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and abs(value) < 1e12
        ):
            found[name] = float(value)
    return {**found, **sample.quantities}


def quantities(sample: Sample) -> Named:
    """Named sizes and what is commonly made of them, the simplest first.

    >>> from autograder.diagnosis.evidence import Sample
    >>> found = quantities(Sample("", {}, None, None, [], {"d_k": 4, "heads": 2}, False))
    >>> found["√d_k"], found["1/d_k"], found["d_k/heads"], round(found["d_k/(d_k−1)"], 2)
    (2.0, 0.25, 2.0, 1.33)
    """
    sizes = named_sizes(sample)
    found: Named = {}
    for form in _forms_of_one:
        found |= {text: value for name, size in sizes.items() for text, value in form(name, size)}
    for (a, x), (b, y) in combinations(sizes.items(), 2):
        found[f"{a}·{b}"] = x * y
        if x * y:
            found[f"1/({a}·{b})"] = 1 / (x * y)
    for (a, x), (b, y) in permutations(sizes.items(), 2):
        if y:
            found[f"{a}/{b}"] = x / y
            if x / y > 0:
                found[f"√({a}/{b})"] = math.sqrt(x / y)
    return found


def _plain(name: str, size: float) -> Iterator[tuple[str, float]]:
    yield name, size
    if size:
        yield f"1/{name}", 1 / size


def _roots(name: str, size: float) -> Iterator[tuple[str, float]]:
    if size > 0:
        yield f"√{name}", math.sqrt(size)
        yield f"1/√{name}", 1 / math.sqrt(size)


def _corrections(name: str, size: float) -> Iterator[tuple[str, float]]:
    """What stands between a biased and an unbiased variance or deviation."""
    if size > 1:
        yield f"{name}/({name}−1)", size / (size - 1)
        yield f"({name}−1)/{name}", (size - 1) / size
        yield f"√({name}/({name}−1))", math.sqrt(size / (size - 1))
        yield f"√(({name}−1)/{name})", math.sqrt((size - 1) / size)


def _squares(name: str, size: float) -> Iterator[tuple[str, float]]:
    yield f"{name}²", size**2
    if size:
        yield f"1/{name}²", 1 / size**2


def _one_minus(name: str, size: float) -> Iterator[tuple[str, float]]:
    if 0 < abs(size) < 1:
        yield f"(1−{name})", 1 - size
        yield f"1/(1−{name})", 1 / (1 - size)


_forms_of_one = (_plain, _roots, _corrections, _one_minus, _squares)
