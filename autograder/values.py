"""Values as data: what a function took or returned, as tensors and JSON, without any code.

`record` turns whatever a candidate returned into data; `pack` and `unpack` turn data into bytes (safetensors with a
JSON header) and back. Nothing here can run code of the one who made the bytes.
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
import safetensors.torch
import torch
from torch import Tensor

LARGEST_TENSOR = 16 * 2**20  # bytes; expected results are far smaller, so a larger tensor is wrong by its shape
MOST_LEAVES = 10_000
DEEPEST = 20
LARGEST_INTEGER = 1_000  # bits
LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class Foreign:
    """Something that is not data: its type's name, and how it is described to the learner."""

    kind: str
    text: str


@dataclass(frozen=True)
class Outline:
    """A tensor too large to keep: its dtype and shape alone."""

    dtype: torch.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """A module as data: its class's `name`, and what it is built with.

    The name is one of torch.nn or of `recipes.SPECIMENS`; of an `own` one it is a name in the candidate's own notebook.
    `frozen` names parameters that are not trained, `hooked` submodules that carry a forward hook from the start ("" is
    the module itself).
    """

    name: str
    arguments: list[Any] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)
    hooked: list[str] = field(default_factory=list)
    own: bool = False


@dataclass(frozen=True)
class Own:
    """Something that the candidate's own notebook defines, by its name: a block that a network is built from, say."""

    name: str


def record(value: object) -> Any:
    """A copy of `value` as data: tensors detached and on the CPU, whatever is not data as `Foreign`."""
    return _record(value, DEEPEST, [MOST_LEAVES])


def _record(value: object, depth: int, leaves: list[int]) -> Any:
    leaves[0] -= 1
    if leaves[0] < 0 or depth < 0:
        return Foreign(_type_name(value), "more values than an answer can hold")
    if value is None or isinstance(value, bool | torch.dtype | Foreign | Outline | Recipe | Own):
        return value
    if isinstance(value, Tensor):
        return _record_tensor(value)
    if isinstance(value, numbers.Integral):
        number = int(value)
        return number if number.bit_length() <= LARGEST_INTEGER else Foreign("int", "an integer of over 300 digits")
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)[:LONGEST_TEXT]
    if isinstance(value, tuple | list):
        items = []
        for item in value:
            items.append(_record(item, depth - 1, leaves))
            if leaves[0] < 0:
                return Foreign(_type_name(value), f"a {_type_name(value)} of {len(value):,} values")
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {str(name)[:LONGEST_TEXT]: _record(item, depth - 1, leaves) for name, item in value.items()}
    if isinstance(value, numpy.generic):
        return Foreign(_type_name(value), f"a single NumPy value of type {type(value).__name__}")
    if type(value).__module__ == "numpy" and hasattr(value, "shape"):
        return Foreign(_type_name(value), f"a NumPy array of shape {tuple(value.shape)}")
    return Foreign(_type_name(value), f"an object of type {_type_name(value)}")


def _record_tensor(value: Tensor) -> Tensor | Foreign | Outline:
    with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
        plain = value.detach()
        if plain.layout != torch.strided or plain.is_quantized or plain.is_meta or plain.is_complex():
            kind = "meta" if plain.is_meta else "complex" if plain.is_complex() else str(plain.layout).split(".")[-1]
            return Foreign("Tensor", f"a {kind} tensor of shape {tuple(plain.shape)}")
        if plain.numel() * plain.element_size() > LARGEST_TENSOR:
            return Outline(plain.dtype, tuple(plain.shape))
        return plain.as_subclass(Tensor).cpu().clone(memory_format=torch.contiguous_format)


def _type_name(value: object) -> str:
    name = type(value).__qualname__
    module = type(value).__module__
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


def clone(value: Any) -> Any:
    """A deep copy of recorded data. A tensor keeps its strides, for some inputs are views on purpose."""
    if isinstance(value, Tensor):
        return _clone_with_strides(value)
    if isinstance(value, tuple | list):
        return type(value)(clone(item) for item in value)
    if isinstance(value, dict):
        return {name: clone(item) for name, item in value.items()}
    return value


def _clone_with_strides(value: Tensor) -> Tensor:
    if value.is_contiguous():
        return value.clone()
    return _memory(value).as_strided(value.shape, value.stride())


def _memory(value: Tensor) -> Tensor:
    """A copy of the memory that a tensor walks over, what it skips included, as one axis."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    return torch.as_strided(value, (span,), (1,)).clone()


def identical(a: Any, b: Any) -> bool:
    """Whether two recorded values are the same to the bit, NaN equal to itself."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        same = a == b
        return bool((same | (a != a) & (b != b)).all() if a.dtype.is_floating_point else same.all())
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and all(identical(a[name], b[name]) for name in a)
    return bool(a == b)


def pack(value: Any) -> bytes:
    """Recorded data as bytes. A tensor that is not contiguous is kept as its memory and the strides over it."""
    kept = _Kept()
    header = json.dumps(_encode(value, kept), ensure_ascii=False)
    return bytes(safetensors.torch.save(kept.tensors, {"data": header}))


def unpack(data: bytes) -> Any:
    """The inverse of `pack`. Raises ValueError where the bytes are not what `pack` makes."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])["__metadata__"]["data"]
        return _decode(json.loads(header), safetensors.torch.load(data))
    except Exception as error:  # whatever hostile or truncated bytes lead to
        raise ValueError(f"these bytes are no packed data: {error}") from error


@dataclass
class _Kept:
    """Tensors by name. Those that are equal to the bit are kept once: a network's state stands in many answers."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[tuple[torch.dtype, torch.Size, bytes], str] = field(default_factory=dict)

    def name(self, tensor: Tensor) -> str:
        """The name that a contiguous tensor is kept under."""
        content = tensor.dtype, tensor.shape, tensor.flatten().view(torch.uint8).numpy().tobytes()
        name = self.names.setdefault(content, str(len(self.names)))
        self.tensors[name] = tensor
        return name


def _encode(value: Any, kept: _Kept) -> Any:
    if isinstance(value, Tensor):
        if value.is_contiguous():
            return {"tensor": kept.name(value.clone())}  # safetensors refuses tensors that share memory
        return {"tensor": kept.name(_memory(value)), "shape": list(value.shape), "strides": list(value.stride())}
    if isinstance(value, tuple):
        return {"tuple": [_encode(item, kept) for item in value]}
    if isinstance(value, list):
        return [_encode(item, kept) for item in value]
    if isinstance(value, Mapping):
        return {"dict": {name: _encode(item, kept) for name, item in value.items()}}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, Foreign):
        return {"foreign": [value.kind, value.text]}
    if isinstance(value, Recipe):
        return {"recipe": [value.name, _encode(value.arguments, kept), value.frozen, value.hooked, value.own]}
    if isinstance(value, Own):
        return {"own": value.name}
    if isinstance(value, Outline):
        return {"outline": [str(value.dtype).removeprefix("torch."), list(value.shape)]}
    return value


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    match next(iter(value.items())):
        case "tensor", name:
            tensor = tensors[name]
            return torch.as_strided(tensor, value["shape"], value["strides"]) if "strides" in value else tensor
        case "tuple", items:
            return tuple(_decode(item, tensors) for item in items)
        case "dict", items:
            return {name: _decode(item, tensors) for name, item in items.items()}
        case "dtype", name:
            return _dtype(name)
        case "foreign", [kind, text]:
            return Foreign(str(kind), str(text))
        case "recipe", [name, arguments, frozen, hooked, own]:
            return Recipe(str(name), _decode(arguments, tensors), list(frozen), list(hooked), bool(own))
        case "own", name:
            return Own(str(name))
        case "outline", [name, shape]:
            return Outline(_dtype(name), tuple(int(size) for size in shape))
    raise ValueError(f"unknown form {list(value)}")


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{name} is no dtype")
    return dtype
