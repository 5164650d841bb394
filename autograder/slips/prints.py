"""Prints: a few numbers that tell one result from another, so that a key need not hold every wrong one."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.answers import Answer
from autograder.values import Outline

LENGTH = 4  # the size of the result, and three sums of it with other weights
MOST = 2**16  # numbers in a result that has a print: a wrong one may be of any size
NEAR = 2e-5  # of the size: more than results in single precision differ by, which were computed in another order
NOTHING = float("nan")  # in place of each number where there is no result
UNTRIED = float("inf")  # likewise where nothing is known of one
ODD = {"nan": 1.37, "inf": 1.71, "-inf": -2.13}  # in place of what is no number, times the largest one that is


def print_of_answer(answer: Answer) -> Tensor:
    """The print of an answer's results; of one that did not return, there is nothing."""
    return print_of(answer.results if answer.outcome == "returned" else {})


def print_of(results: Mapping[str, Any]) -> Tensor:
    """The print of a case's named results, a float64 tensor of LENGTH: of what was returned, not of gradients. Where
    that is nothing, or too much, there is no print."""
    leaves = [leaf for name, value in results.items() if name.startswith("result") for leaf in _leaves(value)]
    if not 0 < sum(math.prod(shape) for _, shape in leaves) <= MOST:
        return torch.full((LENGTH,), NOTHING, dtype=torch.float64)
    found = torch.zeros(LENGTH, dtype=torch.float64)
    for index, (values, shape) in enumerate(leaves):
        found[0] += float(values.square().sum())
        found[1:] += _weights(index, shape) @ values
    found[0] = found[0].sqrt()
    return found


def alike(one: Tensor, other: Tensor, times: float = 1.0) -> Tensor:
    """Which prints are of the same results, to so many `times` what counts as near: of [..., LENGTH] a boolean tensor
    over the axes before."""
    near = (one - other).abs() <= times * NEAR * (one[..., :1].abs() + 1e-12)
    return (near | (one.isnan() & other.isnan())).all(-1)


def _leaves(value: Any) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
    """The numbers of a result, part by part, each with its shape."""
    if isinstance(value, Outline):
        yield torch.zeros(0, dtype=torch.float64), value.shape
    elif isinstance(value, Tensor):
        numbers = torch.zeros(0) if value.is_meta else value.detach().flatten()
        yield _finite(numbers.double()), tuple(value.shape)
    elif isinstance(value, bool | int | float):
        limit = 1e30
        yield _finite(torch.tensor([min(max(value, -limit), limit)], dtype=torch.float64)), ()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _leaves(item)


def _finite(numbers: Tensor) -> Tensor:
    if bool(numbers.isfinite().all()):
        return numbers
    finite = numbers[numbers.isfinite()]
    largest = float(finite.abs().max()) if len(finite) else 0.0
    scale = max(largest, 1.0)
    return numbers.nan_to_num(ODD["nan"] * scale, ODD["inf"] * scale, ODD["-inf"] * scale)


@functools.lru_cache(maxsize=64)
def _weights(index: int, shape: tuple[int, ...]) -> Tensor:
    """Weights of the sums, [LENGTH - 1, numel], other ones for each part and shape."""
    seed = 7919 * index + sum((place + 2) * 104729 * size for place, size in enumerate(shape)) + len(shape)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(LENGTH - 1, math.prod(shape), dtype=torch.float64, generator=generator)
