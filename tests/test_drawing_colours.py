"""One axis name has one colour; colours that meet in a tensor keep apart, for colour-blind readers too."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
import torch
from conftest import ROOT
from torch import Tensor

from autograder.drawing import Box, axis_colour, diagram, flow, legend
from autograder.drawing.colours import AXES, FAULT, INK, MUTED, NEUTRAL, PAPER, RULE, Colour, colour_of

# what lessons that are planned will bring together in one tensor; those that are there are read from their sources
PLANNED = """
batch patches channel patch | batch rows patch cols patch channel | batch time feature | batch windows size
c_out c_in kh kw | c_mid c_in kh kw | c_out c_mid kh kw | batch c_in out_height out_width kh kw
batch c_out out_height out_width | batch groups channel height width
batch c_mid height width | classes feature | batch seq vocab | vocab d_model | context d_model | batch seq d_model
batch tgt d_k | batch src d_v | batch tgt src | batch heads tgt src | batch tgt d_v | batch tgt d_tgt | batch src d_src
d_k d_tgt | d_k d_src | d_k d_model | batch seq d_k | batch heads seq d_head | batch seq heads d_head
batch heads steps d_head | d_ff d_model | batch seq d_ff | layers batch d_hidden | batch time d_hidden
gates d_hidden d_in | experts d_ff d_model | batch seq experts | batch heads patches d_head
batch heads patches patches | images texts | nodes nodes feature | edges feature | batch latent | beams vocab
batch heads height width
"""
ANNOTATION = re.compile(r'Tensor, "([^"]*)"')
APART = 15.0  # CIE 1976; 2.3 is the least that a practised eye sees side by side
# Machado, Oliveira and Fernandes 2009, severity 1: what readers without one kind of cones see, in linear RGB
SIGHT = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue cones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def meetings() -> list[set[str]]:
    """The names that stand in one tensor, for each tensor of the course."""
    sources = [*sorted((ROOT / "solutions").glob("*/*.py")), *sorted((ROOT / "lessons").glob("*.md"))]
    dims = [dims for path in sources for dims in ANNOTATION.findall(path.read_text(encoding="utf-8"))]
    shapes = [*dims, *PLANNED.replace("\n", "|").split("|")]
    return [set(re.findall(r"[A-Za-z_]\w*", re.sub(r"=\d+|\*shape", "", shape))) for shape in shapes if shape.strip()]


def linear(colour: str) -> Tensor:
    channels = torch.tensor([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=torch.float64) / 255
    return torch.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio."""
    weights = torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64)
    bright, dark = sorted((float(linear(colour) @ weights) for colour in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def lab(rgb: Tensor) -> Tensor:
    to_xyz = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).double()
    xyz = to_xyz @ rgb / torch.tensor([0.9505, 1.0, 1.089]).double()
    x, y, z = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: Colour, other: Colour) -> float:
    """How far two fills are from each other, for the reader who tells them apart worst."""
    sights = [torch.tensor(matrix).double() for matrix in SIGHT.values()]
    return min(float((lab(_seen(one, m)) - lab(_seen(other, m))).norm()) for m in sights)


def _seen(colour: Colour, matrix: Tensor) -> Tensor:
    return (matrix @ linear(colour.fill)).clamp(0, 1)


def test_every_axis_of_the_course_has_a_colour() -> None:
    names = set().union(*meetings())
    assert {name for name in names if colour_of(name) is NEUTRAL} == set()


def test_axes_that_meet_in_one_tensor_keep_apart_for_every_reader() -> None:
    pairs = {tuple(sorted(pair)) for names in meetings() for pair in combinations(names, 2)}
    assert len(pairs) > 60
    near = {pair: distance(colour_of(pair[0]), colour_of(pair[1])) for pair in pairs}
    assert {pair: round(far, 1) for pair, far in near.items() if far < APART} == {}


def test_the_distance_is_small_where_colours_are_confused() -> None:
    red, green = Colour("", "#D0604F"), Colour("", "#8F8F3A")
    assert distance(red, green) < APART
    assert float((lab(linear(red.fill)) - lab(linear(green.fill))).norm()) > 3 * APART


@pytest.mark.parametrize("colour", [*dict.fromkeys(AXES.values()), NEUTRAL, FAULT], ids=lambda colour: colour.line)
def test_text_and_frames_stand_out(colour: Colour) -> None:
    assert contrast(INK, colour.fill) >= 4.5  # a label on its box
    assert contrast(colour.line, PAPER) >= 4.5  # a label on paper, and more than a frame's 3


def test_text_and_rules_on_paper_stand_out() -> None:
    assert contrast(INK, PAPER) >= 4.5
    assert contrast(MUTED, PAPER) >= 4.5
    assert contrast(MUTED, NEUTRAL.fill) >= 4.5  # a place in memory, on its cell
    assert contrast(RULE, PAPER) >= 3


def test_no_axis_has_the_colour_of_what_is_wrong() -> None:
    assert FAULT not in AXES.values()


def test_a_name_has_its_colour_in_every_drawing() -> None:
    box = Box("x", [("heads·d_head", 12), ("src", 7)])
    for figure in (legend("heads", "d_head", "src"), flow([box]), diagram({"x": box}, [])):
        svg = figure.as_svg()
        assert all(colour_of(name).fill in svg for name in ("heads", "d_head", "src"))
    assert axis_colour("heads·d_head") == colour_of("heads").line
    assert axis_colour("lead0") == colour_of("lead").line
    assert axis_colour("unheard of") == axis_colour("") == NEUTRAL.line
