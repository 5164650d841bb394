"""The tensors in whatever a function takes or returns: in tuples, lists, mappings and dataclasses, at any depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

DEEPEST = 20


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Each tensor with the way to it, beginning at `name`.

    >>> import torch
    >>> [name for name, _ in tensors({"logits": torch.ones(2), "caches": [torch.ones(3)]})]
    ['logits', 'caches[0]']
    >>> [name for name, _ in tensors((torch.ones(2), torch.ones(3)), "parts")]
    ['parts[0]', 'parts[1]']
    """
    yield from _tensors(value, name, DEEPEST)


def _tensors(value: Any, name: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        if not is_lazy(value):  # a parameter that has no shape yet
            yield name, value
    elif depth:
        for step, item in _items(value, name):
            yield from _tensors(item, step, depth - 1)


def _items(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield _attribute(name, field.name), getattr(value, field.name, None)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield (f"{name}[{key!r}]" if name else str(key)), item
    elif isinstance(value, tuple | list):
        fields = getattr(value, "_fields", None)
        for place, item in enumerate(value):
            yield (_attribute(name, fields[place]) if fields else f"{name}[{place}]"), item


def _attribute(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field
