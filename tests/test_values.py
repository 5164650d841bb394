"""Values as data: whatever a candidate returns, it is recorded; what is recorded crosses as bytes unchanged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.values import LARGEST_TENSOR, Foreign, Outline, clone, identical, pack, record, unpack

DTYPES = [
    torch.bool,
    torch.uint8,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
]
tensors = st.builds(
    lambda shape, dtype, seed: torch.randint(0, 5, shape, generator=torch.Generator().manual_seed(seed)).to(dtype),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from(DTYPES),
    st.integers(0, 99),
)
leaves = st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text(max_size=20) | tensors
values = st.recursive(
    leaves | st.sampled_from(DTYPES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_recorded_values_cross_as_bytes_unchanged(value: Any) -> None:
    recorded = record(value)
    assert identical(unpack(pack(recorded)), recorded)


def test_equal_tensors_are_kept_once_and_come_back_each_in_its_place() -> None:
    ones = torch.ones(1000)
    value = {"a": ones, "b": [ones.clone(), ones.view(10, 100)], "c": ones.double(), "d": -ones}
    assert identical(unpack(pack(value)), value)
    assert len(pack({"a": ones, "b": [ones.clone()] * 9})) < 2 * len(pack({"a": ones}))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no packed data"):
        unpack(data)


@pytest.mark.parametrize(
    ("view", "strides"),
    [(torch.arange(12.0).view(3, 4).T, (1, 4)), (torch.ones(2, 1).expand(2, 5), (1, 0)), (torch.arange(9)[::2], (2,))],
)
def test_an_inputs_strides_survive_for_views_are_given_on_purpose(view: torch.Tensor, strides: tuple[int, ...]) -> None:
    again = unpack(pack({"x": view}))["x"]
    assert again.stride() == strides
    assert identical(record(again), record(view))
    assert clone(view).stride() == strides
    assert identical(record(clone(view)), record(view))


def test_a_clone_is_written_into_without_the_original() -> None:
    original: dict[str, Any] = {"x": torch.zeros(2), "items": [torch.zeros(1)]}
    copy = clone(original)
    copy["x"][0] = copy["items"][0][0] = 1
    assert original["x"].sum() == 0
    assert original["items"][0].sum() == 0


class Odd:
    """Something that is no data."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.ones((2, 3)), Foreign("numpy.ndarray", "a NumPy array of shape (2, 3)")),
        (np.int64(3), 3),
        (torch.Size([2, 3]), (2, 3)),
        (torch.ones(2).to_sparse(), Foreign("Tensor", "a sparse_coo tensor of shape (2,)")),
        (torch.ones(2, dtype=torch.complex64), Foreign("Tensor", "a complex tensor of shape (2,)")),
        (torch.ones(2, device="meta"), Foreign("Tensor", "a meta tensor of shape (2,)")),
        (2**2000, Foreign("int", "an integer of over 300 digits")),
        ({1: 2}, Foreign("dict", "an object of type dict")),
        (Odd, Foreign("type", "an object of type type")),
    ],
)
def test_what_is_no_data_is_described(value: Any, expected: Any) -> None:
    assert record(value) == expected


def test_a_large_tensor_is_kept_as_its_outline_and_takes_no_memory() -> None:
    expanded = torch.zeros(1).expand(2**31)
    assert record(expanded) == Outline(torch.float32, (2**31,))
    assert record(torch.zeros(LARGEST_TENSOR // 4 + 1)) == Outline(torch.float32, (LARGEST_TENSOR // 4 + 1,))


def test_endless_and_enormous_collections_are_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "more values than" in str(record(endless))
    assert record(list(range(10**6))) == Foreign("list", "a list of 1,000,000 values")


def test_identical_tells_the_last_bit_and_knows_nan() -> None:
    assert identical(torch.tensor([math.nan, 1.0]), torch.tensor([math.nan, 1.0]))
    assert not identical(torch.tensor([1.0]), torch.tensor([1.0 + 2**-23]))
    assert not identical(torch.tensor([1]), torch.tensor([1.0]))
    assert not identical((1, 2), [1, 2])
    assert not identical(True, 1)
