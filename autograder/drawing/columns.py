"""Columns: a graph that is taller than a screen goes on in a column to the right, where one line alone leads on."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.drawing.layout import Layers

TALLEST = 1300  # px
GUTTER = 36  # px between columns, in which a line leads up
HEADROOM = 12  # px above a column that is led into


@dataclass(frozen=True)
class Columns:
    """Where each layer stands: its `tops` and `bottoms`, the `column` it is in, and the `lefts` of the columns."""

    tops: list[float]
    bottoms: list[float]
    column: list[int]
    lefts: list[float]

    def gutter(self, column: int) -> float:
        """The x of the line that leads up into a column."""
        return self.lefts[column] - GUTTER / 2


def in_columns(layers: Layers, tops: list[float], bottoms: list[float], page: float) -> Columns:
    """Stand layers in as many columns as their height asks for and the page has room for; moves the nodes."""
    height = bottoms[-1] - tops[0]
    width = max(node.x + node.width for layer in layers for node in layer)
    count = min(int(-(-height // TALLEST)), int((page + GUTTER) // (width + GUTTER)))
    cuts = _cuts(layers, tops, max(1, count))
    column = [sum(cut <= i for cut in cuts) for i in range(len(layers))]
    starts = [0, *cuts, len(layers)]
    lefts, left = [], 0.0
    new_tops, new_bottoms = list(tops), list(bottoms)
    for k in range(len(starts) - 1):
        members = range(starts[k], starts[k + 1])
        nodes = [node for i in members for node in layers[i]]
        lefts.append(left)
        right, leftmost = max(node.x + node.width for node in nodes), min(node.x for node in nodes)
        for node in nodes:
            node.x += left - leftmost
        left += right - leftmost + GUTTER
        up = tops[starts[k]] - tops[0] - (HEADROOM if cuts else 0)
        for i in members:
            new_tops[i], new_bottoms[i] = tops[i] - up, bottoms[i] - up
    return Columns(new_tops, new_bottoms, column, lefts)


def _cuts(layers: Layers, tops: list[float], count: int) -> list[int]:
    """The layers that begin a new column: of those into which one line leads, the nearest to an even share."""
    possible = [i for i in range(2, len(layers) - 1) if sum(len(node.below) for node in layers[i - 1]) == 1]
    cuts: list[int] = []
    for k in range(1, count):
        wanted = tops[0] + (tops[-1] - tops[0]) * k / count
        free = [i for i in possible if i > (cuts[-1] if cuts else 0)]
        if free:
            _, nearest = min((abs(tops[i] - wanted), i) for i in free)
            cuts.append(nearest)
    return cuts
