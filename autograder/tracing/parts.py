"""The parts of the modules in a run, by identity: their dotted paths, and how many numbers their parameters hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType

from torch import Tensor, nn
from torch.nn.parameter import is_lazy


class Parts:
    """Knows the modules it was shown, and keeps them, for an identity is one's own only as long as one lives."""

    def __init__(self) -> None:
        self.held: dict[int, int] = {}  # how many numbers each parameter holds
        self._paths: dict[int, str] = {}
        self._numbers: dict[int, dict[int, int]] = {}
        self._kept: list[nn.Module | Tensor] = []

    def learn(self, root: nn.Module, name: str = "") -> None:
        """Take note of all that a module holds. A part that two names lead to keeps the first."""
        self._kept.append(root)
        prefix = f"{name}." if name else ""
        self._paths.setdefault(id(root), name)
        for named in (root.named_modules(), root.named_parameters(), root.named_buffers()):
            for path, part in named:
                if path:
                    self._paths.setdefault(id(part), prefix + path.replace("_orig_mod.", ""))  # of a compiled module

    def path(self, module: nn.Module, caller: FrameType | None) -> str:
        """A module's dotted path; one that is no part of a known module has the name that the calling code has for it,
        or for a module that holds it."""
        if id(module) not in self._paths:
            spaces: list[Mapping[str, object]] = [caller.f_locals, caller.f_globals] if caller is not None else []
            for space in spaces:
                for name, root in list(space.items()):
                    if isinstance(root, nn.Module) and any(part is module for part in root.modules()):
                        self.learn(root, "" if name == "self" else name)
                        return self._paths[id(module)]
            self.learn(module)
        return self._paths[id(module)]

    def path_of(self, tensor: Tensor) -> str:
        """The dotted path of a parameter or buffer; "" for a tensor that is part of no known module."""
        return self._paths.get(id(tensor), "")

    def numbers(self, module: nn.Module) -> dict[int, int]:
        """How many numbers each parameter of a module holds, by identity; a lazy one without a shape holds none yet."""
        if id(module) not in self._numbers:
            self._kept.append(module)
            weights = list(module.parameters())
            found = {id(weight): weight.numel() for weight in weights if not is_lazy(weight)}
            self.held |= found
            if len(found) < len({id(weight) for weight in weights}):
                return found
            self._numbers[id(module)] = found
        return self._numbers[id(module)]

    def number(self, parameter: Tensor) -> dict[int, int]:
        """The same for one parameter."""
        self._kept.append(parameter)
        found = {id(parameter): parameter.numel()}
        self.held |= found
        return found
