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
from autograder.axes import of_arguments
from autograder.contrast import arguments_of, axis_names
from autograder.plans import is_meta
from autograder.slips.altered import Altered
from autograder.slips.parts import of_pairs_of_parts, of_parts
from autograder.slips.places import Slip, of_calls, places_of
from autograder.slips.prints import LENGTH, UNTRIED, alike, print_of, print_of_answer
from autograder.slips.rows import of_order, of_shortcuts
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
    expected = torch.stack([print_of(case["expected"]) for case in question.cases])
    runs = {}
    for index, case in enumerate(question.cases):
        if case["raises"] or is_meta(case):
            continue
        depth = (0 if question.forward is None else 1) if _has_recipe(case["arguments"]) else None
        with Altered(namespace, _names(question, case), depth=depth) as run:
            answer(case)
        runs[index] = run
    found: list[tuple[str, Tensor]] = []
    for slip in _possible(list(runs.values())) if runs else ():
        prints = _prints(slip, question.cases, runs, expected, answer)
        if prints is not None and not any(bool(alike(prints, other).all()) for _, other in found):
            found.append((slip.clause, prints))
    prints = torch.stack([each for _, each in found]) if found else torch.zeros(0, len(question.cases), LENGTH)
    return {"sentences": [clause for clause, _ in found], "prints": prints.float()}


def _names(question: Question, case: dict[str, Any]) -> dict[str, float | None]:
    """What a sentence may name: the exercise's parameters, its quantities, and roots of sizes that have a name."""
    described = of_arguments(question.parameters, question.forward)
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


def _prints(
    slip: Slip,
    cases: Sequence[dict[str, Any]],
    runs: Mapping[int, Altered],
    expected: Tensor,
    answer: Callable[[dict[str, Any]], Answer],
) -> Tensor | None:
    """A slip's print of each case; None where it changes nothing clearly, or gives no result."""
    found = expected.clone()
    failed = tried = 0
    for index, first in sorted(runs.items(), key=lambda item: item[1].work):
        altered = slip.altered(first)
        if altered is None:
            continue  # nothing to get wrong here
        if tried and first.work > LARGE:
            found[index] = UNTRIED
            continue
        tried += 1
        with altered:
            wrong = answer(cases[index])
        found[index] = print_of_answer(wrong)
        failed += bool(found[index].isnan().any())
        if failed > (1 - LEAST_RETURNED) * len(runs):
            return None
    told = ~alike(expected, found, CLEAR) & found.isfinite().all(-1)
    return found if bool(told.any()) else None


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
    yield from of_shortcuts(runs)
