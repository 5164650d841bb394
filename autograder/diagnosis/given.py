"""Given: what a call is given, its numbers by name and its tensors with the names of their axes."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autograder.contrast import axis_names


@dataclass(frozen=True)
class Inputs:
    """What one call is given: its arguments, and the axes and shape of each tensor among them."""

    arguments: dict[str, Any]
    tensors: dict[str, tuple[list[str], Sequence[int]]]


def defaults(parameters: Sequence[dict[str, Any]]) -> dict[str, int | float]:
    """Defaults that are numbers, by parameter, as they are written in the signature.

    >>> defaults([{"name": "x", "written": "x"}, {"name": "eps", "written": "eps=1e-05"}])
    {'eps': 1e-05}
    """
    found: dict[str, int | float] = {}
    for each in parameters:
        _, _, written = each["written"].partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            value = ast.literal_eval(written.strip()) if written else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[each["name"]] = value
    return found


def inputs_of(arguments: dict[str, Any], axes: dict[str, Any]) -> Inputs:
    """What a call with these arguments is given, where `axes` describes those of each parameter."""
    known = {name: (axis_names(each, arguments.get(name)), arguments.get(name)) for name, each in axes.items()}
    return Inputs(
        arguments, {name: (a, value.shape) for name, (a, value) in known.items() if a is not None and value is not None}
    )


def sizes_of(named: Sequence[tuple[list[str], Sequence[int]]]) -> dict[str, int]:
    """The size of each named axis; a name that stands for two sizes is left out."""
    found: dict[str, set[int]] = {}
    for names, shape in named:
        for name, size in zip(names, shape, strict=True):
            found.setdefault(name, set()).add(int(size))
    return {name: sizes.pop() for name, sizes in found.items() if name and len(sizes) == 1}
