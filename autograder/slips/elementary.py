"""Changes of functions of one tensor: left out, another one in its place, along another axis, the other way around."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.slips.calls import Call, Change, Changes

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
}
USUAL = ("relu", "gelu", "sigmoid", "tanh")
SUMMARIES: dict[str, Callable[..., Any]] = {
    "mean": torch.mean,
    "sum": torch.sum,
    "amax": torch.amax,
    "amin": torch.amin,
    "std": torch.std,
    "var": torch.var,
    "median": lambda x, dim, keepdim=False: torch.median(x, dim, keepdim).values,
}
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
MISTAKEN = {"lt": ("le", "gt"), "le": ("lt", "ge"), "gt": ("ge", "lt"), "ge": ("gt", "le"), "eq": ("ne",)}
NORMS = ("layer_norm", "batch_norm", "group_norm", "rms_norm", "local_response_norm")
LEFT_OUT = (
    *ACTIVATIONS, *NORMS, "dropout", "softmax", "log_softmax", "softplus", "masked_fill", "clamp", "clamp_min",
    "clamp_max", "sqrt", "rsqrt", "exp", "log", "abs", "neg", "pow", "square", "nan_to_num", "cumsum", "flip", "roll",
    "triu", "tril", "transpose", "permute", "sort", "max_pool2d", "avg_pool2d", "normalize", "conv2d", "linear",
)  # fmt: skip
ALONG = ("softmax", "log_softmax", "cumsum", "flip", "argmax", "argmin", "argsort", *SUMMARIES)
MOVES = ("transpose", "permute", "movedim", "swapaxes", "t")


def first(call: Call) -> Any:
    """What a function was given: what comes out where it is left out."""
    return call.args[0]


def applied(function: Callable[[Any], Any], call: Call) -> Any:
    """Another function of what was given."""
    return function(call.args[0])


def called(function: Callable[..., Any], call: Call) -> Any:
    """Another function of the same arguments."""
    return function(*call.args, **call.kwargs)


def left_out(call: Call) -> Changes:
    """The call left out, or a reshape where axes are moved."""
    if call.name in LEFT_OUT:
        yield Change("when {what} is left out", first, narrow=True)
    if call.name in ("__invert__", "logical_not"):
        yield Change("when {first} is not turned over", first, narrow=True)
    if call.name in MOVES:
        yield Change("when a reshape stands in place of {what}", _reshaped, narrow=True)


def _reshaped(call: Call) -> Any:
    return call.args[0].reshape(call.run(call.args[0]).shape)


def activations(call: Call) -> Changes:
    """Another activation."""
    for name, function in ACTIVATIONS.items() if call.name in ACTIVATIONS else ():
        if name != call.name:
            clause = f"when `{name}` stands in place of {{what}}"
            yield Change(clause, partial(applied, function), narrow=name in USUAL)
    if call.name == "softmax":
        yield Change("when `sigmoid` stands in place of {what}", partial(applied, torch.sigmoid))
        yield Change("when `log_softmax` stands in place of {what}", partial(called, F.log_softmax))
        yield Change("when {what} is taken twice", lambda call: call.run(call.run()))
    if call.name == "log_softmax":
        yield Change("when `softmax` stands in place of {what}", partial(called, F.softmax))


def summaries(call: Call) -> Changes:
    """Another number for many."""
    if call.name not in SUMMARIES:
        return
    for name, function in SUMMARIES.items():
        if name != call.name:
            yield Change(f"when `{name}` stands in place of {{what}}", partial(_summary, function), narrow=True)
    if call.name in ("var", "std"):
        for correction, divisor in ((0, "n"), (1, "n - 1")):
            yield Change(f"when {{what}} divides by {divisor}", partial(_corrected, correction))


def _summary(function: Callable[..., Any], call: Call) -> Any:
    return function(*call.args[:2], **call.keywords("dim", "keepdim"))


def _corrected(correction: int, call: Call) -> Any:
    return call.function(*call.args[:2], **call.keywords("dim", "keepdim"), correction=correction)


def along(call: Call) -> Changes:
    """Another axis."""
    dim = call.argument("dim", 1)
    if call.name not in ALONG or type(dim) is not int or not isinstance(call.args[0], Tensor):
        return
    count = call.args[0].dim()
    for other in range(count):
        if other != dim % count:
            place = "the last axis" if other == count - 1 else f"axis {other} (counted from 0)"
            yield Change(f"when {{what}} goes along {place}", partial(_with_dim, other))


def _with_dim(dim: int, call: Call) -> Any:
    return call.run(dim=dim) if "dim" in call.kwargs else call.run(call.args[0], dim)


def masks(call: Call) -> Changes:
    """Masks turned over or moved, and what fills the places they hide."""
    if call.name == "masked_fill":
        yield Change("when {what} fills the places where its mask is False", _unmasked, narrow=True)
        yield Change("when {what} fills in 0, as a product with the mask does", partial(_filled, 0.0))
        yield Change("when {what} fills in 1", partial(_filled, 1.0))
    if call.name == "where" and len(call.args) == 3:
        yield Change("when the two values of {what} are exchanged", lambda c: c.run(~c.args[0].bool()), narrow=True)
        yield Change("when {what} gives its first value everywhere", lambda c: c.run(torch.ones_like(c.args[0])))
        yield Change("when {what} gives its second value everywhere", lambda c: c.run(torch.zeros_like(c.args[0])))
    for name, other in (("triu", torch.tril), ("tril", torch.triu)):
        if call.name == name:
            yield Change(f"when `{other.__name__}` stands in place of {{what}}", partial(called, other))
            yield Change("when the diagonal of {what} lies one lower", partial(_diagonal, -1))
            yield Change("when the diagonal of {what} lies one higher", partial(_diagonal, 1))


def _unmasked(call: Call) -> Any:
    return call.run(call.args[0], ~call.args[1])


def _filled(value: float, call: Call) -> Any:
    return call.args[0].masked_fill(call.args[1], value)


def _diagonal(step: int, call: Call) -> Any:
    return call.function(call.args[0], int(call.argument("diagonal", 1, 0)) + step)


def order(call: Call) -> Changes:
    """What is counted, sorted or chosen."""
    if call.name == "arange":
        yield Change("when {what} counts from one more", lambda call: call.run() + 1)
        yield Change("when {what} counts from one less", lambda call: call.run() - 1)
        yield Change("when {what} counts down", lambda call: call.run().flip(0))
    if call.name == "cumsum":
        yield Change("when {what} leaves out each item itself", lambda call: call.run() - call.args[0])
    if call.name in ("sort", "argsort", "topk"):
        yield Change("when {what} goes in the other direction", _other_direction)
    for name, other in (("argmax", torch.argmin), ("argmin", torch.argmax)):
        if call.name == name:
            yield Change(f"when `{other.__name__}` stands in place of {{what}}", partial(called, other))


def _other_direction(call: Call) -> Any:
    name = "largest" if call.name == "topk" else "descending"
    return call.run(**{name: not call.kwargs.get(name, name == "largest")})


def comparisons(call: Call) -> Changes:
    """Another comparison."""
    for name in MISTAKEN.get(call.name, ()):
        asked, instead = COMPARISONS[call.name], COMPARISONS[name]
        yield Change(f"when {{what}} asks {instead}, not {asked}", partial(_compared, name), narrow=True)


def _compared(name: str, call: Call) -> Any:
    return getattr(torch.Tensor, name)(*call.args[:2])
