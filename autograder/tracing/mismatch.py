"""Which two axes do not fit, where an operation raised because of its inputs' shapes: said in axis names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from autograder.tracing.calls import Value
from autograder.tracing.follow import JOINING, is_pointwise, joint


def mismatch(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Value]) -> str:
    """One sentence on the first two axes that do not fit; "" where the shapes are not what is wrong."""
    if name in ("matmul", "bmm", "mm", "linear") and len(inputs) >= 2 and all(value.shape for value in inputs[:2]):
        return _product(name, inputs[0], inputs[1])
    if name.startswith("conv") and "transpose" not in name and len(inputs) >= 2:
        return _convolution(inputs[0], inputs[1], kwargs.get("groups", args[6] if len(args) > 6 else 1))
    if name in JOINING and len(inputs) >= 2:
        return _join(name, args, kwargs, inputs)
    if name in ("view", "reshape") and inputs:
        return _other_shape(args[1:] or tuple(kwargs.values()), inputs[0])
    if is_pointwise(name):
        return _broadcast(inputs)
    return ""


def _product(name: str, first: Value, second: Value) -> str:
    place = -1 if name == "linear" or len(second.shape) == 1 else -2
    if first.shape[-1] != second.shape[place]:
        where = "the last" if place == -1 else "the last but one"
        return (
            f"A product sums over the last axis of {_called(first, 'the first')}, {_axis(first, -1)}, and {where} of "
            f"{_called(second, 'the second')}, {_axis(second, place)}: they have to be equal."
        )
    return _broadcast([_without(value, 2) for value in (first, second)]) if name == "matmul" else ""


def _convolution(images: Value, weight: Value, groups: int) -> str:
    rank = len(weight.shape)
    if len(images.shape) not in (rank, rank - 1) or groups < 1 or weight.shape[0] % groups:  # another error than this
        return ""
    place, channels = 1 - rank, weight.shape[1] * groups
    if images.shape[place] == channels:
        return ""
    return f"The weight is for {channels} channels; {_called(images, 'the input')} has {_axis(images, place)} there."


def _join(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[Value]) -> str:
    first, rank = inputs[0], len(inputs[0].shape)
    axis = joint(name, args, kwargs, rank) if name != "stack" and rank else None
    for value in inputs[1:]:
        if len(value.shape) != rank:
            return f"What is joined has to have the same number of axes; here are {rank} and {len(value.shape)}."
        for place in range(rank):
            if place != axis and value.shape[place] != first.shape[place]:
                other = "all axes" if axis is None else f"all axes but axis {axis}"
                sizes = f"{_axis(first, place)} and {_axis(value, place)}"
                return f"What is joined has to be equal in {other}; axis {place} is {sizes}."
    return ""


def _other_shape(given: Sequence[Any], value: Value) -> str:
    sizes = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
    if not all(isinstance(size, int) for size in sizes):
        return ""
    count, wanted = prod(value.shape), prod(size for size in sizes if size != -1)
    shape = f"({', '.join(map(str, sizes))})"
    if -1 not in sizes:
        differ = count != wanted
        return f"{_called(value, 'The input')} holds {count:,} numbers, and {shape} {wanted:,}." if differ else ""
    if wanted and count % wanted == 0:
        return ""
    return (
        f"{_called(value, 'The input')} holds {count:,} numbers, which {shape} cannot: {wanted:,} does not divide them."
    )


def _broadcast(inputs: Sequence[Value]) -> str:
    """The first pair of axes, from the last backwards, that differ though neither is 1."""
    for back in range(1, max((len(value.shape) for value in inputs), default=0) + 1):
        stretched = [value for value in inputs if len(value.shape) >= back and value.shape[-back] != 1]
        for value in stretched[1:]:
            if value.shape[-back] != stretched[0].shape[-back]:
                pair = f"{_axis(stretched[0], -back)} meets {_axis(value, -back)}"
                return f"Axes are paired from the last: {pair}. They have to be equal, or one of them 1."
    return ""


def _without(value: Value, last: int) -> Value:
    """A value without its last axes."""
    keep = max(0, len(value.shape) - last)
    return replace(value, axes=value.axes[:keep], shape=value.shape[:keep])


def _axis(value: Value, place: int) -> str:
    name, size = value.axes[place], value.shape[place]
    return f"{name}={size}" if name else str(size)


def _called(value: Value, otherwise: str) -> str:
    return value.name or otherwise
