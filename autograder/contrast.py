"""Contrasts: a case once more with something changed, to see whether a candidate's answer follows as the reference's does.

Two kinds. Where an *argument* is changed, the reference's answer is another one; a candidate whose answer stays the same
to the bit does not depend on that argument. Where two *axes* are exchanged in an input, a candidate that gives the answer
asked for has mistaken one for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autograder.axes import labels

MOST_CHANGES = 4  # kinds of change that are tried
MOST = 2  # contrasts of one argument or pair of axes: each in a case of its own
Results = dict[str, Any]
DTYPES = (torch.float32, torch.float64, torch.float16)


@dataclass(frozen=True)
class Contrast:
    """The case at index `case` with other `values` for some of its arguments.

    `argument` names the one that was changed, or `exchanged` the two axes that were, in all arguments in `values`.
    """

    case: int
    values: dict[str, Any]
    argument: str = ""
    exchanged: list[str] = field(default_factory=list)


def make_contrasts(
    cases: Sequence[dict[str, Any]],
    parameters: Sequence[dict[str, Any]],
    returns: Any,
    tried: Callable[[dict[str, Any]], Results | None],
    differ: Callable[[Results, Results], bool],
) -> list[Contrast]:
    """The contrasts of an exercise's cases.

    `tried` gives the reference's results on a case, or None where it raises; `differ` tells whether two results do.
    """
    usable = [index for index, case in enumerate(cases) if not case["raises"]]
    found: list[Contrast] = []
    for parameter in parameters:
        found += _changing(cases, usable, parameter, tried, differ)
    exchanges = [_exchanging(cases[index], index, parameters) for index in usable]
    for contrast in (contrast for each in exchanges for contrast in each):
        results = tried({**cases[contrast.case], "arguments": with_values(cases[contrast.case], contrast)})
        expected = cases[contrast.case]["expected"]
        known = sum(other.exchanged == contrast.exchanged for other in found)
        if known < MOST and (results is None or differ(expected, restored(results, contrast.exchanged, returns))):
            found.append(contrast)
    return found


def with_values(case: dict[str, Any], contrast: Contrast) -> dict[str, Any]:
    """The arguments of a contrast's case, its own values put in."""
    return {**case["arguments"], **contrast.values}


def _changing(
    cases: Sequence[dict[str, Any]],
    usable: Sequence[int],
    parameter: dict[str, Any],
    tried: Callable[[dict[str, Any]], Results | None],
    differ: Callable[[Results, Results], bool],
) -> list[Contrast]:
    """Several changes of an argument that change the reference's answer: different changes, in different cases.

    One change alone proves little: a sum does not follow when what it adds up is turned around.
    """
    name, optional = parameter["name"], parameter["written"].endswith("=None")
    given = [index for index in usable if name in cases[index]["arguments"]]
    found: list[Contrast] = []
    for change in range(MOST_CHANGES):
        for index in given[len(found) :] + given[: len(found)]:
            case = cases[index]
            values = list(others(case["arguments"][name], optional))
            if change >= len(values):
                continue
            results = tried({**case, "arguments": {**case["arguments"], name: values[change]}})
            if results is not None and differ(case["expected"], results):
                found.append(Contrast(index, {name: values[change]}, name))
                break
        if len(found) == MOST:
            break
    return found


def others(value: Any, optional: bool = False) -> list[Any]:
    """Other values of the same kind, changed each in another way.

    >>> others(3), others((2, 5))
    ([4, 2, 6], [(5, 2), (2,)])
    """
    if isinstance(value, Tensor):
        return [*_other_tensors(value), *([None] if optional else [])]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, 2 * value]
    if isinstance(value, float):
        return [2 * value, value + 0.5, 1 - value]
    if isinstance(value, torch.dtype):
        return [dtype for dtype in DTYPES if dtype != value]
    if isinstance(value, tuple | list) and value:
        return [value[::-1], value[:-1]]
    return []


def _other_tensors(value: Tensor) -> list[Tensor]:
    if value.numel() == 0:
        return []
    turned = value.flip(list(range(value.dim()))).contiguous()
    if value.dtype == torch.bool:
        return [~value, turned]
    if value.dtype.is_floating_point:
        return [-value, turned, 1.5 * value, value + 0.5]
    return [value.clamp(max=int(value.min())), turned, value + 1]


def _exchanging(case: dict[str, Any], index: int, parameters: Sequence[dict[str, Any]]) -> Iterator[Contrast]:
    """Two neighbouring axes exchanged in each argument that has both."""
    named = {
        parameter["name"]: (names, case["arguments"][parameter["name"]])
        for parameter in parameters
        if (names := axis_names(parameter["axes"], case["arguments"].get(parameter["name"]))) is not None
    }
    pairs = {pair: None for names, _ in named.values() for pair in zip(names, names[1:], strict=False)}
    for first, second in pairs:
        values = {
            name: value.transpose(names.index(first), names.index(second)).contiguous()
            for name, (names, value) in named.items()
            if first in names and second in names
        }
        if first and second and first != second:
            yield Contrast(index, values, exchanged=[first, second])


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
