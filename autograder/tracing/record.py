"""Recording: a candidate runs once, and every call of a module and of a torch function becomes a node of a tree.

Modules are seen by torch's global hooks, functions by `TorchFunctionMode`, and what neither sees (scripted code, an
operation called by its aten name) by a `TorchDispatchMode`. All are gone when the run is over, however it ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from autograder.tracing import operation
from autograder.tracing.calls import Call, Value
from autograder.tracing.costs import MultiplyAdds
from autograder.tracing.follow import JOINING, followed, joint
from autograder.tracing.leaves import tensors
from autograder.tracing.ledger import Ledger
from autograder.tracing.memory import relation, storage, version
from autograder.tracing.names import AxisNames
from autograder.tracing.parts import Parts
from autograder.tracing.unseen import Unseen
from autograder.tracing.untouched import Untouched, untouched
from autograder.tracing.variables import Targets, Variables, names_of_parts, of_tensor, reader_frame


@dataclass
class _Open:
    """A module's call that has not returned yet."""

    module: nn.Module | None
    call: Call
    targets: Targets = ""
    before: int = 0  # multiply-adds
    values: int = 0  # how many there were


@dataclass
class _Taken:
    """A tensor that a call took."""

    tensor: Tensor
    key: str
    value: Value
    storage: int | None
    version: int


class Recorder(TorchFunctionMode):
    """Records one run of a candidate into `root`, and its values into `ledger`."""

    def __init__(self, candidate: Callable[..., Any], names: AxisNames, title: str) -> None:
        super().__init__()
        self.candidate = candidate
        self.names = names
        self.root = Call(title, "" if isinstance(candidate, nn.Module) else None)
        self.ledger = Ledger()
        self.parts = Parts()
        self.decided: list[str] = []  # what was told of sizes that values decided
        self._costs = MultiplyAdds()
        self._stack = [_Open(None, self.root)]
        self._variables = Variables()
        self._kept = Untouched()
        self._busy = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within, everything is recorded."""
        with ExitStack() as stack:
            if "torch._dynamo" in sys.modules:  # compiled code runs as it was written
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            self._kept = stack.enter_context(untouched())
            stack.enter_context(self._costs)
            stack.enter_context(Unseen(self.function, self._doubt))
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
            self._kept.keep_gradients()
        name = operation.last_name(func)
        return self.function(func, name, args, kwargs, lambda: operation.of_call(func, args, kwargs, self._name_of))

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
            taken = [self._take(tensor) for _, tensor in tensors((args, kwargs))]
            call = Call("", inputs=[item.key for item in taken])
        before, self._busy = self._costs.count, True
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            with self._looking():
                call.operation, call.failed, call.message = text(), True, f"{type(error).__name__}: {error}"
                self._stack[-1].call.children.append(call)
            raise
        finally:
            self._busy = False
        with self._looking():
            made = [tensor for _, tensor in tensors(result)]
            written = [item for item in taken if _written(item, name)]
            if made or written:
                call.operation, call.multiply_adds = text(), self._costs.count - before
                for item in taken:
                    if item.value.kind == "parameter":
                        call.parameters |= self.parts.number(item.tensor)
                self._note(call, name, args, kwargs, taken, made, written)
                self._assign(self._variables.of_result(reader_frame(sys._getframe(1))), result, call.outputs)
        return result

    def _note(
        self,
        call: Call,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        taken: Sequence[_Taken],
        made: Sequence[Tensor],
        written: Sequence[_Taken],
    ) -> None:
        """Add a call that returned, with its results: new values, or those that it wrote into."""
        sources = {item.storage: item for item in reversed(taken) if item.storage is not None}
        inputs = [item.value for item in taken]
        for tensor in made or [item.tensor for item in written[:1]]:
            target = next((item for item in written if item.tensor is tensor), None)
            source = target or sources.get(storage(tensor) or 0)
            if target is not None:
                self.ledger.rewrite(target.key, call)
                key = self.ledger.add(
                    tensor,
                    target.value.axes,
                    name=target.value.name,
                    memory=target.value.memory,
                    base=self.ledger.base(target.key),
                )
            else:
                axes = followed(name, args, kwargs, inputs, tuple(map(int, tensor.shape)), self.names)
                memory, base = (source.value.memory, source.key) if source is not None else (None, None)
                key = self.ledger.add(tensor, axes, memory=memory, base=base)
            call.memory = call.memory or relation(name, source is not None, target is not None)
            call.outputs.append(key)
        if name in JOINING and call.outputs:
            call.joins = joint(name, args, kwargs, self.ledger.values[call.outputs[0]])
        self._stack[-1].call.children.append(call)

    # ---- modules -----------------------------------------------------------------------------------------------------

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self._busy:
            return
        with self._looking():
            self._kept.keep(module)
            opened = _Open(module, self.root, "", self._costs.count, len(self.ledger.values))
            if module is self.candidate and len(self._stack) == 1:
                self.parts.learn(module)
            else:
                frame = reader_frame(sys._getframe(1), through_module=True)
                path = self.parts.path(module, frame)
                one = type(module).__module__.startswith("torch.nn.modules.")
                opened.call = Call(operation.of_module(path, module), path, one=one)
                opened.targets = self._variables.of_result(frame)
                self._stack[-1].call.children.append(opened.call)
            opened.call.inputs = self._keys(args)
            opened.call.parameters = self.parts.numbers(module)
            self._stack.append(opened)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], *rest: Any) -> None:
        if self._busy or not any(opened.module is module for opened in self._stack):
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
        call.inputs += [key for key in self._keys(kwargs) if int(key[1:]) < opened.values or not call.children]
        for _, tensor in tensors(result):
            key = self._take(tensor).key
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

    def add_inputs(self, arguments: Mapping[str, Any]) -> list[str]:
        """The candidate's inputs, by the names that they have in its signature."""
        with self._looking():
            return [
                self.ledger.key(tensor) or self.ledger.add(tensor, self.names.of(tensor.shape), "input", name)
                for argument, value in arguments.items()
                for name, tensor in tensors(value, argument)
            ]

    def conclude(self, result: Any) -> list[str]:
        """The keys of what the candidate returned. Results without a name get the way to them."""
        with self._looking():
            found = {self._take(tensor).key: name for name, tensor in tensors(result, "result")}
        for key, name in found.items():
            if self.ledger.values[key].kind == "result" and not self.ledger.values[key].name:
                self.ledger.rename(key, name)
        return list(found)

    def known(self, values: Iterable[Any]) -> list[str]:
        """The keys of those tensors among `values` that were seen."""
        with self._looking():
            found = [self.ledger.key(tensor) for value in values for _, tensor in tensors(value)]
        return list(dict.fromkeys(key for key in found if key is not None))

    # ---- values ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Within, nothing is recorded: what the recorder does itself is no step."""
        before, self._busy = self._busy, True
        try:
            with torch._C.DisableTorchFunction():
                yield
        finally:
            self._busy = before

    def _keys(self, value: Any) -> list[str]:
        return list(dict.fromkeys(self._take(tensor).key for _, tensor in tensors(value)))

    def _take(self, tensor: Tensor) -> _Taken:
        key = self.ledger.key(tensor)
        if key is None:
            axes, path = self.names.of(tensor.shape), self.parts.path_of(tensor)
            if isinstance(tensor, nn.Parameter):
                key = self.ledger.add(tensor, axes, "parameter", path)
            elif path:
                key = self.ledger.add(tensor, axes, "buffer", path)
            else:
                key = self.ledger.add(tensor, axes, "outside", of_tensor(tensor, reader_frame(sys._getframe(1))))
        return _Taken(tensor, key, self.ledger.values[key], storage(tensor), version(tensor))

    def _name_of(self, tensor: Tensor) -> str:
        key = self.ledger.key(tensor)
        return self.ledger.values[key].name if key is not None else ""

    def _assign(self, targets: Targets, result: Any, outputs: Sequence[str]) -> None:
        """Name results after the variables that they are assigned to."""
        for name, key in zip(names_of_parts(targets, result), outputs, strict=False):
            if name and self.ledger.values[key].kind == "result":
                self.ledger.rename(key, name)

    def _doubt(self, size: int) -> None:
        name = self.names.name(size)
        if name:
            self.names.doubt(size)
            self.decided.append(f"values decided that an axis has size {size}, which {name} has too: shown as a number")


def _written(item: _Taken, name: str) -> bool:
    """Whether a call wrote into a tensor that it took. Inference tensors keep no count, so that the name must tell."""
    in_place = name.endswith("_") and not name.endswith("__")
    return version(item.tensor) != item.version or (in_place and item.tensor.is_inference())
