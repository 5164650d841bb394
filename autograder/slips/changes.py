"""Changes of two operands, of parts that are put together, and of what stands behind torch's layers and losses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.slips import elementary
from autograder.slips.calls import Call, Change, Changes, ordinal
from autograder.slips.elementary import ACTIVATIONS, applied, called

MOST_PARTS = 6
LOSSES = ("cross_entropy", "nll_loss", "mse_loss", "binary_cross_entropy_with_logits", "l1_loss")
PAIRS: dict[str, list[tuple[str, Callable[[Any, Any], Any]]]] = {
    "add": [
        ("when {second} is not added to {first}", lambda a, b: a),
        ("when {second} stands alone, without {first}", lambda a, b: b),
        ("when {second} is subtracted from {first}, not added", lambda a, b: a - b),
        ("when {first} and {second} are multiplied, not added", lambda a, b: a * b),
        ("when the larger of {first} and {second} is taken, not their sum", torch.maximum),
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
        ("when {first} is multiplied by {second}, not divided", lambda a, b: a * b),
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
        ("when one of {first} and {second} is enough", lambda a, b: a | b),
        ("when {second} is left out beside {first}", lambda a, b: a),
        ("when {first} is left out beside {second}", lambda a, b: b),
        ("when {second} is turned over", lambda a, b: a & ~b),
        ("when {first} is turned over", lambda a, b: ~a & b),
    ],
    "__or__": [
        ("when both {first} and {second} are needed", lambda a, b: a & b),
        ("when {second} is left out beside {first}", lambda a, b: a),
        ("when {first} is left out beside {second}", lambda a, b: b),
        ("when {second} is turned over", lambda a, b: a | ~b),
        ("when {first} is turned over", lambda a, b: ~a | b),
    ],
}


def changes_of(call: Call) -> Changes:
    """The changes of a call, the likeliest first."""
    yield from elementary.left_out(call)
    yield from elementary.activations(call)
    yield from elementary.summaries(call)
    yield from elementary.along(call)
    yield from _pairs(call)
    yield from elementary.masks(call)
    yield from _parts(call)
    yield from _layers(call)
    yield from _norms(call)
    yield from _pools(call)
    yield from _losses(call)
    yield from elementary.order(call)
    yield from elementary.comparisons(call)


def _pairs(call: Call) -> Changes:
    for clause, function in PAIRS.get(call.name, ()) if len(call.args) > 1 else ():
        yield Change(clause, partial(_of_two, function), narrow=True)


def _of_two(function: Callable[[Any, Any], Any], call: Call) -> Any:
    return function(*call.args[:2])


def _parts(call: Call) -> Changes:
    """Parts in another order, twice, or left out."""
    if call.name not in ("cat", "stack", "hstack", "vstack", "concat") or not 1 < len(call.args[0]) <= MOST_PARTS:
        return
    count = len(call.args[0])
    yield Change("when the parts of {what} come in reverse order", lambda c: c.run(list(c.args[0])[::-1]), narrow=True)
    for i, j in permutations(range(count), 2):
        one, other = ordinal(i, count), ordinal(j, count)
        if i < j:
            clause = f"when the {one} and the {other} part of {{what}} are exchanged"
            yield Change(clause, partial(_with_parts, {i: j, j: i}), narrow=True)
        clause = f"when the {other} part of {{what}} is the {one} once more"
        yield Change(clause, partial(_with_parts, {j: i}), narrow=True)
    for i in range(count):
        yield Change(f"when the {ordinal(i, count)} part of {{what}} is left out", partial(_without, i), narrow=True)


def _with_parts(instead: dict[int, int], call: Call) -> Any:
    parts = list(call.args[0])
    return call.run([parts[instead.get(i, i)] for i in range(len(parts))])


def _without(index: int, call: Call) -> Any:
    return call.run([part for i, part in enumerate(call.args[0]) if i != index])


def _layers(call: Call) -> Changes:
    if call.name in ("linear", "conv2d") and len(call.args) > 2 and call.args[2] is not None:
        yield Change("when {what} has no bias", lambda call: call.run(call.args[0], call.args[1], None), narrow=True)
    if call.name in ("linear", "conv2d", "batch_norm", "layer_norm"):
        for name in ("relu", "gelu", "tanh"):
            yield Change(f"when a `{name}` follows {{what}}", partial(_then, ACTIVATIONS[name]), narrow=name == "relu")
    if call.name == "conv2d":
        yield Change("when the kernel of {what} is turned around", lambda c: c.run(c.args[0], c.args[1].flip(2, 3)))
    if call.name == "embedding":
        yield Change("when the rows of {what} are multiplied by the root of their length", _scaled)
    if call.name == "repeat_interleave":
        yield Change("when the whole is repeated, in place of each item by {what}", _tiled, narrow=True)


def _then(function: Callable[[Tensor], Tensor], call: Call) -> Any:
    return function(call.run())


def _scaled(call: Call) -> Any:
    rows = call.run()
    return rows * rows.shape[-1] ** 0.5


def _tiled(call: Call) -> Tensor:
    return torch.cat([call.args[0]] * int(call.args[1]), call.argument("dim", 2, 0))


def _norms(call: Call) -> Changes:
    if call.name in ("layer_norm", "batch_norm"):
        yield Change("when {what} has neither weight nor bias", _bare)
    if call.name == "batch_norm":
        yield Change("when {what} always takes the batch's own statistics", partial(_in_training, True))
        yield Change("when {what} never takes the batch's own statistics", partial(_in_training, False))


def _bare(call: Call) -> Any:
    start = 2 if call.name == "layer_norm" else 3
    args = [None if start <= i < start + 2 else value for i, value in enumerate(call.args)]
    return call.function(*args, **{k: v for k, v in call.kwargs.items() if k not in ("weight", "bias")})


def _in_training(training: bool, call: Call) -> Any:
    if len(call.args) > 5:
        return call.run(*call.args[:5], training)
    return call.run(training=training)


def _pools(call: Call) -> Changes:
    if call.name == "max_pool2d":
        yield Change("when `avg_pool2d` stands in place of {what}", partial(_pooled, F.avg_pool2d), narrow=True)
    if call.name == "avg_pool2d":
        yield Change("when `max_pool2d` stands in place of {what}", partial(_pooled, F.max_pool2d), narrow=True)
    if call.name == "adaptive_avg_pool2d":
        largest = partial(called, F.adaptive_max_pool2d)
        yield Change("when the largest value is taken in place of the mean by {what}", largest, narrow=True)
        yield Change("when the sum is taken in place of the mean by {what}", _summed)


def _pooled(function: Callable[..., Any], call: Call) -> Any:
    return function(*call.args[:4], **call.keywords("stride", "padding", "ceil_mode", "kernel_size"))


def _summed(call: Call) -> Any:
    given, means = call.args[0], call.run()
    return means * (given.shape[-2] // means.shape[-2]) * (given.shape[-1] // means.shape[-1])


def _losses(call: Call) -> Changes:
    if call.name in LOSSES:
        yield Change("when {what} is summed, not averaged", lambda call: call.run(reduction="sum"), narrow=True)
    if call.name == "cross_entropy":
        for text, function in (("a softmax", partial(torch.softmax, dim=1)), ("a sigmoid", torch.sigmoid)):
            clause = f"when {{what}} is given what {text} makes of the scores"
            yield Change(clause, partial(_of_shares, function), narrow=True)


def _of_shares(function: Callable[[Any], Any], call: Call) -> Any:
    return call.run(applied(function, call))
