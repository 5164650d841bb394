"""Modules that a case hands to a candidate: a key holds the recipe, each candidate gets a fresh module made from it.

Weights are filled from each parameter's name and shape, the same for everyone, so that results can be compared.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from autograder.draw import Draw
from autograder.values import Own, Recipe, record


class Twice(nn.Module):
    """A module that is called twice: inner(inner(x))."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape that `inner` gives."""
        result: Tensor = self.inner(self.inner(x))
        return result


class Parallel(nn.Module):
    """Two branches that are scaled by a parameter of the module's own and added."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(2))
        self.branches = nn.ModuleDict({"left": left, "right": right})

    def forward(self, x: Tensor) -> Tensor:
        """gain[0] · left(x) + gain[1] · right(x)."""
        result: Tensor = self.gain[0] * self.branches["left"](x) + self.gain[1] * self.branches["right"](x)
        return result


class Tied(nn.Module):
    """Two linear layers of d features that share one weight; each has a bias of its own."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(d, d), nn.Linear(d, d)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        """second(first(x))."""
        result: Tensor = self.second(self.first(x))
        return result


class Scaled(nn.Module):
    """A linear layer of d features whose call takes more than x: a factor, and a shift by name."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, d)

    def forward(self, x: Tensor, factor: float, shift: float = 0.0) -> Tensor:
        """linear(x) · factor + shift."""
        result: Tensor = self.linear(x) * factor + shift
        return result


class Raising(nn.Module):
    """A module whose second half raises RuntimeError after the first has run."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Raises, always."""
        raise RuntimeError(f"this module fails after a result of shape {tuple(self.first(x).shape)}")


SPECIMENS: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (Twice, Parallel, Tied, Scaled, Raising)}


class CountCalls:
    """A forward hook that counts how often its module is called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object) -> None:
        """Count one more."""
        self.count += 1


def made(value: Any, namespace: Mapping[str, Any]) -> Any:
    """`value` with a fresh module in place of every recipe in it, and with what the candidate's `namespace` defines.

    Raises NameError where it does not define what is asked for.
    """
    if isinstance(value, Recipe):
        return fill(_make(value, namespace))
    if isinstance(value, Own):
        return _own(value.name, namespace)
    if isinstance(value, list | tuple):
        return type(value)(made(item, namespace) for item in value)
    if isinstance(value, dict):
        return {name: made(item, namespace) for name, item in value.items()}
    return value


def _own(name: str, namespace: Mapping[str, Any]) -> Any:
    if name not in namespace:
        raise NameError(f"this exercise builds on your `{name}`, which is not defined: run the cell that defines it")
    return namespace[name]


def _make(recipe: Recipe, namespace: Mapping[str, Any]) -> nn.Module:
    known = SPECIMENS.get(recipe.name) or getattr(nn, recipe.name, None)
    kind: Any = _own(recipe.name, namespace) if recipe.own else known
    parts = [_make(part, namespace) if isinstance(part, Recipe) else made(part, namespace) for part in recipe.arguments]
    module: nn.Module = kind(*parts)
    for name in recipe.frozen:
        module.get_parameter(name).requires_grad_(False)
    for name in recipe.hooked:
        module.get_submodule(name).register_forward_hook(CountCalls())
    return module


def fill(module: nn.Module) -> nn.Module:
    """Give every parameter values that depend on its name and shape alone. Gives the module back.

    Matrices have a standard deviation of 1/√fan_in, vectors of 1: none is trivial, and no layer explodes.
    """
    with torch.no_grad(), unwatched():
        for name, parameter in module.named_parameters():
            if parameter.is_meta:
                continue
            parameter.copy_(_values(name, tuple(parameter.shape)))
    return module


@functools.lru_cache(maxsize=512)  # to draw a network of ten million numbers takes longer than to run it
def _values(name: str, shape: tuple[int, ...]) -> Tensor:
    fan_in = math.prod(shape[1:])
    return Draw(0, name, str(shape)).normal(*shape, std=max(fan_in, 1) ** -0.5)


def unwatched() -> AbstractContextManager[None]:
    """Within it, torch functions are the probe's own, and do not count as the candidate's."""
    return torch._C.DisableTorchFunction()


def aspects(module: nn.Module) -> dict[str, Any]:
    """What a candidate must not change of a module that it is given, as data: its `state`, `hooks` and `training`."""
    parts = dict(module.named_modules())
    return {
        "state": record(dict(module.state_dict())),
        "hooks": {name: len(part._forward_hooks) + len(part._forward_pre_hooks) for name, part in parts.items()},
        "training": {name: part.training for name, part in parts.items()},
    }


def counted_calls(module: nn.Module) -> dict[str, int]:
    """How often each submodule that a recipe has hooked was called."""
    return {
        name: hook.count
        for name, part in module.named_modules()
        for hook in part._forward_hooks.values()
        if isinstance(hook, CountCalls)
    }
