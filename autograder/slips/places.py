"""Places: the calls of a reference at which a slip may be made, and how they are called in a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from torch import Tensor

from autograder.slips.altered import SAID, Altered, Site
from autograder.slips.calls import ordinal
from autograder.slips.elementary import NORMS

MOST_PATHS = 12  # of one function that are tried one by one
MOST_NUMBERS = 4  # likewise calls
MANY_CALLS = 24  # of one function: which of them is wrong is told by its module, not by its number
UNNAMED = {
    "add": ("one summand", "the other summand"),
    "mul": ("one factor", "the other factor"),
    "matmul": ("the left matrix", "the right matrix"),
    "__and__": ("one condition", "the other condition"),
    "__or__": ("one condition", "the other condition"),
}
LAYERS = ("linear", "conv2d", "embedding", *NORMS)


@dataclass(frozen=True)
class Slip:
    """One thing done wrong: the `clause` that says it, and the mode for a case with it, made from the case's first run;
    None where there is nothing to get wrong in that case."""

    clause: str
    altered: Callable[[Altered], Altered | None]


@dataclass(frozen=True)
class Where:
    """Some calls of a function: all, or those in modules whose path fits a `pattern`, where "" is the outermost; of
    these the one at `index`, where there are several (from the end, where it is negative). `text` names them."""

    name: str
    text: str
    pattern: str | None = None
    index: int | None = None
    narrow: bool = False
    among: str = field(default="", compare=False)

    def sites(self, run: Altered) -> list[Site]:
        """The calls of a run."""
        named = (site for site in run.sites if site.call.name == self.name)
        found = [site for site in named if self.pattern is None or fits(site.path, self.pattern)]
        if self.index is None:
            return found
        turns = [list(turn) for _, turn in groupby(found, key=lambda site: site.turn)]
        return [turn[self.index] for turn in turns if len(turn) > 1 and -len(turn) <= self.index < len(turn)]


def fits(path: str, pattern: str) -> bool:
    """Whether a module's path is one of a pattern's, or lies below one; `*` stands for a number.

    >>> fits("blocks.3.norm1", "blocks.*.norm1"), fits("features.2", "features"), fits("features", "")
    (True, True, False)
    """
    parts, wanted = path.split("."), pattern.split(".")
    if len(parts) < len(wanted):
        return False
    return all(w in (p, "*") and (w != "*" or p.isdigit()) for p, w in zip(parts, wanted, strict=False))


def pattern_of(path: str) -> str:
    """A module's path with `*` for its numbers."""
    return re.sub(r"\b\d+\b", "*", path)


def said(pattern: str) -> str:
    """A pattern in words: "`norm1` in each of `blocks`"."""
    parent, star, child = pattern.partition(".*")
    if not star:
        return f"`{pattern}`"
    return f"`{child.strip('.')}` in each of `{parent}`" if child.strip(".") else f"each of `{parent}`"


def places_of(name: str, runs: Sequence[Altered]) -> Iterator[Where]:
    """The places at which a function may go wrong: all its calls, then those of one module, then single ones."""
    sites = [[site for site in run.sites if site.call.name == name] for run in runs]
    most = _most_calls(sites)
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
            yield Where(name, said(pattern), pattern, narrow=True, among=f" in {said(pattern)}")
    for path in paths if name in LAYERS and 1 < len(paths) <= MOST_PATHS else []:
        if path and "*" in pattern_of(path):
            yield Where(name, f"`{path}`", path, narrow=True, among=f" in `{path}`")
    named = most > MANY_CALLS or (name in LAYERS and all(paths) and len(patterns) <= MOST_PATHS)
    for index in [] if named else [*range(min(most, MOST_NUMBERS)), -1]:
        text = f"the {_numbered(index)} {bare}"
        yield Where(name, text, index=index, narrow=True, among=f" ({text})")
    for group in groups if 1 < len(groups) <= MOST_PATHS else []:
        calls = _most_calls([[site for site in found if fits(site.path, group)] for found in sites])
        for index in [*range(calls - 1), -1] if 1 < calls <= MOST_NUMBERS else []:
            text = f"the {_numbered(index)} {bare} {f'in `{group}`' if group else 'of the module itself'}"
            yield Where(name, text, group, index, narrow=True, among=f" ({text})")


def _most_calls(sites: Sequence[Sequence[Site]]) -> int:
    """Of the sites of each run, the most in one turn."""
    return max(max(Counter(site.turn for site in found).values(), default=0) for found in sites)


def _numbered(index: int) -> str:
    return "last" if index < 0 else ordinal(index, MOST_NUMBERS + 1)


def of_calls(where: Where, runs: Sequence[Altered]) -> Iterator[Slip]:
    """Each change of the calls at a place."""
    sites = [site for run in runs for site in where.sites(run)]
    narrow: dict[str, bool] = {}
    for site in sites:
        for change in site.changes.values():
            narrow.setdefault(change.clause, change.narrow)
    for clause in narrow:
        if where.narrow and not narrow[clause]:
            continue
        text = clause.format(what=where.text, **operands_of(sites))
        yield Slip(text + ("" if "{what}" in clause else where.among), _changed(where, clause))


def _changed(where: Where, clause: str) -> Callable[[Altered], Altered | None]:
    def altered(run: Altered) -> Altered | None:
        sites = (site for site in where.sites(run) if clause in site.changes)
        return run.again(actions={site.number: site.changes[clause].run for site in sites})

    return altered


def operands_of(sites: Sequence[Site]) -> dict[str, str]:
    """How the two operands are called, where that is the same at all sites."""
    names = []
    unnamed = UNNAMED.get(sites[0].call.name, ("the left side", "the right side")) if sites else ("", "")
    for index, unknown in enumerate(unnamed):
        texts = {site.operands[index] for site in sites if len(site.operands) > index}
        text = texts.pop() if len(texts) == 1 else ""
        if not text and texts and all(_is_number(site, index) for site in sites):
            text = "a number"
        names.append(text or unknown)
    if names[0] == names[1]:
        names[1] = "the other one"
    return {"first": names[0], "second": names[1]}


def _is_number(site: Site, index: int) -> bool:
    return len(site.call.args) > index and not isinstance(site.call.args[index], Tensor)
