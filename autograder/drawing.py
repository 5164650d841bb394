"""Drawings as SVG: masks and matrices as grids, computations as boxes of named axes.

Each drawing lies on light paper of its own, so that it reads the same on a light page, on a dark one and in print:
many viewers show an SVG as an image, which does not know the page's colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import drawsvg
import torch
from torch import Tensor

# Okabe and Ito's colours, told apart by colour-blind readers too
BLUE, ORANGE, GREEN, PINK, SKY, AMBER = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
GREY, INK, PAPER = "#8A8A8A", "#1B1B1B", "#FFFFFF"
FONT = "ui-sans-serif, system-ui, 'DejaVu Sans', sans-serif"
CELL = 22  # px, the side of a grid's cell
SIZE = 11  # px, the size of text
ADVANCE = 0.62 * SIZE  # px, the width of a character, generously
MARGIN = 8

# one colour for one axis in the whole course; axes that stand for the same thing share it
AXIS_COLOURS = {
    "batch": AMBER,
    "n": AMBER,
    "heads": GREEN,
    "classes": GREEN,
    "tgt": BLUE,
    "length": BLUE,
    "seq": BLUE,
    "height": BLUE,
    "m": BLUE,
    "src": PINK,
    "max_len": PINK,
    "width": PINK,
    "channel": SKY,
    "feature": SKY,
}


def axis_colour(name: str) -> str:
    """The colour of an axis; grey for one that has none of its own."""
    return AXIS_COLOURS.get(name, GREY)


# ---- grids -----------------------------------------------------------------------------------------------------------


def grid(
    matrix: Tensor,
    rows: Iterable[object] | None = None,
    columns: Iterable[object] | None = None,
    title: str = "",
    row_axis: str = "",
    column_axis: str = "",
    differs: Tensor | None = None,
) -> drawsvg.Drawing:
    """A matrix of shape (rows, columns) as a grid: booleans as filled and empty cells, numbers as numbers in shades.

    `rows` and `columns` are labels such as tokens; `row_axis` and `column_axis` name the axes; cells where the boolean
    matrix `differs` is True get a thick frame. Raises ValueError where `matrix` has not two axes.
    """
    if matrix.dim() != 2:
        raise ValueError(f"grid draws a matrix, with 2 axes; this tensor has the shape {tuple(matrix.shape)}")
    texts = None if matrix.dtype == torch.bool else [[_short(value) for value in row] for row in matrix.tolist()]
    return _Grid(matrix, texts, _strings(rows), _strings(columns), title, row_axis, column_axis, differs).draw()


@dataclass
class _Grid:
    matrix: Tensor
    texts: list[list[str]] | None
    rows: list[str]
    columns: list[str]
    title: str
    row_axis: str
    column_axis: str
    differs: Tensor | None

    def draw(self) -> drawsvg.Drawing:
        height, width = self.matrix.shape
        self.cell = CELL
        if self.texts is not None:
            self.cell = max(CELL, 8 + int(ADVANCE * max((len(text) for row in self.texts for text in row), default=0)))
        longest = _longest(self.columns)
        self.tilted = longest > self.cell - 4
        labels = int(0.75 * longest) + 10 if self.tilted else 18 if self.columns else 2
        self.left = MARGIN + max(_longest(self.rows), _longest([f"{self.row_axis} ↓"]) if self.row_axis else 0) + 4
        self.top = MARGIN + (18 if self.title else 0) + (16 if self.column_axis else 0) + labels
        right = self.left + width * self.cell + (labels if self.tilted else 0)
        total = max(right, self.left + _longest([self.title, f"{self.column_axis} →"])) + MARGIN
        paper = blank(total, self.top + height * CELL + MARGIN, self.title or f"a grid of {height} by {width} cells")
        self._labels(paper)
        self._cells(paper)
        return paper

    def _labels(self, paper: drawsvg.Drawing) -> None:
        if self.title:
            paper.append(write(self.title, self.left, MARGIN + SIZE, font_weight="bold"))
        if self.column_axis:
            y = MARGIN + SIZE + (18 if self.title else 0)
            paper.append(write(f"{self.column_axis} →", self.left, y, fill=axis_colour(self.column_axis)))
        if self.row_axis:
            colour = axis_colour(self.row_axis)
            paper.append(write(f"{self.row_axis} ↓", self.left - 5, self.top - 5, fill=colour, text_anchor="end"))
        for j, label in enumerate(self.columns):
            x, y = self.left + (j + 0.5) * self.cell, self.top - 5
            spin = {"transform": f"rotate(-45 {x} {y})"} if self.tilted else {"text_anchor": "middle"}
            paper.append(write(label, x, y, **spin))
        for i, label in enumerate(self.rows):
            paper.append(write(label, self.left - 5, self.top + (i + 0.5) * CELL + 4, text_anchor="end"))

    def _cells(self, paper: drawsvg.Drawing) -> None:
        shades = _shades(self.matrix)
        for i, row in enumerate(shades):
            for j, shade in enumerate(row):
                x, y = self.left + j * self.cell, self.top + i * CELL
                wrong = self.differs is not None and bool(self.differs[i, j])
                frame = {"stroke": ORANGE, "stroke_width": 2.5} if wrong else {"stroke": GREY, "stroke_width": 0.5}
                size = (self.cell - 3, CELL - 3)
                paper.append(drawsvg.Rectangle(x + 1, y + 1, *size, fill=BLUE, fill_opacity=shade, **frame))
                if self.texts is not None:
                    paper.append(write(self.texts[i][j], x + self.cell / 2, y + CELL / 2 + 4, text_anchor="middle"))


def side_by_side(drawings: Sequence[drawsvg.Drawing], gap: int = 4) -> drawsvg.Drawing:
    """Drawings in one row, as one picture."""
    width = sum(int(drawing.width) for drawing in drawings) + gap * (len(drawings) - 1)
    together = blank(width, max(int(drawing.height) for drawing in drawings), "")
    x = 0
    for drawing in drawings:
        group = drawsvg.Group(transform=f"translate({x} 0)")
        group.children.extend(drawing.elements)
        together.append(group)
        x += int(drawing.width) + gap
    return together


def _shades(matrix: Tensor) -> list[list[float]]:
    if matrix.dtype == torch.bool:
        return [[1.0 if value else 0.04 for value in row] for row in matrix.tolist()]
    values = torch.nan_to_num(matrix.double().abs(), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max()) if values.numel() else 0.0
    shades: list[list[float]] = (0.04 + 0.46 * values / (largest or 1.0)).tolist()
    return shades


# ---- flows -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A tensor in a flow: its name, and its axes with their sizes."""

    name: str
    axes: Mapping[str, int]

    @classmethod
    def of(cls, name: str, tensor: Tensor, axes: str) -> Box:
        """The box of a real tensor, its axes named in order: `Box.of("scores", scores, "batch heads tgt src")`."""
        return cls(name, dict(zip(axes.split(), tensor.shape, strict=True)))


def flow(*steps: Sequence[Box] | str) -> drawsvg.Drawing:
    """A computation from top to bottom: rows of tensors, and between them the operation that makes one of the other.

    `flow([Box("padding", {"batch": 2, "heads": 1, "tgt": 1, "src": 7}), Box("causal", {"tgt": 5, "src": 7})],
    "&", [Box("mask", {"batch": 2, "heads": 1, "tgt": 5, "src": 7})])`
    """
    rows = [list(step) for step in steps if not isinstance(step, str)]
    width = max(sum(_box_width(box) for box in row) + 30 * (len(row) - 1) for row in rows) + 2 * MARGIN
    operations = [step for step in steps if isinstance(step, str)]
    width = max(width, 2 * (max((_longest([text]) for text in operations), default=0) + 20) + 2 * MARGIN)
    height = MARGIN + sum(34 if isinstance(step, str) else 52 for step in steps)
    paper = blank(width, height, " → ".join(box.name for row in rows for box in row))
    y = MARGIN
    for step in steps:
        if isinstance(step, str):
            _arrow(paper, width / 2, y, step)
            y += 34
        else:
            _row(paper, step, width, y)
            y += 52
    return paper


def _row(paper: drawsvg.Drawing, boxes: Sequence[Box], width: float, y: float) -> None:
    x = (width - sum(_box_width(box) for box in boxes) - 30 * (len(boxes) - 1)) / 2
    for box in boxes:
        paper.append(write(box.name, x + 1, y + SIZE, font_weight="bold"))
        right = x
        for axis, size in box.axes.items():
            label, wide = f"{axis} {size}", _axis_width(axis, size)
            colour = axis_colour(axis)
            paper.append(
                drawsvg.Rectangle(
                    right, y + 17, wide - 2, 24, rx=4, fill=colour, fill_opacity=0.18, stroke=colour, stroke_width=1.2
                )
            )
            paper.append(write(label, right + (wide - 2) / 2, y + 33, text_anchor="middle"))
            right += wide
        x += _box_width(box) + 30


def _arrow(paper: drawsvg.Drawing, x: float, y: float, operation: str) -> None:
    paper.append(drawsvg.Line(x, y - 4, x, y + 24, stroke=GREY, stroke_width=1.5))
    paper.append(drawsvg.Lines(x - 4, y + 19, x + 4, y + 19, x, y + 27, close=True, fill=GREY))
    paper.append(write(operation, x + 10, y + 14, font_style="italic"))


def _box_width(box: Box) -> float:
    return max(sum(_axis_width(axis, size) for axis, size in box.axes.items()), _longest([box.name]) + 4)


def _axis_width(axis: str, size: int) -> float:
    return ADVANCE * len(f"{axis} {size}") + 14


# ---- both ------------------------------------------------------------------------------------------------------------


def blank(width: float, height: float, description: str) -> drawsvg.Drawing:
    """Light paper to draw on, with a description for those who do not see it."""
    paper = drawsvg.Drawing(int(width), int(height), role="img")
    if description:
        paper.append_title(description)
    paper.append(drawsvg.Rectangle(0, 0, "100%", "100%", rx=4, fill=PAPER))
    return paper


def write(text: str, x: float, y: float, **more: str) -> drawsvg.Text:
    """Text that begins at x and stands on y."""
    return drawsvg.Text(text, SIZE, x, y, **{"fill": INK, "font_family": FONT, **more})


def _longest(labels: Sequence[str]) -> int:
    return int(ADVANCE * max((len(label) for label in labels), default=0))


def _strings(labels: Iterable[object] | None) -> list[str]:
    return [str(label) for label in labels] if labels is not None else []


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"
