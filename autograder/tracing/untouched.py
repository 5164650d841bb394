"""What a run changes in a module on the side, and is put back after it: a trace is a look, and leaves things be.

Put back are each called module's training mode and buffers (BatchNorm's running statistics), the gradients of its
parameters, and torch's random state. What a candidate does to its inputs, or keeps in attributes of its own, stays as
with any other call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class _Module:
    module: nn.Module
    training: bool
    buffers: dict[str, Tensor | None]
    contents: dict[str, Tensor]
    gradients: dict[str, Tensor | None]


@dataclass
class Untouched:
    """Remembers modules as they are when `keep` is first called with them; `restore` puts them back so."""

    _kept: dict[int, _Module] = field(default_factory=dict)

    def keep(self, module: nn.Module) -> None:
        """Remember a module's own state; a second call changes nothing."""
        if id(module) in self._kept:
            return
        buffers = dict(module._buffers)
        contents = {
            name: buffer.detach().clone()
            for name, buffer in buffers.items()
            if buffer is not None and not buffer.is_meta
        }
        gradients = {name: weight.grad for name, weight in module._parameters.items() if weight is not None}
        self._kept[id(module)] = _Module(module, module.training, buffers, contents, gradients)

    def keep_gradients(self) -> None:
        """Before a backward pass adds to them in place: lay the gradients that are there aside."""
        for kept in self._kept.values():
            for name, weight in kept.module._parameters.items():
                if weight is not None and weight.grad is not None and weight.grad is kept.gradients.get(name):
                    weight.grad = weight.grad.clone()

    def restore(self) -> None:
        """Put everything back."""
        for kept in self._kept.values():
            kept.module.training = kept.training
            for name, buffer in kept.buffers.items():
                if name in kept.module._buffers:
                    kept.module._buffers[name] = buffer
                content = kept.contents.get(name)
                if buffer is not None and content is not None and not torch.equal(buffer, content):
                    with torch.no_grad():
                        buffer.copy_(content)
            for name, gradient in kept.gradients.items():
                weight = kept.module._parameters.get(name)
                if weight is not None and weight.grad is not gradient:
                    weight.grad = gradient


@contextmanager
def untouched() -> Iterator[Untouched]:
    """Within, modules are kept as they are seen; at the end they and the random state are put back."""
    kept = Untouched()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices):
        try:
            yield kept
        finally:
            kept.restore()
