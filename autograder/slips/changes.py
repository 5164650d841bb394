"""Changes: what people get wrong at one call of a torch function, and how that call runs then.

A change is a function from a call to the clause that follows "what comes out" and the changed call, or None where
there is nothing to change. `what` names the call in the clause: "`relu`", "the second `relu`".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
}
SUMMARIES: dict[str, Callable[..., Tensor]] = {
    "mean": torch.mean,
    "sum": torch.sum,
    "amax": torch.amax,
    "amin": torch.amin,
    "std": torch.std,
    "var": torch.var,
    "median": lambda x, dim, keepdim=False: torch.median(x, dim, keepdim).values,
}
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
INSTEAD_OF_COMPARISON = {"lt": ("le", "gt"), "le": ("lt", "ge"), "gt": ("ge", "lt"), "ge": ("gt", "le"), "eq": ("ne",)}
NORMS = ("layer_norm", "batch_norm", "group_norm", "rms_norm", "local_response_norm")
LEFT_OUT = (
    *ACTIVATIONS, *NORMS, "dropout", "softmax", "log_softmax", "softplus", "masked_fill", "clamp", "clamp_min", "clamp_max",
    "sqrt", "rsqrt", "exp", "log", "abs", "neg", "pow", "square", "nan_to_num", "cumsum", "flip", "roll", "triu", "tril",
    "transpose", "permute", "sort", "max_pool2d", "avg_pool2d", "normalize", "conv2d", "linear",
)  # fmt: skip
ALONG = ("softmax", "log_softmax", "cumsum", "flip", "argmax", "argmin", "argsort", *SUMMARIES)
MOVES = ("transpose", "permute", "movedim", "swapaxes", "mT", "T", "t")


@dataclass(frozen=True)
class Call:
    """A call that may be changed: the function's plain `name`, and what it was called with."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The call with other arguments in front, or other keywords."""
        return self.function(*args, *self.args[len(args) :], **{**self.kwargs, **kwargs})

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors among its positional arguments."""
        return [value for value in self.args if isinstance(value, Tensor)]


@dataclass(frozen=True)
class Change:
    """One way to get a call wrong: the `clause` says so of "{what}", `run` runs the call so. `narrow` ones are tried
    at single calls too; the others where a function is meant as a whole."""

    clause: str
    run: Callable[[Call], Any]
    narrow: bool = False


def changes_of(call: Call) -> Iterator[Change]:
    """The changes of a call, the likeliest first."""
    for family in (_left_out, _activations, _summaries, _along, _pairs, _masks, _parts, _layers, _order, _comparisons):
        yield from family(call)


def _first(call: Call) -> Any:
    return call.args[0]


def _left_out(call: Call) -> Iterator[Change]:
    if call.name in LEFT_OUT:
        yield Change("when {what} is left out", _first, narrow=True)
    if call.name in ("__invert__", "logical_not"):
        yield Change("when {first} is not turned over", _first, narrow=True)
    if call.name in MOVES:
        yield Change(
            "when a reshape stands in place of {what}", lambda c: c.args[0].reshape(c.run().shape), narrow=True
        )


def _activations(call: Call) -> Iterator[Change]:
    for name, function in ACTIVATIONS.items() if call.name in ACTIVATIONS else ():
        if name != call.name:
            yield Change(
                f"when `{name}` stands in place of {{what}}",
                lambda c, f=function: f(c.args[0]),
                name in ("relu", "gelu", "sigmoid", "tanh"),
            )
    if call.name == "softmax":
        yield Change("when `sigmoid` stands in place of {what}", lambda c: torch.sigmoid(c.args[0]))
        yield Change("when `log_softmax` stands in place of {what}", lambda c: F.log_softmax(*c.args, **c.kwargs))
        yield Change("when {what} is taken twice", lambda c: c.run(c.run()))
    if call.name == "log_softmax":
        yield Change("when `softmax` stands in place of {what}", lambda c: F.softmax(*c.args, **c.kwargs))


def _summaries(call: Call) -> Iterator[Change]:
    if call.name not in SUMMARIES:
        return
    for name, function in SUMMARIES.items():
        if name != call.name:
            yield Change(
                f"when `{name}` stands in place of {{what}}",
                lambda c, f=function: f(*c.args[:2], **_plain(c)),
                narrow=True,
            )
    if call.name in ("var", "std"):
        for correction in (0, 1):
            yield Change(
                f"when {{what}} divides by {'n - 1' if correction else 'n'}",
                lambda c, k=correction: c.function(*c.args[:2], **_plain(c), correction=k),
            )


def _plain(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.kwargs.items() if name in ("dim", "keepdim")}


def _along(call: Call) -> Iterator[Change]:
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else None)
    if call.name not in ALONG or type(dim) is not int or not isinstance(call.args[0], Tensor):
        return
    count = call.args[0].dim()
    for other in range(count):
        if other != dim % count:
            place = f"axis {other}, counted from 0," if other < count - 1 else "the last axis"
            yield Change(f"when {{what}} goes along {place}", lambda c, d=other: _with_dim(c, d))


def _with_dim(call: Call, dim: int) -> Any:
    if "dim" in call.kwargs:
        return call.run(dim=dim)
    return call.run(call.args[0], dim)


def _pairs(call: Call) -> Iterator[Change]:
    """Sums, differences, products and quotients of two."""
    if len(call.args) < 2 or call.name not in PAIRS:
        return
    for clause, run in PAIRS[call.name]:
        yield Change(clause, lambda c, r=run: r(*_tensors(c)), narrow=True)


def _tensors(call: Call) -> tuple[Any, Any]:
    first, second = call.args[:2]
    return (second, first) if call.name.startswith("__r") else (first, second)


def _product(first: Any, second: Any) -> Any:
    return first * second


PAIRS: dict[str, list[tuple[str, Callable[[Any, Any], Any]]]] = {
    "add": [
        ("when {second} is not added to {first}", lambda a, b: a),
        ("when {second} stands alone, without {first}", lambda a, b: b),
        ("when {second} is subtracted from {first}, not added", lambda a, b: a - b),
        ("when {first} and {second} are multiplied, not added", _product),
        ("when the larger of {first} and {second} is taken, not their sum", lambda a, b: torch.maximum(a, b)),
        ("when the mean of {first} and {second} is taken, not their sum", lambda a, b: (a + b) / 2),
        ("when {first} is added twice to {second}", lambda a, b: a + a + b),
        ("when {second} is added twice to {first}", lambda a, b: a + b + b),
    ],
    "sub": [
        ("when {second} is not subtracted from {first}", lambda a, b: a),
        ("when {second} is added to {first}, not subtracted", lambda a, b: a + b),
        ("when {first} is subtracted from {second}", lambda a, b: b - a),
    ],
    "mul": [
        ("when {first} is not multiplied by {second}", lambda a, b: a),
        ("when {second} is not multiplied by {first}", lambda a, b: b),
        ("when {first} and {second} are added, not multiplied", lambda a, b: a + b),
        ("when {first} is divided by {second}, not multiplied", lambda a, b: a / b),
        ("when {first} is multiplied by {second} twice", lambda a, b: a * b * b),
        ("when {first} is multiplied by the root of {second}", lambda a, b: a * b**0.5),
    ],
    "div": [
        ("when {first} is not divided by {second}", lambda a, b: a),
        ("when {first} is multiplied by {second}, not divided", _product),
        ("when {first} is divided by the square of {second}", lambda a, b: a / (b * b)),
        ("when {first} is divided by the root of {second}", lambda a, b: a / b**0.5),
        ("when {second} is divided by {first}", lambda a, b: b / a),
    ],
    "matmul": [
        ("when {first} and {second} are multiplied in the other order", lambda a, b: b @ a),
        ("when {second} is transposed before {first} is multiplied by it", lambda a, b: a @ b.mT),
        ("when {first} is transposed before it is multiplied by {second}", lambda a, b: a.mT @ b),
    ],
    "__and__": [
        ("when either of {first} and {second} is enough", lambda a, b: a | b),
        ("when {second} is left out beside {first}", lambda a, b: a),
        ("when {first} is left out beside {second}", lambda a, b: b),
        ("when {second} is turned over", lambda a, b: a & ~b),
        ("when {first} is turned over", lambda a, b: ~a & b),
    ],
    "__or__": [
        ("when both of {first} and {second} are needed", lambda a, b: a & b),
        ("when {second} is left out beside {first}", lambda a, b: a),
        ("when {first} is left out beside {second}", lambda a, b: b),
        ("when {second} is turned over", lambda a, b: a | ~b),
        ("when {first} is turned over", lambda a, b: ~a | b),
    ],
}  # fmt: skip


def _masks(call: Call) -> Iterator[Change]:
    if call.name == "masked_fill":
        yield Change(
            "when {what} fills the places where its mask is False", lambda c: c.run(c.args[0], ~c.args[1]), True
        )
        yield Change(
            "when {what} fills in 0, as a product with the mask does", lambda c: c.args[0].masked_fill(c.args[1], 0.0)
        )
        yield Change("when {what} fills in 1", lambda c: c.args[0].masked_fill(c.args[1], 1.0))
    if call.name == "where" and len(call.args) == 3:
        yield Change("when the two values of {what} are exchanged", lambda c: c.run(~c.args[0].bool()), narrow=True)
        for index, text in ((1, "first"), (2, "second")):
            yield Change(
                f"when {{what}} gives its {text} value everywhere",
                lambda c, i=index: c.run(torch.full_like(c.args[0], i == 1, dtype=torch.bool)),
            )
    for name, other in (("triu", torch.tril), ("tril", torch.triu)):
        if call.name == name:
            yield Change(
                f"when `{other.__name__}` stands in place of {{what}}", lambda c, o=other: o(*c.args, **c.kwargs)
            )
            for step in (-1, 1):
                yield Change(
                    f"when the diagonal of {{what}} lies one {'lower' if step < 0 else 'higher'}",
                    lambda c, s=step: c.function(c.args[0], _diagonal(c) + s),
                )


def _diagonal(call: Call) -> int:
    return int(call.kwargs.get("diagonal", call.args[1] if len(call.args) > 1 else 0))


def _parts(call: Call) -> Iterator[Change]:
    """What is put together from parts."""
    if call.name not in ("cat", "stack", "hstack", "vstack", "concat") or len(call.args[0]) > 6:
        return
    count = len(call.args[0])
    yield Change("when the parts of {what} come in reverse order", lambda c: c.run(list(c.args[0])[::-1]), narrow=True)
    for i in range(count):
        for j in range(count):
            name, other = ordinal(i, count), ordinal(j, count)
            if i < j:
                yield Change(
                    f"when the {name} and the {other} part of {{what}} are exchanged",
                    lambda c, i=i, j=j: c.run(_exchanged(c, i, j)),
                    True,
                )
            if i != j:
                yield Change(
                    f"when the {other} part of {{what}} is the {name} once more",
                    lambda c, i=i, j=j: c.run(_repeated(c, i, j)),
                    True,
                )
        if count > 1:
            yield Change(
                f"when the {ordinal(i, count)} part of {{what}} is left out",
                lambda c, i=i: c.run([p for n, p in enumerate(c.args[0]) if n != i]),
                True,
            )


def _exchanged(call: Call, i: int, j: int) -> list[Any]:
    parts = list(call.args[0])
    parts[i], parts[j] = parts[j], parts[i]
    return parts


def _repeated(call: Call, i: int, j: int) -> list[Any]:
    parts = list(call.args[0])
    parts[j] = parts[i]
    return parts


def _layers(call: Call) -> Iterator[Change]:
    """Functions behind torch's layers and losses."""
    if call.name in ("linear", "conv2d") and len(call.args) > 2 and call.args[2] is not None:
        yield Change("when {what} has no bias", lambda c: c.run(c.args[0], c.args[1], None), narrow=True)
    if call.name in ("linear", "conv2d", "batch_norm", "layer_norm"):
        for name in ("relu", "gelu", "tanh"):
            yield Change(
                f"when a `{name}` follows {{what}}", lambda c, f=ACTIVATIONS[name]: f(c.run()), narrow=name == "relu"
            )
    if call.name == "conv2d":
        yield Change("when the kernel of {what} is turned around", lambda c: c.run(c.args[0], c.args[1].flip(2, 3)))
    if call.name in ("layer_norm", "batch_norm"):
        yield Change(
            "when {what} has neither weight nor bias",
            lambda c: c.function(*_bare(c), **_keywords_but(c, "weight", "bias")),
        )
    if call.name == "batch_norm":
        yield Change(
            "when {what} always takes the batch's own statistics",
            lambda c: (
                c.function(*c.args[:5], **{**c.kwargs, "training": True})
                if len(c.args) <= 5
                else c.run(*c.args[:5], True)
            ),
        )
        yield Change(
            "when {what} never takes the batch's own statistics",
            lambda c: (
                c.function(*c.args[:5], **{**c.kwargs, "training": False})
                if len(c.args) <= 5
                else c.run(*c.args[:5], False)
            ),
        )
    if call.name == "dropout":
        yield Change("when {what} drops in evaluation too", lambda c: F.dropout(c.args[0], _p(c), True))
        yield Change(
            "when {what} keeps each number with the probability p, and drops it with 1 - p",
            lambda c: c.function(c.args[0], 1 - _p(c), *c.args[2:], **_keywords_but(c, "p")),
        )
    for name, other in (("max_pool2d", F.avg_pool2d), ("avg_pool2d", F.max_pool2d)):
        if call.name == name:
            yield Change(
                f"when `{other.__name__}` stands in place of {{what}}",
                lambda c, o=other: o(
                    *c.args[:4],
                    **{k: v for k, v in c.kwargs.items() if k in ("stride", "padding", "ceil_mode", "kernel_size")},
                ),
                True,
            )
    if call.name == "adaptive_avg_pool2d":
        yield Change(
            "when the largest value is taken in place of the mean by {what}",
            lambda c: F.adaptive_max_pool2d(*c.args[:2], **c.kwargs),
            True,
        )
        yield Change(
            "when the sum is taken in place of the mean by {what}",
            lambda c: c.run() * c.args[0].shape[-1] * c.args[0].shape[-2],
        )
    if call.name in ("cross_entropy", "nll_loss", "mse_loss", "binary_cross_entropy_with_logits", "l1_loss"):
        yield Change("when {what} is summed, not averaged", lambda c: c.run(reduction="sum"), True)
        if call.name == "cross_entropy":
            yield Change(
                "when {what} is given what a softmax makes of the scores", lambda c: c.run(c.args[0].softmax(1)), True
            )
            yield Change(
                "when {what} is given what a sigmoid makes of the scores", lambda c: c.run(c.args[0].sigmoid()), True
            )
    if call.name == "embedding":
        yield Change(
            "when the rows of {what} are multiplied by the root of their length",
            lambda c: c.run() * c.run().shape[-1] ** 0.5,
        )
    if call.name == "repeat_interleave":
        yield Change("when the whole is repeated, in place of each item by {what}", _tiled, True)


def _tiled(call: Call) -> Tensor:
    x, times = call.args[:2]
    dim = call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else 0)
    return torch.cat([x] * int(times), dim)


def _bare(call: Call) -> tuple[Any, ...]:
    start = 2 if call.name == "layer_norm" else 3
    return tuple(None if start <= i < start + 2 else value for i, value in enumerate(call.args))


def _keywords_but(call: Call, *names: str) -> dict[str, Any]:
    return {name: value for name, value in call.kwargs.items() if name not in names}


def _p(call: Call) -> float:
    return float(call.kwargs.get("p", call.args[1] if len(call.args) > 1 else 0.5))


def _order(call: Call) -> Iterator[Change]:
    """What is sorted, counted or chosen."""
    if call.name == "arange":
        yield Change("when {what} counts from one more", lambda c: c.run() + 1)
        yield Change("when {what} counts from one less", lambda c: c.run() - 1)
        yield Change("when {what} counts down", lambda c: c.run().flip(0))
    if call.name == "cumsum":
        yield Change("when {what} leaves out each item itself", lambda c: c.run() - c.args[0])
    if call.name in ("sort", "argsort", "topk"):
        name = "largest" if call.name == "topk" else "descending"
        yield Change(
            "when {what} goes in the other direction",
            lambda c, n=name: c.run(**{n: not c.kwargs.get(n, n == "largest")}),
        )
    for name, other in (("argmax", torch.argmin), ("argmin", torch.argmax)):
        if call.name == name:
            yield Change(
                f"when `{other.__name__}` stands in place of {{what}}", lambda c, o=other: o(*c.args, **c.kwargs)
            )


def _comparisons(call: Call) -> Iterator[Change]:
    for name in INSTEAD_OF_COMPARISON.get(call.name, ()):
        text, other = COMPARISONS[call.name], COMPARISONS[name]
        yield Change(
            f"when {{first}} {other} {{second}} is asked, not {{first}} {text} {{second}}",
            lambda c, f=getattr(torch.Tensor, name): f(*c.args[:2]),
            narrow=True,
        )


def ordinal(index: int, count: int) -> str:
    """The place of something in a row in words.

    >>> ordinal(0, 3), ordinal(2, 3), ordinal(7, 9)
    ('first', 'last', '8th')
    """
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    if index == count - 1 and count > 2:
        return "last"
    return words[index] if index < len(words) else f"{index + 1}th"
