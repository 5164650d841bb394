"""Rows: functions one behind the other that are called in another order, and sums of what came before or after them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from autograder.slips.altered import SAID, Altered, Run, Site
from autograder.slips.calls import Call
from autograder.slips.elementary import ACTIVATIONS, NORMS
from autograder.slips.places import LAYERS, Slip, operands_of, pattern_of, said

Kind = tuple[int, str, str]  # of an operand: its place in the sum; the function that was given it, and where
Shared = Callable[[list[Call], Call], Any]
SWAPPED = (*ACTIVATIONS, *NORMS, "softmax", "masked_fill", "linear", "conv2d", "mul", "div", "add")


def of_order(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Two functions one behind the other, in the other order; and a function of a sum taken of one part alone."""
    pairs = dict.fromkeys((a.call.name, b.call.name) for run in runs for a, b in _in_a_row(run))
    for first, second in pairs:
        one, other = (SAID.get(name, f"`{name}`") for name in (first, second))
        yield Slip(
            f"when {one} comes after the {other.removeprefix('the ')} that should follow it",
            partial(_for_pairs, (first, second), _postponed, _and_then),
        )
        if first == "add" and second not in ("add", "mul", "div"):
            in_a_row = [pair for run in runs for pair in _in_a_row(run)]
            operands = operands_of([a for a, b in in_a_row if (a.call.name, b.call.name) == (first, second)])
            for index, (alone, added) in enumerate([("first", "second"), ("second", "first")]):
                clause = (
                    f"when {other} is applied to {operands[alone]} alone, and {operands[added]} is added afterwards"
                )
                yield Slip(clause, partial(_for_pairs, (first, second), _remembered, partial(_alone, index)))


def of_shortcuts(runs: Sequence[Altered]) -> Iterator[Slip]:
    """A sum with what a function made of its operand in the operand's place: a shortcut that begins behind the norm."""
    found = [each for run in runs for each in _made_of_operands(run)]
    for index, name, pattern in dict.fromkeys(kind for _, _, kind in found):
        operands = operands_of([site for site, _, (i, other, _) in found if (i, other) == (index, name)])
        what = f"what {said(pattern)} returns" if pattern and name in LAYERS else f"what `{name}` makes of it"
        operand = operands[("first", "second")[index]]
        yield Slip(f"when {what} is added in place of {operand}", partial(_with_made, (index, name, pattern)))


def _made_of_operands(run: Altered) -> Iterator[tuple[Site, Site, Kind]]:
    """Each sum with a call before it that was given one of its operands; which operand, and which kind of call."""
    made: dict[int, list[Site]] = {}  # by the tensor that each call was given first, which lives as long as the run
    for site in run.sites:
        for index, operand in enumerate(site.call.args[:2] if site.call.name == "add" else ()):
            for other in made.get(id(operand), []):
                yield site, other, (index, other.call.name, pattern_of(other.path))
        if site.keeps_shape and site.call.name in SWAPPED:
            made.setdefault(id(site.call.args[0]), []).append(site)


def _with_made(kind: Kind, run: Altered) -> Altered | None:
    actions: dict[int, Run] = {}
    for site, made, other in _made_of_operands(run):
        if other == kind and site.number not in actions:
            results: list[Any] = []
            actions |= {made.number: partial(_kept, results), site.number: partial(_taken, kind[0], results)}
    return run.again(actions=actions)


def _kept(results: list[Any], call: Call) -> Any:
    results.append(call.run())
    return results[-1]


def _taken(index: int, results: list[Any], call: Call) -> Any:
    args = [*call.args]
    args[index] = results.pop()
    return call.run(*args)


def _in_a_row(run: Altered) -> Iterator[tuple[Site, Site]]:
    """Calls whose result goes to one other call alone; both keep the shape."""
    by_number = {site.number: site for site in run.sites}
    used = Counter(number for site in run.sites for number in site.made_by if number is not None)
    for site in run.sites:
        first = by_number.get(site.made_by[0]) if site.made_by and site.made_by[0] is not None else None
        if first is None or used[first.number] != 1 or first.call.name == site.call.name:
            continue
        if first.keeps_shape and site.keeps_shape and first.call.name in SWAPPED and site.call.name in SWAPPED:
            yield first, site


def _for_pairs(names: tuple[str, str], one: Shared, other: Shared, run: Altered) -> Altered | None:
    """The run with other actions for each pair of such calls in a row; what the first one leaves in its list, the
    second one finds."""
    found: dict[int, Run] = {}
    for a, b in _in_a_row(run):
        if (a.call.name, b.call.name) == names and a.number not in found:
            waiting: list[Call] = []
            found |= {a.number: partial(one, waiting), b.number: partial(other, waiting)}
    return run.again(actions=found)


def _postponed(waiting: list[Call], call: Call) -> Any:
    waiting.append(call)
    return call.args[0].clone()


def _and_then(waiting: list[Call], call: Call) -> Any:
    return waiting.pop().run(call.run())


def _remembered(waiting: list[Call], call: Call) -> Any:
    waiting.append(call)
    return call.run()


def _alone(index: int, waiting: list[Call], call: Call) -> Any:
    added = waiting.pop().args
    return call.run(added[index]) + added[1 - index]
