"""Drawings of broadcasting: what a tensor holds as solid cells, what it is stretched to as dashed ghosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import drawsvg
from torch import Tensor

from autograder.drawing import ADVANCE, CELL, GREY, INK, MARGIN, ORANGE, SIZE, axis_colour, blank, write

COLOURS = (GREY, ORANGE, INK)  # of the first tensor, the second and the result: none of them an axis's colour
GAP = 12  # px, between the planes of three axes


def broadcasting(
    first: Tensor, sign: str, second: Tensor, result: Tensor, axes: str, names: Sequence[str] = ("", "", "")
) -> drawsvg.Drawing:
    """`first sign second = result`, each stretched to the result's shape: the cells that a tensor has are solid, their
    repetitions dashed, and below stand the axes that it really has.

    `axes` names the result's axes, one to three of them: `broadcasting(x[:, None], "−", y, x[:, None] - y, "n m")`.
    Three axes are drawn as one plane for each index of the first. Raises ValueError where the shapes do not fit.
    """
    labels, tensors = axes.split(), (first, second, result)
    if len(labels) != result.dim() or not 1 <= result.dim() <= 3:
        raise ValueError(f"one to three axes can be drawn; {axes!r} names those of a result of {result.dim()} axes")
    try:
        texts = [_texts(tensor.expand(result.shape)) for tensor in tensors]
    except RuntimeError as error:
        shapes = " and ".join(str(tuple(tensor.shape)) for tensor in tensors[:2])
        raise ValueError(f"{shapes} do not stretch to {tuple(result.shape)}") from error
    cell = max(CELL, 8 + int(ADVANCE * max(len(text) for part in texts for text in part)))
    shape = (1, 1, *result.shape)[-3:]
    parts = [_Part(*facts, labels, shape, cell) for facts in zip(tensors, texts, names, COLOURS, strict=True)]
    return _arranged(parts, sign, downwards=result.dim() == 3)


@dataclass
class _Part:
    """One tensor, drawn as `shape`: planes, rows and columns."""

    tensor: Tensor
    texts: list[str]
    name: str
    colour: str
    labels: list[str]
    shape: tuple[int, ...]
    cell: int

    def __post_init__(self) -> None:
        own = self.tensor.shape
        self.axes = list(zip(self.labels[len(self.labels) - len(own) :], own, strict=True))
        planes, rows, columns = self.shape
        below = sum(_axis_width(axis, size) for axis, size in self.axes)
        self.width = max(planes * (columns * self.cell + GAP) - GAP, ADVANCE * len(self.name), below)
        self.top = 32 if planes > 1 else 18  # of the cells, below the name and the planes' labels
        self.middle = self.top + rows * CELL / 2 + 4
        self.height = self.top + rows * CELL + 28

    def draw(self, paper: drawsvg.Drawing, left: float, top: float) -> None:
        """Name, cells and axes, from the corner (left, top)."""
        paper.append(write(self.name, left, top + SIZE, font_weight="bold"))
        planes, rows, columns = self.shape
        step = columns * self.cell + GAP
        for plane in range(planes if planes > 1 else 0):
            paper.append(write(f"{self.labels[0]} = {plane}", left + plane * step, top + 27))
        own = (*(1,) * (3 - self.tensor.dim()), *self.tensor.shape)
        places = product(range(planes), range(rows), range(columns))
        for place, text in zip(places, self.texts, strict=True):
            solid = all(index < size for index, size in zip(place, own, strict=True))
            plane, i, j = place
            self._cell(paper, left + plane * step + j * self.cell, top + self.top + i * CELL, text, solid)
        x, y = left + 1, top + self.height - 22
        for axis, size in self.axes:
            colour, width = axis_colour(axis), _axis_width(axis, size) - 3
            frame = {"fill": colour, "fill_opacity": 0.18, "stroke": colour, "stroke_width": 1.2}
            paper.append(drawsvg.Rectangle(x, y, width, 19, rx=4, **frame))
            paper.append(write(f"{axis} {size}", x + width / 2, y + 14, text_anchor="middle"))
            x += width + 3

    def _cell(self, paper: drawsvg.Drawing, x: float, y: float, text: str, solid: bool) -> None:
        shade = {"T": 0.45, "F": 0.02}.get(text, 0.1 if self.colour == INK else 0.3)
        frame = {"stroke": self.colour, "stroke_width": 1.2} if solid else {"stroke": GREY, "stroke_dasharray": "3 2"}
        fill = {"fill": self.colour, "fill_opacity": shade if solid else 0.04}
        paper.append(drawsvg.Rectangle(x + 1, y + 1, self.cell - 3, CELL - 3, **fill, **frame))
        ink = INK if solid else GREY
        paper.append(write(text, x + self.cell / 2, y + CELL / 2 + 4, text_anchor="middle", fill=ink))


def _arranged(parts: Sequence[_Part], sign: str, downwards: bool) -> drawsvg.Drawing:
    """The three parts from left to right, or from top to bottom where each has several planes."""
    room = 26 + ADVANCE * (len(sign) - 1)
    if downwards:
        width, height = room + max(part.width for part in parts), sum(part.height + GAP for part in parts) - GAP
    else:
        width, height = sum(part.width for part in parts) + 2 * room, parts[0].height
    first, second, result = (f"{part.name} {tuple(part.tensor.shape)}".strip() for part in parts)
    paper = blank(width + 2 * MARGIN, height + 2 * MARGIN, f"{first} {sign} {second} = {result}")
    x, y = float(MARGIN), float(MARGIN)
    for part, before in zip(parts, ("", sign, "="), strict=True):
        left = x + room if before or downwards else x
        paper.append(write(before, left - room / 2, y + part.middle, text_anchor="middle", font_weight="bold"))
        part.draw(paper, left, y)
        x, y = (x, y + part.height + GAP) if downwards else (left + part.width, y)
    return paper


def _texts(tensor: Tensor) -> list[str]:
    values = tensor.flatten().tolist()
    return [str(value)[0] if isinstance(value, bool) else f"{value:.3g}".replace("-", "−") for value in values]


def _axis_width(axis: str, size: int) -> float:
    return ADVANCE * len(f"{axis} {size}") + 15
