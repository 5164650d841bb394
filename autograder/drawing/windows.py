"""Windows: what a convolution or a pooling reads of its padded input, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass

import drawsvg

from autograder.drawing.box import chip, chip_width
from autograder.drawing.colours import BLUE, CORAL, NEUTRAL, RULE, VIOLET, Colour
from autograder.drawing.paper import MARGIN, SIZE, WIDEST, Figure, beside, path, rectangle, text_width, write

CELL = 20  # px
MOST = 32  # cells of a padded axis
GAP = 40  # px between the input and the output
WINDOWS = (VIOLET, CORAL, BLUE)  # the first three
DASHES = ("", "6 3", "2 2")
Pair = int | tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution. `span` is how far a kernel reaches, `out` how many windows fit, `spare` how many
    places of the padded input lie behind the last of them."""

    name: str
    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def padded(self) -> int:
        """The size with its padding."""
        return self.size + 2 * self.padding

    @property
    def span(self) -> int:
        """From the first to the last place that a window reads."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def out(self) -> int:
        """How many windows fit."""
        return (self.padded - self.span) // self.stride + 1

    def read(self, window: int) -> list[int]:
        """The places of the padded input that a window reads."""
        return [window * self.stride + i * self.dilation for i in range(self.kernel)]

    @property
    def unread(self) -> set[int]:
        """The places that no window reads."""
        return set(range(self.padded)) - {place for window in range(self.out) for place in self.read(window)}

    @property
    def sentence(self) -> str:
        """How many windows fit, as it is calculated."""
        padded = f"{self.size} + 2·{self.padding}" if self.padding else f"{self.size}"
        span = f"{self.dilation}·({self.kernel} − 1) + 1 = {self.span}" if self.dilation > 1 else f"{self.kernel}"
        spare = self.padded - self.span - (self.out - 1) * self.stride
        left = f", {spare} left over" if spare else ""
        return f"{self.name}: a window spans {span}; ({padded} − {self.span}) // {self.stride} + 1 = {self.out}{left}"


def windows(
    size: Pair, kernel: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, at: int | None = None
) -> Figure:
    """The windows of a convolution on its padded input, and the places of their results.

    `size` is the input's: a length, or a pair of height and width; the others are one number for every axis or a pair.
    The first three windows are drawn, or the one with the number `at`. Padding is dashed; what no window reads is
    crossed out. Raises ValueError where no window fits, or the input is too large to be drawn.
    """
    axes = axes_of(size, kernel, stride, padding, dilation)
    count = axes[0].out * axes[1].out
    if at is not None and not 0 <= at < count:
        raise ValueError(f"there is no window {at}: they are numbered from 0 to {count - 1}")
    return _Windows(axes, _shown(axes, at)).draw()


def axes_of(size: Pair, kernel: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> tuple[Axis, Axis]:
    """The two axes of a convolution; one of a line lies across, and the other has no name. Raises ValueError where no
    window fits."""
    pairs = [_pair(value, name) for value, name in ((size, "size"), (kernel, "kernel"), (stride, "stride"))]
    pairs += [_pair(padding, "padding", 0), _pair(dilation, "dilation")]
    if isinstance(size, int):
        line = Axis("length", *(pair[1] for pair in pairs))
        axes = (Axis("", 1, 1, 1, 0, 1), line)
    else:
        axes = (Axis("height", *(pair[0] for pair in pairs)), Axis("width", *(pair[1] for pair in pairs)))
    for axis in axes:
        if axis.padded > MOST:
            raise ValueError(f"the padded {axis.name} is {axis.padded}; at most {MOST} can be drawn")
        if axis.span > axis.padded:
            raise ValueError(
                f"no window fits: along the {axis.name} a kernel of {axis.kernel} with dilation {axis.dilation} spans "
                f"{axis.span}, and the padded input has {axis.padded}"
            )
    return axes


def _pair(value: Pair, name: str, least: int = 1) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(number, int) and number >= least for number in pair):
        raise ValueError(f"{name} is {value!r}; it is a number from {least} up, or a pair of them")
    return pair[0], pair[1]


def _shown(axes: tuple[Axis, Axis], at: int | None) -> list[int]:
    rows, columns = (axis.out for axis in axes)
    if at is not None:
        return [at]
    return sorted({0, min(1, columns - 1), columns if rows > 1 else min(2, columns - 1)})


@dataclass
class _Windows:
    axes: tuple[Axis, Axis]
    shown: list[int]

    def draw(self) -> Figure:
        down, across = self.axes
        left = MARGIN
        self.below = 0 if down.name else 10 * len(self.shown) + 4  # a line has its windows below it
        notes = [axis.sentence for axis in self.axes if axis.name]
        if any(axis.unread for axis in self.axes):
            notes.append("×: no window reads it.")
        width, height = across.padded * CELL, down.padded * CELL + self.below
        heads = [f"input {self._size([a.size for a in self.axes])}" + (", padded" if self._padded else "")]
        heads.append(f"output {self._size([a.out for a in self.axes])}")
        second = max(width, text_width(heads[0], bold=True)) + GAP
        stacked = left + second + across.out * CELL + MARGIN > WIDEST
        x, y = (left, MARGIN + 34 + height + 40) if stacked else (left + second, MARGIN)
        bottom = max(MARGIN + 22 + height + 26, y + 22 + down.out * CELL + 26)
        total = max(x + across.out * CELL, x + text_width(heads[1], bold=True), left + width, x + self._chips_width())
        total = max(total, *(left + text_width(note) for note in notes), left + self._chips_width()) + MARGIN
        description = f"Windows of a convolution: {heads[0]}, {heads[1]}. {'. '.join(notes)}."
        paper = Figure(total, bottom + 16 * len(notes) + MARGIN, description, self._text(heads, notes))
        self._input(paper, left, MARGIN, heads[0])
        self._output(paper, x, y, heads[1])
        for i, note in enumerate(notes):
            write(paper, note, left, bottom + SIZE + 16 * i)
        return paper

    @property
    def _padded(self) -> bool:
        return any(axis.padding for axis in self.axes)

    def _size(self, sizes: list[int]) -> str:
        return " × ".join(str(size) for axis, size in zip(self.axes, sizes, strict=True) if axis.name)

    def _chips_width(self) -> float:
        return sum(chip_width(f"out_{axis.name}", 99) + 4 for axis in self.axes if axis.name)

    def _input(self, paper: Figure, x: float, y: float, head: str) -> None:
        down, across = self.axes
        write(paper, head, x, y + SIZE, font_weight="bold")
        y += 20
        cells = [(i, j) for i in range(down.padded) for j in range(across.padded)]
        real = [(i, j) for i, j in cells if self._real(i, j)]
        ghosts = [place for place in cells if not self._real(*place)]
        path(paper, _squares(real, x, y), fill=NEUTRAL.fill, stroke=RULE, stroke_width=0.8)
        if ghosts:
            path(paper, _squares(ghosts, x, y), stroke=RULE, stroke_width=0.8, stroke_dasharray="3 2")
        unread = [(i, j) for i, j in cells if i in down.unread or j in across.unread]
        if unread:
            crosses = (f"M{x + j * CELL + 6:g} {y + i * CELL + 6:g}l8 8m0 -8l-8 8" for i, j in unread)
            path(paper, "".join(crosses), stroke=RULE, stroke_width=1.2)
        for k, number in enumerate(self.shown):
            self._window(paper, x, y, k, number)
        self._chips(paper, x, y + down.padded * CELL + self.below + 5, "")

    def _real(self, i: int, j: int) -> bool:
        places = zip((i, j), self.axes, strict=True)
        return all(axis.padding <= place < axis.padding + axis.size for place, axis in places)

    def _window(self, paper: Figure, x: float, y: float, k: int, number: int) -> None:
        """The k-th of the shown windows: a frame around its span, and a mark in each place that it reads."""
        down, across = self.axes
        row, column = divmod(number, across.out)
        colour = WINDOWS[k]
        rows, columns = down.read(row), across.read(column)
        if k == 0:
            places = [(i, j) for i in rows for j in columns]
            path(paper, _squares(places, x, y), fill=colour.fill, stroke=colour.line, stroke_width=0.8)
        if not down.name:
            self._bar(paper, x, y + CELL + 4 + 10 * k, columns, k)
            return
        inset = 2.5 * k
        left, top = x + columns[0] * CELL + inset, y + rows[0] * CELL + inset
        width, height = across.span * CELL - 2 * inset, down.span * CELL - 2 * inset
        style = {"stroke": colour.line, "stroke_width": 2.2, "stroke_dasharray": DASHES[k] or None}
        paper.append(drawsvg.Rectangle(left, top, width, height, fill="none", **style))
        if max(down.dilation, across.dilation) > 1 and k:
            dots = drawsvg.Group(fill=colour.line)
            for i in rows:
                for j in columns:
                    dots.append(drawsvg.Circle(x + j * CELL + CELL / 2 + 5 * k - 5, y + i * CELL + CELL / 2, 2))
            paper.append(dots)

    def _bar(self, paper: Figure, x: float, y: float, places: list[int], k: int) -> None:
        """A window of a line, below it: a bar over its span, with a mark under each place that it reads."""
        bar = f"M{x + places[0] * CELL + 4:g} {y + 4:g}H{x + places[-1] * CELL + CELL - 4:g}"
        path(paper, bar, stroke=WINDOWS[k].line, stroke_width=2.2, stroke_dasharray=DASHES[k] or None)
        marks = drawsvg.Group(fill=WINDOWS[k].line)
        for place in places:
            rectangle(marks, x + place * CELL + CELL / 2 - 4, y, 8, 8)
        paper.append(marks)

    def _output(self, paper: Figure, x: float, y: float, head: str) -> None:
        down, across = self.axes
        write(paper, head, x, y + SIZE, font_weight="bold")
        y += 20
        plain = [divmod(n, across.out) for n in range(down.out * across.out) if n not in self.shown]
        if plain:
            path(paper, _squares(plain, x, y), fill=NEUTRAL.fill, stroke=RULE, stroke_width=0.8)
        for k, number in enumerate(self.shown):
            row, column = divmod(number, across.out)
            colour: Colour = WINDOWS[k]
            style = {"stroke": colour.line, "stroke_width": 2.2, "stroke_dasharray": DASHES[k] or None}
            left, top, side = x + column * CELL + 1.5, y + row * CELL + 1.5, CELL - 3
            paper.append(drawsvg.Rectangle(left, top, side, side, fill=colour.fill if k == 0 else "none", **style))
        self._chips(paper, x, y + down.out * CELL + 5, "out_")

    def _chips(self, paper: Figure, x: float, y: float, prefix: str) -> None:
        for axis in self.axes:
            if axis.name:
                x += chip(paper, x, y, prefix + axis.name, axis.out if prefix else axis.size) + 4

    def _text(self, heads: list[str], notes: list[str]) -> str:
        down, across = self.axes
        row, column = divmod(self.shown[0], across.out)
        first = {(i, j) for i in down.read(row) for j in across.read(column)}

        def mark(i: int, j: int) -> str:
            if (i, j) in first:
                return "■"
            if i in down.unread or j in across.unread:
                return "×"
            return "□" if self._real(i, j) else "·"

        grid = [" ".join(mark(i, j) for j in range(across.padded)) for i in range(down.padded)]
        out = [" ".join("■" if (i, j) == (row, column) else "□" for j in range(across.out)) for i in range(down.out)]
        pictures = beside(["\n".join([heads[0], *grid]), "\n".join([heads[1], *out])])
        return "\n".join([pictures, *notes])


def _squares(places: list[tuple[int, int]], x: float, y: float) -> str:
    side = f"h{CELL - 3}v{CELL - 3}h{3 - CELL}z"
    return "".join(f"M{x + j * CELL + 1.5:g} {y + i * CELL + 1.5:g}{side}" for i, j in places)
