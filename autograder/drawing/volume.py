"""Volumes: feature maps as solids of channel, height and width."""

from __future__ import annotations

import math
from collections.abc import Sequence

import drawsvg

from autograder.drawing.colours import INK, Colour, axis_colour, colour_of
from autograder.drawing.paper import MARGIN, SIZE, WIDEST, Figure, fitting, path, text_width, write

SLANT = 0.55  # how far back a px of depth leads, to the right and up
SCALE, LONGEST = 5.0, 190.0  # px for the root of a size, and what is not exceeded
ARROW = 34  # px between two volumes

Lengths = tuple[float, float, float]


def volume(*shapes: tuple[int, int, int], names: Sequence[str] = (), axes: str = "channel height width") -> Figure:
    """Feature maps as solids side by side, each of a shape (channel, height, width).

    Lengths grow with the square root of sizes, so that 3×224×224 and 512×7×7 can both be read. `names` stand above,
    `axes` names the three. `volume((3, 224, 224), (64, 112, 112), names=["image", "after conv1"])`. Raises ValueError
    where there is no shape, or one that has not three sizes of at least 1.
    """
    labels = axes.split()
    if len(labels) != 3:
        raise ValueError(f"a volume has 3 axes; {axes!r} names {len(labels)}")
    for shape in shapes:
        if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
            raise ValueError(f"a volume has 3 sizes of at least 1, {axes}; this shape is {tuple(shape)}")
    if not shapes or len(names) > len(shapes):
        raise ValueError(f"there are {len(names)} names for {len(shapes)} shapes; volume needs at least one shape")
    titles = [fitting(name) for name in [*names, *[""] * (len(shapes) - len(names))]]
    solids = [_Solid(shape, labels, title) for shape, title in zip(shapes, titles, strict=True)]
    rows: list[list[_Solid]] = [[]]
    for one in solids:
        if rows[-1] and _width([*rows[-1], one]) > WIDEST - 2 * MARGIN:
            rows.append([])
        rows[-1].append(one)
    heights = [max(one.height for one in row) for row in rows]
    shown = [f"{name or 'a volume'} {s}" for name, s in zip(titles, (one.written for one in solids), strict=True)]
    text = "\n".join(f"{name}  {one.written}".strip() for name, one in zip(titles, solids, strict=True))
    width = max(_width(row) for row in rows) + 2 * MARGIN
    paper = Figure(width, sum(heights) + 12 * (len(rows) - 1) + 2 * MARGIN, f"Feature maps: {', '.join(shown)}.", text)
    y = float(MARGIN)
    for row, height in zip(rows, heights, strict=True):
        x = float(MARGIN)
        for i, one in enumerate(row):
            if i:
                middle = y + height / 2
                path(paper, f"M{x - ARROW + 4:.1f} {middle:.1f}h{ARROW - 14}m-5 -4l6 4l-6 4", stroke=INK)
            one.draw(paper, x, y + height - one.height)
            x += one.width + ARROW
        y += height + 12
    return paper


class _Solid:
    """A solid with its sizes along its edges."""

    def __init__(self, shape: tuple[int, int, int], labels: Sequence[str], title: str) -> None:
        self.title, self.axes = title, labels
        self.labels = [fitting(f"{axis} {size}") for axis, size in zip(labels, shape, strict=True)]
        self.lengths = edges(shape, SCALE, LONGEST)
        self.widths = [text_width(label) for label in self.labels]
        self.head = SIZE + 8 if title else 0
        across, self.tall = extent(self.lengths)
        channel, height, width = self.widths
        self.left = height + 6
        back = SLANT * self.lengths[0]
        right = max(across, self.lengths[2] + back / 2 + 10 + channel, width / 2 + self.lengths[2] / 2)
        self.width = self.left + max(right, text_width(title, bold=True) - self.left)
        self.height = self.head + self.tall + SIZE + 7

    @property
    def written(self) -> str:
        return f"({', '.join(self.labels)})"

    def draw(self, paper: Figure, x: float, y: float) -> None:
        """Draw it from its upper left corner."""
        if self.title:
            write(paper, self.title, x, y + SIZE, font_weight="bold")
        channel, height, width = self.lengths
        back, left, top = SLANT * channel, x + self.left, y + self.head
        solid(paper, left, top, self.lengths, colour_of(self.axes[0]))
        inks = [axis_colour(axis) for axis in self.axes]
        write(paper, self.labels[1], left - 5, top + back + height / 2 + 4, text_anchor="end", fill=inks[1])
        middle = max(left + width / 2, left + self.widths[2] / 2)
        write(paper, self.labels[2], middle, top + back + height + SIZE + 4, text_anchor="middle", fill=inks[2])
        # beside the solid, and never as low as the label of the width
        beside = top + back + height + min(9 - back / 2, 1)
        write(paper, self.labels[0], left + width + back / 2 + 6, beside, fill=inks[0])


def _width(row: Sequence[_Solid]) -> float:
    return sum(one.width for one in row) + ARROW * (len(row) - 1)


def edges(sizes: Sequence[int], scale: float, longest: float) -> Lengths:
    """The lengths in px of a solid's channel, height and width; `longest` is as long as one gets."""
    channel, height, width = (min(max(3.0, scale * math.sqrt(size)), longest) for size in sizes)
    return channel, height, width


def extent(lengths: Lengths) -> tuple[float, float]:
    """The width and the height in px of a solid's picture."""
    channel, height, width = lengths
    return width + SLANT * channel, height + SLANT * channel


def solid(paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float, lengths: Lengths, colour: Colour) -> None:
    """A solid whose picture begins at (x, y), its upper left corner: height by width in front, channels behind."""
    channel, height, width = lengths
    back = SLANT * channel
    top = y + back
    faces = drawsvg.Group(fill=colour.fill, stroke=colour.line, stroke_linejoin="round")
    front = f"M{x:.1f} {top:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"
    lid = f"M{x:.1f} {top:.1f}l{back:.1f} {-back:.1f}h{width:.1f}l{-back:.1f} {back:.1f}z"
    side = f"M{x + width:.1f} {top:.1f}l{back:.1f} {-back:.1f}v{height:.1f}l{-back:.1f} {back:.1f}z"
    for face, shade in ((front, 1.0), (lid, 0.5), (side, 0.75)):
        faces.append(drawsvg.Path(face, fill_opacity=shade if shade < 1 else None))
    paper.append(faces)
