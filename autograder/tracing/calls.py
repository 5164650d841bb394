"""Calls as they are recorded: a tree of modules and the torch functions they call, and the values that pass between.

Nothing here holds a tensor: values are shapes, dtypes and a number for their memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch

from autograder.tracing.memory import Memory

Kind = Literal["input", "parameter", "buffer", "outside", "result"]


@dataclass(frozen=True)
class Value:
    """A tensor at one moment: what is written into in place is another value afterwards.

    `axes` has a name for each axis, "" where it has none. `memory` is a number that values share where they share
    memory. `kind` is "outside" for a tensor that was neither passed in nor made by a step, such as a global variable.
    """

    name: str
    kind: Kind
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    memory: int
    bytes: int


@dataclass
class Call:
    """One call of a module or a torch function. `children` are the calls that a module made."""

    operation: str
    module: str | None = None  # the dotted path of the module called, None for a function
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    memory: Memory = ""
    joins: str = ""
    parameters: dict[int, int] = field(default_factory=dict)  # how many numbers each holds, by identity
    multiply_adds: int = 0
    children: list[Call] = field(default_factory=list)
    one: bool = False  # one of torch's own layers, which is one step at any depth
    failed: bool = False
    message: str = ""
    mismatch: str = ""  # which axes do not fit, where that is why it failed

    @property
    def has_functions(self) -> bool:
        """Whether a torch function was called within, and returned."""
        return any(child.module is None or child.has_functions for child in self.children if not child.failed)
