"""Probes: how a candidate is tried on a case. To add a kind, write a function and put it into `PROBES`.

A probe takes the candidate, the names of its parameters, and a case's arguments; it returns named results.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from autograder.recipes import counted_calls, fill
from autograder.values import Foreign, record

Candidate = Callable[..., Any]


@dataclass(frozen=True)
class Names:
    """The names of the parameters of a function, or of a class and of its `forward`, in order."""

    call: Sequence[str]
    forward: Sequence[str] = field(default_factory=list)


Probe = Callable[[Candidate, Names, dict[str, Any]], dict[str, Any]]


def call(candidate: Candidate, names: Names, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call the candidate once; its only result is named `result`."""
    positional, by_name = as_called(candidate, names.call, arguments)
    return {"result": candidate(*positional, **by_name)}


def gradients(candidate: Candidate, names: Names, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call the candidate and differentiate: the `result`, and the `gradient of x` for each floating-point input."""
    inputs = {name: value for name, value in arguments.items() if _is_floating(value)}
    for value in inputs.values():
        value.requires_grad_()
    results = call(candidate, names, arguments)
    return {**results, **_differentiated(results["result"], inputs)}


def module(candidate: Candidate, names: Names, arguments: dict[str, Any]) -> dict[str, Any]:
    """Build a module and follow a plan (see `plans`).

    Results: `parameters` (shapes by name), `buffers` (persistent ones, as they are at first), `zero weights` (names of
    matrices that are zero at first), and for each call `result`, `gradient of x`, `buffer mean` and `calls of inner`,
    with `in call 2` behind it where there are several.
    """
    build = arguments["build"]
    positional, by_name = as_called(candidate, names.call, by_their_names(names.call, build))
    built = candidate(*positional, **by_name)
    if not isinstance(built, nn.Module):
        kind = type(built).__name__
        return {"parameters": Foreign(kind, f"not a module but an object of type {kind}")}
    parameters = dict(built.named_parameters())
    results: dict[str, Any] = {
        "parameters": {name: tuple(parameter.shape) for name, parameter in parameters.items()},
        "buffers": record(_persistent_buffers(built)),
        "zero weights": [name for name, value in parameters.items() if value.dim() > 1 and not value.any()],
    }
    fill(built)
    several, number = sum("positional" in step for step in arguments["steps"]) > 1, 0
    for step in arguments["steps"]:
        match step["do"]:
            case "train" | "eval":
                built.train(step["do"] == "train")
            case "to":
                built.to(step["dtype"])
            case _:
                number += 1
                suffix = f" in call {number}" if several else ""
                results |= {f"{name}{suffix}": value for name, value in _call_module(built, names, step).items()}
    return results


PROBES: dict[str, Probe] = {"call": call, "gradients": gradients, "module": module}


def _call_module(built: nn.Module, names: Names, step: dict[str, Any]) -> dict[str, Any]:
    """Call a built module as a step says; the named results, recorded at once, for a later call may overwrite them."""
    inputs = {name: value for name, value in by_their_names(names.forward, step).items() if _is_floating(value)}
    differentiate = step["do"] == "differentiate"
    for value in inputs.values() if differentiate else []:
        value.requires_grad_()
    built.zero_grad()
    returned = built(*step["positional"], **step["keywords"])
    results = {"result": record(returned)}
    if differentiate:
        trained = {name: value for name, value in built.named_parameters() if value.requires_grad}
        results |= _differentiated(returned, {**inputs, **trained})
    results |= {f"buffer {name}": record(value) for name, value in _persistent_buffers(built).items()}
    results |= {f"calls of {name or 'the module'}": count for name, count in counted_calls(built).items()}
    return results


def _persistent_buffers(built: nn.Module) -> dict[str, Tensor]:
    parameters = {name for name, _ in built.named_parameters(remove_duplicate=False)}
    return {name: value for name, value in built.state_dict().items() if name not in parameters}


def _differentiated(result: Any, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """The gradient of each input, of a weighted sum of all that was returned; None where none arrives."""
    terms = [_weighted_sum(tensor) for tensor in _tensors(result) if tensor.requires_grad]
    if not terms:
        return {f"gradient of {name}": None for name in inputs}
    try:
        found = torch.autograd.grad(terms, list(inputs.values()), allow_unused=True)
    except RuntimeError as error:
        message = str(error).partition(". ")[0]
        return {f"gradient of {name}": Foreign("error", f"an error ({message})") for name in inputs}
    return {f"gradient of {name}": record(value) for name, value in zip(inputs, found, strict=True)}


def _weighted_sum(tensor: Tensor) -> Tensor:
    """Weights that all differ, so that no error of a gradient cancels."""
    weights = torch.arange(tensor.numel(), dtype=torch.float64).mul(0.7).add(0.3).cos()
    return (tensor * weights.view(tensor.shape).to(tensor.dtype)).sum()


def _tensors(value: Any) -> Iterator[Tensor]:
    if _is_floating(value):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def inputs_of(names: Names, arguments: dict[str, Any]) -> dict[str, Any]:
    """The values that a candidate is called with on a case, by name: those that it must not change."""
    if "steps" not in arguments:
        return arguments
    calls = [by_their_names(names.forward, step) for step in arguments["steps"] if "positional" in step]
    return {
        f"{name} in call {number}" if len(calls) > 1 else name: value
        for number, inputs in enumerate(calls, 1)
        for name, value in inputs.items()
    }


def by_their_names(names: Sequence[str], step: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a plan's step, those given by position under their parameters' names."""
    known = [*names, *(f"argument {number}" for number in range(len(names), len(step["positional"])))]
    return {**dict(zip(known, step["positional"], strict=False)), **step["keywords"]}


def as_called(
    candidate: Candidate, parameters: Sequence[str], arguments: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments by position as far as they go without a gap, the rest by name; or all by name where that fits.

    Calling by position lets a learner rename a parameter: nothing in the exercise depends on its name.
    """
    positional = []
    for name in parameters:
        if name not in arguments:
            break
        positional.append(arguments[name])
    by_name = {name: arguments[name] for name in parameters[len(positional) :] if name in arguments}
    if not accepts(candidate, positional, by_name) and accepts(candidate, [], arguments):
        return [], dict(arguments)
    return positional, by_name


def accepts(candidate: Candidate, positional: Sequence[Any], by_name: dict[str, Any]) -> bool:
    """Whether the candidate can be called so. A candidate whose signature cannot be read is given the benefit."""
    try:
        signature = inspect.signature(candidate)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*positional, **by_name)
    except TypeError:
        return False
    return True
