"""What 10_convolution must hold beyond the rules for every lesson: its references give torch's own answers, a kernel's
axes have one right order, and nothing of torch's that does the work passes for one's own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import LESSONS, report_on
from torch import Tensor, nn

from autograder import text
from autograder.authoring import Exercise

LESSON = LESSONS["10_convolution"]
# batch, c_in, height, width, c_out, kh, kw, stride, padding
CONVOLUTIONS = [
    (2, 3, 7, 9, 5, 3, 2, 1, 0),
    (1, 1, 1, 1, 1, 1, 1, 1, 0),
    (3, 2, 8, 11, 4, 2, 5, 2, 1),
    (2, 4, 5, 6, 3, 3, 3, 3, 2),
    (1, 2, 2, 3, 3, 4, 4, 2, 3),
    (2, 3, 9, 7, 6, 1, 1, 2, 0),
]


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def reference(name: str) -> Callable[..., Any]:
    return LESSON.reference(exercise(name))


@pytest.mark.parametrize(("batch", "c_in", "height", "width", "c_out", "kh", "kw"), [c[:7] for c in CONVOLUTIONS[:3]])
def test_shapes_are_those_of_a_real_convolution(
    batch: int, c_in: int, height: int, width: int, c_out: int, kh: int, kw: int
) -> None:
    images, layer = torch.empty(batch, c_in, height, width), nn.Conv2d(c_in, c_out, (kh, kw))
    columns, matrix = F.unfold(images, (kh, kw)), layer.weight.flatten(1)
    tensors = {
        "weight": layer.weight,
        "bias": layer.bias,
        "columns": columns,
        "matrix": matrix,
        "products": matrix @ columns,
        "result": layer(images),
        "average": layer(images).mean(dim=(2, 3)),
        "padded": F.pad(images, (2, 2, 1, 1)),
    }
    expected = {name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor is not None}
    assert reference("shapes_in_convolution")(batch, c_in, height, width, c_out, kh, kw) == expected


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_output_sizes_are_torchs_own(dilation: int) -> None:
    found = reference("conv_output_size")
    for size, kernel, stride, padding in product(range(1, 10), range(1, 5), range(1, 5), range(4)):
        if dilation * (kernel - 1) + 1 <= size + 2 * padding:
            line, weight = torch.empty(1, 1, size, device="meta"), torch.empty(1, 1, kernel, device="meta")
            truth = F.conv1d(line, weight, None, stride, padding, dilation)
            assert found(size, kernel, stride, padding, dilation) == truth.shape[2]


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(("batch", "c_in", "height", "width", "c_out", "kh", "kw", "stride", "padding"), CONVOLUTIONS)
def test_the_convolution_is_torchs_own(
    batch: int, c_in: int, height: int, width: int, c_out: int, kh: int, kw: int, stride: int, padding: int,
    with_bias: bool,
) -> None:  # fmt: skip
    given = [torch.randn(batch, c_in, height, width), torch.randn(c_out, c_in, kh, kw), torch.randn(c_out)]
    inputs = [tensor.double().requires_grad_() for tensor in given]
    bias = inputs[2] if with_bias else None
    result = reference("conv2d")(inputs[0], inputs[1], bias, stride, padding)
    expected = F.conv2d(inputs[0], inputs[1], bias, stride, padding)
    torch.testing.assert_close(result, expected)
    used = inputs if with_bias else inputs[:2]
    for mine, theirs in zip(gradients(result, used), gradients(expected, used), strict=True):
        torch.testing.assert_close(mine, theirs)


def gradients(result: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(result.sin().sum(), inputs)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 2), (3, 2), (2, 3), (3, 1), (5, 4)])
def test_poolings_are_torchs_own(kernel: int, stride: int) -> None:
    images = torch.randn(2, 3, 9, 13)
    assert torch.equal(reference("max_pool2d")(images, kernel, stride), F.max_pool2d(images, kernel, stride))
    expected = F.adaptive_avg_pool2d(images, 1).flatten(1)
    torch.testing.assert_close(reference("global_average_pool")(images), expected)


@pytest.mark.parametrize(
    "layers", [[], [(3, 1)] * 3, [(7, 2), (3, 2), (3, 1), (3, 2)], [(2, 4), (3, 1)], [(1, 3), (4, 2)]]
)
def test_the_receptive_field_is_where_the_gradient_is(layers: list[tuple[int, int]]) -> None:
    line = torch.ones(1, 1, 400, requires_grad=True)
    result = line
    for kernel, stride in layers:
        result = F.conv1d(result, torch.ones(1, 1, kernel), stride=stride)
    (gradient,) = torch.autograd.grad(result[0, 0, result.shape[2] // 2], line)
    seen = gradient[0, 0].nonzero()[:, 0]
    assert reference("receptive_field")(layers) == int(seen.max() - seen.min()) + 1


def test_the_network_is_that_of_torchs_own_layers() -> None:
    network = reference("SmallConvNet")(3, 4, 6, 5)
    first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
    layers = [first, nn.ReLU(), nn.MaxPool2d(3, 2), second, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    theirs = nn.Sequential(*layers, nn.Linear(6, 5))
    theirs.load_state_dict(
        dict(zip(theirs.state_dict(), [network.weight1, network.bias1, network.weight2, *network.head.parameters()],
                 strict=True))
    )  # fmt: skip
    for height, width in ((9, 14), (3, 3), (16, 5)):
        images = torch.randn(2, 3, height, width)
        torch.testing.assert_close(network(images), theirs(images))


def test_a_kernels_axes_have_one_right_order() -> None:
    def flattened(order: tuple[int, ...]) -> Callable[..., Tensor]:
        def conv2d(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
            kh, kw = weight.shape[2:]
            columns = F.unfold(images, (kh, kw), stride=stride, padding=padding)
            products = weight.permute(0, *order).flatten(1) @ columns
            out_height = (images.shape[2] + 2 * padding - kh) // stride + 1
            result: Tensor = products.unflatten(2, (out_height, -1))  # type: ignore[no-untyped-call]
            return result if bias is None else result + bias[:, None, None]

        return conv2d

    orders = permutations((1, 2, 3))
    right = [order for order in orders if report_on(LESSON, exercise("conv2d"), flattened(order)).status == "passed"]
    assert right == [(1, 2, 3)]


def by_function(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(images, weight, bias, stride, padding)


def by_operator(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    result: Tensor = torch.ops.aten.conv2d(images, weight, bias, [stride] * 2, [padding] * 2)
    return result


def by_one_dimension_more(
    images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0
) -> Tensor:
    strides, paddings = (1, stride, stride), (0, padding, padding)
    return F.conv3d(images[:, :, None], weight[:, :, None], bias, strides, paddings)[:, :, 0]


def by_module(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    c_out, c_in, kh, kw = weight.shape
    layer = nn.Conv2d(c_in, c_out, (kh, kw), stride, padding, bias=bias is not None)
    layer.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    result: Tensor = layer(images)
    return result


@pytest.mark.parametrize("candidate", [by_function, by_operator, by_one_dimension_more, by_module])
def test_no_convolution_of_torchs_passes_for_ones_own(candidate: Callable[..., Tensor]) -> None:
    report = report_on(LESSON, exercise("conv2d"), candidate)
    assert report.passed == 0
    assert "which this exercise forbids" in text.render(report)


POOLINGS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "function": lambda images, kernel, stride: F.max_pool2d(images, kernel, stride),
    "module": lambda images, kernel, stride: nn.MaxPool2d(kernel, stride)(images),
    "one dimension more": lambda images, kernel, stride: F.max_pool3d(images, (1, kernel, kernel), (1, stride, stride)),
    "adaptive": lambda images, kernel, stride: F.adaptive_max_pool2d(
        images, [(size - kernel) // stride + 1 for size in images.shape[2:]]
    ),
}


@pytest.mark.parametrize("way", POOLINGS)
def test_no_pooling_of_torchs_passes_for_ones_own(way: str) -> None:
    report = report_on(LESSON, exercise("max_pool2d"), POOLINGS[way])
    assert report.passed == 0
    assert "which this exercise forbids" in text.render(report)


class OfTorchsFunctions(nn.Module):
    """Right in every number."""

    def __init__(self, c_in: int, c_hidden: int, c_out: int, classes: int) -> None:
        super().__init__()
        self.weight1, self.bias1 = nn.Parameter(torch.randn(c_hidden, c_in, 3, 3)), nn.Parameter(torch.zeros(c_hidden))
        self.weight2 = nn.Parameter(torch.randn(c_out, c_hidden, 3, 3))
        self.head = nn.Linear(c_out, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(F.conv2d(images, self.weight1, self.bias1, padding=1).relu(), 3, 2)
        result: Tensor = self.head(F.conv2d(x, self.weight2, stride=2, padding=1).relu().mean(dim=(2, 3)))
        return result


def test_the_network_runs_on_the_learners_own_functions_alone() -> None:
    report = report_on(LESSON, exercise("SmallConvNet"), OfTorchsFunctions)
    assert report.passed == 0
    assert "Your code uses `conv2d`, which this exercise forbids." in text.render(report)


def test_a_turned_kernel_is_told_as_such() -> None:
    right = reference("conv2d")

    def turned(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Any:
        return right(images, weight.flip((2, 3)), bias, stride, padding)

    rendered = text.render(report_on(LESSON, exercise("conv2d"), turned))
    assert "Yours turns the kernel around before it lays it on the image" in " ".join(rendered.split())


def test_rows_and_columns_are_named_where_they_are_exchanged() -> None:
    right = reference("conv2d")

    def exchanged(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Any:
        return right(images, weight, bias, stride, padding).transpose(2, 3)

    rendered = text.render(report_on(LESSON, exercise("conv2d"), exchanged))
    assert "The out_height and out_width axes are swapped in the result." in rendered
