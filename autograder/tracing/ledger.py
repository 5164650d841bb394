"""The ledger of a run: which value each living tensor is at the moment. Holds no tensor, so that none lives longer."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from autograder.tracing.calls import Call, Kind, Value
from autograder.tracing.memory import storage


class Ledger:
    """Values by key, in the order in which they were made."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self._keys: MutableMapping[Tensor, str] = WeakTensorKeyDictionary()
        self._lasting: dict[int, int] = {}  # the memory of what lives through the whole run, by its storage
        self._memories = 0
        self._base: dict[str, str] = {}  # of a view: what it is a view of
        self._rewritten: dict[str, tuple[int, Call]] = {}  # values that were changed through a view, when and by what

    def key(self, tensor: Tensor) -> str | None:
        """The value that a tensor is now; None for a tensor never seen.

        A tensor that was written to through another that shares its memory, a view or the one it is a view of, is a new
        value: one more output of the call that wrote.
        """
        found = self._keys.get(tensor)
        if found is None:
            return None
        key, at = found, int(found[1:])
        while found is not None:
            mark, call = self._rewritten.get(found, (0, None))
            if call is not None and at < mark:
                value = self.values[key]
                fresh = self.add(tensor, value.axes, name=value.name, memory=value.memory, base=self._base.get(key))
                call.outputs.append(fresh)
                return fresh
            found = self._base.get(found)
        return key

    def add(
        self,
        tensor: Tensor,
        axes: tuple[str, ...],
        kind: Kind = "result",
        name: str = "",
        memory: int | None = None,
        base: str | None = None,
    ) -> str:
        """A new value, which the tensor is from now on. `memory` is another value's, where it is shared; `base` is the
        value that this is a view of."""
        if memory is None and kind in ("input", "parameter", "buffer"):
            memory = self._lasting.setdefault(storage(tensor) or id(tensor), self._memories)
        if memory is None or memory == self._memories:
            memory = self._memories
            self._memories += 1
        key = f"v{len(self.values)}"
        size = tensor.numel() * tensor.element_size()
        self.values[key] = Value(name, kind, axes, tuple(map(int, tensor.shape)), tensor.dtype, memory, size)
        self._keys[tensor] = key
        if base is not None:
            self._base[key] = base
        return key

    def base(self, key: str) -> str | None:
        """What a value is a view of."""
        return self._base.get(key)

    def rewrite(self, key: str, call: Call) -> None:
        """Note that `call` wrote into a value, and so into all that it is a view of or that are views of it."""
        found: str | None = key
        while found is not None:
            self._rewritten[found] = (len(self.values), call)
            found = self._base.get(found)

    def rename(self, key: str, name: str) -> None:
        """Give a value another name."""
        self.values[key] = replace(self.values[key], name=name)

    @property
    def activation_bytes(self) -> int:
        """What all results take, each memory once; results that share an input's or a parameter's take nothing."""
        given = {value.memory for value in self.values.values() if value.kind != "result"}
        made = {value.memory: value.bytes for value in reversed(self.values.values()) if value.kind == "result"}
        return sum(size for memory, size in made.items() if memory not in given)
