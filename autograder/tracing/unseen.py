"""What no torch function shows: operations of scripted code, and sizes that the values of a tensor decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Function = Callable[..., Any]  # as the Recorder's methods of these names


class Unseen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives every operation to `function`, a tensor's parting from its history to `detach`, and each size that values
    decided to `decided`."""

    def __init__(self, function: Function, detach: Function, decided: Callable[[int], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.function = function
        self.detach = detach
        self.decided = decided

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation."""
        kwargs = kwargs or {}
        name = str(getattr(func, "_overloadpacket", func)).removeprefix("aten.")
        if name == "detach":
            return self.detach(func, *args)
        result = self.function(func, name, args, kwargs, lambda: f"aten.{name}")
        if torch.Tag.dynamic_output_shape in getattr(func, "tags", ()):
            axis = _decided_axis(name, args)
            first = result[0] if isinstance(result, tuple) else result
            if axis is not None and isinstance(first, Tensor) and axis < first.dim():
                self.decided(first.shape[axis])
        return result


def _decided_axis(name: str, args: Sequence[Any]) -> int | None:
    """Which axis of a result has a size that depends on values; None where none has."""
    if name != "index":
        return 0
    indices = args[1]
    picking = [place for place, index in enumerate(indices) if index is not None]
    masks = [place for place in picking if indices[place].dtype in (torch.bool, torch.uint8)]
    if not masks:
        return None
    together = picking == list(range(picking[0], picking[-1] + 1))
    return picking[0] if together else 0
