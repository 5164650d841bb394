"""Axes that are followed: where an operation keeps an axis, the axis keeps its name, whatever becomes of its size.

A convolution makes 64 channels of 3, and they are still the channel axis. Names come from sizes (`names.py`); here are
the operations of which it is certain which axis of a result is which axis of an input. All others go by size alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from autograder.tracing.calls import Value
from autograder.tracing.names import JOINT, AxisNames

Axes = tuple[str, ...]
Order = list[int | None]

# results whose axes are the first input's in the same order, of any size; so are those of every pooling
SAME_ORDER = {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "pad", "upsample"),
    *("interpolate", "batch_norm", "instance_norm", "group_norm", "local_response_norm"),
}
# results that have the first input's shape, beside those that torch itself calls pointwise
SAME_SHAPE = {
    *("dropout", "alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "softmax", "log_softmax", "layer_norm"),
    *("rms_norm", "normalize", "cumsum", "cumprod", "roll", "flip", "contiguous", "clone", "detach", "data", "to"),
    *("type", "float", "half", "double", "bfloat16", "int", "long", "bool", "cpu", "cuda", "real"),
}
REDUCING = {
    *("sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "any", "all", "prod", "var", "std"),
    *("logsumexp", "median"),
}
SLICING = {"chunk", "split", "tensor_split", "narrow"}
MERGING = {"flatten", "reshape", "view"}
SWAPPING = {"transpose", "swapaxes", "swapdims"}
JOINING = {"cat": 0, "concat": 0, "concatenate": 0, "stack": 0, "hstack": 1, "vstack": 0, "dstack": 2}


def followed(
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    inputs: Sequence[Value],
    shape: tuple[int, ...],
    names: AxisNames,
) -> Axes:
    """The names of a result's axes: those of the inputs' that the operation `name` keeps, by size the others."""
    by_size = names.of(shape)
    if not inputs:
        return by_size
    name = name if name.startswith("__") else name.rstrip("_")
    kept = _kept(name, inputs, shape)
    if kept is None:
        order = _order(name, args, kwargs, len(inputs[0].shape))
        if order is not None and len(order) == len(shape):
            kept = _ordered(inputs[0], order, shape, by_size)
        elif name == "stack":  # the new axis counts the inputs; by size it would be any axis
            place = joint(name, args, kwargs, len(shape))
            axes = _broadcast(inputs, (*shape[:place], *shape[place + 1 :]))
            own = by_size[place] if by_size[place] not in axes else ""
            return (*axes[:place], own, *axes[place:])
        elif name in MERGING:
            kept = _merged(inputs[0], shape)
    if kept is None or len(kept) != len(shape):
        return by_size
    return tuple("" if size == 1 else axis or own for axis, own, size in zip(kept, by_size, shape, strict=True))


def joint(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], rank: int) -> int:
    """Which axis of its result a call of one of `JOINING` joins its inputs on."""
    default = min(JOINING[name], rank - 1)
    return int(kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else default))) % rank


def _kept(name: str, inputs: Sequence[Value], shape: tuple[int, ...]) -> Axes | None:
    """Names from operations that leave each axis at its place; "" for a new axis, None for other operations."""
    first, rank = inputs[0], len(shape)
    if name in SAME_ORDER or "_pool" in name:
        return first.axes
    if (name in SAME_SHAPE and first.shape == shape) or is_pointwise(name):
        return _broadcast(inputs, shape)
    if name in ("cat", "concat", "concatenate") and all(len(value.axes) == rank for value in inputs):
        columns = zip(*(value.axes for value in inputs), strict=True)
        return tuple(axes[0] if len(set(axes)) == 1 else "" for axes in columns)
    if name in ("matmul", "bmm") and rank >= 2 and len(inputs) == 2 and min(len(value.axes) for value in inputs) >= 2:
        return (*_broadcast(inputs, (*shape[:-2], 1, 1))[:-2], first.axes[-2], inputs[1].axes[-1])
    if name == "linear":
        return (*first.axes[:-1], "")
    if name == "embedding":
        return (*next((value.axes for value in inputs if not value.dtype.is_floating_point), ()), "")
    return None


@cache
def is_pointwise(name: str) -> bool:
    """Whether torch says that an operation works on each element by itself."""
    if name.startswith("__"):
        return name not in ("__getitem__", "__setitem__", "__matmul__", "__rmatmul__")
    packet = getattr(torch.ops.aten, name, None)
    return packet is not None and any(
        torch.Tag.pointwise in getattr(packet, overload).tags for overload in packet.overloads()
    )


def _broadcast(inputs: Sequence[Value], shape: tuple[int, ...]) -> Axes:
    """For each axis of `shape`, the name that those inputs agree on which have its size there."""
    kept = []
    for back in range(len(shape), 0, -1):
        at = [(value.axes[-back], value.shape[-back]) for value in inputs if len(value.axes) >= back]
        named = {axis for axis, size in at if axis and size == shape[-back]}
        kept.append(named.pop() if len(named) == 1 else "")
    return tuple(kept)


def _ordered(value: Value, order: Order, shape: tuple[int, ...], by_size: Axes) -> Axes:
    """The names of axes taken from `value` in a new order. A part of an axis that has exactly the size of a named one
    that is not there yet is that one: a third of queries, keys and values in one, the first rows of a longer mask."""
    kept = []
    for place, size, own in zip(order, shape, by_size, strict=True):
        part = place is not None and value.shape[place] != size
        exact = part and own and JOINT not in own and own not in value.axes
        kept.append(own if exact else "" if place is None else value.axes[place])
    return tuple(kept)


def _order(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], rank: int) -> Order | None:
    """Which axis of the input each axis of the result is, None for a new one; None where that is not certain."""
    order: Order = list(range(rank))
    if rank == 0:
        return None
    if name in SLICING:
        return order
    if name in ("mT", "mH", "T", "t", "H"):
        return order[:-2] + order[:-3:-1]
    if name == "__getitem__":
        return _indexed(args[1], rank)
    if name == "permute":
        dims = kwargs.get("dims") or (args[1] if isinstance(args[1], tuple | list) else args[1:])
        return [int(place) % rank for place in dims]
    swapped = [place for place in (*args[1:], *kwargs.values()) if type(place) is int]
    if name in SWAPPING and len(swapped) == 2:
        first, second = swapped
        order[first], order[second] = order[second], order[first]
        return order
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if name == "unsqueeze":
        order.insert(int(dim) % (rank + 1), None)
        return order
    if name in REDUCING or name == "squeeze":
        dims = dim if isinstance(dim, tuple | list) else (dim,)
        if not all(type(place) is int for place in dims):
            return None
        gone = {place % rank for place in dims}
        keep = kwargs.get("keepdim", args[2] if len(args) > 2 else False) is True
        return [None if place in gone else place for place in order if keep or place not in gone]
    return None


def _indexed(index: Any, rank: int) -> Order | None:
    """The axes that are left by an index of whole numbers, slices, None and `...`."""
    items = list(index) if isinstance(index, tuple) else [index]
    if not all(item is None or item is Ellipsis or type(item) in (int, slice) for item in items):
        return None
    taken = sum(item is not None and item is not Ellipsis for item in items)
    if Ellipsis not in items:
        items.append(Ellipsis)
    order: Order = []
    place = 0
    for item in items:
        if item is None:
            order.append(None)
        elif item is Ellipsis:
            order += range(place, place + rank - taken)
            place += rank - taken
        else:
            order += [place] if isinstance(item, slice) else []
            place += 1
    return order


def _merged(value: Value, shape: tuple[int, ...]) -> Axes:
    """Names for axes that are runs of an input's axes put together; "" where a run has an axis without a name, and from
    an axis on that is only a part of one.

    >>> x = Value("x", "input", ("batch", "channel", "height", "width"), (2, 64, 7, 5), torch.float32, 0, 0)
    >>> _merged(x, (2, 64 * 7 * 5))
    ('batch', 'channel·height·width')
    """
    merged: list[str] = []
    place = 0
    for size in shape:
        run, product = [], 1
        while place < len(value.shape) and (product < size or value.shape[place] == 1):
            product *= value.shape[place]
            if value.shape[place] != 1:
                run.append(value.axes[place])
            place += 1
        if product != size:
            break
        merged.append(JOINT.join(run) if all(run) else "")
    return (*merged, *("",) * (len(shape) - len(merged)))
