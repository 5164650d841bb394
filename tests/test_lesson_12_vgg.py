"""What 12_vgg must hold beyond the rules for every lesson: published parameter counts, what a learner counts by hand is
what torch builds, and what they build is what torch's own layers compute."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import LESSONS, demonstrated, report_on
from torch import Tensor, nn

from autograder import text, trace
from autograder.authoring import Exercise

LESSON = LESSONS["12_vgg"]
Config = list[tuple[int, int]]
CONFIGS: dict[str, Config] = {
    "VGG-11": [(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)],
    "VGG-13": [(2, 64), (2, 128), (2, 256), (2, 512), (2, 512)],
    "VGG-16": [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)],
    "VGG-19": [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)],
}
SMALL: list[tuple[Config, int, int, int]] = [  # config, classes, image, hidden
    ([(1, 4), (2, 5)], 3, 12, 7),
    ([(2, 6)], 10, 9, 11),
    ([(1, 3), (1, 4), (2, 8)], 2, 31, 5),
]


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def reference(name: str) -> Callable[..., Any]:
    return LESSON.reference(exercise(name))


def on_meta(config: Config, *sizes: int) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = reference("VGG")(config, *sizes)
    return network


def numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "published"),
    [("VGG-11", 132_863_336), ("VGG-13", 133_047_848), ("VGG-16", 138_357_544), ("VGG-19", 143_667_240)],
)
def test_the_networks_have_the_published_numbers_of_parameters(name: str, published: int) -> None:
    assert numbers(on_meta(CONFIGS[name])) == published
    assert sum(reference("parameters_of_vgg")(CONFIGS[name]).values()) == published


def test_a_vgg_16_gives_a_thousand_logits_and_does_fifteen_billion_multiply_adds() -> None:
    run = trace(on_meta(CONFIGS["VGG-16"]), torch.empty(1, 3, 224, 224, device="meta"), depth=1)
    assert run.multiply_adds == 15_470_264_320
    assert [run.values[key].shape for key in run.outputs] == [(1, 1000)]


@pytest.mark.parametrize(("config", "classes", "image", "hidden"), SMALL)
def test_parameters_counted_by_hand_are_those_that_are_built(
    config: Config, classes: int, image: int, hidden: int
) -> None:
    network = on_meta(config, classes, image, hidden)
    counted = reference("parameters_of_vgg")(config, classes, image, hidden)
    assert counted == {name: numbers(network.get_submodule(name)) for name in counted}
    assert sum(counted.values()) == numbers(network)


@pytest.mark.parametrize("name", CONFIGS)
def test_activations_counted_by_hand_are_those_that_come_out_of_the_convolutions(name: str) -> None:
    features = on_meta(CONFIGS[name]).get_submodule("features")
    kept = [0] * 5

    def note(block: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, result: Tensor) -> None:
            kept[block] += result.nbytes

        return hook

    for block, layers in enumerate(features.children()):
        for layer in layers.children():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(note(block))
    features(torch.empty(1, 3, 224, 224, device="meta"))
    assert reference("activation_bytes")(CONFIGS[name]) == kept


@pytest.mark.parametrize(("config", "classes", "image", "hidden"), SMALL)
def test_the_network_computes_what_torchs_functions_do(config: Config, classes: int, image: int, hidden: int) -> None:
    torch.manual_seed(0)
    network = reference("VGG")(config, classes, image, hidden).eval()
    weights, x = network.state_dict(), torch.randn(2, 3, image, image)
    images = x
    for block, (convs, _) in enumerate(config):
        for place in range(0, 2 * convs, 2):
            name = f"features.{block}.{place}"
            x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1).relu()
        x = F.max_pool2d(x, 2)
    x = x.flatten(1)
    for place in (0, 3, 6):
        x = F.linear(x, weights[f"classifier.{place}.weight"], weights[f"classifier.{place}.bias"])
        x = x.relu() if place < 6 else x
    assert torch.equal(network(images), x)


@pytest.mark.parametrize("sizes", [(2, 12, 4, 5, 7, 10), (1, 4, 1, 1, 3, 1), (3, 31, 6, 2, 8, 5)])
def test_shapes_are_those_of_real_tensors(sizes: tuple[int, ...]) -> None:
    batch, image, first, second, hidden, classes = sizes
    conv1, conv2 = nn.Conv2d(3, first, 3, padding=1), nn.Conv2d(first, second, 3, padding=1)
    tensors = {"conv1.weight": conv1.weight}
    x = tensors["after conv1"] = conv1(torch.randn(batch, 3, image, image)).relu()
    x = tensors["after pool"] = F.max_pool2d(x, 2)
    x = tensors["features"] = F.max_pool2d(conv2(x).relu(), 2)
    x = tensors["flat"] = x.flatten(start_dim=1)
    linear, last = nn.Linear(x.shape[1], hidden), nn.Linear(hidden, classes)
    tensors |= {"linear.weight": linear.weight, "logits": last(linear(x).relu())}
    assert reference("shapes_in_vgg")(*sizes) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@pytest.mark.parametrize("kernel", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("pixels", [1, 2, 3, 5, 6, 11, 12])
def test_as_many_layers_see_as_many_pixels_and_one_fewer_does_not(kernel: int, pixels: int) -> None:
    layers = reference("layers_to_see")(kernel, pixels)
    assert seen(kernel, layers) >= pixels
    assert layers == 0 or seen(kernel, layers - 1) < pixels


def seen(kernel: int, layers: int) -> int:
    """The pixels of a line that have a gradient of one result."""
    line = torch.ones(1, 1, 60, requires_grad=True)
    x = line
    for _ in range(layers):
        x = F.conv1d(x, torch.ones(1, 1, kernel))
    (gradient,) = torch.autograd.grad(x[0, 0, 0], line)
    return int((gradient != 0).sum())


@pytest.mark.parametrize(("kernel", "layers", "channels"), [(3, 3, 8), (7, 1, 5), (1, 4, 2), (5, 0, 3)])
def test_a_stack_costs_what_its_weights_hold(kernel: int, layers: int, channels: int) -> None:
    stack = nn.Sequential(*[nn.Conv2d(channels, channels, kernel, bias=False) for _ in range(layers)])
    assert reference("stack_cost")(kernel, layers, channels) == numbers(stack)


def test_counting_by_building_is_told_as_forbidden() -> None:
    def built(config: Config, classes: int = 1000, image: int = 224, hidden: int = 4096) -> dict[str, int]:
        with torch.device("meta"):
            layer = nn.Linear(image, hidden)
        return {"features": numbers(layer)}

    report = report_on(LESSON, exercise("parameters_of_vgg"), built)
    assert "Your code uses `Linear`, which this exercise forbids." in text.render(report)


def test_a_first_layer_for_224_pixels_is_told_as_such() -> None:
    class Torchvisions(reference("VGG")):  # type: ignore[misc]
        def __init__(self, config: Config, classes: int = 1000, image: int = 224, hidden: int = 4096) -> None:
            super().__init__(config, classes, image, hidden)
            self.classifier[0] = nn.Linear(config[-1][1] * 49, hidden)

        def forward(self, images: Tensor) -> Tensor:
            pooled = F.adaptive_avg_pool2d(self.features(images), 7)
            logits: Tensor = self.classifier(pooled.flatten(1))
            return logits

    rendered = " ".join(text.render(report_on(LESSON, exercise("VGG"), Torchvisions)).split())
    assert "as torchvision's VGG does" in rendered
    assert "The in_features axis of the parameter `classifier.0.weight` has size 245; 45 was expected." in rendered


def test_without_scikit_learn_the_demonstration_counts_and_says_how_to_get_the_digits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    demonstrated("12_vgg")
    assert (
        capsys.readouterr().out
        == """\
VGG-16 has 138,357,544 parameters; 102,764,544 are in its first linear layer.
Its convolutions keep 54 MB for one image, 47% in the first block.
The digits come with scikit-learn, which is not installed. In a terminal, in the course's folder, run
    .venv/bin/pip install -c constraints.txt -e ".[capstones]"
and then this cell again.
"""
    )


def test_the_demonstration_learns_to_read_digits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    import matplotlib.pyplot as plt

    shown: list[list[str]] = []
    monkeypatch.setattr(
        plt, "show", lambda: shown.extend([a.get_ylabel() for a in plt.figure(n).axes] for n in plt.get_fignums())
    )
    plt.switch_backend("agg")
    threads = torch.get_num_threads()
    demonstrated("12_vgg", **{"rounds = [], [], 20": "rounds = [], [], 4"})
    torch.set_num_threads(threads)
    plt.close("all")
    read = float(capsys.readouterr().out.rpartition("reads ")[2].rstrip("%.\n"))
    assert 60 < read < 100
    assert shown[0] == ["loss"]
    assert len(shown[1]) == 12
