"""Contrasts: a case once more with something changed, to see whether a candidate's answer follows as the reference's.

Three kinds. Where an *argument* is changed, the reference's answer is another one; a candidate whose answer stays the
same to the bit does not depend on that argument. Where two *axes* are exchanged in the inputs, a candidate that gives
the answer asked for has mistaken one for the other. Where *nothing* is changed, an answer that is another one all the
same depends on something besides the inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from autograder.axes import labels, of_arguments
from autograder.compare import compare
from autograder.plans import has_plan, is_meta
from autograder.probes import Names, by_their_names
from autograder.values import identical

MOST_CHANGES = 4  # kinds of change that are tried
MOST_ELSEWHERE = 4  # further cases in which an argument is changed
MOST = 2  # contrasts of one argument or pair of axes: each in a case of its own
MOST_WEIGHTS = 100_000  # of a module, and numbers of an input: what is larger is not tried again
Results = dict[str, Any]
Tried = Callable[[dict[str, Any]], "Results | None"]
DTYPES = (torch.float32, torch.float64, torch.float16)


@dataclass(frozen=True)
class Contrast:
    """The case at index `case` with other `values` for some of its arguments.

    `argument` names the one that was changed, or `exchanged` the two axes that were, in all arguments in `values`;
    `telling` says whether the reference's answer is another one for that.
    """

    case: int
    values: dict[str, Any] = field(default_factory=dict)
    argument: str = ""
    exchanged: list[str] = field(default_factory=list)
    telling: bool = True


def make_contrasts(question: Any, returns: Any, answer: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """The contrasts of a question whose cases hold what is expected, as data.

    `returns` describes the result's axes; `answer` gives the reference's answer on a case.
    """
    cases, names = question.cases, question.names
    described = of_arguments(question.parameters, question.forward)

    def tried(case: dict[str, Any]) -> Results | None:
        found = answer(case)
        return dict(found.results) if found.outcome == "returned" else None

    usable = [index for index, case in enumerate(cases) if not case["raises"] and _is_small(case)]
    found = [Contrast(usable[0])] if usable else []
    for name in [*names.call, *names.forward]:
        found += _changing(cases, usable, names, name, tried)
    for index in usable:
        for contrast in _exchanging(cases[index], index, names, described):
            case = cases[index]
            known = sum(other.exchanged == contrast.exchanged for other in found)
            if known < MOST and "result" in case["expected"]:
                results = tried({**case, "arguments": with_values(case, contrast, names)})
                if results is None or not gives(case["expected"], results, contrast.exchanged, returns):
                    found.append(contrast)
    return [vars(contrast) for contrast in found]


def gives(expected: Results, results: Results, exchanged: Sequence[str], returns: Any) -> bool:
    """Whether the result is what is expected, as it is or with the two axes exchanged back. Gradients do not count:
    they have the shapes of the inputs, which were exchanged."""
    each = (results.get("result"), restored(results, exchanged, returns).get("result"))
    return any(compare(expected["result"], result) is None for result in each)


def _is_small(case: dict[str, Any]) -> bool:
    shapes = case["expected"].get("parameters", {}) if isinstance(case["expected"], dict) else {}
    weights = sum(torch.Size(shape).numel() for shape in shapes.values()) if isinstance(shapes, dict) else 0
    return weights <= MOST_WEIGHTS and not is_meta(case)


def arguments_of(case: dict[str, Any], names: Names, call: int = 1) -> dict[str, Any]:
    """A case's arguments by name: what a function is called with, or a module is built with and given in a call."""
    arguments: dict[str, Any] = case["arguments"]
    if not has_plan(case):
        return arguments
    calls = [step for step in arguments["steps"] if "positional" in step]
    given = by_their_names(names.forward, calls[min(call, len(calls)) - 1]) if calls else {}
    return {**by_their_names(names.call, arguments["build"]), **given}


def with_values(case: dict[str, Any], contrast: Contrast, names: Names) -> dict[str, Any]:
    """The arguments of a contrast's case, its own values put in; of a module's calls into the first."""
    arguments = case["arguments"]
    if not has_plan(case):
        return {**arguments, **contrast.values}
    steps = list(arguments["steps"])
    first = next((i for i, step in enumerate(steps) if "positional" in step), None)
    if first is not None:
        steps[first] = _filled_in(steps[first], names.forward, contrast.values)
    return {**arguments, "build": _filled_in(arguments["build"], names.call, contrast.values), "steps": steps}


def _filled_in(step: dict[str, Any], names: Sequence[str], values: dict[str, Any]) -> dict[str, Any]:
    known = itertools.chain(names, itertools.repeat(""))
    positional = [values.get(name, value) for name, value in zip(known, step["positional"], strict=False)]
    keywords = {name: values.get(name, value) for name, value in step["keywords"].items()}
    return {**step, "positional": positional, "keywords": keywords}


def _changing(
    cases: Sequence[dict[str, Any]], usable: Sequence[int], names: Names, name: str, tried: Tried
) -> list[Contrast]:
    """Several changes of an argument that change the reference's answer: different changes, in different cases.

    One change alone proves little: a sum does not follow when what it adds up is turned around.
    """
    given = [index for index in usable if name in arguments_of(cases[index], names)]
    found: list[Contrast] = []
    for change in range(MOST_CHANGES):
        for index in given[len(found) :] + given[: len(found)]:
            case = cases[index]
            values = others(arguments_of(case, names)[name])
            if change >= len(values):
                continue
            contrast = Contrast(index, {name: values[change]}, name)
            results = tried({**case, "arguments": with_values(case, contrast, names)})
            if results is not None and compare(case["expected"], results):
                found.append(contrast)
                break
        if len(found) == MOST:
            break
    tried_in = {contrast.case for contrast in found}
    return found + _elsewhere(cases, [index for index in given if index not in tried_in], names, name, tried)


def _elsewhere(
    cases: Sequence[dict[str, Any]], indices: Sequence[int], names: Names, name: str, tried: Tried
) -> list[Contrast]:
    """A change of an argument in other cases, whether or not the reference follows, though better where it does: a
    candidate that follows in one of them depends on it."""
    found: list[Contrast] = []
    for index in indices[:MOST_ELSEWHERE]:
        case, here = cases[index], list[Contrast]()
        for value in others(arguments_of(case, names)[name]):
            contrast = Contrast(index, {name: value}, name)
            results = tried({**case, "arguments": with_values(case, contrast, names)})
            if results is not None:
                here.append(replace(contrast, telling=compare(case["expected"], results) is not None))
        found += sorted(here, key=lambda each: not each.telling)[:1]
    return found


def others(value: Any) -> list[Any]:
    """Other values of the same kind, changed each in another way.

    >>> others(3), others((2, 5))
    ([4, 7], [(5, 2), (2,)])
    """
    if isinstance(value, Tensor):
        return _other_tensors(value)
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, 2 * value + 1]  # none smaller: 0 and negative numbers break rules
    if isinstance(value, float):
        return [2 * value, value + 0.5, 1 - value]
    if isinstance(value, torch.dtype):
        return [dtype for dtype in DTYPES if dtype != value]
    if isinstance(value, tuple | list) and value:
        return [value[::-1], value[:-1]]
    return []


def _other_tensors(value: Tensor) -> list[Tensor]:
    if not 0 < value.numel() <= MOST_WEIGHTS or value.is_meta:
        return []
    turned = value.flip(list(range(value.dim()))).contiguous()
    if value.dtype == torch.bool:
        return [~value, turned]
    if value.dtype.is_floating_point:
        return [-value, turned, 1.5 * value, value + 0.5]
    return [value.clamp(max=int(value.min())), turned, value + 1]


def _exchanging(case: dict[str, Any], index: int, names: Names, described: Mapping[str, Any]) -> Iterator[Contrast]:
    """Two neighbouring axes exchanged in each argument that has both."""
    arguments = arguments_of(case, names)
    known = {name: (axis_names(described.get(name), value), value) for name, value in arguments.items()}
    tensors = {name: (axes, value) for name, (axes, value) in known.items() if axes is not None}
    pairs = {pair: None for axes, _ in tensors.values() for pair in itertools.pairwise(axes)}
    for first, second in pairs:
        values = {
            name: value.transpose(axes.index(first), axes.index(second)).contiguous()
            for name, (axes, value) in tensors.items()
            if first in axes and second in axes
        }
        if first and second and first != second:
            yield Contrast(index, values, exchanged=[first, second])


def try_contrasts(question: Any, cases: Sequence[Any], tried: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """What became of each of a question's contrasts, beside the answers on its `cases`: whether that of `tried` is the
    "same" to the bit, an "other" one, or none. Nothing is tried where a case did not finish."""
    if any(case.outcome in ("out of time", "unattempted") for case in cases):
        return []
    found = []
    for contrast in (Contrast(**contrast) for contrast in question.contrasts):
        case = question.cases[contrast.case]
        now = tried({**case, "arguments": with_values(case, contrast, question.names)})
        if now.outcome == "out of time":
            return []
        outcome = now.outcome
        if outcome == "returned":
            outcome = "same" if identical(now.results, cases[contrast.case].results) else "other"
        found.append({"outcome": outcome, "results": now.results if contrast.exchanged else {}})
    return found


def axis_names(described: Any, value: Any) -> list[str] | None:
    """The names of a tensor's axes, from its description; None for anything else."""
    if not isinstance(value, Tensor) or not isinstance(described, dict):
        return None
    return labels(described["dims"], value.dim())


def restored(results: Results, exchanged: Sequence[str], returns: Any) -> Results:
    """Results with the two axes exchanged back, where the result has both."""
    first, second = exchanged
    names = axis_names(returns, results.get("result"))
    if names is None or first not in names or second not in names:
        return results
    return {**results, "result": results["result"].transpose(names.index(first), names.index(second))}
