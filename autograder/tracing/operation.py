"""The text of an operation: a call of a torch function as its reader would have written it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import get_testing_overrides, resolve_name

NameOf = Callable[[Tensor], str]
LONGEST = 44  # characters, of an operation's text
SYMBOLS = {
    **{"matmul": "@", "__matmul__": "@", "add": "+", "sub": "-", "mul": "*", "div": "/", "__pow__": "**", "pow": "**"},
    **{"true_divide": "/", "__floordiv__": "//", "remainder": "%", "__and__": "&", "__or__": "|", "__xor__": "^"},
    **{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "__eq__": "==", "__ne__": "!="},
    **{"add_": "+=", "sub_": "-=", "mul_": "*=", "div_": "/=", "__iadd__": "+=", "__imul__": "*=", "__ipow__": "**="},
    **{"__iand__": "&=", "__ior__": "|=", "__isub__": "-=", "__itruediv__": "/="},
}
REVERSED = {
    **{"__rsub__": "-", "__rdiv__": "/", "__rtruediv__": "/", "__rpow__": "**", "__rfloordiv__": "//"},
    **{"__rmod__": "%", "__rmatmul__": "@"},
}
BEFORE = {"__neg__": "-", "neg": "-", "__invert__": "~"}


def of_call(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], name_of: NameOf) -> str:
    """The text of a call: `transpose(1, 2)`, `@`, `softmax(dim=-1)`, `[:, None]`, `F.conv2d(padding=1)`.

    Tensors are left out, for a drawing shows them; those within an index are named by `name_of`.
    """
    path: str = resolve_name(func) or getattr(func, "__name__", str(func))
    method = path.startswith("torch.Tensor.")
    name = path.removeprefix("torch.Tensor.") if method else path
    if name == "__getitem__":
        return shortened(_index(args[1], name_of))
    if name == "__setitem__":
        return shortened(f"{_index(args[1], name_of)} = {_written(args[2], name_of)}")
    if name.endswith(".__get__"):
        return "." + name.removesuffix(".__get__")
    if method and name in BEFORE:
        return BEFORE[name]
    if method and len(args) == 2 and not kwargs and (name in SYMBOLS or name in REVERSED):
        other = "" if isinstance(args[1], Tensor) else _written(args[1], name_of)
        return f"{other} {REVERSED[name]}".strip() if name in REVERSED else f"{SYMBOLS[name]} {other}".strip()
    if method and name.startswith("__"):
        name = name.strip("_")
    given = ", ".join(_arguments(func, args[1:] if method else args, kwargs, method, name_of))
    name = _reader_path(name)
    return shortened(f"{name}({given})" if given or method else name)


def last_name(func: Callable[..., Any]) -> str:
    """A torch function's own name, an attribute's too: `transpose`, `mT`."""
    name = str(getattr(func, "__name__", ""))
    return str(getattr(getattr(func, "__self__", None), "__name__", "")) if name == "__get__" else name


def of_module(path: str, module: nn.Module) -> str:
    """The text of a module's call: `W_q: Linear`, `branch3.2: Conv2d 3×3`, `pool: MaxPool2d 3×3, stride 2`."""
    kind = kind_of(module)
    text = f"{path}: {kind}" if path else kind
    if type(module).__module__.startswith("torch.nn.modules.") and hasattr(module, "kernel_size"):
        axes = int(kind[-2]) if kind[-2].isdigit() else 1
        kernel, stride = (_sizes(value, axes) for value in (module.kernel_size, getattr(module, "stride", 1)))
        text += f" {'×'.join(kernel)}"
        if set(stride) != {"1"}:
            text += f", stride {stride[0] if len(set(stride)) == 1 else '×'.join(stride)}"
    return text


def kind_of(module: nn.Module) -> str:
    """The name of a module's class; a scripted one's is that of the class it was made of."""
    return str(getattr(module, "original_name", type(module).__name__))


def _sizes(value: Any, axes: int) -> list[str]:
    """A size for each axis; one number stands for all of them."""
    return [str(size) for size in (value if isinstance(value, tuple | list) else (value,) * axes)]


def _reader_path(path: str) -> str:
    for long, short in (("torch.nn.functional.", "F."), ("torch.functional.", "torch."), ("torch.nn.init.", "init.")):
        if path.startswith(long):
            return short + path.removeprefix(long)
    return path


def _arguments(
    func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], method: bool, name_of: NameOf
) -> list[str]:
    """The arguments that are no tensors and no defaults: by position as far as no tensor was left out, then by name."""
    parameters = _parameters(func)[1 if method else 0 :]
    positional, written = True, []
    for place, value in enumerate(args):
        if _holds_tensor(value):
            positional = False
            continue
        parameter = parameters[place] if place < len(parameters) else None
        plain = parameter is None or parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD
        if positional or parameter is None or plain:
            written.append(_written(value, name_of))
        elif not _same(value, parameter.default):
            written.append(f"{parameter.name}={_written(value, name_of)}")
    defaults = {parameter.name: parameter.default for parameter in parameters}
    for name, value in kwargs.items():
        if not name.startswith("_") and not _holds_tensor(value) and not _same(value, defaults.get(name, ...)):
            written.append(f"{name}={_written(value, name_of)}")
    return written


@cache
def _parameters(func: Callable[..., Any]) -> list[inspect.Parameter]:
    """A torch function's parameters: its own where it is written in Python, else those torch lists for its tests."""
    for known in (func, get_testing_overrides().get(func)):
        try:
            return list(inspect.signature(known).parameters.values()) if known is not None else []
        except (TypeError, ValueError):
            continue
    return []


def _same(value: Any, default: Any) -> bool:
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, tuple | list):
        return all(isinstance(item, int) and item == default for item in value)
    return type(value) is type(default) and bool(value == default)


def _holds_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, tuple | list) and any(_holds_tensor(item) for item in value))


def _index(index: Any, name_of: NameOf) -> str:
    items = index if isinstance(index, tuple) else (index,)
    return f"[{', '.join(_written(item, name_of) for item in items)}]"


def _written(value: Any, name_of: NameOf) -> str:
    if isinstance(value, Tensor):
        return name_of(value) or "tensor"
    if isinstance(value, slice):
        ends = ["" if end is None else _written(end, name_of) for end in (value.start, value.stop, value.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if value is Ellipsis:
        return "..."
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple | list):
        inside = ", ".join(_written(item, name_of) for item in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, torch.device):
        return repr(str(value))
    return repr(value) if isinstance(value, int | str | torch.dtype) or value is None else "..."


def shortened(text: str) -> str:
    """A text that is not longer than an operation's may be."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
