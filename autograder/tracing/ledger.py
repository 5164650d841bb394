"""The ledger of a run: which value each living tensor is at the moment. Holds no tensor, so that none lives longer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from autograder.tracing.calls import Call, Kind, Value
from autograder.tracing.leaves import tensors
from autograder.tracing.memory import shape_of, storage, version
from autograder.tracing.names import AxisNames
from autograder.tracing.parts import Parts
from autograder.tracing.variables import of_tensor, reader_frame


@dataclass
class Taken:
    """A tensor that a call takes, as it is before."""

    tensor: Tensor
    key: str
    value: Value
    storage: int | None
    version: int

    def written_by(self, function: str) -> bool:
        """Whether the tensor was written into since. Inference tensors keep no count, so that the name must tell."""
        in_place = function.endswith("_") and not function.endswith("__")
        return version(self.tensor) != self.version or (in_place and self.tensor.is_inference())


Write = tuple[int, Call]  # how many values there were, and the call that wrote


class Ledger:
    """Values by key, in the order in which they were made.

    What a tensor is before and after it was written into are two values of one slot; a view's slot has a parent, that
    of what it is a view of.
    """

    def __init__(self, names: AxisNames) -> None:
        self.names = names
        self.parts = Parts()
        self.values: dict[str, Value] = {}
        self.weights: dict[str, dict[int, int]] = {}  # of values that are parameters: how many numbers each holds
        self.decided: list[str] = []  # what is to be told of sizes that values decided
        self._keys: MutableMapping[Tensor, str] = WeakTensorKeyDictionary()
        self._lasting: dict[int, int] = {}  # the memory of what lives through the whole run, by its storage
        self._memories = 0
        self._slots: dict[str, int] = {}  # by key
        self._parents: dict[int, int] = {}  # by slot
        self._written: dict[int, Write] = {}  # the last write into a slot itself
        self._written_through: dict[int, Write] = {}  # the last write through a view of it

    def key(self, tensor: Tensor) -> str | None:
        """The value that a tensor is now; None for a tensor never seen.

        A tensor that was written into through another, a view of it or what it is a view of, is a new value: one more
        output of the call that wrote. Two views of one tensor need not overlap: neither tells anything of the other.
        """
        key = self._keys.get(tensor)
        if key is None:
            return None
        slot: int | None = self._slots[key]
        writes = [self._written_through.get(slot)] if slot is not None else []
        while slot is not None:
            writes.append(self._written.get(slot))
            slot = self._parents.get(slot)
        last = max((write for write in writes if write is not None), key=lambda write: write[0], default=None)
        if last is None or number(key) >= last[0]:
            return key
        value = self.values[key]
        fresh = self.add(tensor, value.axes, name=value.name, memory=value.memory, before=key)
        last[1].outputs.append(fresh)
        return fresh

    def add(
        self,
        tensor: Tensor,
        axes: tuple[str, ...],
        kind: Kind = "result",
        name: str = "",
        memory: int | None = None,
        base: str | None = None,
        before: str | None = None,
    ) -> str:
        """A new value, which the tensor is from now on. `memory` is another value's, where it is shared; `base` is the
        value that this is a view of, `before` what the tensor was before it was written into."""
        if memory is None and kind in ("input", "parameter", "buffer"):
            memory = self._lasting.setdefault(storage(tensor) or id(tensor), self._memories)
        if memory is None or memory == self._memories:
            memory = self._memories
            self._memories += 1
        key = f"v{len(self.values)}"
        size = tensor.numel() * tensor.element_size()
        self.values[key] = Value(name, kind, axes, shape_of(tensor), tensor.dtype, memory, size)
        self._keys[tensor] = key
        slot = self._slots[key] = self._slots[before] if before is not None else number(key)
        if base is not None:
            self._parents[slot] = self._slots[base]
        return key

    def same(self, tensor: Tensor, other: Tensor) -> None:
        """Take a tensor for another one, where only their histories differ."""
        key = self.key(other)
        if key is not None:
            self._keys[tensor] = key

    def write(self, key: str, call: Call) -> None:
        """Note that `call` writes into a value; what is made from now on is newer."""
        slot = self._slots[key]
        self._written[slot] = (len(self.values), call)
        while slot in self._parents:
            slot = self._parents[slot]
            self._written_through[slot] = (len(self.values), call)

    def inputs(self, arguments: Mapping[str, Any]) -> list[str]:
        """The values of a candidate's inputs, by the names that they have in its signature."""
        found = [
            self.key(tensor) or self.add(tensor, self.names.of(shape_of(tensor)), "input", name)
            for argument, value in arguments.items()
            for name, tensor in tensors(value, argument)
        ]
        return list(dict.fromkeys(found))

    def take(self, tensor: Tensor) -> Taken:
        """A tensor as it is now. One never seen is a parameter, a buffer, or comes from outside."""
        key = self.key(tensor)
        if key is None:
            axes, path = self.names.of(shape_of(tensor)), self.parts.path_of(tensor)
            if isinstance(tensor, nn.Parameter):
                key = self.add(tensor, axes, "parameter", path)
                self.weights[key] = self.parts.number(tensor)
            elif path:
                key = self.add(tensor, axes, "buffer", path)
            else:
                key = self.add(tensor, axes, "outside", of_tensor(tensor, reader_frame(sys._getframe(1))))
        return Taken(tensor, key, self.values[key], storage(tensor), version(tensor))

    def keys(self, value: Any) -> list[str]:
        """The values of all tensors in `value`, each once."""
        return list(dict.fromkeys(self.take(tensor).key for _, tensor in tensors(value)))

    def known(self, values: Iterable[Any]) -> list[str]:
        """The same, of those that were seen before."""
        found = [self.key(tensor) for value in values for _, tensor in tensors(value)]
        return list(dict.fromkeys(key for key in found if key is not None))

    def name_of(self, tensor: Tensor) -> str:
        """The name of the value that a tensor is, or ""."""
        key = self.key(tensor)
        return self.values[key].name if key is not None else ""

    def doubt(self, size: int) -> None:
        """Values decided that an axis has this size, so that from now on it is no axis's for sure."""
        name = self.names.name(size)
        if name:
            self.names.doubt(size)
            self.decided.append(f"values decided that an axis has size {size}, which {name} has too: shown as a number")

    def rename(self, key: str, name: str) -> None:
        """Give a value another name."""
        self.values[key] = replace(self.values[key], name=name)

    @property
    def activation_bytes(self) -> int:
        """What all results take, each memory once; results that share an input's or a parameter's take nothing."""
        given = {value.memory for value in self.values.values() if value.kind != "result"}
        made = {value.memory: value.bytes for value in reversed(self.values.values()) if value.kind == "result"}
        return sum(size for memory, size in made.items() if memory not in given)


def number(key: str) -> int:
    """When a value was made: how many there were."""
    return int(key[1:])
