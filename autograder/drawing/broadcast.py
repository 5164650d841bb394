"""Broadcasting: what a tensor holds as solid cells, what it is stretched to as dashed ghosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import drawsvg
import torch
from torch import Tensor

from autograder.drawing.box import chip, chip_width
from autograder.drawing.colours import MUTED, RULE
from autograder.drawing.grid import CELL, short, values_of
from autograder.drawing.paper import MARGIN, SIZE, WIDEST, Figure, beside, fitting, rectangle, text_width, write

FILLS = ("#DDDDDD", "#BDBDBD", "#F2F2F2")  # of the first tensor, the second and the result: none is an axis's colour
GAP = 12  # px, between the planes of three axes
MOST = 400  # cells of the result


def broadcasting(
    first: Tensor, sign: str, second: Tensor, result: Tensor, axes: str, names: Sequence[str] = ("", "", "")
) -> Figure:
    """`first sign second = result`, each stretched to the result's shape: the cells that a tensor has are solid, their
    repetitions dashed, and below stand the axes that it really has.

    `axes` names the result's axes, one to three of them: `broadcasting(x[:, None], "−", y, x[:, None] - y, "n m")`.
    Three axes are drawn as one plane for each index of the first. Raises ValueError where the shapes do not fit or
    there are more than 400 cells.
    """
    labels, tensors = axes.split(), [torch.as_tensor(tensor) for tensor in (first, second, result)]
    shape = tensors[2].shape
    if len(labels) != len(shape) or not 1 <= len(shape) <= 3:
        raise ValueError(f"one to three axes can be drawn; {axes!r} names those of a result of {len(shape)} axes")
    if tensors[2].numel() > MOST:
        raise ValueError(f"the result has {tensors[2].numel()} cells; at most {MOST} can be drawn")
    try:
        stretched = [tensor.expand(shape) for tensor in tensors]
    except RuntimeError as error:
        shapes = " and ".join(str(tuple(tensor.shape)) for tensor in tensors[:2])
        raise ValueError(f"{shapes} do not stretch to {tuple(shape)}") from error
    texts = [[_text(value) for value in values_of(tensor.flatten())] for tensor in stretched]
    cell = max(CELL, 9 + int(max((text_width(text) for part in texts for text in part), default=0)))
    planes = (1, 1, *shape)[-3:]
    names = [fitting(name) for name in names]
    parts = [_Part(*facts, labels, planes, cell) for facts in zip(tensors, texts, names, FILLS, strict=True)]
    return _arranged(parts, sign, downwards=len(shape) == 3)


@dataclass
class _Part:
    """One tensor, drawn as `shape`: planes, rows and columns."""

    tensor: Tensor
    texts: list[str]
    name: str
    fill: str
    labels: list[str]
    shape: tuple[int, ...]
    cell: int

    def __post_init__(self) -> None:
        own = self.tensor.shape
        self.axes = list(zip(self.labels[len(self.labels) - len(own) :], own, strict=True))
        planes, rows, columns = self.shape
        below = sum(chip_width(axis, size) + 3 for axis, size in self.axes)
        self.width = max(planes * (columns * self.cell + GAP) - GAP, text_width(self.name, bold=True), below, 8)
        self.top = 32 if len(self.labels) == 3 else 18  # of the cells, below the name and the planes' labels
        self.middle = self.top + rows * CELL / 2 + 4
        self.height = self.top + rows * CELL + 28
        own_shape = (*(1,) * (3 - len(own)), *own)
        self.solid = [
            all(i < size for i, size in zip(place, own_shape, strict=True))
            for place in product(*map(range, self.shape))
        ]

    def draw(self, paper: drawsvg.Drawing, left: float, top: float) -> None:
        """Name, cells and axes, from the corner (left, top)."""
        if self.name:
            write(paper, self.name, left, top + SIZE, font_weight="bold")
        planes, rows, columns = self.shape
        step = columns * self.cell + GAP
        for plane in range(planes if len(self.labels) == 3 else 0):
            write(paper, fitting(f"{self.labels[0]} = {plane}", step - 4), left + plane * step, top + 28)
        solid = drawsvg.Group(fill=self.fill, stroke=RULE, stroke_width=1.2)
        ghosts = drawsvg.Group(fill="none", stroke=RULE, stroke_dasharray="3 2")
        texts = drawsvg.Group(text_anchor="middle")
        places = product(range(planes), range(rows), range(columns))
        for (plane, i, j), text, real in zip(places, self.texts, self.solid, strict=True):
            x, y = left + plane * step + j * self.cell, top + self.top + i * CELL
            rectangle(solid if real else ghosts, x + 1.5, y + 1.5, self.cell - 3, CELL - 3)
            write(texts, text, x + self.cell / 2, y + CELL / 2 + 4, fill=None if real else MUTED)
        paper.extend([solid, ghosts, texts])
        x, y = left + 1, top + self.height - 22
        for axis, size in self.axes:
            x += chip(paper, x, y, axis, size) + 3

    def text(self) -> str:
        """The cells as plain text, repetitions in brackets."""
        cells = [text if real else f"({text})" for text, real in zip(self.texts, self.solid, strict=True)]
        wide = max(map(len, cells), default=0)
        planes, rows, columns = self.shape
        lines = [self.name, f"{tuple(self.tensor.shape)}"]
        for plane in range(planes):
            lines += [f"{self.labels[0]} = {plane}"] * (len(self.labels) == 3)
            for i in range(rows):
                start = (plane * rows + i) * columns
                lines.append(" ".join(f"{cell:>{wide}}" for cell in cells[start : start + columns]))
        return "\n".join(filter(None, lines))


def _arranged(parts: Sequence[_Part], sign: str, downwards: bool) -> Figure:
    """The three parts from left to right, or from top to bottom where each has several planes or they are too wide."""
    room = 26 + text_width(sign) - 7
    downwards = downwards or sum(part.width for part in parts) + 2 * room + 2 * MARGIN > WIDEST
    if downwards:
        width, height = room + max(part.width for part in parts), sum(part.height + GAP for part in parts) - GAP
    else:
        width, height = sum(part.width for part in parts) + 2 * room, max(part.height for part in parts)
    first, second, result = (f"{part.name} {tuple(part.tensor.shape)}".strip() for part in parts)
    text = beside([parts[0].text(), f"\n\n{sign}", parts[1].text(), "\n\n=", parts[2].text()])
    description = f"{first} {sign} {second} = {result}. What is stretched is dashed."
    paper = Figure(width + 2 * MARGIN, height + 2 * MARGIN, description, text)
    x, y = float(MARGIN), float(MARGIN)
    for part, before in zip(parts, ("", sign, "="), strict=True):
        left = x + room if before or downwards else x
        if before:
            write(paper, before, left - room / 2, y + part.middle, text_anchor="middle", font_weight="bold")
        part.draw(paper, left, y)
        x, y = (x, y + part.height + GAP) if downwards else (left + part.width, y)
    return paper


def _text(value: object) -> str:
    return str(value)[0] if isinstance(value, bool) else short(value)
