"""Dropout that drops the same places for everyone, so that what is computed in training can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from autograder.draw import Draw


class SteadyDropout(TorchFunctionMode):
    """Within it, which places dropout takes depends on the tensor's shape and on p alone.

    Other places than a right answer's, another p, or dropout at another place in the network still give other numbers.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Dropout by the fixed choice; anything else as it is."""
        if func in (F.dropout, torch.dropout, torch.dropout_):
            return _dropout(*args, **{"inplace": func is torch.dropout_, **(kwargs or {})})
        return func(*args, **(kwargs or {}))


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, train: bool = True) -> Tensor:
    """The parameters are those of F.dropout and, for `train`, of torch.dropout."""
    if not (training and train) or p == 0:
        return input
    keep = Draw(0, "dropout", str(tuple(input.shape))).uniform(*input.shape) >= p
    factor = keep.to(input) / (1 - p) if p < 1 else torch.zeros_like(input)
    return input.mul_(factor) if inplace else input * factor
