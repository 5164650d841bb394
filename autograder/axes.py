"""Axis names: what the annotations of a reference say about shapes, as data, and shapes written with them.

An annotation such as `Bool[Tensor, "batch heads=1 tgt src"]` becomes `{"dtype": "Bool", "dims": "batch heads=1 tgt
src"}`, and a shape that fits it reads `(batch=2, heads=1, tgt=5, src=7)`.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import AbstractArray


def parameters(candidate: Callable[..., Any]) -> list[dict[str, Any]]:
    """A reference's parameters: `name`, how each is `written` in a signature, and its `axes` where it is a tensor.

    Of a class, those that it is built with.
    """
    hints = typing.get_type_hints(_function(candidate, "__init__"))
    return [
        {"name": name, "written": str(parameter.replace(annotation=parameter.empty)), "axes": describe(hints.get(name))}
        for name, parameter in inspect.signature(candidate).parameters.items()
        if name != "self"
    ]


def forward_of(candidate: Callable[..., Any]) -> list[dict[str, Any]] | None:
    """The parameters of a class's forward, or of its only method, but for `*args` and `**kwargs`; None for a
    function."""
    if not isinstance(candidate, type):
        return None
    found = parameters(_function(candidate, _called(candidate)))
    return [each for each in found if not each["written"].startswith("*")]


def returns(candidate: Callable[..., Any]) -> Any:
    """The description of what a reference returns; of a class, what its forward does, or its only method."""
    return describe(typing.get_type_hints(_function(candidate, _called(candidate))).get("return"))


def _called(candidate: Callable[..., Any]) -> str:
    """The method of a class that is judged: forward, or the only one that is not private."""
    if hasattr(candidate, "forward") or not isinstance(candidate, type):
        return "forward"
    [name] = [name for name, value in vars(candidate).items() if callable(value) and not name.startswith("_")]
    return name


def _function(candidate: Callable[..., Any], method: str) -> Callable[..., Any]:
    """A function itself; of a class, that method."""
    found: Callable[..., Any] = getattr(candidate, method) if isinstance(candidate, type) else candidate
    return found


def tensors_of(candidate: Callable[..., Any]) -> dict[str, Any]:
    """The parameters and buffers that a class annotates (`weight: Float[Tensor, "d_out d_in"]`), described."""
    if not isinstance(candidate, type):
        return {}
    described = {name: describe(hint) for name, hint in inspect.get_annotations(candidate, eval_str=True).items()}
    return {name: found for name, found in described.items() if isinstance(found, dict)}


def describe(annotation: Any) -> Any:
    """An annotation as data: a tensor's dtype class and dimensions, a list for a tuple of tensors, otherwise its text.

    >>> from jaxtyping import Float
    >>> from torch import Tensor
    >>> describe(Float[Tensor, "batch tgt src"])
    {'dtype': 'Float', 'dims': 'batch tgt src'}
    """
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return {"dtype": annotation.__name__.partition("[")[0], "dims": annotation.dim_str}
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        described = [describe(option) for option in typing.get_args(annotation)]
        return next((item for item in described if isinstance(item, dict)), str(annotation))
    if typing.get_origin(annotation) is tuple:
        items = [describe(item) for item in typing.get_args(annotation)]
        if any(isinstance(item, dict) for item in items):
            return items
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)


def of_arguments(parameters: list[dict[str, Any]], forward: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The described axes of each argument, by name: of a function's, or of a class's and its forward's."""
    return {each["name"]: each["axes"] for each in [*parameters, *(forward or [])]}


def labels(dims: str, count: int) -> list[str] | None:
    """A name for each of `count` axes; "" for an axis that has none; None where the description does not fit.

    >>> labels("*lead src", 3), labels("*lead src", 2)
    (['lead0', 'lead1', 'src'], ['lead', 'src'])
    >>> labels("batch 1 (heads*d_head)", 3)
    ['batch', '', 'heads·d_head']
    """
    names: list[str] = []
    tokens = dims.split()
    for token in tokens:
        if token == "..." or token.startswith("*"):
            spare = count - (len(tokens) - 1)
            if spare < 0:
                return None
            name = token.strip("*.") or "axis"
            names += [name] if spare == 1 and name != "axis" else [f"{name}{i}" for i in range(spare)]
        else:
            name = token.partition("=")[0].strip("()#?").replace("*", "·")
            names.append("" if name.isdigit() or name == "_" else name)
    return names if len(names) == count else None


def named(shape: Sequence[int], names: Sequence[str] | None) -> str:
    """A shape with its axis names.

    >>> named((2, 1, 7), ["batch", "", "src"])
    '(batch=2, 1, src=7)'
    """
    if names is None or len(names) != len(shape):
        return str(tuple(shape))
    parts = [f"{name}={size}" if name else str(size) for name, size in zip(names, shape, strict=True)]
    return f"({', '.join(parts)})"


def place(index: Sequence[int], names: Sequence[str] | None) -> str:
    """One element's index with its axis names: `[tgt=0, src=1]`; rows and columns where both have one name.

    >>> place((0, 3, 1), ["batch", "seq", "seq"])
    '[batch=0, row seq=3, column seq=1]'
    """
    return "[" + named(index, distinct(names)).strip("(),") + "]"


def distinct(names: Sequence[str] | None) -> list[str] | None:
    """Axis names that tell the last two axes apart where both have one name."""
    if names is None or len(names) < 2 or not names[-1] or names[-1] != names[-2]:
        return None if names is None else list(names)
    return [*names[:-2], f"row {names[-2]}", f"column {names[-1]}"]


def axis(names: Sequence[str] | None, index: int) -> str:
    """An axis in a sentence.

    >>> axis(["batch", "", "seq", "seq"], 0), axis(["batch", "", "seq", "seq"], 1), axis(["seq", "seq"], 1)
    ('the batch axis', 'axis 1', 'the column seq axis')
    """
    known = distinct(names)
    return f"the {known[index]} axis" if known and known[index] else f"axis {index}"
