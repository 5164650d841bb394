"""What 13_inception must hold beyond the rules for every lesson: the sizes, the parameters and the costs of the paper,
and gradients that the heads send into the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import LESSONS, ROOT, report_on
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autograder import text
from autograder.authoring import Exercise

LESSON = LESSONS["13_inception"]
SIZES = [(2, 5, 7, 3, 4, 2, 6, 8, 9, 11), (1, 1, 1, 1, 1, 1, 1, 1, 1, 1), (3, 192, 64, 96, 128, 16, 32, 32, 28, 30)]

# Table 1 of Szegedy and others, 2015: each row's output, and its multiply-adds in millions. Two of the paper's costs
# do not follow from the paper's own layers (34 for the first convolution, 54 for inception 5a) and are left out.
TABLE: list[tuple[str, tuple[int, ...], int | None]] = [
    ("conv1", (64, 112, 112), None),
    ("conv3", (192, 56, 56), None),
    ("inception3a", (256, 28, 28), 128),
    ("inception3b", (480, 28, 28), 304),
    ("inception4a", (512, 14, 14), 73),
    ("inception4b", (512, 14, 14), 88),
    ("inception4c", (512, 14, 14), 100),
    ("inception4d", (528, 14, 14), 119),
    ("inception4e", (832, 14, 14), 170),
    ("inception5a", (832, 7, 7), None),
    ("inception5b", (1024, 7, 7), 71),
    ("fc", (1000,), 1),
]


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def reference(name: str) -> Any:
    return LESSON.reference(exercise(name))


def multiply_adds(module: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counted:
        module(x)
    return int(counted.get_total_flops()) // 2


@pytest.mark.parametrize("sizes", SIZES)
def test_shapes_are_those_of_the_real_block(sizes: tuple[int, ...]) -> None:
    batch, *channels, height, width = sizes
    with torch.device("meta"):
        block, x = reference("InceptionBlock")(*channels), torch.empty(batch, channels[0], height, width)
    found: dict[str, tuple[int, ...]] = {"weight5": tuple(block.branch5[2].weight.shape), "joined": block(x).shape}
    for name, part, place in (
        ("branch1", "branch1", 1),
        ("reduced3", "branch3", 0),
        ("branch3", "branch3", 3),
        ("reduced5", "branch5", 0),
        ("branch5", "branch5", 3),
        ("pooled", "branch_pool", 0),
        ("branch_pool", "branch_pool", 2),
    ):
        found[name] = tuple(block.get_submodule(part)[: place + 1](x).shape)
    assert reference("shapes_in_inception_block")(*sizes) == found


@pytest.mark.parametrize(("c_in", "c_mid", "c_out", "kernel"), [(192, 16, 32, 5), (7, 11, 3, 3), (4, 2, 6, 1)])
def test_a_bottlenecks_cost_is_what_torch_counts(c_in: int, c_mid: int, c_out: int, kernel: int) -> None:
    x = torch.empty(1, c_in, 6, 9, device="meta")
    with torch.device("meta"):
        direct = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2)
        reduced = nn.Sequential(nn.Conv2d(c_in, c_mid, 1), nn.Conv2d(c_mid, c_out, kernel, padding=kernel // 2))
    counted = multiply_adds(direct, x), multiply_adds(reduced, x)
    assert reference("bottleneck_cost")(c_in, c_mid, c_out, kernel, 6, 9) == counted


def test_the_network_has_the_papers_sizes_and_costs_row_by_row() -> None:
    with torch.device("meta"):
        network, image = reference("GoogLeNet")(aux=False).eval(), torch.empty(1, 3, 224, 224)
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    for name, part in network.named_children():
        part.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: (inputs[0], output)}))
    network(image)
    for name, size, millions in TABLE:
        given, output = seen[name]
        assert tuple(output.shape[1:]) == size, name
        if millions is not None:
            assert abs(multiply_adds(network.get_submodule(name), given) / 1e6 - millions) < 1, name


@pytest.mark.parametrize(("aux", "parameters"), [(True, 13_378_280), (False, 6_998_552)])
def test_the_network_has_as_many_parameters_as_is_said(aux: bool, parameters: int) -> None:
    with torch.device("meta"):
        network = reference("GoogLeNet")(aux=aux)
        block = reference("InceptionBlock")(192, 64, 96, 128, 16, 32, 32)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert sum(p.numel() for p in block.parameters()) == 163_696


def test_heads_that_read_cut_off_maps_are_told_so() -> None:
    right: Any = reference("GoogLeNet")

    class GoogLeNet(right):  # type: ignore[misc]
        def __init__(self, classes: int = 1000, aux: bool = True) -> None:
            super().__init__(classes, aux)
            for head in (self.aux1, self.aux2) if aux else ():
                head.register_forward_pre_hook(lambda _, inputs: (inputs[0].detach(),))

    rendered = " ".join(text.render(report_on(LESSON, exercise("GoogLeNet"), GoogLeNet)).split())
    assert "their losses train the heads alone" in rendered


@pytest.mark.parametrize("name", ["InceptionBlock", "AuxiliaryHead"])
def test_a_network_without_gradients_is_rejected(name: str) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        with torch.no_grad():
            return reference(name).forward(self, x)  # type: ignore[no-any-return]

    report = report_on(LESSON, exercise(name), type(name, (reference(name),), {"forward": forward}))
    assert report.status == "failed"


def test_the_explanation_says_the_papers_numbers() -> None:
    explanation = Path(ROOT / "lessons" / "13_inception.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r'^    "(\d[a-e])": \(([\d, ]+)\),$', explanation, re.MULTILINE))
    stub = (LESSON.folder / "13_inception.py").read_text(encoding="utf-8")
    table = dict(re.findall(r"^# \| `inception(\d[a-e])` \| InceptionBlock\(([\d, ]+)\)", stub, re.MULTILINE))
    built = dict(re.findall(r"^ +self\.inception(\d[a-e]) = InceptionBlock\(([\d, ]+)\)", stub, re.MULTILINE))
    assert len(blocks) == 9
    assert blocks == table == built
