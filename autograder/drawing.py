"""Drawings: matrices and masks as grids, as SVG that reads on light and dark pages and in print."""

from __future__ import annotations

from collections.abc import Sequence

import drawsvg
import torch
from torch import Tensor

# Okabe and Ito's colours: told apart by colour-blind readers, and dark enough for white pages, light enough for dark
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
FONT = "ui-sans-serif, system-ui, sans-serif"
CELL = 22
SIZE = 11  # font size, px
FADED = 0.12


def grid(
    matrix: Tensor,
    rows: Sequence[object] | None = None,
    columns: Sequence[object] | None = None,
    title: str = "",
    row_axis: str = "",
    column_axis: str = "",
    differs: Tensor | None = None,
) -> drawsvg.Drawing:
    """A matrix as a grid of shape (rows, columns): booleans as filled and empty cells, numbers as numbers in shades.

    `rows` and `columns` are labels such as tokens; `row_axis` and `column_axis` name the axes; cells where the boolean
    matrix `differs` is True get a thick frame.
    """
    if matrix.dim() != 2:
        raise ValueError(f"grid draws a matrix, with 2 axes; this tensor has the shape {tuple(matrix.shape)}")
    height, width = matrix.shape
    texts = None if matrix.dtype == torch.bool else [[_short(value) for value in row] for row in matrix.tolist()]
    cell = CELL if texts is None else max(CELL, 8 + int(0.62 * SIZE * max(len(t) for row in texts for t in row)))
    row_labels = [str(label) for label in rows] if rows is not None else []
    column_labels = [str(label) for label in columns] if columns is not None else []
    left = 8 + _width(row_labels) + (18 if row_axis else 0)
    tilted = max((len(label) for label in column_labels), default=0) * 0.62 * SIZE > cell - 4
    above = (min(90, int(0.75 * _width(column_labels)) + 6) if tilted else 18 if column_labels else 0)
    top = (20 if title else 4) + (16 if column_axis else 0) + above
    right = 8 + (above if tilted else 0)
    total_width = max(left + width * cell + right, left + 0.62 * SIZE * max(len(title), len(column_axis)) + 4)
    drawing = drawsvg.Drawing(int(total_width), top + height * CELL + 6, role="img")
    drawing.append_title(title or f"a grid of {height} rows and {width} columns")
    if title:
        drawing.append(_text(title, left, 13, weight="bold"))
    if column_axis:
        drawing.append(_text(f"{column_axis} →", left, 13 + (20 if title else 0) - 2))
    if row_axis:
        drawing.append(_text(f"{row_axis} ↓", 2, top - 5 if not column_labels else top - 4))
    for j, label in enumerate(column_labels):
        x = left + (j + 0.5) * cell
        spin = {"transform": f"rotate(-45 {x} {top - 5})"} if tilted else {"text_anchor": "middle"}
        drawing.append(_text(label, x, top - 5, **spin))
    for i, label in enumerate(row_labels):
        drawing.append(_text(label, left - 5, top + i * CELL + CELL / 2 + 4, text_anchor="end"))
    opacities = _opacities(matrix)
    for i in range(height):
        for j in range(width):
            x, y = left + j * cell, top + i * CELL
            wrong = differs is not None and bool(differs[i, j])
            drawing.append(
                drawsvg.Rectangle(
                    x + 1,
                    y + 1,
                    cell - 2,
                    CELL - 2,
                    fill=BLUE,
                    fill_opacity=opacities[i][j],
                    stroke=ORANGE if wrong else GREY,
                    stroke_width=2.5 if wrong else 0.5,
                )
            )
            if texts is not None:
                drawing.append(_text(texts[i][j], x + cell / 2, y + CELL / 2 + 4, text_anchor="middle"))
    return drawing


def side_by_side(drawings: Sequence[drawsvg.Drawing], gap: int = 16) -> drawsvg.Drawing:
    """Drawings in one row, in one picture."""
    width = sum(int(drawing.width) for drawing in drawings) + gap * (len(drawings) - 1)
    together = drawsvg.Drawing(width, max(int(drawing.height) for drawing in drawings), role="img")
    x = 0
    for drawing in drawings:
        group = drawsvg.Group(transform=f"translate({x} 0)")
        group.extend(drawing.elements)
        together.append(group)
        x += int(drawing.width) + gap
    return together


def _opacities(matrix: Tensor) -> list[list[float]]:
    if matrix.dtype == torch.bool:
        return torch.where(matrix, 1.0, 0.04).tolist()
    values = torch.nan_to_num(matrix.double().abs(), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max()) if values.numel() else 0.0
    return (0.04 + 0.5 * values / (largest or 1.0)).tolist()


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def _width(labels: Sequence[str]) -> int:
    return int(0.62 * SIZE * max((len(label) for label in labels), default=0)) + (6 if labels else 0)


def _text(text: str, x: float, y: float, weight: str = "normal", **more: str) -> drawsvg.Text:
    return drawsvg.Text(text, SIZE, x, y, fill="currentColor", font_family=FONT, font_weight=weight, **more)
