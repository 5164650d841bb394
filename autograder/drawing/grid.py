"""Grids: masks and matrices as cells, with tokens on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import drawsvg
import torch
from torch import Tensor

from autograder.drawing.colours import BLUE, FAULT, NEUTRAL, RULE, axis_colour
from autograder.drawing.paper import (
    MARGIN,
    SIZE,
    WIDEST,
    Figure,
    clean,
    fitting,
    path,
    rectangle,
    side_by_side,
    small,
    text_width,
    write,
)

CELL = 22  # px, the side of a cell
MOST_ROWS = 40  # what is beyond is left out, and said to be
LONGEST_LABEL = 110  # px
MINUS = "−"


def grid(
    matrix: Tensor,
    rows: Iterable[object] | None = None,
    columns: Iterable[object] | None = None,
    title: str = "",
    row_axis: str = "",
    column_axis: str = "",
    differs: Tensor | None = None,
    none: str = "",
) -> Figure:
    """A matrix of shape (rows, columns) as a grid: booleans as filled and empty cells, numbers as numbers in shades.

    `rows` and `columns` are labels such as tokens; `row_axis` and `column_axis` name the axes; cells where the boolean
    matrix `differs` is True get a thick frame; `none` stands for what is no finite number. What is too large for a page
    is drawn in part and says so. Raises ValueError where `matrix` has not two axes, or where labels or `differs` are
    not as many as there are cells.
    """
    matrix = torch.as_tensor(matrix)
    if matrix.dim() != 2:
        raise ValueError(f"grid draws a matrix, with 2 axes; this tensor has the shape {tuple(matrix.shape)}")
    if differs is not None and differs.shape != matrix.shape:
        raise ValueError(f"differs has the shape {tuple(differs.shape)}; the matrix has {tuple(matrix.shape)}")
    finite = values_of(matrix[:MOST_ROWS].isfinite())
    texts = [
        [none if none and not finite[i][j] else short(value) for j, value in enumerate(row)]
        for i, row in enumerate(values_of(matrix[:MOST_ROWS]))
    ]
    row_labels, column_labels = _labels(rows, matrix.shape[0], "rows"), _labels(columns, matrix.shape[1], "columns")
    return _Grid(matrix, texts, row_labels, column_labels, clean(title), row_axis, column_axis, differs).draw()


def expected_yours_difference(
    expected: Tensor,
    yours: Tensor,
    rows: Iterable[object] | None = None,
    columns: Iterable[object] | None = None,
    row_axis: str = "",
    column_axis: str = "",
    differs: Tensor | None = None,
) -> Figure:
    """Two matrices and their difference side by side, each with its tokens on both sides, framed where they differ.

    `differs` says where; without it, everything that is not equal does. Of booleans the difference is what is missing
    (−) and what is too many (+), of numbers it is yours − expected. Raises ValueError where the shapes differ.
    """
    if expected.shape != yours.shape:
        shapes = f"expected has the shape {tuple(expected.shape)}, yours has {tuple(yours.shape)}"
        raise ValueError(f"{shapes}: only matrices of one shape have a difference")
    if differs is None:
        differs = ~torch.isclose(expected, yours, rtol=0, atol=0, equal_nan=True)
    rows, columns = (list(labels) if labels is not None else None for labels in (rows, columns))
    first = grid(expected, rows, columns, "expected", row_axis, column_axis)
    second = grid(yours, rows, columns, "yours", row_axis, column_axis, differs)
    if expected.dtype == torch.bool:
        signs = yours.int() - expected.int()
        texts = [[("−", "", "+")[sign + 1] for sign in row] for row in values_of(signs[:MOST_ROWS])]
        shape = _labels(rows, expected.shape[0], "rows"), _labels(columns, expected.shape[1], "columns")
        third = _Grid(signs, texts, *shape, "difference", row_axis, column_axis, differs).draw()
    else:
        wide = torch.complex128 if expected.is_complex() or yours.is_complex() else torch.float64
        same = (expected == yours) | ((expected != expected) & (yours != yours))  # NaN beside NaN too
        apart = torch.where(same, 0, yours.to(wide) - expected.to(wide))
        third = grid(apart, rows, columns, "difference", row_axis, column_axis, differs, none="≠")
    return side_by_side([first, second, third])


@dataclass
class _Grid:
    matrix: Tensor
    texts: list[list[str]]
    rows: list[str]
    columns: list[str]
    title: str
    row_axis: str
    column_axis: str
    differs: Tensor | None

    def draw(self) -> Figure:
        longest = max((text_width(text) for row in self.texts for text in row), default=0)
        plain = self.matrix.dtype == torch.bool
        self.cell = CELL if plain else max(CELL, int(longest) + 9)
        axis = text_width(f"{self.row_axis} ↓") if self.row_axis else 0
        self.left = MARGIN + max(_longest(self.rows), axis) + 6
        self.tilted = _longest(self.columns) > self.cell - 4
        labels = int(0.75 * _longest(self.columns)) + 12 if self.tilted else 18 if self.columns else 4
        room = WIDEST - self.left - MARGIN - (labels if self.tilted else 0)
        self.shape = (len(self.texts), min(self.matrix.shape[1], int(room // self.cell)))
        self.top = MARGIN + (18 if self.title else 0) + (16 if self.column_axis else 0) + labels
        below, note = self.top + self.shape[0] * CELL, self._note()
        right = self.left + self.shape[1] * self.cell + (labels if self.tilted else 0)
        heads = [text_width(self.title, bold=True), text_width(f"{self.column_axis} →"), text_width(note)]
        paper = Figure(max(right, self.left + max(heads)) + MARGIN, below + MARGIN + (16 if note else 0),
                       self._description(), self._text(note), self.title)  # fmt: skip
        self._heads(paper)
        self._draw_booleans(paper) if plain else self._draw_numbers(paper)
        self._frames(paper)
        if note:
            small(paper, note, self.left, below + 14)
        return paper

    def _note(self) -> str:
        if self.shape == tuple(self.matrix.shape):
            return "" if self.matrix.numel() else "There are no cells."
        (rows, columns), (all_rows, all_columns) = self.shape, self.matrix.shape
        return f"the first {rows} of {all_rows} rows, {columns} of {all_columns} columns"

    def _heads(self, paper: Figure) -> None:
        if self.title:
            write(paper, self.title, self.left, MARGIN + SIZE, font_weight="bold")
        if self.column_axis:
            y = MARGIN + SIZE + (18 if self.title else 0)
            write(paper, f"{self.column_axis} →", self.left, y, fill=axis_colour(self.column_axis))
        if self.row_axis:
            y = self.top - 5
            write(paper, f"{self.row_axis} ↓", self.left - 6, y, fill=axis_colour(self.row_axis), text_anchor="end")
        for j, label in enumerate(self.columns[: self.shape[1]]):
            x, y = self.left + (j + 0.5) * self.cell, self.top - 5
            turned = f"rotate(-45 {x:g} {y:g})" if self.tilted else None
            write(paper, label, x, y, transform=turned, text_anchor=None if turned else "middle")
        for i, label in enumerate(self.rows[: self.shape[0]]):
            write(paper, label, self.left - 6, self.top + i * CELL + CELL / 2 + 4, text_anchor="end")

    def _draw_booleans(self, paper: Figure) -> None:
        """All cells that are False as one path, all that are True as another: a mask stays small."""
        for shown, style in (
            (False, {"fill": NEUTRAL.fill, "fill_opacity": 0.4, "stroke": RULE, "stroke_width": 0.6}),
            (True, {"fill": BLUE.line}),
        ):
            path(paper, self._squares(self.matrix if shown else ~self.matrix), **style)

    def _squares(self, where: Tensor) -> str:
        side = f"h{self.cell - 3}v{CELL - 3}h{3 - self.cell}z"
        places = where[: self.shape[0], : self.shape[1]].nonzero().tolist()
        return "".join(f"M{self.left + j * self.cell + 1.5:g} {self.top + i * CELL + 1.5:g}{side}" for i, j in places)

    def _draw_numbers(self, paper: Figure) -> None:
        cells = drawsvg.Group(fill=BLUE.line, stroke=RULE, stroke_width=0.6)
        numbers = drawsvg.Group(text_anchor="middle")
        for i, row in enumerate(_shades(self.matrix[: self.shape[0], : self.shape[1]])):
            for j, shade in enumerate(row):
                x, y = self.left + j * self.cell, self.top + i * CELL
                rectangle(cells, x + 1.5, y + 1.5, self.cell - 3, CELL - 3, fill_opacity=round(shade, 2))
                if self.texts[i][j]:
                    write(numbers, self.texts[i][j], x + self.cell / 2, y + CELL / 2 + 4)
        paper.extend([cells, numbers])

    def _frames(self, paper: Figure) -> None:
        if self.differs is not None and bool(self.differs.any()):
            path(paper, self._squares(self.differs), stroke=FAULT.line, stroke_width=2.5)

    def _description(self) -> str:
        rows, columns = self.matrix.shape
        axes = f" of {self.row_axis} by {self.column_axis}" if self.row_axis and self.column_axis else ""
        kind = "mask" if self.matrix.dtype == torch.bool else "grid of numbers"
        wrong = int(self.differs.sum()) if self.differs is not None else 0
        framed = f" {wrong} cell{'s are' if wrong != 1 else ' is'} framed." if wrong else ""
        return f"{self.title + ': ' if self.title else ''}a {kind}{axes}, {rows} by {columns}.{framed}"

    def _text(self, note: str) -> str:
        rows, columns = self.shape
        body = [[{"True": "■", "False": "·"}.get(text, text) for text in row[:columns]] for row in self.texts]
        if self.differs is not None:
            wrong = values_of(self.differs)
            body = [[f"[{text}]" if wrong[i][j] else text for j, text in enumerate(row)] for i, row in enumerate(body)]
        corner = [f"{axis} {arrow}" for axis, arrow in ((self.row_axis, "↓"), (self.column_axis, "→")) if axis]
        heads = self.columns[:columns] or [""] * columns
        names = ["  ".join(corner), *(self.rows[:rows] or [""] * rows)]
        table = [heads, *body]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        left = max(map(len, names))
        lines = [
            (f"{name:<{left}}  " if left else "") + " ".join(map(str.rjust, row, widths))
            for name, row in zip(names, table, strict=True)
        ]
        shown = [self.title, *(line.rstrip() for line in lines), note]
        return "\n".join(line for line in shown if line)


def values_of(tensor: Tensor) -> list[Any]:
    """A tensor's values as lists. Raises ValueError where it holds none, as on the meta device."""
    if tensor.is_meta:
        raise ValueError("a tensor on the meta device has a shape and no values that could be drawn")
    values: list[Any] = tensor.detach().tolist()
    return values


def short(value: object) -> str:
    """A number in few characters.

    >>> short(-0.12345), short(7), short(True)
    ('−0.123', '7', 'True')
    """
    text = f"{value:.3g}" if isinstance(value, float | complex) else str(value)
    return text.replace("-", MINUS)


def _shades(matrix: Tensor) -> list[list[float]]:
    values = torch.nan_to_num(matrix.detach().abs().double(), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max()) if values.numel() else 0.0
    shades: list[list[float]] = (0.02 + 0.4 * values / (largest or 1.0)).tolist()
    return shades


def _labels(labels: Iterable[object] | None, count: int, what: str) -> list[str]:
    if labels is None:
        return []
    shown = [fitting(str(label), LONGEST_LABEL) for label in labels]
    if len(shown) != count:
        raise ValueError(f"there are {len(shown)} labels for {count} {what}")
    return shown


def _longest(labels: Sequence[str]) -> float:
    return max(map(text_width, labels), default=0)
