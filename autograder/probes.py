"""Probes: how a candidate is tried on a case. To add a kind, write a function and put it into `PROBES`.

A probe takes the candidate, its parameters' names in order, and a case's arguments; it returns named results.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

Candidate = Callable[..., Any]
Probe = Callable[[Candidate, Sequence[str], dict[str, Any]], dict[str, Any]]


def call(candidate: Candidate, parameters: Sequence[str], arguments: dict[str, Any]) -> dict[str, Any]:
    """Call the candidate once; its only result is named `result`."""
    positional, by_name = as_called(candidate, parameters, arguments)
    return {"result": candidate(*positional, **by_name)}


PROBES: dict[str, Probe] = {"call": call}


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
