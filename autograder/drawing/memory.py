"""Memory: a tensor's strides as steps over the one row of cells in which its elements lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

import drawsvg
import torch
from torch import Tensor

from autograder.drawing.box import chip, chip_width
from autograder.drawing.colours import MUTED, NEUTRAL, RULE, axis_colour
from autograder.drawing.grid import short, values_of
from autograder.drawing.paper import (
    MARGIN,
    SIZE,
    SMALL,
    WIDEST,
    Figure,
    fitting,
    path,
    rectangle,
    small,
    text_width,
    write,
)

HEIGHT = 32  # px, of a cell: a value over its place in memory
ARC = 17  # px that each axis's steps rise above the one before
LEGEND = "each cell: a value, and below it its place in memory"
MOST = 240  # cells of memory, or of the tensor


def strides(tensor: Tensor, axes: str = "", name: str = "") -> Figure:
    """How a tensor lies in memory: the row of cells that it shares with its base, the step that each axis takes over
    it, and the tensor itself, each element with its place in that row.

    `axes` names the axes in order. Works for every view: transposed, sliced, expanded (a step of 0), unfolded. Cells
    that the tensor does not reach are empty. Raises ValueError where the names are not as many as the axes, or there is
    too much to be drawn.
    """
    if tensor.layout != torch.strided:
        raise ValueError(f"a tensor with the layout {tensor.layout} has no strides")
    labels = axes.split() or [f"axis {i}" for i in range(tensor.dim())]
    if len(labels) != tensor.dim():
        raise ValueError(
            f"{axes!r} names {len(labels)} axes; the tensor has {tensor.dim()}, of shape {tuple(tensor.shape)}"
        )
    cells = tensor.untyped_storage().nbytes() // tensor.element_size()
    if max(cells, tensor.numel()) > MOST:
        raise ValueError(
            f"there are {cells} cells of memory and {tensor.numel()} elements; at most {MOST} can be drawn"
        )
    values_of(tensor)
    memory = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage(), 0, (cells,), (1,))
    return _Memory(tensor.detach(), [short(value) for value in values_of(memory)], labels, fitting(name)).draw()


@dataclass(frozen=True)
class _Arc:
    """The first step along an axis, from place to place; its label stands to the right of `right`."""

    axis: str
    start: int
    end: int
    right: float

    @property
    def label(self) -> str:
        return f"{self.axis} +{self.end - self.start}"


@dataclass
class _Memory:
    tensor: Tensor
    memory: list[str]
    labels: list[str]
    name: str

    def __post_init__(self) -> None:
        tensor = self.tensor
        self.steps, self.start = tuple(map(int, tensor.stride())), int(tensor.storage_offset())
        places = product(*map(range, tensor.shape))
        self.places = [self.start + sum(i * step for i, step in zip(p, self.steps, strict=True)) for p in places]
        widest = max((text_width(text) for text in [*self.memory, str(len(self.memory))]), default=0)
        self.cell = max(24, int(widest) + 10)
        self.across = int((WIDEST - 2 * MARGIN) // self.cell)
        self.rows = max(1, -(-len(self.memory) // self.across))

    def draw(self) -> Figure:
        axes = sorted(range(self.tensor.dim()), key=self.steps.__getitem__, reverse=True)  # no line crosses a label
        arcs = [arc for arc in map(self._arc, axes) if arc is not None]
        self.rise = ARC * len(arcs) + (4 if arcs else 0)
        top = MARGIN + 20.0
        below = top + self.rise + self.rows * (HEIGHT + 4) + 14
        rows, columns = self._shape()[-2:]
        planes = prod(self._shape()[:-2])
        plane_width = max(columns * self.cell, text_width(self._plane(planes - 1))) + 14
        beside = max(1, int((WIDEST - 2 * MARGIN) // plane_width))
        plane_height = rows * HEIGHT + (16 if planes > 1 else 0) + 8
        lines = self._sentences()
        height = below + 18 + -(-planes // beside) * plane_height + 26 + 16 * len(lines)
        chips = sum(chip_width(a, s) + 3 for a, s in zip(self.labels, self.tensor.shape, strict=True))
        widths = [min(len(self.memory), self.across) * self.cell, min(planes, beside) * plane_width, chips, 120]
        widths += [text_width(line) for line in lines] + [text_width(self.name, bold=True)]
        widths += [arc.right + text_width(arc.label, SMALL) + 4 - MARGIN for arc in arcs]
        widths.append(text_width("memory", bold=True) + 10 + text_width(LEGEND, SMALL))
        paper = Figure(max(widths) + 2 * MARGIN, height + MARGIN, self._description(), self._text())
        write(paper, "memory", MARGIN, MARGIN + SIZE, font_weight="bold")
        small(paper, LEGEND, MARGIN + text_width("memory", bold=True) + 10, MARGIN + SIZE)
        self._row(paper, top)
        for level, arc in enumerate(arcs, 1):
            self._jump(paper, arc, top, level)
        write(paper, self.name or "tensor", MARGIN, below + SIZE, font_weight="bold")
        for plane in range(planes):
            x = MARGIN + (plane % beside) * plane_width
            y = below + 18 + (plane // beside) * plane_height
            if planes > 1:
                small(paper, self._plane(plane), x + 2, y + SIZE)
            self._cells(paper, x, y + (16 if planes > 1 else 0), plane * rows * columns, rows, columns)
        x, y = float(MARGIN), height - 26 - 16 * len(lines) + 4
        for axis, size in zip(self.labels, self.tensor.shape, strict=True):
            x += chip(paper, x, y, axis, size) + 3
        for i, line in enumerate(lines):
            write(paper, line, MARGIN, y + 22 + SIZE + 3 + 16 * i)
        return paper

    def _shape(self) -> tuple[int, ...]:
        return (1, 1, *self.tensor.shape)[-max(2, self.tensor.dim()) :]

    def _plane(self, plane: int) -> str:
        """The indices of the axes before the last two."""
        shape = self._shape()[:-2]
        found = []
        for size, label in zip(reversed(shape), reversed(self.labels[: len(shape)]), strict=False):
            plane, index = divmod(plane, max(1, size))
            found.append(f"{label} = {index}")
        return ", ".join(reversed(found))

    def _row(self, paper: Figure, top: float) -> None:
        reached = set(self.places)
        solid, empty = drawsvg.Group(fill=NEUTRAL.fill, stroke=RULE), drawsvg.Group(fill="none", stroke=RULE)
        empty.args["stroke-dasharray"] = "3 2"
        texts = drawsvg.Group(text_anchor="middle")
        for place, value in enumerate(self.memory):
            x, y = self._at(place, top)
            rectangle(solid if place in reached else empty, x, y, self.cell - 2, HEIGHT)
            self._content(texts, x, y, value, place, place in reached)
        paper.extend([empty, solid, texts])

    def _at(self, place: int, top: float) -> tuple[float, float]:
        """Where a place of memory lies: the steps have their room above the row in which the tensor begins."""
        row, column = divmod(place, self.across)
        room = self.rise if row >= self.start // self.across else 0
        return MARGIN + column * self.cell, top + row * (HEIGHT + 4) + room

    def _content(self, texts: drawsvg.Group, x: float, y: float, value: str, place: int, reached: bool = True) -> None:
        write(texts, value, x + self.cell / 2 - 1, y + 14, fill=None if reached else MUTED)
        small(texts, str(place), x + self.cell / 2 - 1, y + 27)

    def _cells(self, paper: Figure, x: float, y: float, first: int, rows: int, columns: int) -> None:
        cells, texts = drawsvg.Group(fill=NEUTRAL.fill, stroke=RULE), drawsvg.Group(text_anchor="middle")
        for i, j in product(range(rows), range(columns)):
            place = self.places[first + i * columns + j]
            left, above = x + j * self.cell, y + i * HEIGHT
            rectangle(cells, left, above, self.cell - 2, HEIGHT - 2)
            self._content(texts, left, above - 1, self.memory[place], place)
        paper.extend([cells, texts])

    def _arc(self, axis: int) -> _Arc | None:
        """The first step along an axis; None where there is no step, or it leads to another row of the drawing."""
        if self.tensor.numel() == 0 or self.tensor.shape[axis] < 2:
            return None
        end = self.start + self.steps[axis]
        if self.start // self.across != end // self.across:
            return None
        right = MARGIN + end % self.across * self.cell + self.cell / 2 + (12 if end == self.start else 4)
        return _Arc(self.labels[axis], self.start, end, right)

    def _jump(self, paper: Figure, arc: _Arc, top: float, level: int) -> None:
        colour = axis_colour(arc.axis)
        (x1, y), (x2, _) = self._at(arc.start, top), self._at(arc.end, top)
        x1, x2, height = x1 + self.cell / 2 - 1, x2 + self.cell / 2 - 1, ARC * level - 4
        if arc.start == arc.end:  # a step of 0 comes back
            way = f"M{x1 - 4:.1f} {y - 2:.1f}v{-height:.1f}h8v{height - 1:.1f}"
            x2 = x1 + 4
        else:
            way = f"M{x1 - 3 * level + 3:.1f} {y - 2:.1f}v{-height:.1f}H{x2:.1f}v{height - 1:.1f}"
        path(paper, way, stroke=colour, stroke_width=1.6)
        path(paper, f"M{x2 - 4:.1f} {y - 7:.1f}l4 5l4 -5", stroke=colour, stroke_width=1.6)
        small(paper, arc.label, arc.right + 2, y - height + 3, fill=colour)

    def _sentences(self) -> list[str]:
        facts = list(zip(self.labels, self.steps, strict=True))
        steps = [f"{label}: one step is {step} place{'' if step == 1 else 's'}" for label, step in facts]
        lines = ["; ".join(steps[i : i + 3]) for i in range(0, len(steps), 3)]
        still = [label for label, step in facts if step == 0]
        if still:
            lines.append(f"a step of 0 stays where it is: along {' and '.join(still)} all elements are the same cell")
        return lines + ([f"it begins at place {self.start}"] if self.start else [])

    def _description(self) -> str:
        shape = ", ".join(f"{a} {s}" for a, s in zip(self.labels, self.tensor.shape, strict=True))
        name = self.name or "A tensor"
        return f"{name} of shape ({shape}) over {len(self.memory)} cells of memory. {'; '.join(self._sentences())}."

    def _text(self) -> str:
        rows, columns = self._shape()[-2:]
        wide = max((len(text) for text in [*self.memory, str(len(self.memory))]), default=1)
        lines = ["memory  " + " ".join(f"{text:>{wide}}" for text in self.memory)]
        lines.append("place   " + " ".join(f"{i:>{wide}}" for i in range(len(self.memory))))
        lines.append(f"{self.name or 'tensor'}, each element's place:")
        for plane in range(prod(self._shape()[:-2])):
            lines += [self._plane(plane)] * (len(self._shape()) > 2)
            for i in range(rows):
                start = (plane * rows + i) * columns
                lines.append("  " + " ".join(f"{place:>{wide}}" for place in self.places[start : start + columns]))
        return "\n".join([*lines, *self._sentences()])
