"""What 01_shapes must hold beyond the rules for every lesson: its references give torch's own answers, and no other
order of axes passes for the right one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from conftest import LESSONS, report_on
from torch import Tensor

from autograder import text
from autograder.authoring import Exercise

LESSON = LESSONS["01_shapes"]
SHAPES = [(2, 3, 4, 5), (1, 1, 1, 1), (7, 2, 9, 1), (4, 4, 4, 4), (3, 1, 2, 8)]
CUTS = [(2, 3, 4, 5, 2), (1, 2, 1, 3, 4), (3, 1, 2, 2, 1), (2, 4, 3, 1, 5)]  # batch, channel, rows, cols, patch


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def reference(name: str) -> Callable[..., Tensor]:
    return LESSON.reference(exercise(name))


@pytest.mark.parametrize("shape", [(), (5,), (1, 1), *SHAPES])
def test_strides_are_torchs_own(shape: tuple[int, ...]) -> None:
    assert reference("strides_of")(shape) == torch.empty(shape).stride()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if min(shape) > 1] + [(2, 3, 2, 7)])
def test_shapes_and_views_are_those_of_a_real_tensor(shape: tuple[int, ...]) -> None:
    images = torch.empty(shape)
    last = images.permute(0, 2, 3, 1)
    tensors = {
        "flat": images.flatten(1),
        "channels_last": last,
        "packed": last.contiguous(),
        "pixels": last.flatten(1, 2),
        "columns": images.transpose(2, 3).flatten(2),
        "even_rows": images[:, :, ::2],
    }
    memory = {True: "view", False: "copy"}
    assert reference("shapes_after_reshaping")(*shape) == {
        name: (tuple(tensor.shape), tensor.stride(), memory[tensor.data_ptr() == images.data_ptr()])
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize(("batch", "channel", "rows", "cols", "patch"), CUTS)
def test_patches_are_the_columns_of_unfold_and_fold_undoes_them(
    batch: int, channel: int, rows: int, cols: int, patch: int
) -> None:
    images = torch.randn(batch, channel, rows * patch, cols * patch)
    columns = F.unfold(images, patch, stride=patch)
    patches = reference("patchify")(images, patch)
    assert torch.equal(patches, columns.transpose(1, 2))
    assert torch.equal(reference("unpatchify")(patches, channel, rows, cols, patch), images)
    assert torch.equal(F.fold(columns, (rows * patch, cols * patch), patch, stride=patch), images)


@pytest.mark.parametrize(
    ("time", "size", "step"), [(10, 4, 2), (10, 4, 3), (7, 7, 5), (9, 1, 4), (20, 2, 7), (6, 3, 3)]
)
def test_windows_are_those_of_unfold(time: int, size: int, step: int) -> None:
    for x in (torch.randn(3, time), torch.randn(time, 3).T, torch.randn(3, 2 * time)[:, ::2]):
        windows, expected = reference("sliding_windows")(x, size, step), x.unfold(1, size, step)
        assert torch.equal(windows, expected)
        assert windows.stride() == expected.stride()


def test_patches_have_one_right_order_of_axes() -> None:
    def cut(order: tuple[int, ...]) -> Callable[[Tensor, int], Tensor]:
        def patchify(images: Tensor, patch: int) -> Tensor:
            batch, channel, height, width = images.shape
            cells = images.reshape(batch, channel, height // patch, patch, width // patch, patch)
            return cells.permute(0, *order).reshape(batch, -1, channel * patch * patch)

        return patchify

    assert right_orders("patchify", cut) == [(2, 4, 1, 3, 5)]


def test_images_have_one_right_order_of_axes() -> None:
    def put(order: tuple[int, ...]) -> Callable[[Tensor, int, int, int, int], Tensor]:
        def unpatchify(patches: Tensor, channel: int, rows: int, cols: int, patch: int) -> Tensor:
            cells = patches.reshape(len(patches), rows, cols, channel, patch, patch)
            return cells.permute(0, *order).reshape(len(patches), channel, rows * patch, cols * patch)

        return unpatchify

    assert right_orders("unpatchify", put) == [(3, 1, 4, 2, 5)]


def right_orders(name: str, candidate: Callable[[tuple[int, ...]], object]) -> list[tuple[int, ...]]:
    """The orders of the five axes behind the batch with which a candidate passes."""
    orders = permutations(range(1, 6))
    return [order for order in orders if report_on(LESSON, exercise(name), candidate(order)).status == "passed"]


def test_a_copy_where_a_view_is_asked_for_is_told_as_such() -> None:
    report = report_on(LESSON, exercise("sliding_windows"), lambda x, size, step: x.unfold(1, size, step).contiguous())
    assert "The result is right, but it is a copy; a view of the input was asked for." in text.render(report)


def test_a_view_where_the_numbers_must_move_is_told_as_such() -> None:
    report = report_on(LESSON, exercise("to_channels_last"), lambda images: images.permute(0, 2, 3, 1).clone())
    rendered = text.render(report)
    assert "The result is right, but it is not contiguous." in rendered
    assert "exchanging axes moves nothing" in " ".join(rendered.split())
