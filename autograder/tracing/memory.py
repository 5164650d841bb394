"""Memory: whether a result is a view of an input, a copy of it, or was written into it.

- `view`: the result shares the storage of an input; no number was moved;
- `in place`: the operation wrote into the storage of an input;
- `copy`: the same numbers in other memory, moved, repeated or put side by side (`reshape` where no view was possible,
  `contiguous`, `clone`, `to`, `cat`, an index that picks);
- "" otherwise: new numbers were computed.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Memory = Literal["", "view", "copy", "in place"]

# functions that only move numbers, by their last name
MOVING = {
    *("reshape", "reshape_as", "view_as", "flatten", "unflatten", "ravel", "contiguous", "clone", "detach_copy"),
    *("to", "type", "type_as", "float", "double", "half", "bfloat16", "int", "long", "bool", "cpu", "cuda"),
    *("repeat", "tile", "repeat_interleave", "broadcast_to", "expand_copy", "meshgrid", "cartesian_prod"),
    *("roll", "flip", "fliplr", "flipud", "rot90", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "unfold"),
    *("cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "block_diag"),
    *("__getitem__", "index_select", "gather", "take", "take_along_dim", "masked_select", "narrow_copy"),
}


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """A tensor's shape; of a nested tensor, whose parts differ, how many parts it has."""
    return (tensor.size(0),) if tensor.is_nested else tuple(map(int, tensor.shape))


def storage(tensor: Tensor) -> int | None:
    """The identity of a tensor's memory, on the meta device too; None for a tensor that has none of its own."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError, AttributeError):  # sparse, nested and batched tensors
        return None


def version(tensor: Tensor) -> int:
    """How often a tensor was written to; 0 always for inference tensors, which do not count."""
    try:
        return tensor._version
    except RuntimeError:
        return 0


def relation(function: str, shares: bool, written: bool) -> Memory:
    """How a result of `function` relates to its inputs, when it shares memory with one or was written into one."""
    if written:
        return "in place"
    if shares:
        return "view"
    return "copy" if function in MOVING else ""
