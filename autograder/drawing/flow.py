"""Flows: a short computation as rows of tensors, and between them the operation that makes one of the other."""

from __future__ import annotations

from collections.abc import Sequence

import drawsvg

from autograder.drawing.box import Box, BoxPicture
from autograder.drawing.colours import INK
from autograder.drawing.paper import MARGIN, WIDEST, Figure, fitting, path, text_width, write

GAP, ROW_GAP, ARROW = 26, 8, 32  # px: between boxes, around a row, of an arrow's height

__all__ = ["Box", "flow"]


def flow(*steps: Sequence[Box] | str) -> Figure:
    """A computation from top to bottom: rows of tensors, and between them the operation that makes one of the other.

    `flow([Box("padding", {"batch": 2, "heads": 1, "tgt": 1, "src": 7}), Box("causal", {"tgt": 5, "src": 7})],
    "&", [Box("mask", {"batch": 2, "heads": 1, "tgt": 5, "src": 7})])`. Raises ValueError where there is no tensor.
    """
    if not any(step for step in steps if not isinstance(step, str)):
        raise ValueError("flow needs at least one row of boxes")
    rows = [step if isinstance(step, str) else _fitted(step) for step in steps if step]
    widths = [text_width(fitting(row)) * 2 + 24 if isinstance(row, str) else _width(row) for row in rows]
    heights = [ARROW if isinstance(row, str) else max(box.height for box in row) for row in rows]
    width = max(widths) + 2 * MARGIN
    boxes = [[box.name or box.shape for box in step] for step in steps if not isinstance(step, str)]
    description = "A computation: " + ", then ".join(" and ".join(row) for row in boxes if row) + "."
    paper = Figure(width, sum(heights) + ROW_GAP * (len(rows) - 1) + 2 * MARGIN, description, flow_text(*steps))
    y = float(MARGIN)
    for row, wide, height in zip(rows, widths, heights, strict=True):
        if isinstance(row, str):
            _arrow(paper, width / 2, y, row)
        else:
            x = (width - wide) / 2
            for box in row:
                box.draw(paper, x, y + height - box.height)
                x += box.width + GAP
        y += height + ROW_GAP
    return paper


def flow_text(*steps: Sequence[Box] | str) -> str:
    """A flow as plain text: a line for each tensor and each operation.

    >>> print(flow_text([Box("x", {"n": 5}), Box("y", {"m": 4})], "x[:, None] − y", [Box("z", {"n": 5, "m": 4})]))
    x  (n 5)
    y  (m 4)
      ↓ x[:, None] − y
    z  (n 5, m 4)
    """
    wide = max((len(box.name) for step in steps if not isinstance(step, str) for box in step), default=0)
    lines = []
    for step in steps:
        if isinstance(step, str):
            lines.append(f"  ↓ {step}")
        else:
            lines += [f"{box.name:<{wide}}  {box.shape}  {box.note}".rstrip() for box in step]
    return "\n".join(lines)


def _fitted(boxes: Sequence[Box]) -> list[BoxPicture]:
    """The boxes' pictures, their axes in as many rows as it takes to keep them on a page."""
    for rows in range(1, 4):
        pictures = [BoxPicture(box, rows) for box in boxes]
        if _width(pictures) <= WIDEST - 2 * MARGIN:
            break
    return pictures


def _width(row: Sequence[BoxPicture]) -> float:
    return sum(box.width for box in row) + GAP * (len(row) - 1)


def _arrow(paper: drawsvg.Drawing, x: float, y: float, operation: str) -> None:
    path(paper, f"M{x:.1f} {y - 3:.1f}v{ARROW}", stroke=INK, stroke_width=1.2)
    paper.append(drawsvg.Path(f"M{x:.1f} {y + ARROW + 2:.1f}l-4 -7h8z", fill=INK))
    write(paper, fitting(operation), x + 10, y + ARROW / 2 + 3)
