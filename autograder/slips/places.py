"""Places: where in a reference a slip may be made, and how it is said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import Any

from torch import Tensor

from autograder.slips.altered import SAID, Altered, Forward, Run, Site
from autograder.slips.changes import ACTIVATIONS, NORMS, Call, changes_of, ordinal

MOST_PATHS = 12  # of one function that are tried one by one
MOST_NUMBERS = 4  # likewise calls
MANY_CALLS = 24  # of one function: which of them is wrong is told by its module, not by its number
MOST_PAIRS = 60  # of modules beside each other
MOST_CALLS = 200  # of a network in which the pairs are tried
SWAPPED = (*ACTIVATIONS, *NORMS, "softmax", "masked_fill", "linear", "conv2d", "mul", "div", "add")
LAYERS = ("linear", "conv2d", "embedding", *NORMS)


@dataclass(frozen=True)
class Slip:
    """One thing done wrong: the `clause` that says it, and how a run of a case has to be altered for it, from the
    first run of that case; None where there is nothing to get wrong in it."""

    clause: str
    actions: Callable[[Altered], dict[int, Run]] = lambda run: {}
    forwards: Callable[[Altered], dict[str, Forward]] = lambda run: {}
    instead: Callable[[Altered], dict[str, str]] = lambda run: {}

    def altered(self, run: Altered, namespace: dict[str, Any], names: Mapping[str, float | None]) -> Altered | None:
        """The mode that runs a case with this slip."""
        actions, forwards, instead = self.actions(run), self.forwards(run), self.instead(run)
        if not actions and not forwards and not instead:
            return None
        return Altered(namespace, names, actions, forwards, instead, run.depth)


@dataclass(frozen=True)
class Where:
    """Some calls of a function: all, those in modules whose path fits a `pattern`, or the one at `index` among them
    (from the end, where it is negative). `text` names them."""

    name: str
    text: str
    pattern: str = ""
    index: int | None = None
    narrow: bool = False
    among: str = field(default="", compare=False)

    def sites(self, run: Altered) -> list[Site]:
        """The calls of a run."""
        found = [site for site in run.sites if site.call.name == self.name]
        if self.index is not None:
            turns = [list(turn) for _, turn in groupby(found, key=lambda site: site.turn)]
            return [turn[self.index] for turn in turns if len(turn) > 1 and -len(turn) <= self.index < len(turn)]
        return [site for site in found if not self.pattern or fits(site.path, self.pattern)]


def possible(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Every slip that may be made in the runs of an exercise's cases, the likeliest first."""
    yield from _of_parts(runs)
    yield from _of_pairs_of_parts(runs)
    names = list(dict.fromkeys(site.call.name for run in runs for site in run.sites))
    for narrow in (False, True):
        for name in names:
            for where in _places(name, runs):
                if where.narrow == narrow:
                    yield from _of_calls(where, runs)
    yield from _of_order(runs)


def fits(path: str, pattern: str) -> bool:
    """Whether a module's path is one of a pattern's, or lies below one; `*` stands for a number.

    >>> fits("blocks.3.norm1", "blocks.*.norm1"), fits("features.2", "features"), fits("features", "feat")
    (True, True, False)
    """
    parts, wanted = path.split("."), pattern.split(".")
    if len(parts) < len(wanted):
        return False
    return all(w in (p, "*") and (w != "*" or p.isdigit()) for p, w in zip(parts, wanted, strict=False))


def pattern_of(path: str) -> str:
    """A module's path with `*` for its numbers."""
    return re.sub(r"\b\d+\b", "*", path)


def _said(pattern: str) -> str:
    """A pattern in words: "`norm1` in each of `blocks`"."""
    parent, star, child = pattern.partition(".*")
    if not star:
        return f"`{pattern}`"
    return f"`{child.strip('.')}` in each of `{parent}`" if child.strip(".") else f"each of `{parent}`"


def _places(name: str, runs: Sequence[Altered]) -> Iterator[Where]:
    sites = [[site for site in run.sites if site.call.name == name] for run in runs]
    most = max(max(Counter(site.turn for site in found).values(), default=0) for found in sites)
    paths = list(dict.fromkeys(site.path for found in sites for site in found))
    shown = SAID.get(name, f"`{name.strip('_')}`")
    bare = shown.removeprefix("the ")
    yield Where(name, shown if most == 1 else f"every {bare}")
    if most == 1:
        return
    groups = list(dict.fromkeys(path.partition(".")[0] for path in paths))
    for group in groups if len(groups) > 1 else []:
        if group and (name not in LAYERS or group not in paths):
            yield Where(name, f"every {bare} in `{group}`", group, narrow=most > MANY_CALLS, among=f" in `{group}`")
    patterns = list(dict.fromkeys(map(pattern_of, paths)))
    for pattern in patterns if name in LAYERS and 1 < len(patterns) <= MOST_PATHS else []:
        if pattern:
            yield Where(name, _said(pattern), pattern, narrow=True, among=f" in {_said(pattern)}")
    for path in paths if name in LAYERS and 1 < len(paths) <= MOST_PATHS else []:
        if path and "*" in pattern_of(path):
            yield Where(name, f"`{path}`", path, narrow=True, among=f" in `{path}`")
    named = most > MANY_CALLS or (name in LAYERS and all(paths) and len(patterns) <= MOST_PATHS)
    for index in [] if named else [*range(min(most, MOST_NUMBERS)), -1]:
        text = f"the {ordinal(index, MOST_NUMBERS + 1) if index >= 0 else 'last'} {bare}"
        yield Where(name, text, index=index, narrow=True, among=f" ({text})")


def _of_calls(where: Where, runs: Sequence[Altered]) -> Iterator[Slip]:
    """Each change of the calls at a place."""
    found: dict[str, bool] = {}
    sites = [site for run in runs for site in where.sites(run)]
    for site in sites:
        for change in _safe_changes(site.call):
            found.setdefault(change.clause, change.narrow)
    for clause, narrow in found.items():
        if where.narrow and not narrow:
            continue
        said = clause.format(what=where.text, **_operands(sites))
        yield Slip(said + ("" if "{what}" in clause else where.among), actions=_changed(where, clause))


def _safe_changes(call: Call) -> list[Any]:
    try:
        return list(changes_of(call))
    except (IndexError, TypeError, AttributeError):  # called in a way that the changes do not know
        return []


def _changed(where: Where, clause: str) -> Callable[[Altered], dict[int, Run]]:
    def actions(run: Altered) -> dict[int, Run]:
        found = {}
        for site in where.sites(run):
            change = next((each for each in _safe_changes(site.call) if each.clause == clause), None)
            if change is not None:
                found[site.number] = change.run
        return found

    return actions


def _operands(sites: Sequence[Site]) -> dict[str, str]:
    """How the two operands are called, where that is the same at all sites."""
    names = []
    for index, unknown in ((0, "one"), (1, "the other")):
        texts = {site.operands[index] for site in sites if len(site.operands) > index}
        text = texts.pop() if len(texts) == 1 else ""
        if not text and texts and all(_is_number(site, index) for site in sites):
            text = "a number"
        names.append(text or unknown)
    if names[0] == names[1]:
        names[1] = "the other"
    if sites and sites[0].call.name.startswith("__r"):
        names.reverse()
    return {"first": names[0], "second": names[1]}


def _is_number(site: Site, index: int) -> bool:
    return len(site.call.args) > index and not isinstance(site.call.args[index], Tensor)


def _of_parts(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Modules that have parameters, left out or run twice."""
    paths = dict.fromkeys(part.path for run in runs for part in run.parts if part.keeps_shape)
    patterns = dict.fromkeys([pattern_of(path) for path in paths])
    for pattern in list(dict.fromkeys([*patterns, *paths]))[: 4 * MOST_PATHS]:
        said = _said(pattern)
        yield Slip(f"when {said} is left out", forwards=_each(pattern, lambda module, args, result: args[0]))
        yield Slip(f"when {said} runs twice", forwards=_each(pattern, _again))


def _again(module: Any, args: tuple[Any, ...], result: Any) -> Any:
    return module.forward(result, *args[1:])


def _each(pattern: str, forward: Forward) -> Callable[[Altered], dict[str, Forward]]:
    def forwards(run: Altered) -> dict[str, Forward]:
        exact = len(pattern.split("."))
        paths = {part.path for part in run.parts if part.keeps_shape}
        return {path: forward for path in paths if fits(path, pattern) and len(path.split(".")) == exact}

    return forwards


def _of_pairs_of_parts(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Two modules beside each other that are made alike, exchanged or taken for each other."""
    seen: dict[tuple[str, str, str], None] = {}
    for run in runs if max(len(run.sites) for run in runs) <= MOST_CALLS else ():
        parts = {part.path: part.module for part in run.parts}
        for one, other in combinations(parts, 2):
            parent, _, name = one.rpartition(".")
            beside, _, second = other.rpartition(".")
            if parent == beside and _made_alike(parts[one], parts[other]):
                close = not name.isdigit() or abs(int(name) - int(second)) == 1
                if close and len(seen) < MOST_PAIRS:
                    seen.setdefault((pattern_of(parent), name, second))
    for parent, name, second in seen:
        place = f" in {_said(parent)}" if parent else ""
        yield Slip(
            f"when `{name}` and `{second}` are exchanged{place}",
            instead=_siblings(parent, {name: second, second: name}),
        )
        yield Slip(f"when `{name}` stands in place of `{second}` too{place}", instead=_siblings(parent, {second: name}))
        yield Slip(f"when `{second}` stands in place of `{name}` too{place}", instead=_siblings(parent, {name: second}))


def _made_alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    shapes = [{name: value.shape for name, value in each.named_parameters()} for each in (one, other)]
    return shapes[0] == shapes[1]


def _siblings(parent: str, names: dict[str, str]) -> Callable[[Altered], dict[str, str]]:
    def instead(run: Altered) -> dict[str, str]:
        found = {}
        for path in {part.path for part in run.parts}:
            above, _, name = path.rpartition(".")
            if name in names and pattern_of(above) == parent:
                found[path] = f"{above}.{names[name]}".lstrip(".")
        return found

    return instead


def _of_order(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Two functions one behind the other, in the other order; and a function of a sum that is taken of one part alone."""
    pairs = dict.fromkeys((a.call.name, b.call.name) for run in runs for a, b in _in_a_row(run))
    for first, second in pairs:
        one, other = (SAID.get(name, f"`{name}`") for name in (first, second))
        yield Slip(f"when {one} comes after {other}, not before it", actions=_in_other_order(first, second))
        if first == "add" and second not in ("add", "mul", "div"):
            for index, text in ((0, "first"), (1, "second")):
                sites = [a for run in runs for a, b in _in_a_row(run) if (a.call.name, b.call.name) == (first, second)]
                operands = _operands(sites)
                alone, added = (operands[k] for k in (("first", "second") if index == 0 else ("second", "first")))
                clause = f"when {other} is applied to {alone} alone, and {added} is added afterwards"
                yield Slip(clause, actions=_of_one_summand(second, index))


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


def _in_other_order(first: str, second: str) -> Callable[[Altered], dict[int, Run]]:
    def actions(run: Altered) -> dict[int, Run]:
        found: dict[int, Run] = {}
        for a, b in _in_a_row(run):
            if (a.call.name, b.call.name) == (first, second) and a.number not in found:
                waiting: list[Call] = []
                found[a.number] = lambda call, waiting=waiting: (waiting.append(call), call.args[0].clone())[1]
                found[b.number] = lambda call, waiting=waiting: waiting.pop().run(call.run())
        return found

    return actions


def _of_one_summand(second: str, index: int) -> Callable[[Altered], dict[int, Run]]:
    def actions(run: Altered) -> dict[int, Run]:
        found: dict[int, Run] = {}
        for a, b in _in_a_row(run):
            if (a.call.name, b.call.name) == ("add", second):
                waiting: list[Call] = []
                found[a.number] = lambda call, waiting=waiting: (waiting.append(call), call.run())[1]
                found[b.number] = lambda call, waiting=waiting: _alone(call, waiting.pop(), index)
        return found

    return actions


def _alone(call: Call, added: Call, index: int) -> Any:
    return call.run(added.args[index]) + added.args[1 - index]
