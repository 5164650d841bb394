"""Boxes: a tensor as its name over a row of named, coloured axes with their sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import drawsvg
from torch import Tensor

from autograder.drawing.colours import colour_of, parts_of
from autograder.drawing.paper import SIZE, SMALL, fitting, path, rectangle, small, text_width, write
from autograder.drawing.volume import edges, extent, solid

CHIP = 20  # px, the height of an axis
HEAD = 14  # px, the height of a name
PAD = 6  # px, on both sides of an axis's label
CHANNELS = ("channel", "c_in", "c_out", "c_mid", "feature")


@dataclass(frozen=True)
class Box:
    """A tensor in a drawing.

    `axes` are names and sizes in order, as pairs or as a mapping; a name may be "", and a product such as
    `heads·d_head` keeps the colour of each of its parts. With `volume` the last three axes are drawn as a solid too;
    `note` stands small beside the name. Raises ValueError where a size is no number of elements.
    """

    name: str
    axes: Mapping[str, int] | Sequence[tuple[str, int]]
    volume: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        for axis, size in self.pairs:
            if not isinstance(size, int) or size < 0:
                raise ValueError(
                    f"the axis {axis!r} of {self.name!r} has the size {size!r}; a size is an int from 0 up"
                )

    @classmethod
    def of(cls, name: str, tensor: Tensor, axes: str, volume: bool = False, note: str = "") -> Box:
        """The box of a real tensor, its axes named in order: `Box.of("scores", scores, "batch heads tgt src")`.

        Raises ValueError where there are not as many names as axes.
        """
        names = axes.split()
        if len(names) != tensor.dim():
            raise ValueError(f"{axes!r} names {len(names)} axes; {name or 'the tensor'} has {tensor.dim()}, of shape "
                             f"{tuple(tensor.shape)}")  # fmt: skip
        return cls(name, list(zip(names, tensor.shape, strict=True)), volume, note)

    @cached_property
    def pairs(self) -> list[tuple[str, int]]:
        """The axes in order, as pairs of name and size."""
        return list(self.axes.items()) if isinstance(self.axes, Mapping) else [(name, size) for name, size in self.axes]

    @property
    def shape(self) -> str:
        """The axes as plain text: `(batch 2, seq 7)`."""
        return f"({', '.join(label(axis, size) for axis, size in self.pairs)})"


def label(axis: str, size: int | None = None) -> str:
    """What stands in an axis: its name and its size."""
    return axis if size is None else f"{axis} {size}".strip()


def chip_width(axis: str, size: int | None = None) -> float:
    """The width of an axis in px."""
    return text_width(fitting(label(axis, size))) + 2 * PAD


def chip(paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float, axis: str, size: int | None = None) -> float:
    """One axis from its upper left corner, each part of a product in its own colour; its width in px."""
    width, text = chip_width(axis, size), fitting(label(axis, size))
    first, *others = parts = parts_of(axis)
    colour = colour_of(first)
    rectangle(paper, x, y, width, CHIP, rx=4, fill=colour.fill, stroke=colour.line, stroke_width=1.2)
    for i, part in enumerate(others, 1):
        left = PAD + text_width("·".join(parts[:i]) + "·") - 2
        tint = f"M{x + left:.1f} {y + 0.6:.1f}H{x + width - 0.6:.1f}v{CHIP - 1.2:.1f}H{x + left:.1f}z"
        path(paper, tint, fill=colour_of(part).fill)
    write(paper, text, x + width / 2, y + 14, text_anchor="middle")
    return width


@dataclass(frozen=True)
class BoxPicture:
    """A box measured to be drawn, its axes in `rows` rows."""

    box: Box
    rows: int = 1

    @cached_property
    def lines(self) -> list[list[tuple[str, int]]]:
        """The axes of each row."""
        pairs = self.box.pairs
        count = max(1, -(-len(pairs) // self.rows))
        return [pairs[i : i + count] for i in range(0, len(pairs), count)] or [[]]

    @cached_property
    def solid(self) -> tuple[float, float, float] | None:
        """The lengths of the solid beside the box, where it has one."""
        if not self.box.volume or len(self.box.pairs) < 3:
            return None
        *_, third, second, last = self.box.pairs
        if third[0] not in CHANNELS and last[0] in CHANNELS:  # channels last
            third, second, last = last, third, second
        return edges((third[1], second[1], last[1]), 1.7, 44)

    @property
    def head(self) -> float:
        """The height of the name's line."""
        return HEAD if self.box.name or self.box.note else 0

    @cached_property
    def room(self) -> float:
        """The width that the solid takes."""
        return extent(self.solid)[0] + 6 if self.solid else 0

    @cached_property
    def width(self) -> float:
        """In px."""
        axes = max(sum(chip_width(*pair) + 2 for pair in line) - 2 if line else 46 for line in self.lines)
        name = text_width(fitting(self.box.name), bold=True) + (text_width(self.box.note, SMALL) + 8) * bool(
            self.box.note
        )
        return self.room + max(axes, name + 2)

    @cached_property
    def height(self) -> float:
        """In px."""
        return max(self.head + len(self.lines) * (CHIP + 2) - 2, extent(self.solid)[1] if self.solid else 0)

    def draw(self, paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float) -> None:
        """Draw it from its upper left corner."""
        if self.solid is not None:
            channel = next((axis for axis, _ in self.box.pairs if axis in CHANNELS), self.box.pairs[-3][0])
            solid(paper, x, y + self.height - extent(self.solid)[1], self.solid, colour_of(channel))
        left, name = x + self.room, fitting(self.box.name)
        top = y + self.height - (self.head + len(self.lines) * (CHIP + 2) - 2)
        write(paper, name, left + 1, top + SIZE, font_weight="bold") if name else None
        if self.box.note:
            small(paper, self.box.note, left + 1 + (text_width(name, bold=True) + 8 if name else 0), top + SIZE)
        for i, line in enumerate(self.lines):
            right, below = left, top + self.head + i * (CHIP + 2)
            for axis, size in line:
                right += chip(paper, right, below, axis, size) + 2
            if not line:  # a tensor without axes
                rectangle(paper, left, below, 46, CHIP, rx=10, fill="none", stroke=colour_of("").line)
                write(paper, "scalar", left + 23, below + 14, text_anchor="middle")
