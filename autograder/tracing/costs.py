"""Costs: multiply-adds, counted by torch's own FlopCounterMode, and parameters.

A multiply-add counts once; FlopCounterMode counts its two operations. Counted are matrix products (mm, addmm, bmm,
baddbmm and all that is made of them: linear, matmul, einsum), convolutions and scaled dot product attention. Beyond
FlopCounterMode's own list, the CPU's kernels for attention and for recurrent layers and products with a vector (mv,
addmv, dot) are counted here. Sums, softmax, norms and activations are not: next to the products they cost little.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

aten = torch.ops.aten


class MultiplyAdds(FlopCounterMode):
    """Counts while it is entered; `count` is what came together so far."""

    def __init__(self) -> None:
        super().__init__(display=False, custom_mapping=BEYOND)

    @property
    def count(self) -> int:
        """Multiply-adds so far."""
        return int(self.get_total_flops()) // 2


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _matrix_vector(matrix: Any, *_: Any, **__: Any) -> int:
    return int(2 * matrix[0] * matrix[1])


def _added_matrix_vector(_: Any, matrix: Any, *__: Any, **___: Any) -> int:
    return _matrix_vector(matrix)


def _vectors(first: Any, *_: Any, **__: Any) -> int:
    return int(2 * first[0])


def _recurrent(x: Any, input_weight: Any, hidden_weight: Any, *_: Any, **__: Any) -> int:
    return int(2 * prod(x[:-1]) * (prod(input_weight) + prod(hidden_weight)))


BEYOND = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten.mkldnn_rnn_layer: _recurrent,
    aten.mv: _matrix_vector,
    aten.addmv: _added_matrix_vector,
    aten.dot: _vectors,
    aten.vdot: _vectors,
}


def numbers(parameters: Iterable[Tensor]) -> int:
    """How many numbers parameters hold, shared ones once."""
    return sum(parameter.numel() for parameter in {id(parameter): parameter for parameter in parameters}.values())
