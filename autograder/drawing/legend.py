"""Legends: the axes of the course, those of one colour in a row."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.drawing.box import CHIP, chip, chip_width
from autograder.drawing.colours import AXES, Colour, colour_of
from autograder.drawing.paper import MARGIN, PAGE, Figure


def legend(*axes: str) -> Figure:
    """The colours of axes, or of all that the course names: those that share one stand in a row."""
    rows: dict[Colour, list[str]] = {}
    for axis in axes or AXES:
        rows.setdefault(colour_of(axis), []).append(axis)
    lines = [line for names in rows.values() for line in _wrapped(names)]
    width = max(sum(chip_width(axis) + 3 for axis in line) for line in lines) + 2 * MARGIN
    text = "\n".join(" ".join(names) for names in rows.values())
    description = f"Axes by colour: {'; '.join(', '.join(names) for names in rows.values())}."
    paper = Figure(width, len(lines) * (CHIP + 6) - 6 + 2 * MARGIN, description, text)
    for i, line in enumerate(lines):
        x = float(MARGIN)
        for axis in line:
            x += chip(paper, x, MARGIN + i * (CHIP + 6), axis) + 3
    return paper


def _wrapped(axes: Sequence[str]) -> list[list[str]]:
    lines: list[list[str]] = [[]]
    for axis in axes:
        if lines[-1] and sum(chip_width(one) + 3 for one in [*lines[-1], axis]) > PAGE - 2 * MARGIN:
            lines.append([])
        lines[-1].append(axis)
    return lines
