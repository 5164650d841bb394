"""Watching a candidate while it runs: which torch functions it calls, how many Python steps it takes, how long."""

from __future__ import annotations

import contextlib
import dis
import functools
import io
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode


class OutOfTime(BaseException):
    """The candidate ran longer than its limit. Not an Exception, so that a learner's `except Exception` lets it by."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the code within when it takes longer. Only the main thread can be interrupted; elsewhere, and
    on systems without interval timers, there is no limit."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            # an exception there can leave the lock of all imports held for ever: a moment later it is another frame
            signal.setitimer(signal.ITIMER_REAL, 0.001, 1.0)
            return
        raise OutOfTime(f"still running after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again each second: a bare `except:` may have swallowed it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Calls(TorchFunctionMode):
    """Counts the torch functions and modules that are called within, by their last name, so that no alias hides one.

    A module counts under its class and the classes of torch that it inherits from, and a loss that leaves targets out
    under `ignore_index` too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Calls:
        self._hook = register_module_forward_pre_hook(self._count_module)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._hook.remove()

    def _count_module(self, module: Module, _: Any) -> None:
        self.counts.update(kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch."))

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note the function's name and call it."""
        self.counts.update(aliases(getattr(func, "__name__", "")))
        if _leaves_targets_out(args, kwargs or {}):
            self.counts["ignore_index"] += 1
        return func(*args, **(kwargs or {}))


def _leaves_targets_out(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether a target equals the `ignore_index` of a call. torch hands that on in every call of a loss, its default
    too, so that only a target tells whether it does anything."""
    index = kwargs.get("ignore_index")
    if index is None:
        return False
    targets = [value for value in args if isinstance(value, Tensor) and not value.dtype.is_floating_point]
    with contextlib.suppress(RuntimeError):  # a tensor whose numbers cannot be seen: a meta one, or one under vmap
        return any(bool((target == index).any()) for target in targets)
    return False


class Steps:
    """Counts the Python instructions run in functions that share the candidate's global names: the learner's own code.

    A loop, a comprehension or a generator over an axis makes the count grow with that axis; broadcasting does not.
    """

    def __init__(self, namespace: dict[str, Any] | None) -> None:
        self.namespace = namespace
        self.count = 0

    def __enter__(self) -> Steps:
        self._before = sys.gettrace()
        if self.namespace is not None:
            sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_globals is not self.namespace:
            return None
        if event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            self.count += 1
        return self._trace


class Capped(io.TextIOBase):
    """A text stream that keeps the first `limit` characters and counts the rest."""

    def __init__(self, limit: int = 2_000) -> None:
        self.limit = limit
        self.kept = ""
        self.written = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Keep what fits."""
        if len(self.kept) < self.limit:
            self.kept += text[: self.limit - len(self.kept)]
        self.written += len(text)
        return len(text)

    @property
    def text(self) -> str:
        """What was kept, with a last line that says how much was not."""
        dropped = self.written - len(self.kept)
        return self.kept + (f"\n... and {dropped:,} characters more" if dropped else "")


def names_used(candidate: Any) -> set[str]:
    """The names that a candidate's code mentions, and that of the learner's own functions it calls, those of keyword
    arguments included; for a class also those of torch's classes that it inherits from.

    A look at the code sees what no mode does: functions that torch handles without its own dispatch.
    """
    namespace = namespace_of(candidate)
    kinds = candidate.__mro__ if isinstance(candidate, type) else ()
    found = {kind.__name__ for kind in kinds if kind.__module__.startswith("torch.")}
    seen: set[CodeType] = set()
    inherited = [kind for kind in kinds if not kind.__module__.startswith(("torch.", "builtins"))]
    waiting = [code for each in (candidate, *inherited) for code in _code_of(each)]
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        found |= set(_keywords(code))
        for name in code.co_names:
            value = (namespace or {}).get(name)
            own = [inner for inner in _code_of(value) if namespace_of(value) is namespace]
            waiting += own
            if not own:
                found |= {name, str(getattr(value, "__name__", name))}
    return {alias for name in found for alias in aliases(name)}


@functools.lru_cache(maxsize=4096)
def aliases(name: str) -> frozenset[str]:
    """A function's name, and the plain one: without its namespace, its overload or the underscore of one in place.

    >>> sorted(aliases("special_softmax")), sorted(aliases("softmax.int")), sorted(aliases("relu_"))
    (['softmax', 'special_softmax'], ['softmax', 'softmax.int'], ['relu', 'relu_'])
    """
    plain = name.partition(".")[0]
    for space in ("special_", "linalg_", "fft_"):
        plain = plain.removeprefix(space)
    return frozenset({name, plain if plain.startswith("_") else plain.rstrip("_")})


def _keywords(code: CodeType) -> Iterator[str]:
    """The names of keyword arguments in a code's calls. They lie in a tuple among its constants, as a learner's own
    texts may, and only the instructions tell which is which."""
    if not any(isinstance(constant, tuple) for constant in code.co_consts):
        return
    before = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "KW_NAMES":
            yield from code.co_consts[instruction.arg or 0]
        elif instruction.opname in ("CALL_KW", "CALL_FUNCTION_KW") and before is not None:
            yield from before.argval
        before = instruction


def _code_of(value: Any) -> Iterator[CodeType]:
    """The code of a function, or of all methods of a class or of an object's class."""
    if isinstance(value, FunctionType):
        yield value.__code__
    elif not isinstance(value, ModuleType | BuiltinFunctionType) and value is not None:
        owner = value if isinstance(value, type) else type(value)
        for item in [*vars(owner).values(), getattr(value, "func", None)]:
            if isinstance(item, FunctionType):
                yield item.__code__


def namespace_of(candidate: Any) -> dict[str, Any] | None:
    """The global names of the code that a candidate was written in; None for one not written in Python."""
    methods = vars(candidate).values() if isinstance(candidate, type) else ()
    function = next((method for method in methods if isinstance(method, FunctionType)), candidate)
    function = getattr(function, "forward", function)
    for _ in range(10):  # a decorated function is wrapped, a partial one keeps the original in .func
        inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        if inner is None:
            break
        function = inner
    if not hasattr(function, "__globals__"):
        function = vars(type(function)).get("__call__")
    space = getattr(function, "__globals__", None)
    return space if isinstance(space, dict) else None
