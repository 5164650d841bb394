"""Altered runs: what the reference's own code calls in a case, and the same case with some of these calls changed.

The mode sees each torch function that the reference calls, by itself or through torch's modules; it numbers the calls,
so that a call of a first run is found again in a later one.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from autograder.slips.calls import Call, Change
from autograder.slips.changes import changes_of

Run = Callable[[Call], Any]
Forward = Callable[[nn.Module, tuple[Any, ...], Any], Any]
OPERATORS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add", "__sub__": "sub", "__isub__": "sub", "subtract": "sub",
    "__mul__": "mul", "__rmul__": "mul", "__imul__": "mul", "multiply": "mul", "__truediv__": "div", "divide": "div",
    "__itruediv__": "div", "true_divide": "div", "__matmul__": "matmul", "bmm": "matmul", "__pow__": "pow",
    "bitwise_and": "__and__", "logical_and": "__and__", "bitwise_or": "__or__", "logical_or": "__or__",
    "bitwise_not": "__invert__", "__eq__": "eq", "__ne__": "ne", "__lt__": "lt", "__le__": "le", "__gt__": "gt",
    "__ge__": "ge",
}  # fmt: skip
UNSEEN = (
    "__get__", "__set__", "dim", "size", "numel", "item", "__len__", "is_contiguous", "requires_grad_", "__getitem__",
)  # fmt: skip
HARNESS = "autograder.answers"  # the module that tries the reference


@dataclass(frozen=True)
class Site:
    """One call of a case: its `number` among all, the `turn` of the outermost module's call it belongs to, the `path`
    of the module it runs in, how its first two arguments are called and the numbers of the calls that made them, and
    whether its result has the first one's shape."""

    number: int
    turn: int
    call: Call
    path: str
    operands: tuple[str, ...]
    made_by: tuple[int | None, ...]
    keeps_shape: bool = False

    @cached_property
    def changes(self) -> dict[str, Change]:
        """What may be wrong with the call, by clause; nothing where it is called in a way that no change knows."""
        try:
            return {change.clause: change for change in changes_of(self.call)}
        except (IndexError, TypeError, AttributeError):
            return {}


@dataclass(frozen=True)
class Part:
    """One call of a module that has parameters: whether its result has the shape of what it was given."""

    path: str
    module: nn.Module
    keeps_shape: bool


@dataclass
class Altered(TorchFunctionMode):
    """Runs the code within with `actions` in place of the calls of these numbers, `forwards` behind the modules of
    these paths, and each tensor of a module in `instead` exchanged for another module's. Notes all `sites` and `parts`,
    and as `work` how many numbers were computed.

    `names` are those a sentence may use: of the exercise's parameters, with None, and of its quantities with values.
    """

    namespace: Mapping[str, Any]
    names: Mapping[str, float | None] = field(default_factory=dict)
    actions: Mapping[int, Run] = field(default_factory=dict)
    forwards: Mapping[str, Forward] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    depth: int | None = None  # of modules below which they are not the reference's own, but were given to it

    def __post_init__(self) -> None:
        super().__init__()
        self.sites: list[Site] = []
        self.parts: list[Part] = []
        self._paths: dict[int, str] = {}
        self._stack: list[str] = []
        self._turn = 0
        self.work = 0
        self._exchanged: dict[int, Tensor] = {}
        self._made: dict[int, tuple[Any, int | None, str]] = {}  # with the object itself, whose id stays its own

    def again(
        self,
        actions: Mapping[int, Run] | None = None,
        forwards: Mapping[str, Forward] | None = None,
        instead: Mapping[str, str] | None = None,
    ) -> Altered | None:
        """The mode for the same case with something wrong; None where nothing is."""
        if not actions and not forwards and not instead:
            return None
        return replace(self, actions=actions or {}, forwards=forwards or {}, instead=instead or {})

    def __enter__(self) -> Altered:
        self._hooks = [
            register_module_forward_pre_hook(self._entered),
            register_module_forward_hook(self._left, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _entered(self, module: nn.Module, args: Any) -> None:
        if not self._stack:
            self._turn += 1
            self._paths = {id(part): path for path, part in module.named_modules()}
            self._exchanged = dict(self._exchanges(module))
            for name, tensor in module.named_parameters():
                self._made[id(tensor)] = (tensor, None, f"`{name}`")
        self._stack.append(self._paths.get(id(module), ""))

    def _exchanges(self, root: nn.Module) -> Iterator[tuple[int, Tensor]]:
        for path, other in self.instead.items():
            with contextlib.suppress(AttributeError):  # the other one is not in every case
                tensors = dict(_tensors(root.get_submodule(other)))
                yield from [(id(value), tensors[name]) for name, value in _tensors(root.get_submodule(path))]

    def _left(self, module: nn.Module, args: tuple[Any, ...], result: Any) -> Any:
        path = self._stack.pop() if self._stack else ""
        if self._is_given() or not path or not args or next(module.parameters(), None) is None:
            return None
        same = _same_shape(args[0], result)
        self.parts.append(Part(path, module, same))
        if path in self.forwards:
            with torch._C.DisableTorchFunction():
                result = self.forwards[path](module, args, result)
        _, number, _ = self._made.get(id(result), (None, None, ""))
        self._made[id(result)] = (result, number, f"what `{path}` returns")
        return result

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note the call, and run it or what stands in its place."""
        kwargs = kwargs or {}
        name = plain(getattr(func, "__name__", ""))
        if name in UNSEEN or _counts(name, args) or self._is_given() or not self._is_own(frames := _frames()):
            return func(*args, **kwargs)
        if self._exchanged:
            args = tuple(self._exchanged.get(id(value), value) for value in args)
            kwargs = {key: self._exchanged.get(id(value), value) for key, value in kwargs.items()}
        number = len(self.sites)
        call = Call(name, func, args, kwargs)
        known = [self._made.get(id(value)) for value in args[:2]]
        operands = tuple(self._named(value, source, frames) for value, source in zip(args[:2], known, strict=True))
        made_by = tuple(source[1] if source else None for source in known)
        path = self._stack[-1] if self._stack else ""
        site = Site(number, self._turn, call, path, operands, made_by)
        self.sites.append(site)
        result = self.actions[number](call) if number in self.actions else func(*args, **kwargs)
        same = bool(args) and _same_shape(args[0], result)
        self.sites[number] = replace(site, keeps_shape=same)
        if isinstance(result, Tensor):
            self.work += result.numel()
            self._made[id(result)] = (result, number, SAID.get(name, f"what `{name}` returns"))
        return result

    def _is_given(self) -> bool:
        return self.depth is not None and len(self._stack) > self.depth

    def _is_own(self, frames: Sequence[FrameType]) -> bool:
        """Whether the reference called, and not while it builds a module: weights are filled afterwards."""
        own = bool(self._stack) or any(frame.f_globals is self.namespace for frame in frames)
        return own and all(frame.f_code.co_name != "__init__" for frame in frames)

    def _named(self, value: Any, source: tuple[Any, int | None, str] | None, frames: Sequence[FrameType]) -> str:
        seen = next((frame.f_locals for frame in frames if frame.f_globals is self.namespace), {})
        for name, quantity in self.names.items():
            if quantity is None and name in seen and seen[name] is value:
                return f"`{name}`"
        if source is not None:
            return source[2]
        if not isinstance(value, int | float):
            return ""
        known = (
            name for name, quantity in self.names.items() if quantity is not None and math.isclose(value, quantity)
        )
        return next(known, f"{value:g}")


SAID = {
    "add": "the sum", "sub": "the difference", "mul": "the product", "div": "the quotient", "mean": "the mean",
    "matmul": "the matrix product", "sum": "the sum", "sqrt": "the root", "pow": "the power", "eq": "the comparison",
    "ne": "the comparison", "lt": "the comparison", "le": "the comparison", "gt": "the comparison",
    "ge": "the comparison", "__invert__": "the opposite",
}  # fmt: skip


def plain(name: str) -> str:
    """A function's name without the underscore of one in place; an operator's is that of its function.

    >>> plain("relu_"), plain("__iadd__"), plain("__rsub__"), plain("special_softmax")
    ('relu', 'add', '__rsub__', 'softmax')
    """
    name = OPERATORS.get(name, name).removeprefix("special_")
    return name if name.startswith("__") else OPERATORS.get(name.rstrip("_"), name.rstrip("_"))


def _frames() -> list[FrameType]:
    """The frames from a mode's caller up to the harness, the innermost first."""
    found: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") != HARNESS:
        found.append(frame)
        frame = frame.f_back
    return found


def _counts(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a BatchNorm counts its batches: a sum that nobody writes."""
    count = args[0] if args else None
    return name == "add" and isinstance(count, Tensor) and count.dtype == torch.int64 and count.dim() == 0


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def _same_shape(given: Any, result: Any) -> bool:
    return isinstance(given, Tensor) and isinstance(result, Tensor) and given.shape == result.shape
