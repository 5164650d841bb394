"""Calls as they are recorded: a tree of modules and the torch functions they call, and the values that pass between.

Nothing here holds a tensor: values are shapes, dtypes and a number for their memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from autograder.tracing.memory import Memory, storage
from autograder.tracing.names import AxisNames

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


class Ledger:
    """Which value each living tensor is at the moment."""

    def __init__(self, names: AxisNames) -> None:
        self.names = names
        self.values: dict[str, Value] = {}
        self._keys: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._lasting: dict[int, int] = {}  # the memory of what lives through the whole run, by its storage
        self._memories = 0

    def key(self, tensor: Tensor) -> str | None:
        """The value that a tensor is now; None for a tensor never seen."""
        found = self._keys.get(tensor)
        return None if found is None else str(found)

    def add(
        self,
        tensor: Tensor,
        kind: Kind = "result",
        name: str = "",
        memory: int | None = None,
        axes: tuple[str, ...] | None = None,
    ) -> str:
        """A new value, which the tensor is from now on; `memory` is another value's, where it is shared."""
        if memory is None and kind in ("input", "parameter", "buffer"):
            memory = self._lasting.setdefault(storage(tensor) or id(tensor), self._memories)
        if memory is None or memory == self._memories:
            memory = self._memories
            self._memories += 1
        shape = tuple(int(size) for size in tensor.shape)
        key = f"v{len(self.values)}"
        size = tensor.numel() * tensor.element_size()
        names = axes if axes is not None else self.names.of(shape)
        self.values[key] = Value(name, kind, names, shape, tensor.dtype, memory, size)
        self._keys[tensor] = key
        return key

    def rename(self, key: str, name: str) -> None:
        """Give a value another name."""
        self.values[key] = replace(self.values[key], name=name)

    @property
    def activation_bytes(self) -> int:
        """What all results take, each memory once; results that share an input's or a parameter's take nothing."""
        given = {value.memory for value in self.values.values() if value.kind != "result"}
        made = {value.memory: value.bytes for value in reversed(self.values.values()) if value.kind == "result"}
        return sum(size for memory, size in made.items() if memory not in given)
