"""Recording: a candidate runs once, and every call of a module and of a torch function becomes a node of a tree.

Modules are seen by torch's global hooks, functions by `TorchFunctionMode`, and what neither sees (scripted code, an
operation called by its aten name) by a `TorchDispatchMode`. All are gone when the run is over, however it ends.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from autograder.tracing import operation
from autograder.tracing.calls import Call
from autograder.tracing.costs import MultiplyAdds
from autograder.tracing.follow import JOINING, SWAPPING, followed, joint
from autograder.tracing.leaves import tensors
from autograder.tracing.ledger import Ledger, Taken, number
from autograder.tracing.memory import relation, shape_of, storage
from autograder.tracing.mismatch import mismatch
from autograder.tracing.names import AxisNames
from autograder.tracing.unseen import Unseen
from autograder.tracing.untouched import Untouched, untouched
from autograder.tracing.variables import Targets, names_of_parts, of_result, reader_frame


@dataclass
class _Open:
    """A module's call that has not returned yet."""

    module: nn.Module | None
    call: Call
    targets: Targets = ""
    before: int = 0  # multiply-adds
    values: int = 0  # how many there were


class Recorder(TorchFunctionMode):
    """Records one run of a candidate into `root`, and its values into `ledger`."""

    def __init__(self, candidate: Callable[..., Any], names: AxisNames, title: str) -> None:
        super().__init__()
        self.candidate = candidate
        self.root = Call(title, "" if isinstance(candidate, nn.Module) else None)
        self.ledger = Ledger(names)
        self._costs = MultiplyAdds()
        self._stack = [_Open(None, self.root)]
        self._kept = Untouched()
        self._busy = False
        self._thread = threading.get_ident()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within, everything is recorded."""
        with ExitStack() as stack:
            if "torch._dynamo" in sys.modules:  # compiled code runs as it was written
                stack.enter_context(torch.compiler.set_stance("force_eager"))
                stack.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", "Using `torch.compile\\(module\\)` when there are global hooks")
            self._kept = stack.enter_context(untouched())
            stack.enter_context(self._costs)
            stack.enter_context(Unseen(self.function, self._detach, self.ledger.doubt))
            for handle in (
                register_module_forward_pre_hook(self._enter),
                register_module_forward_hook(self._leave, with_kwargs=True, always_call=True),
            ):
                stack.callback(handle.remove)
            with self:
                try:
                    yield
                finally:
                    self.root.multiply_adds = self._costs.count

    # ---- functions ---------------------------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function and note it."""
        kwargs = kwargs or {}
        if func is Tensor.backward:
            with self._looking():
                self._kept.keep_gradients()
        name = operation.last_name(func)
        return self.function(
            func, name, args, kwargs, lambda: operation.of_call(func, args, kwargs, self.ledger.name_of)
        )

    def function(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        text: Callable[[], str],
    ) -> Any:
        """Call `func` and note the call as a child of the module that is open. `text` describes it."""
        if self._busy:  # a function within a function
            return func(*args, **kwargs)
        with self._looking():
            taken = [self.ledger.take(tensor) for _, tensor in tensors((args, kwargs))]
            call = Call("", inputs=[item.key for item in taken])
        before, self._busy = self._costs.count, True
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            with self._looking():
                call.operation, call.failed, call.message = text(), True, f"{type(error).__name__}: {error}"
                call.mismatch = mismatch(name, args, kwargs, [item.value for item in taken])
                self._stack[-1].call.children.append(call)
            raise
        finally:
            self._busy = False
        with self._looking():
            made = [tensor for _, tensor in tensors(result)]
            written = [item for item in taken if item.written_by(name)]
            call.multiply_adds = self._costs.count - before
            if made or written or name == "backward":
                call.operation = text()
                for item in taken:
                    call.parameters |= self.ledger.weights.get(item.key, {})
                self._note(call, name, args, kwargs, taken, made, written)
                self._assign(of_result(reader_frame(sys._getframe(1)), name), result, call.outputs)
        return result

    def _note(
        self,
        call: Call,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        taken: Sequence[Taken],
        made: Sequence[Tensor],
        written: Sequence[Taken],
    ) -> None:
        """Add a call that returned, with its results: new values, or those that it wrote into."""
        sources = {item.storage: item for item in reversed(taken) if item.storage is not None}
        inputs = [item.value for item in taken]
        for tensor in made or [item.tensor for item in written[:1]]:
            target = next((item for item in written if item.tensor is tensor), None)
            source = target or sources.get(storage(tensor) or 0)
            axes = followed(name, args, kwargs, inputs, shape_of(tensor), self.ledger.names)
            if target is not None:
                same = target.value.shape == shape_of(tensor) and name.rstrip("_") not in SWAPPING
                axes, value = target.value.axes if same else axes, target.value
                self.ledger.write(target.key, call)
                key = self.ledger.add(tensor, axes, name=value.name, memory=value.memory, before=target.key)
            else:
                memory, base = (source.value.memory, source.key) if source is not None else (None, None)
                key = self.ledger.add(tensor, axes, memory=memory, base=base)
            call.memory = call.memory or relation(name, source is not None, target is not None)
            call.outputs.append(key)
        if name in JOINING and call.outputs:
            value = self.ledger.values[call.outputs[0]]
            axis = joint(name, args, kwargs, len(value.shape))
            call.joins = value.axes[axis] or f"axis {axis}"
        self._stack[-1].call.children.append(call)

    # ---- modules -----------------------------------------------------------------------------------------------------

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self._busy or threading.get_ident() != self._thread:  # hooks are global, modes are not
            return
        with self._looking():
            self._kept.keep(module)
            opened = _Open(module, self.root, "", self._costs.count, len(self.ledger.values))
            if module is self.candidate and len(self._stack) == 1:
                self.ledger.parts.learn(module)
            else:
                frame = reader_frame(sys._getframe(1), through_module=True)
                path = self.ledger.parts.path(module, frame)
                one = type(module).__module__.startswith("torch.nn.modules.")
                opened.call = Call(operation.of_module(path, module), path, one=one)
                opened.targets = of_result(frame, module)
                self._stack[-1].call.children.append(opened.call)
            opened.call.inputs = self.ledger.keys(args)
            opened.call.parameters = self.ledger.parts.numbers(module)
            self._stack.append(opened)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], *rest: Any) -> None:
        elsewhere = threading.get_ident() != self._thread
        if self._busy or elsewhere or not any(opened.module is module for opened in self._stack):
            return
        while self._stack[-1].module is not module:  # left by an exception that runs no hooks
            self._stack.pop().call.failed = True
        opened = self._stack.pop()
        if len(rest) == 1:  # torch calls hooks without the keyword arguments where forward raised
            opened.call.failed = True
            return
        with self._looking():
            self._close(opened, *rest)

    def _close(self, opened: _Open, kwargs: Mapping[str, Any], result: Any) -> None:
        """Note what a module returned."""
        call, values = opened.call, self.ledger.values
        call.multiply_adds = self._costs.count - opened.before
        if opened.module is not None:  # again: lazy parameters have their shapes now
            call.parameters = self.ledger.parts.numbers(opened.module)
        call.inputs += [key for key in self.ledger.keys(kwargs) if number(key) < opened.values or not call.children]
        for _, tensor in tensors(result):
            key = self.ledger.take(tensor).key
            if key in call.inputs and not call.children:  # passed on as it came: a value of its own, or the line ends
                key = self.ledger.add(tensor, values[key].axes, memory=values[key].memory, base=key)
            call.outputs.append(key)
        memories = {values[key].memory for key in call.inputs}
        if any(values[key].memory in memories for key in call.outputs):
            call.memory = "in place" if any(child.memory == "in place" for child in call.children) else "view"
        elif len(call.children) == 1:
            call.memory = call.children[0].memory
        if not set(call.outputs) & set(call.inputs):
            self._assign(opened.targets, result, call.outputs)

    # ---- the run as a whole ------------------------------------------------------------------------------------------

    def conclude(self, result: Any) -> list[str]:
        """The keys of what the candidate returned. Results without a name get the way to them."""
        with self._looking():
            found = {self.ledger.take(tensor).key: name for name, tensor in tensors(result, "result")}
        for key, name in found.items():
            if self.ledger.values[key].kind == "result" and not self.ledger.values[key].name:
                self.ledger.rename(key, name)
        return list(found)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Within, nothing is recorded: what the recorder does itself is no step."""
        before, self._busy = self._busy, True
        try:
            with torch._C.DisableTorchFunction():
                yield
        finally:
            self._busy = before

    def _assign(self, targets: Targets, result: Any, outputs: Sequence[str]) -> None:
        """Name results after the variables that they are assigned to."""
        for name, key in zip(names_of_parts(targets, result), outputs, strict=False):
            if name and self.ledger.values[key].kind == "result":
                self.ledger.rename(key, name)

    def _detach(self, func: Callable[..., Any], tensor: Tensor) -> Any:
        """Scripted code takes its tensors without their history; they are the same values."""
        if self._busy:
            return func(tensor)
        with self._looking():
            self.ledger.take(tensor)
            result = func(tensor)
            self.ledger.same(result, tensor)
        return result
