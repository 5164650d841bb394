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
from torch.utils._python_dispatch import TorchDispatchMode

from autograder.tracing import operation
from autograder.tracing.calls import Call, Ledger
from autograder.tracing.costs import MultiplyAdds
from autograder.tracing.leaves import tensors
from autograder.tracing.memory import relation, storage, version
from autograder.tracing.names import AxisNames
from autograder.tracing.untouched import Untouched, untouched
from autograder.tracing.variables import Targets, Variables, of_tensor, reader_frame

JOINING = {"cat": 0, "concat": 0, "concatenate": 0, "stack": 0, "hstack": 1, "vstack": 0, "dstack": 2}
plain = torch._C.DisableTorchFunction  # looking at a tensor is no step


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
    storage: int | None
    version: int


class Recorder(TorchFunctionMode):
    """Records one run of a candidate into `root`, and its values into `ledger`."""

    def __init__(self, candidate: Callable[..., Any], names: AxisNames, title: str) -> None:
        super().__init__()
        self.candidate = candidate
        self.ledger = Ledger(names)
        self.root = Call(title, "" if isinstance(candidate, nn.Module) else None)
        self.notes: list[str] = []
        self._held: dict[int, int] = {}  # how many numbers each parameter holds, by identity
        self.costs = MultiplyAdds()
        self._stack = [_Open(None, self.root)]
        self._variables = Variables()
        self._paths: dict[int, str] = {}  # of modules, parameters and buffers, by identity
        self._counted: dict[int, dict[int, int]] = {}  # the same, for each module
        self._learnt: list[nn.Module] = []
        self._busy = False
        self._kept = Untouched()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within, everything is recorded."""
        with ExitStack() as stack:
            if "torch._dynamo" in sys.modules:  # compiled code runs as it was written
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            self._kept = stack.enter_context(untouched())
            stack.enter_context(self.costs)
            stack.callback(self._count)
            stack.enter_context(_Unseen(self))
            for handle in (
                register_module_forward_pre_hook(self._enter),
                register_module_forward_hook(self._leave, with_kwargs=True, always_call=True),
            ):
                stack.callback(handle.remove)
            stack.enter_context(self)
            yield

    def _count(self) -> None:
        self.root.multiply_adds = self.costs.count

    # ---- functions ---------------------------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function and note it."""
        kwargs = kwargs or {}
        if func is Tensor.backward:
            self._kept.keep_gradients()
        name = getattr(func, "__name__", "")
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
        with plain():
            taken = [self._take(tensor) for _, tensor in tensors((args, kwargs))]
        before, self._busy = self.costs.count, True
        call = Call("", inputs=[item.key for item in taken])
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            with plain():
                call.operation, call.failed, call.message = text(), True, f"{type(error).__name__}: {error}"
                self._stack[-1].call.children.append(call)
            raise
        finally:
            self._busy = False
        with plain():
            made = [tensor for _, tensor in tensors(result)]
            written = [item for item in taken if version(item.tensor) != item.version]
            if made or written:
                call.operation, call.multiply_adds = text(), self.costs.count - before
                for item in taken:
                    if self.ledger.values[item.key].kind == "parameter":
                        call.parameters[id(item.tensor)] = item.tensor.numel()
                        self._held |= call.parameters
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
        shared = {item.storage: item for item in taken if item.storage is not None}
        changed = [item for item in written if not made or any(item.tensor is tensor for tensor in made)]
        for tensor in made or [item.tensor for item in written[:1]]:
            source = shared.get(storage(tensor))
            before = self.ledger.values[source.key] if source is not None else None
            in_place = any(item.tensor is tensor for item in changed)
            key = self.ledger.add(
                tensor,
                name=before.name if before is not None and in_place else "",
                memory=before.memory if before is not None else None,
            )
            call.memory = call.memory or relation(name, before is not None, in_place)
            call.outputs.append(key)
        if name in JOINING and call.outputs:
            call.joins = self._joint(name, args, kwargs, call.outputs[0])
        self._stack[-1].call.children.append(call)

    def _joint(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], output: str) -> str:
        """The name of the axis that a call joins its inputs on, or `axis 1`."""
        value = self.ledger.values[output]
        default = min(JOINING[name], len(value.shape) - 1)
        axis = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else default))
        axis %= len(value.shape)
        return value.axes[axis] or f"axis {axis}"

    # ---- modules -----------------------------------------------------------------------------------------------------

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self._busy:
            return
        with self._looking():
            self._kept.keep(module)
            opened = _Open(module, self.root, "", self.costs.count, len(self.ledger.values))
            frame = reader_frame(sys._getframe(1), through_module=True)
            if module is self.candidate and len(self._stack) == 1:
                self._learn(module, "")
            else:
                path = self._path(module, frame)
                one = type(module).__module__.startswith("torch.nn.modules.")
                opened.call = Call(operation.of_module(path, module), path, one=one)
                opened.targets = self._variables.of_result(frame)
                self._stack[-1].call.children.append(opened.call)
            opened.call.inputs = self._keys(args)
            opened.call.parameters = self._numbers(module)
            self._stack.append(opened)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], *rest: Any) -> None:
        if self._busy or not any(opened.module is module for opened in self._stack):
            return
        while self._stack[-1].module is not module:  # left by an exception that ran no hook
            self._stack.pop().call.failed = True
        opened = self._stack.pop()
        call = opened.call
        if len(rest) == 1:  # torch calls hooks without the keyword arguments where forward raised
            call.failed = True
            return
        kwargs, result = rest
        with self._looking():
            call.multiply_adds = self.costs.count - opened.before
            call.inputs += [key for key in self._keys(kwargs) if int(key[1:]) < opened.values or not call.children]
            for _, tensor in tensors(result):
                key = self._take(tensor).key
                if key in call.inputs and not call.children:  # passed on as it came: another box, or a line would end
                    key = self.ledger.add(tensor, memory=self.ledger.values[key].memory)
                call.outputs.append(key)
            memories = {self.ledger.values[key].memory for key in call.inputs}
            if any(self.ledger.values[key].memory in memories for key in call.outputs):
                call.memory = "in place" if any(child.memory == "in place" for child in call.children) else "view"
            elif len(call.children) == 1:
                call.memory = call.children[0].memory
            own = [key for key in call.outputs if key not in call.inputs]
            if len(own) == len(call.outputs):
                self._assign(opened.targets, result, call.outputs)

    # ---- the run as a whole ------------------------------------------------------------------------------------------

    def add_inputs(self, arguments: Mapping[str, Any]) -> list[str]:
        """The candidate's inputs, by the names that they have in its signature."""
        with self._looking():
            return [
                self.ledger.key(tensor) or self.ledger.add(tensor, "input", name)
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
        if not found:
            self.notes.append(f"the candidate returned {_described(result)}, and no tensor")
        return list(found)

    def known(self, values: Iterable[Any]) -> list[str]:
        """The keys of those tensors among `values` that were seen."""
        with plain():
            found = [self.ledger.key(tensor) for value in values for _, tensor in tensors(value)]
        return list(dict.fromkeys(key for key in found if key is not None))

    @property
    def parameters(self) -> int:
        """How many numbers the parameters of the run hold, shared ones once."""
        return sum(self._held.values())

    def _path(self, module: nn.Module, frame: Any) -> str:
        """A module's dotted path; one that is no part of the candidate is named as the calling code names it."""
        if id(module) not in self._paths:
            spaces = [frame.f_locals, frame.f_globals] if frame is not None else []
            roots = [(name, value) for space in spaces for name, value in list(space.items())]
            for name, root in roots:
                if (
                    isinstance(root, nn.Module)
                    and root is not self.candidate
                    and any(m is module for m in root.modules())
                ):
                    self._learn(root, name)
                    break
            else:
                self._learn(module, "")
        return self._paths[id(module)]

    def _learn(self, root: nn.Module, name: str) -> None:
        """The paths of all that a module holds. What two names lead to keeps the first."""
        self._learnt.append(root)  # an identity is one's own as long as one lives
        prefix = f"{name}." if name else ""
        self._paths.setdefault(id(root), name)
        named = [root.named_modules(), root.named_parameters(), root.named_buffers()]
        for path, part in [pair for pairs in named for pair in pairs]:
            if path:
                self._paths.setdefault(id(part), prefix + path.replace("_orig_mod.", ""))

    # ---- values ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Within, nothing is recorded: what the recorder does itself is no step."""
        with plain():
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    def _numbers(self, module: nn.Module) -> dict[int, int]:
        """How many numbers each parameter of a module holds, by identity."""
        if id(module) not in self._counted:
            self._counted[id(module)] = {id(weight): weight.numel() for weight in module.parameters()}
            self._held |= self._counted[id(module)]
        return self._counted[id(module)]

    def _keys(self, value: Any) -> list[str]:
        return list(dict.fromkeys(self._take(tensor).key for _, tensor in tensors(value)))

    def _take(self, tensor: Tensor) -> _Taken:
        key = self.ledger.key(tensor)
        if key is None:
            path = self._paths.get(id(tensor), "")
            if isinstance(tensor, nn.Parameter):
                key = self.ledger.add(tensor, "parameter", path)
            elif path:
                key = self.ledger.add(tensor, "buffer", path)
            else:
                key = self.ledger.add(tensor, "outside", of_tensor(tensor, reader_frame(sys._getframe(1))))
        return _Taken(tensor, key, storage(tensor), version(tensor))

    def _name_of(self, tensor: Tensor) -> str:
        key = self.ledger.key(tensor)
        return self.ledger.values[key].name if key is not None else ""

    def _assign(self, targets: Targets, result: Any, outputs: Sequence[str]) -> None:
        """Name results after the variables that they are assigned to."""
        if not targets:
            return
        if isinstance(targets, str):
            named = [name for name, _ in tensors(result, targets)] or [targets]
        elif isinstance(result, tuple | list) and len(result) == len(targets):
            named = [name for part, target in zip(result, targets, strict=True) for name, _ in tensors(part, target)]
        else:
            return
        for name, key in zip(named, outputs, strict=False):
            if name and self.ledger.values[key].kind == "result":
                self.ledger.rename(key, name)


def _described(result: Any) -> str:
    return "None" if result is None else f"a value of type {type(result).__name__}"


class _Unseen(TorchDispatchMode):
    """Notes operations that run outside of any torch function, and sizes that values decide."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "_overloadpacket", func)).removeprefix("aten.")
        return self.recorder.function(func, name, args, kwargs, lambda: f"aten.{name}")
