"""Candidates that raise, which is how shape errors are found, and wrong uses of `trace` itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from traced import AXES, operations

from autograder import trace
from autograder.tracing import Trace

WRONG = """\
Wrong   batch=2, tgt=5, src=7
step  operation         in → out                        parameters  multiply-adds
      input             x (batch, tgt)
   1  first.0: Linear   x (batch, tgt) → (batch, src)           42             70
   2  first.1: ReLU     #1 (batch, src) → (batch, src)
   3  second.0: ReLU    #2 (batch, src) → (batch, src)
 x 4  second.1: Linear  #3 (batch, src)                         14
                        second.1.weight (batch, 6)
                        second.1.bias (batch)
                        → raised
4 steps, 56 parameters, 70 multiply-adds, 168 bytes of results
Stopped at step 4, second.1: Linear
  RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x7 and 6x2)
  went in: #3 (batch=2, src=7), second.1.weight (batch=2, 6), second.1.bias (batch=2)
  A product sums over the last axis of the first, src=7, and the last of second.1.weight, 6: they have to be equal."""


def stopped(found: Trace) -> list[str]:
    """What the text says of where it stopped."""
    lines = str(found).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("Stopped"))
    return [line.strip() for line in lines[place:] if not line.startswith("Note")]


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(5, 7), nn.ReLU())
        self.second = nn.Sequential(nn.ReLU(), nn.Linear(6, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + 1  # type: ignore[no-any-return]


def test_a_module_that_raises_half_way_shows_the_trace_up_to_there() -> None:
    assert str(trace(Wrong(), torch.randn(2, 5), axes={"batch": 2, "tgt": 5, "src": 7})) == WRONG


@pytest.mark.parametrize("depth", [0, 1])
def test_the_failing_module_is_opened_at_any_depth(depth: int) -> None:
    found = trace(Wrong(), torch.randn(2, 5), depth=depth)
    assert operations(found) == ["first: Sequential", "second.0: ReLU", "second.1: Linear"]
    assert found.steps[-1].failed
    assert found.error == "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x7 and 6x2)"


def test_a_drawing_marks_the_failing_step() -> None:
    svg = trace(Wrong(), torch.randn(2, 5), axes={"batch": 2, "src": 7}).diagram().as_svg()
    assert ">second.1: Linear<" in svg
    assert "A product sums over" in svg


q, k, x = torch.randn(2, 3, 5, 11), torch.randn(2, 3, 7, 11), torch.randn(2, 5, 33)


@pytest.mark.parametrize(
    ("function", "inputs", "sentence"),
    [
        (
            lambda q, k: q @ k,
            (q, k),
            "A product sums over the last axis of q, d_head=11, and the last but one of k, src=7: "
            "they have to be equal.",
        ),
        (
            lambda q, k: q @ k[:, :2].mT,
            (q, k),
            "Axes are paired from the last: heads=3 meets heads=2. They have to be equal, or one of them 1.",
        ),
        (
            lambda x, weight: F.linear(x, weight),
            (x, torch.randn(4, 32)),
            "A product sums over the last axis of x, heads·d_head=33, and the last of weight, 32: "
            "they have to be equal.",
        ),
        (
            lambda q, mask: q.masked_fill(mask, 0.0),
            (q, torch.ones(2, 11, dtype=torch.bool)),
            "Axes are paired from the last: tgt=5 meets batch=2. They have to be equal, or one of them 1.",
        ),
        (
            lambda q, k: torch.cat([q, k], dim=1),
            (q, k),
            "What is joined has to be equal in all axes but axis 1; axis 2 is tgt=5 and src=7.",
        ),
        (
            lambda q, k: torch.stack([q, k]),
            (q, k),
            "What is joined has to be equal in all axes; axis 2 is tgt=5 and src=7.",
        ),
        (
            lambda x: x.view(2, 5, 3, 12),
            (x,),
            "x holds 330 numbers, and (2, 5, 3, 12) 360.",
        ),
        (
            lambda x: x.reshape(4, -1, 3),
            (x,),
            "x holds 330 numbers, which (4, -1, 3) cannot: 12 does not divide them.",
        ),
        (
            lambda images, weight: F.conv2d(images, weight),
            (torch.randn(2, 5, 9, 9), torch.randn(4, 6, 3, 3)),
            "The weight is for 6 channels; images has tgt=5 there.",
        ),
    ],
)
def test_a_shape_error_is_told_in_axis_names(function: Callable[..., Tensor], inputs: Any, sentence: str) -> None:
    assert stopped(trace(function, *inputs, axes=AXES))[-1] == sentence


def test_other_errors_are_told_in_torchs_words_alone() -> None:
    found = trace(lambda x: x.transpose(1, 4), q, axes=AXES)
    assert stopped(found) == [
        "Stopped at step 1, transpose(1, 4)",
        "IndexError: Dimension out of range (expected to be in range of [-4, 3], but got 4)",
        "went in: x (batch=2, heads=3, tgt=5, d_head=11)",
    ]


def test_what_raises_outside_of_torch_is_shown_as_its_line_with_the_tensors_it_names() -> None:
    def function(x: Tensor) -> Tensor:
        y = x + 1
        batch, seq, width = y.shape
        return y.view(batch, width, seq)

    assert stopped(trace(function, torch.randn(2, 5), axes=AXES)) == [
        "Stopped at step 2, batch, seq, width = y.shape",
        "ValueError: not enough values to unpack (expected 3, got 2)",
        "went in: y (batch=2, tgt=5)",
    ]


def test_inputs_that_do_not_fit_the_signature_are_the_candidates_error() -> None:
    assert stopped(trace(Wrong(), axes=AXES)) == [
        "Stopped at step 1, the call",
        "TypeError: Wrong.forward() missing 1 required positional argument: 'x'",
    ]


def test_errors_that_are_caught_leave_no_step() -> None:
    def function(x: Tensor) -> Tensor:
        try:
            return Wrong()(x) @ x  # type: ignore[no-any-return]
        except RuntimeError:
            return x * 2

    found = trace(function, torch.randn(2, 5))
    assert operations(found)[-1] == "* 2"
    assert not any(step.failed for step in found.steps)
    assert found.error == ""


# ---- what depends on values ------------------------------------------------------------------------------------------


def test_data_dependent_shapes_are_traced_on_real_tensors() -> None:
    found = trace(lambda x: x[x > 0], torch.tensor([[1.0, -2, 3]]))
    assert found.shape(found.outputs[0]) == "(2)"


@pytest.mark.parametrize("function", [lambda x: x[x > 0], lambda x: x if x.sum() > 0 else -x, lambda x: x.nonzero()])
def test_data_dependence_on_the_meta_device_is_explained(function: Callable[[Tensor], Tensor]) -> None:
    found = trace(function, torch.randn(2, 5, device="meta"))
    assert found.steps[-1].failed
    assert found.notes == (
        "tensors on the meta device have shapes and no values: what depends on values needs real ones",
    )


# ---- wrong uses of trace itself --------------------------------------------------------------------------------------


misused: Any = trace


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda: misused(torch.ones(2)),
            TypeError,
            "trace takes a function and its inputs apart: trace(f, x), not trace(f(x)).",
        ),
        (
            lambda: misused(Wrong, x),
            TypeError,
            "Wrong is a class; trace takes a module made of it: trace(Wrong(...), x).",
        ),
        (
            lambda: misused("f", x),
            TypeError,
            "trace takes a function or a module, then its inputs; 'f' cannot be called.",
        ),
        (
            lambda: misused(abs, x, axes=["batch"]),
            TypeError,
            'axes is a mapping of names to sizes, as {"batch": 2, "src": 7}; this is a list.',
        ),
        (lambda: misused(abs, x, axes={1: 2}), TypeError, "the names in axes are text; 1 is not."),
        (lambda: misused(abs, x, axes={"a": 2.0}), TypeError, "the sizes in axes are whole numbers; a has 2.0."),
        (lambda: misused(abs, x, axes={"a": 0}), ValueError, "the sizes in axes are at least 1; a has 0."),
        (
            lambda: misused(abs, x, axes={"a·b": 6}),
            ValueError,
            "the names in axes are of single axes; 'a·b' is a product, which is found by itself.",
        ),
        (lambda: misused(abs, x, depth="1"), TypeError, "depth is None or a whole number; this is '1'."),
        (
            lambda: misused(abs, x, depth=-1),
            ValueError,
            "depth counts from 0, the candidate as one step; -1 is less. None opens everything.",
        ),
    ],
)
def test_a_wrong_use_of_trace_is_told(wrong: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        wrong()
    assert str(raised.value) == message
