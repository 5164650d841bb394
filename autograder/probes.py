"""Probes: how a candidate is tried on a case. To add a kind, write a function and put it into `PROBES`.

A probe takes the candidate, the names of its parameters, and a case's arguments; it yields named results one by one, so
that those before an exception are known, and none is overwritten by what comes later.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from autograder.dropout import SteadyDropout
from autograder.plans import has_plan
from autograder.recipes import counted_calls, fill, unwatched
from autograder.values import Foreign

Candidate = Callable[..., Any]


@dataclass(frozen=True)
class Names:
    """The names of the parameters of a function, or of a class and of its `forward`, in order."""

    call: Sequence[str]
    forward: Sequence[str] = field(default_factory=list)


Results = Iterator[tuple[str, Any]]
Probe = Callable[[Candidate, Names, dict[str, Any]], Results]


def call(candidate: Candidate, names: Names, arguments: dict[str, Any]) -> Results:
    """Call the candidate once; its only result is named `result`."""
    positional, by_name = as_called(candidate, names.call, arguments)
    yield "result", candidate(*positional, **by_name)


def gradients(candidate: Candidate, names: Names, arguments: dict[str, Any]) -> Results:
    """Call the candidate and differentiate: the `result`, and the `gradient of x` for each floating-point input."""
    inputs = {name: value for name, value in arguments.items() if _is_floating(value)}
    for value in inputs.values():
        value.requires_grad_()
    positional, by_name = as_called(candidate, names.call, arguments)
    result = candidate(*positional, **by_name)
    yield "result", result
    yield from _differentiated(result, inputs)


def module(candidate: Candidate, names: Names, arguments: dict[str, Any]) -> Results:
    """Build a module and follow a plan (see `plans`).

    Results: `parameters` (shapes by name), `buffers` (persistent ones, as they are at first), `unsaved buffers` and
    `zero weights` (names of the others, and of matrices that are zero at first), and for each call `result`,
    `gradient of x`, `buffer mean`, `buffers in the graph` (names of those that require a gradient) and `calls of
    inner`, with `in call 2` or `after call 2` behind it where there are several; `attribute expansion` where the class
    is asked for it.
    """
    build = arguments["build"]
    positional, by_name = as_called(candidate, names.call, by_their_names(names.call, build))
    device = torch.device(arguments.get("device", "cpu"))
    with device:
        built = candidate(*positional, **by_name)
    calls = [step for step in arguments["steps"] if "positional" in step]
    if calls and all("method" in step for step in calls):
        for number, step in enumerate(calls, 1):
            result = getattr(built, step["method"])(*step["positional"], **step["keywords"])
            yield f"result in call {number}" if len(calls) > 1 else "result", result
        return
    if not isinstance(built, nn.Module):
        kind = type(built).__name__
        yield "parameters", Foreign(kind, f"not a module but an object of type {kind}")
        return
    parameters = dict(built.named_parameters())
    yield "parameters", {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    yield "buffers", _persistent_buffers(built)
    saved = built.state_dict()  # once: with a hundred buffers it takes longer than the network
    yield "unsaved buffers", [name for name, _ in built.named_buffers() if name not in saved]
    yield (
        "zero weights",
        [name for name, value in parameters.items() if value.dim() > 1 and not (value.is_meta or value.any())],
    )
    fill(built)
    number = 0
    for step in arguments["steps"]:
        match step["do"]:
            case "train" | "eval":
                built.train(step["do"] == "train")
            case "to":
                built.to(step["dtype"])
            case "ask":
                for name in step["names"]:
                    if hasattr(candidate, name):  # whoever needs it says that it is missing
                        yield f"attribute {name}", getattr(candidate, name)
            case _:
                number += 1
                step = {**step, "positional": [_on(device, value) for value in step["positional"]]}
                for name, value in _call_module(built, names, step):
                    when = "after" if name.startswith("buffer") else "in"
                    yield f"{name} {when} call {number}" if len(calls) > 1 else name, value


PROBES: dict[str, Probe] = {"call": call, "gradients": gradients, "module": module}


def _call_module(built: nn.Module, names: Names, step: dict[str, Any]) -> Results:
    """Call a built module as a step says."""
    inputs = {name: value for name, value in by_their_names(names.forward, step).items() if _is_floating(value)}
    differentiate, only = step["do"] == "differentiate", step.get("only")
    for value in inputs.values() if differentiate and only is None else []:
        value.requires_grad_()
    with SteadyDropout():
        result = built(*step["positional"], **step["keywords"])
    if "only_at" in step:
        result = _only_at(step["only_at"], result)
    yield "result", result
    if differentiate:
        trained: dict[str, Tensor] = {name: value for name, value in built.named_parameters() if value.requires_grad}
        judged = {**inputs, **trained} if only is None else {name: trained[name] for name in only if name in trained}
        yield from _differentiated(result, judged)
    for name, value in _persistent_buffers(built).items():
        yield f"buffer {name}", value
    yield "buffers in the graph", [name for name, value in built.named_buffers() if value.requires_grad]
    for name, count in counted_calls(built).items():
        yield f"calls of {name or 'the module'}", count


def _only_at(places: Tensor, result: Any) -> Any:
    """A result with zeros at all other places, where it has the shape for it."""
    if not isinstance(result, Tensor) or result.shape[: places.dim()] != places.shape:
        return result
    with unwatched():
        return result.masked_fill(~places.view(*places.shape, *[1] * (result.dim() - places.dim())), 0)


def _persistent_buffers(built: nn.Module) -> dict[str, Tensor]:
    parameters = {name for name, _ in built.named_parameters(remove_duplicate=False)}
    return {name: value for name, value in built.state_dict().items() if name not in parameters}


def _differentiated(result: Any, inputs: dict[str, Tensor]) -> Results:
    """The gradient of each input, of a weighted sum of all that was returned; None where none arrives."""
    found: Sequence[Any] = [None] * len(inputs)
    try:
        with unwatched():
            terms = [_weighted_sum(tensor) for tensor in _tensors(result) if tensor.requires_grad]
            if terms:
                found = torch.autograd.grad(terms, list(inputs.values()), allow_unused=True)
    except RuntimeError as error:
        message = str(error).partition(". ")[0]
        found = [Foreign("error", f"an error ({message})")] * len(inputs)
    for name, value in zip(inputs, found, strict=True):
        yield f"gradient of {name}", value


def _weighted_sum(tensor: Tensor) -> Tensor:
    """Weights that all differ, so that no error of a gradient cancels."""
    weights = torch.arange(tensor.numel(), dtype=torch.float64).mul(0.7).add(0.3).cos()
    return (tensor * weights.view(tensor.shape).to(tensor)).sum()


def _tensors(value: Any) -> Iterator[Tensor]:
    if _is_floating(value):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _on(device: torch.device, value: Any) -> Any:
    return value.to(device) if isinstance(value, Tensor) and device.type == "meta" else value


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def inputs_of(names: Names, case: dict[str, Any]) -> dict[str, Any]:
    """The values that a candidate is called with on a case, by name: those that it must not change."""
    arguments: dict[str, Any] = case["arguments"]
    if not has_plan(case):
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
