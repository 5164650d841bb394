"""Slips: what comes out where one thing in an exercise is done wrong, found by running the reference so.

An author writes down the misconceptions that matter. Slips are the many others: an activation left out or another one,
a layer skipped, two exchanged, a mean for a sum, a sum for a product. The reference runs with each of them on every
case; a key keeps the sentence and a print of each result. An answer with the same prints has made that slip, or one
that comes to the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from autograder.answers import Answer, Question
from autograder.contrast import arguments_of, axis_names
from autograder.slips.altered import Altered
from autograder.slips.parts import of_pairs_of_parts, of_parts
from autograder.slips.places import Slip, of_calls, places_of
from autograder.slips.prints import LENGTH, UNTRIED, alike, print_of
from autograder.slips.rows import of_order
from autograder.values import Recipe
from autograder.watch import namespace_of

__all__ = ["make_slips"]

LEAST_RETURNED = 0.5  # of the cases, on which a slip has to give a result
CLEAR = 10.0  # times what counts as alike: a slip that changes less is told by the precision of numbers alone
LARGE = 5_000_000  # numbers that are computed in a case: it is tried where nothing smaller tells
Slips = dict[str, Any]


def make_slips(reference: Callable[..., Any], question: Question, answer: Callable[[dict[str, Any]], Answer]) -> Slips:
    """The slips of a question whose cases hold what is expected: their `sentences`, and their `prints`, a float32
    tensor [slip, case, LENGTH], NaN where a slip gives no result, UNTRIED where it was not tried.

    `answer` runs the reference on a case.
    """
    namespace = namespace_of(reference) or {}
    names = [_names(question, case) for case in question.cases]
    usable = [i for i, case in enumerate(question.cases) if not case["raises"] and "device" not in case["arguments"]]
    runs, expected = {}, torch.stack([print_of(case["expected"] or None) for case in question.cases])
    for index in usable:
        depth = (0 if question.forward is None else 1) if _has_recipe(question.cases[index]["arguments"]) else None
        with Altered(namespace, names[index], depth=depth) as run:
            answer(question.cases[index])
        runs[index] = run
    found: list[tuple[str, Tensor]] = []
    for slip in _possible(list(runs.values())) if runs else ():
        prints = _prints(slip, question.cases, runs, expected, lambda case, a: _run(case, a, answer), namespace, names)
        if prints is not None and not any(_same(prints, other) for _, other in found):
            found.append((slip.clause, prints))
    prints = torch.stack([each for _, each in found]) if found else torch.zeros(0, len(question.cases), LENGTH)
    return {"sentences": [clause for clause, _ in found], "prints": prints.float()}


def _names(question: Question, case: dict[str, Any]) -> dict[str, float | None]:
    """What a sentence may name: the exercise's parameters, its quantities, and roots of sizes that have a name."""
    described = {each["name"]: each["axes"] for each in [*question.parameters, *(question.forward or [])]}
    sizes: dict[str, float] = {}
    for name, value in arguments_of(case, question.names).items():
        axes = axis_names(described.get(name), value)
        if axes is not None:
            sizes |= {axis: size for axis, size in zip(axes, value.shape, strict=True) if axis}
        elif type(value) is int and value > 0:
            sizes[name] = value
    roots = {f"√{name}": math.sqrt(size) for name, size in sizes.items() if size > 1}
    shares = {f"√({a}/{b})": math.sqrt(x / y) for (a, x), (b, y) in permutations(sizes.items(), 2) if x > y > 1}
    parameters = dict.fromkeys([*question.names.call, *question.names.forward])
    return {**parameters, **case["quantities"], **roots, **shares}


def _has_recipe(value: Any) -> bool:
    """Whether a module is given: what is wrong in it is nobody's slip."""
    if isinstance(value, dict):
        return any(map(_has_recipe, value.values()))
    if isinstance(value, tuple | list):
        return any(map(_has_recipe, value))
    return isinstance(value, Recipe) and not value.own


def _run(
    case: dict[str, Any], altered: Altered, answer: Callable[[dict[str, Any]], Answer]
) -> Mapping[str, Any] | None:
    with altered:
        found = answer(case)
    return found.results if found.outcome == "returned" else None


def _prints(
    slip: Slip,
    cases: Sequence[dict[str, Any]],
    runs: Mapping[int, Altered],
    expected: Tensor,
    run: Callable[[dict[str, Any], Altered], Mapping[str, Any] | None],
    namespace: dict[str, Any],
    names: Sequence[Mapping[str, float | None]],
) -> Tensor | None:
    """A slip's print of each case; None where it changes nothing clearly, or gives no result."""
    found = expected.clone()
    failed = tried = 0
    for index, first in sorted(runs.items(), key=lambda item: item[1].work):
        altered = slip.altered(first, namespace, names[index])
        if altered is None:
            continue  # nothing to get wrong here
        if tried and first.work > LARGE:
            found[index] = UNTRIED
            continue
        tried += 1
        found[index] = print_of(run(cases[index], altered))
        failed += bool(found[index].isnan().any())
        if failed > (1 - LEAST_RETURNED) * len(runs):
            return None
    told = ~alike(expected, found, CLEAR) & found.isfinite().all(-1)
    return found if bool(told.any()) else None


def _same(one: Tensor, other: Tensor) -> bool:
    return bool(alike(one, other).all())


def _possible(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Every slip that may be made in the runs of an exercise's cases, the likeliest first."""
    yield from of_parts(runs)
    yield from of_pairs_of_parts(runs)
    names = list(dict.fromkeys(site.call.name for run in runs for site in run.sites))
    for narrow in (False, True):
        for name in names:
            for where in places_of(name, runs):
                if where.narrow == narrow:
                    yield from of_calls(where, runs)
    yield from of_order(runs)
