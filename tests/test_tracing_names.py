"""Axis names: by size and by product, followed where that is certain, and numbers where it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from traced import AXES, IMAGE, shapes, split_heads

from autograder import trace


def test_axes_are_named_by_size_and_by_products_and_a_broadcast_one_is_one() -> None:
    def merge(x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask[:, None, :, None]).transpose(1, 2).flatten(2)

    found = trace(merge, torch.randn(2, 3, 5, 11), torch.randn(2, 5), axes=AXES)
    assert shapes(found)[0] == "(batch, 1, tgt, 1)"
    assert shapes(found)[-1] == "(batch, tgt, heads·d_head)"


@pytest.mark.parametrize(
    ("axes", "shape", "note"),
    [
        ({"tgt": 5, "src": 5}, "(2, 5)", "tgt and src both have size 5: an axis of 5 is shown as its number"),
        ({"a": 5, "b": 5, "c": 5}, "(2, 5)", "a and b and c all have size 5: an axis of 5 is shown as its number"),
        ({"n": 1}, "(2, 5)", "n has size 1: it is shown as 1"),
    ],
)
def test_names_that_cannot_be_told_apart_are_numbers_and_a_note_says_so(
    axes: dict[str, int], shape: str, note: str
) -> None:
    found = trace(torch.Tensor.exp, torch.randn(2, 5), axes=axes)
    assert shapes(found) == [shape]
    assert note in found.notes


def test_a_size_that_can_be_made_in_two_ways_is_a_number() -> None:
    found = trace(lambda: torch.ones(2, 6), axes={"batch": 2, "heads": 3, "seq": 6})
    assert shapes(found) == ["(batch, 6)"]
    assert found.notes == ("batch·heads and seq are both 6: an axis of 6 is shown as its number",)


def test_without_axes_there_are_numbers() -> None:
    assert shapes(trace(split_heads, torch.randn(2, 5, 33), 3)) == ["(2, 5, 3, 11)", "(2, 3, 5, 11)"]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: F.conv2d(x, torch.randn(16, 6, 3, 3)), "(batch, channel=16, height=6, width=12)"),
        (lambda x: F.max_pool2d(x, 2).relu(), "(batch, channel, height=4, width=7)"),
        (lambda x: torch.cat([x, x, x], dim=1), "(batch, channel=18, height, width)"),
        (lambda x: F.max_pool2d(x, 2).flatten(1), "(batch, channel·height·width=168)"),
        (lambda x: F.interpolate(x, scale_factor=2), "(batch, channel, height=16, width=28)"),
        (lambda x: F.max_pool2d(x, 2).permute(0, 2, 3, 1), "(batch, height=4, width=7, channel)"),
        (lambda x: F.max_pool2d(x, 2).mean((2, 3), keepdim=True), "(batch, channel, 1, 1)"),
        (lambda x: F.adaptive_avg_pool2d(x, 4)[:, :, 0], "(batch, channel, width=4)"),
        (lambda x: x[:, :3, None, :5], "(batch, channel=3, 1, height=5, width)"),
        (lambda x: torch.stack([x, x]), "(2, batch, channel, height, width)"),
        (lambda x: x[..., :8], "(batch, channel, height, width=8)"),
    ],
)
def test_an_axis_keeps_its_name_where_an_operation_keeps_the_axis(
    function: Callable[[Tensor], Tensor], shape: str
) -> None:
    assert shapes(trace(function, torch.randn(2, 6, 8, 14), axes=IMAGE))[-1] == shape


def test_a_part_of_an_axis_with_a_named_size_has_that_name() -> None:
    assert shapes(trace(lambda x: x.chunk(3, dim=-1), torch.randn(2, 99), axes={"all": 99, "d_model": 33})) == [
        "(2, d_model)"
    ]


def test_a_size_that_values_decided_has_no_name() -> None:
    x = torch.tensor([[1.0, -1, 2, -2, 3], [-1, -1, -1, -1, -1]])
    found = trace(lambda x: x[x > 0] * 2, x, axes={"batch": 2, "heads": 3, "feature": 5})
    assert shapes(found)[1:] == ["(3)", "(3)"]
    assert found.notes == ("values decided that an axis has size 3, which heads has too: shown as a number",)
