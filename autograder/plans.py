"""Plans: what is done with a module, or with another object, in one case, as data.

`built(3, momentum=0.2).call(x).eval().differentiate(y)` builds the module, fills its weights, calls it, and so on.
In training dropout drops the same places for everyone. `built().method("append", x).method("append", y)` calls methods
of an object that need not be a module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Plan(dict[str, Any]):
    """The arguments of a case of the probe "module": what to `build` with, and the `steps` that follow."""

    def call(self, *positional: Any, **keywords: Any) -> Plan:
        """Call the module; its result is judged, and its buffers afterwards."""
        return self._then("call", positional=list(positional), keywords=keywords)

    def differentiate(self, *positional: Any, **keywords: Any) -> Plan:
        """Call the module and differentiate: the gradients of its inputs and of its parameters are judged too."""
        return self._then("differentiate", positional=list(positional), keywords=keywords)

    def differentiate_only(self, names: Sequence[str], *positional: Any, **keywords: Any) -> Plan:
        """Call and differentiate; of the gradients those of the named parameters alone are judged, for all of them
        would make a large network's key as large as the network."""
        return self._then("differentiate", positional=list(positional), keywords=keywords, only=list(names))

    def method(self, name: str, *positional: Any, **keywords: Any) -> Plan:
        """Call a method. In a plan of methods alone nothing is asked of what a module is made of."""
        return self._then("call", method=name, positional=list(positional), keywords=keywords)

    def only(self, places: Tensor) -> Plan:
        """Of the last call's result only these places are judged, a boolean tensor over its first axes: elsewhere it is
        taken for 0, whatever stands there."""
        self["steps"][-1]["only_at"] = places
        return self

    def train(self) -> Plan:
        """Set training mode, in which modules begin."""
        return self._then("train")

    def eval(self) -> Plan:
        """Set evaluation mode."""
        return self._then("eval")

    def ask(self, *names: str) -> Plan:
        """Judge what the class says of itself: attributes by these names, such as a block's `expansion`."""
        return self._then("ask", names=list(names))

    def to(self, dtype: torch.dtype) -> Plan:
        """Convert parameters and buffers."""
        return self._then("to", dtype=dtype)

    def meta(self) -> Plan:
        """Build on the meta device, where tensors have shapes and no numbers: for networks too large to be filled."""
        self["device"] = "meta"
        return self

    def _then(self, do: str, **more: Any) -> Plan:
        self["steps"].append({"do": do, **more})
        return self


def built(*positional: Any, **keywords: Any) -> Plan:
    """A plan that begins with building the module."""
    return Plan(build={"positional": list(positional), "keywords": keywords}, steps=[])


def has_plan(case: dict[str, Any]) -> bool:
    """Whether a case's arguments are a plan. Its probe tells: a function may have parameters named build and steps."""
    return bool(case["probe"] == "module")


def is_meta(case: dict[str, Any]) -> bool:
    """Whether a case's plan builds on the meta device, where nothing has numbers."""
    return has_plan(case) and "device" in case["arguments"]
