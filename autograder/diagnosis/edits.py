"""Edits: what turns one sequence of sizes into another, the same in every case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal

Sizes = tuple[int, ...]
Pairs = Sequence[tuple[Sizes, Sizes]]
Kind = Literal["exchanged", "ordered", "missing", "extra", "merged", "split", "replaced"]
MOST = 6  # axes that are tried in every order


@dataclass(frozen=True)
class Edit:
    """One change: the indices that were exchanged, are missing (of the expected sizes), are extra (of the candidate's),
    were merged or split, or hold another size; for "ordered", which index of the expected sizes stands where."""

    kind: Kind
    indices: tuple[int, ...]


def common_edit(pairs: Pairs) -> Edit | None:
    """The one edit that makes the candidate's sizes of the expected ones in every pair; None where there is none, or
    where several do."""
    edits = common_edits(pairs)
    return edits[0] if len(edits) == 1 else None


def common_edits(pairs: Pairs) -> list[Edit]:
    """All edits of the likeliest kind that make the candidate's sizes of the expected ones in every pair."""
    if not pairs or all(expected == yours for expected, yours in pairs):
        return []
    lengths = {(len(expected), len(yours)) for expected, yours in pairs}
    if len(lengths) != 1:
        return _at_an_end(pairs)
    for kind, edits in _tries(*lengths.pop()):
        fitting = [edit for edit in edits if all(apply(edit, kind, e, y) for e, y in pairs)]
        if kind in ("merged", "split"):
            fitting = [edit for edit in fitting if any(_are_whole(edit, pair[kind == "split"]) for pair in pairs)]
        if fitting and kind in ("missing", "extra") and _same_sizes(fitting, kind, pairs):
            return [Edit(kind, fitting[0] if kind == "extra" else fitting[-1])]
        if fitting:
            return [Edit(kind, edit) for edit in fitting]
    return []


def _are_whole(edit: Sizes, sizes: Sizes) -> bool:
    """Whether two neighbours both have a size; to merge one of size 1 is to lose it."""
    return sizes[edit[0]] > 1 and sizes[edit[0] + 1] > 1


def _at_an_end(pairs: Pairs) -> list[Edit]:
    """The edit where the number of axes varies: one that is missing or extra in front, or, with index -1, behind."""
    tries: list[tuple[Kind, int]] = [("extra", 0), ("extra", -1), ("missing", 0), ("missing", -1)]
    for kind, index in tries:
        side = 0 if kind == "missing" else 1
        steps = [(sizes := pair[side], sizes[1:] if index == 0 else sizes[:-1], pair[1 - side]) for pair in pairs]
        if all(len(sizes) and rest == other for sizes, rest, other in steps):
            return [Edit(kind, (index,))]
    return []


def _same_sizes(fitting: Sequence[Sizes], kind: Kind, pairs: Pairs) -> bool:
    """Whether all these edits are about axes of size 1, so that it makes no difference which one it is."""
    side = 0 if kind == "missing" else 1
    return all(pair[side][index] == 1 for pair in pairs for edit in fitting for index in edit)


def _tries(expected: int, yours: int) -> Iterator[tuple[Kind, list[Sizes]]]:
    """Edits by kind for sequences of these lengths, the likeliest kind first."""
    if expected == yours:
        yield "replaced", [(i,) for i in range(expected)]
        yield "exchanged", list(combinations(range(expected), 2))
        if 3 <= expected <= MOST:
            yield "ordered", [p for p in permutations(range(expected)) if sum(a != b for a, b in enumerate(p)) > 2]
        yield "replaced", list(combinations(range(expected), 2))
    elif yours < expected:
        if yours == expected - 1:
            yield "merged", [(i,) for i in range(yours)]
        yield "missing", list(combinations(range(expected), expected - yours))
    else:
        if yours == expected + 1:
            yield "split", [(i,) for i in range(expected)]
        yield "extra", list(combinations(range(yours), yours - expected))


def apply(edit: Sizes, kind: Kind, expected: Sizes, yours: Sizes) -> bool:
    """Whether an edit makes `yours` of `expected`.

    >>> apply((1, 2), "exchanged", (2, 5, 7), (2, 7, 5)), apply((0,), "merged", (2, 5, 7), (10, 7))
    (True, True)
    """
    return _APPLY[kind](edit, expected, yours)


def _exchanged(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    order = list(range(len(expected)))
    order[edit[0]], order[edit[1]] = order[edit[1]], order[edit[0]]
    return _ordered(tuple(order), expected, yours)


def _ordered(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    return tuple(expected[i] for i in edit) == yours


def _missing(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    return _without(expected, edit) == yours


def _extra(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    return _without(yours, edit) == expected


def _replaced(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    return all(e == y for i, (e, y) in enumerate(zip(expected, yours, strict=True)) if i not in edit)


def _merged(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    (i,) = edit
    return (*expected[:i], expected[i] * expected[i + 1], *expected[i + 2 :]) == yours


def _split(edit: Sizes, expected: Sizes, yours: Sizes) -> bool:
    (i,) = edit
    return _merged((i,), yours, expected)


def _without(sizes: Sizes, indices: Sizes) -> Sizes:
    return tuple(size for i, size in enumerate(sizes) if i not in indices)


_APPLY: dict[Kind, Callable[[Sizes, Sizes, Sizes], bool]] = {
    "exchanged": _exchanged,
    "ordered": _ordered,
    "missing": _missing,
    "extra": _extra,
    "merged": _merged,
    "split": _split,
    "replaced": _replaced,
}
