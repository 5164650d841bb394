"""Terms: a count that is off by products of the exercise's sizes, such as one term too many or one for another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from autograder.diagnosis.evidence import Finding, Sample, uncapitalized
from autograder.diagnosis.quantities import named_sizes

LEAST = 3  # wrong counts, and different differences, that one term explains
LEAST_OF_TWO = 4  # that two terms explain
MOST_DEGREE = 6
MOST_TERMS = 4_000  # of one exercise: with more names than make these nothing is looked for
Counted = tuple[Sample, int, int]  # with the expected count and the candidate's
Values = tuple[int, ...]


def terms_finding(counted: Sequence[Counted], your: str) -> Finding | None:
    """The product by which a count is multiplied, or that is added or left out, or the one that stands for another."""
    wrong = [(sample, e, y) for sample, e, y in counted if e != y]
    if len(wrong) < LEAST or len({(e, y) for _, e, y in wrong}) < LEAST:
        return None
    found = _explained(counted, your)
    if found is None and len(wrong) < len(counted):  # a term that counts in some of the cases only
        found = _explained(wrong, f"Where it is wrong, {uncapitalized(your)}")
    return found


def _explained(counted: Sequence[Counted], your: str) -> Finding | None:
    wrong = [(expected, yours) for _, expected, yours in counted if expected != yours]
    terms = _terms([sample for sample, _, _ in counted])
    differences = tuple(y - e for _, e, y in counted)
    if not terms or len(set(differences)) < LEAST:
        return None
    look = "What is counted once too often, or not at all?"
    for sign, word in ((1, "large"), (-1, "small")):
        name = terms.get(tuple(sign * each for each in differences))
        if name:
            return Finding(f"{your} is too {word} by {name}.", look)
    expected, yours = tuple(e for _, e, _ in counted), tuple(y for _, _, y in counted)
    for values, name in terms.items():
        if len(set(values)) < LEAST or 0 in values:
            continue
        if all(e * v == y for e, y, v in zip(expected, yours, values, strict=True)):
            return Finding(f"{your} is the expected one times {name}.", f"How often does {name} count?")
        if all(e == y * v for e, y, v in zip(expected, yours, values, strict=True)):
            return Finding(f"{your} is the expected one divided by {name}.", f"How often does {name} count?")
    return _of_two(terms, differences, your) if len(wrong) >= LEAST_OF_TWO else None


def _of_two(terms: dict[Values, str], differences: Values, your: str) -> Finding | None:
    """The one pair of simplest terms whose difference explains the counts."""
    found: dict[int, list[tuple[str, str]]] = {}
    for values, name in terms.items():
        other = terms.get(tuple(v - d for v, d in zip(values, differences, strict=True)))
        if other and other != name:
            found.setdefault(len(name) + len(other), []).append((name, other))
    if not found or len(found[min(found)]) > 1:
        return None
    more, less = found[min(found)][0]
    return Finding(
        f"{your} is the expected one plus {more} minus {less}.",
        "Does one of the two stand for the other?",
    )


def _terms(samples: Sequence[Sample]) -> dict[Values, str]:
    """Products of sizes, and such a product times a small number, by their values on all cases; the simplest of those
    that have the same."""
    known = [named_sizes(sample) for sample in samples]
    names = [name for name in known[0] if all(name in each and each[name] == int(each[name]) for each in known)]
    names = [name for name in names if len({each[name] for each in known}) > 1]
    powers = [p for p in product(range(3), repeat=len(names)) if sum(p) <= MOST_DEGREE] if len(names) <= 7 else []
    found: dict[Values, str] = {}
    for power in sorted(powers, key=sum) if len(powers) <= MOST_TERMS else []:
        values = tuple(int(prod(each[n] ** p for n, p in zip(names, power, strict=True))) for each in known)
        text = "·".join(f"{n}{'²' if p == 2 else ''}" for n, p in zip(names, power, strict=True) if p)
        for number in (1, 2, 3, 4, 9) if text else (1, 2, 3, 4, 5, 6, 8, 9):
            shown = text if number == 1 and text else f"{number}·{text}" if text else str(number)
            found.setdefault(tuple(number * value for value in values), shown)
    return found
