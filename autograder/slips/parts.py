"""Parts: modules with parameters that are left out, run twice, or are exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from autograder.slips.altered import Altered, Forward
from autograder.slips.places import MOST_PATHS, Slip, fits, pattern_of, said

MOST_PAIRS = 60  # of modules beside each other
MOST_CALLS = 200  # of a network in which the pairs are tried


def of_parts(runs: Sequence[Altered]) -> Iterator[Slip]:
    """Modules that have parameters, left out or run twice."""
    paths = dict.fromkeys(part.path for run in runs for part in run.parts if part.keeps_shape)
    patterns = dict.fromkeys([pattern_of(path) for path in paths])
    for pattern in list(dict.fromkeys([*patterns, *paths]))[: 4 * MOST_PATHS]:
        name = said(pattern)
        yield Slip(f"when {name} is left out", _each(pattern, lambda module, args, result: args[0]))
        yield Slip(f"when {name} runs twice", _each(pattern, _again))


def _again(module: Any, args: tuple[Any, ...], result: Any) -> Any:
    return module.forward(result, *args[1:])


def _each(pattern: str, forward: Forward) -> Callable[[Altered], Altered | None]:
    def altered(run: Altered) -> Altered | None:
        exact = len(pattern.split("."))
        paths = {part.path for part in run.parts if part.keeps_shape}
        chosen = (path for path in paths if fits(path, pattern) and len(path.split(".")) == exact)
        return run.again(forwards=dict.fromkeys(chosen, forward))

    return altered


def of_pairs_of_parts(runs: Sequence[Altered]) -> Iterator[Slip]:
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
        place = f" in {said(parent)}" if parent else ""
        yield Slip(
            f"when `{name}` and `{second}` are exchanged{place}",
            _siblings(parent, {name: second, second: name}),
        )
        yield Slip(f"when `{name}` stands in place of `{second}` too{place}", _siblings(parent, {second: name}))
        yield Slip(f"when `{second}` stands in place of `{name}` too{place}", _siblings(parent, {name: second}))


def _made_alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    shapes = [{name: value.shape for name, value in each.named_parameters()} for each in (one, other)]
    return shapes[0] == shapes[1]


def _siblings(parent: str, names: dict[str, str]) -> Callable[[Altered], Altered | None]:
    def altered(run: Altered) -> Altered | None:
        found = {}
        for path in {part.path for part in run.parts}:
            above, _, name = path.rpartition(".")
            if name in names and pattern_of(above) == parent:
                found[path] = f"{above}.{names[name]}".lstrip(".")
        return run.again(instead=found)

    return altered
