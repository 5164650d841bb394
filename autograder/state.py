"""Comparing what a module is made of: its parameters' names and shapes, its buffers, whether its weights are zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from autograder.axes import labels
from autograder.compare import compare, compare_shapes
from autograder.report import Fault, Stage
from autograder.values import Foreign

Described = Callable[[str], Any]


def compare_state(expected: dict[str, Any], yours: dict[str, Any], described: Described) -> Fault | None:
    """The first fault of a module's make-up, or None where it is right.

    Both are the results of the probe "module"; `described` gives the axes of a parameter or buffer by its name. Buffers
    beyond those expected are a learner's own affair.
    """
    if isinstance(yours.get("parameters"), Foreign):
        headline = f"What your code builds is {yours['parameters'].text}."
        return Fault(Stage.STATE, headline, look="A module is a class that inherits from nn.Module.")
    fault = _compare_names(expected, yours)
    if fault is not None:
        return fault
    for name, shape in expected["parameters"].items():
        dims = (described(name) or {}).get("dims", "")
        came = yours["parameters"][name]
        fault = compare_shapes(shape, came, labels(dims, len(shape)), f"the parameter `{name}`")
        if fault is not None:
            return replace(fault, stage=Stage.STATE)
    zero = [name for name in yours["zero weights"] if name not in expected["zero weights"]]
    if zero:
        headline = f"The parameter `{zero[0]}` is all zeros when the module is built."
        look = "A layer that begins at zero gives zero, whatever comes in. torch.randn and nn.init draw numbers."
        return Fault(Stage.STATE, headline, look=look)
    for name, value in expected["buffers"].items():
        fault = compare(value, yours["buffers"][name], described(name), f"the buffer `{name}` of a new module")
        if fault is not None:
            return replace(fault, stage=Stage.STATE)
    return None


def _compare_names(expected: dict[str, Any], yours: dict[str, Any]) -> Fault | None:
    for kind, other in (("parameter", "buffer"), ("buffer", "parameter")):
        wanted, came, elsewhere = expected[f"{kind}s"], yours[f"{kind}s"], yours[f"{other}s"]
        missing = [name for name in wanted if name not in came]
        if missing:
            headline = f"Your module has no {kind} `{missing[0]}`."
            look = _look(kind, missing[0] in elsewhere, missing[0] in yours["unsaved buffers"], bool(came))
            return Fault(Stage.STATE, headline, _listed(wanted, kind), _listed(came, kind), look)
        extra = [name for name in came if name not in wanted]
        if extra and kind == "parameter":
            headline = f"Your module has a parameter `{extra[0]}` that is not asked for."
            look = "A buffer is registered with register_buffer." if extra[0] in expected["buffers"] else ""
            return Fault(Stage.STATE, headline, _listed(wanted, kind), _listed(came, kind), look)
    return None


def _look(kind: str, elsewhere: bool, unsaved: bool, others: bool) -> str:
    if elsewhere and kind == "parameter":
        return "It is a buffer of yours: a buffer is kept, and not trained."
    if elsewhere:
        return "It is a parameter of yours: an optimizer would train it."
    if unsaved:
        return "It is a buffer of yours that is not saved: persistent=False leaves it out of the state_dict()."
    if kind == "buffer":
        return "A tensor that is a mere attribute is not saved and does not move with the module: register_buffer."
    if others:
        return "A parameter's name is the attribute that it was assigned to, behind those of the modules it lies in."
    return "An attribute is found when it is an nn.Parameter or a module; a Python list hides the modules in it."


def _listed(names: dict[str, Any], kind: str) -> str:
    return ", ".join(names) or f"no {kind}s"
