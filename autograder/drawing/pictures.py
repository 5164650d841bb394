"""Pictures: what stands in a diagram's layers: framed tensors, steps beside their lines, the place where one failed."""

from __future__ import annotations

from typing import Protocol

import drawsvg

from autograder.drawing.box import CHIP, Box, BoxPicture, chip, chip_width
from autograder.drawing.colours import FAULT, PAPER, RULE
from autograder.drawing.paper import SIZE, SMALL, fitting, path, rectangle, small, text_width, wrap, write
from autograder.drawing.steps import Arrow

ROOMS = (260, 200, 150, 110, 80)  # px, the widths of a step's label, from roomy to crowded
LINE, SMALL_LINE = 14, 13  # px, the heights of lines of text


class Picture(Protocol):
    """Something measured, to stand in a layer: lines come and go `port` px from its left, neighbours keep `gap` off."""

    width: float
    height: float
    port: float
    gap: float

    def draw(self, paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float) -> None:
        """Draw it from its upper left corner."""


class FramedBox:
    """A tensor in a frame, at which arrows point; the more `crowded`, the more rows its axes take."""

    gap = 18.0

    def __init__(self, box: Box, crowded: int) -> None:
        self.picture = BoxPicture(box, crowded + 1)
        self.width, self.height = self.picture.width + 8, self.picture.height + 6
        self.port = self.width / 2

    def draw(self, paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float) -> None:
        """Draw it from its upper left corner."""
        rectangle(paper, x, y, self.width, self.height, rx=5, fill=PAPER, stroke=RULE, stroke_width=0.8)
        self.picture.draw(paper, x + 4, y + 3)


class StepLabel:
    """A step's operation beside its line, with all that is said of it."""

    gap = 10.0
    port = 3.0

    def __init__(self, arrow: Arrow, crowded: int) -> None:
        room = ROOMS[crowded]
        self.arrow = arrow
        self.lines = wrap(arrow.operation, room, lines=3)
        beside = fitting(" · ".join(filter(None, (arrow.memory, arrow.note))), size=SMALL)
        self.first = text_width(self.lines[0], bold=arrow.failed) + 8
        inline = len(self.lines) == 1 and self.first + text_width(beside, SMALL) <= room
        self.beside = beside if inline else ""
        self.below = [] if inline or not beside else wrap(beside, room, SMALL, lines=2)
        widths = [text_width(line, bold=arrow.failed) for line in self.lines]
        widths += [text_width(line, SMALL) for line in self.below] + [self.first + text_width(self.beside, SMALL)]
        self.joins = text_width("joins on", SMALL) + 5
        if arrow.joins:
            widths.append(self.joins + chip_width(arrow.joins))
        self.width = 12 + max(widths) + 2
        self.height: float = LINE * len(self.lines) + SMALL_LINE * len(self.below) + (CHIP + 3 if arrow.joins else 0)

    def draw(self, paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float) -> None:
        """Draw it from its upper left corner."""
        x += 12
        ink, weight = (FAULT.line, "bold") if self.arrow.failed else (None, None)
        for i, line in enumerate(self.lines):
            write(paper, line, x, y + SIZE + LINE * i, fill=ink, font_weight=weight)
        if self.beside:
            small(paper, self.beside, x + self.first, y + SIZE)
        y += LINE * len(self.lines)
        for i, line in enumerate(self.below):
            small(paper, line, x, y + SMALL + SMALL_LINE * i)
        if self.arrow.joins:
            y += SMALL_LINE * len(self.below) + 1
            small(paper, "joins on", x, y + LINE)
            chip(paper, x + self.joins, y, self.arrow.joins)


class StepEnd:
    """Where a step ends that makes no tensor: what it raised, or a bar."""

    gap = 18.0

    def __init__(self, arrow: Arrow, crowded: int) -> None:
        self.failed = arrow.failed
        self.lines = wrap(arrow.message or "It raised an error.", ROOMS[crowded], lines=4) if arrow.failed else []
        self.width = max(map(text_width, self.lines)) + 36 if arrow.failed else 20.0
        self.height = (LINE + 1) * len(self.lines) + 9 if arrow.failed else 3.0
        self.port = self.width / 2

    def draw(self, paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float) -> None:
        """Draw it from its upper left corner."""
        if not self.failed:
            rectangle(paper, x, y, self.width, 2, fill=RULE)
            return
        rectangle(paper, x, y, self.width, self.height, rx=3, fill=FAULT.fill, stroke=FAULT.line, stroke_width=2)
        path(
            paper, f"M{x + 9:.1f} {y + self.height / 2 - 5:.1f}l10 10m0 -10l-10 10", stroke=FAULT.line, stroke_width=2.6
        )
        for i, line in enumerate(self.lines):
            write(paper, line, x + 28, y + 16 + (LINE + 1) * i)
