"""Diagrams: a whole computation as a graph of tensors and the steps between them, from top to bottom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import drawsvg

from autograder.drawing.box import Box
from autograder.drawing.colours import FAULT, INK, PAPER
from autograder.drawing.layout import Edge, Node, arrange
from autograder.drawing.paper import MARGIN, SIZE, WIDEST, Figure, fitting, path, sentence, text_width, write
from autograder.drawing.pictures import ROOMS, FramedBox, Picture, StepEnd, StepLabel
from autograder.drawing.steps import Arrow, diagram_text, in_order, layers_of

TALLEST = 1300  # px; what is taller goes on in a column to the right, where there is room
GUTTER = 30  # px between columns
DASHES = {"view": "5 3", "in place": "9 3 2 3"}
WIDTHS = {"copy": 2.4}


def diagram(boxes: Mapping[str, Box], arrows: Sequence[Arrow], title: str = "") -> Figure:
    """A computation as a graph: layers from top to bottom, branches side by side, lines that pass several layers beside
    what lies between, joins with the axis they join on.

    `boxes` are tensors by key, and the steps name them by key. Raises ValueError where the steps make no graph of them.
    """
    if not boxes and not arrows:
        return sentence("There are no steps to draw.")
    return _Diagram(boxes, in_order(boxes, arrows), fitting(title, 600, bold=True)).draw()


_Maker = tuple[int, Callable[[int], Picture]]  # the layer, and what makes the picture for how crowded that is


@dataclass(eq=False)
class _Placed(Node):
    picture: Picture | None = None


def _is(node: Node, kind: type) -> bool:
    return isinstance(node, _Placed) and isinstance(node.picture, kind)


class _Diagram:
    """The nodes of a diagram in their places, and the ways of its lines."""

    def __init__(self, boxes: Mapping[str, Box], arrows: Sequence[Arrow], title: str) -> None:
        self.boxes, self.arrows, self.title = boxes, arrows, title
        place, steps = layers_of(boxes, arrows)
        ends = [i for i, arrow in enumerate(arrows) if not arrow.outputs]
        makers: list[_Maker] = [(place[key], partial(FramedBox, boxes[key])) for key in place]
        makers += [(layer, partial(StepLabel, arrow)) for arrow, layer in zip(arrows, steps, strict=True)]
        makers += [(steps[i] + 1, partial(StepEnd, arrows[i])) for i in ends]
        passing: Counter[int] = Counter()
        for key in place:
            uses = [step for arrow, step in zip(arrows, steps, strict=True) if key in arrow.inputs]
            passing.update(range(place[key] + 1, max(uses, default=0)))
        nodes = _fitted(makers, passing)
        tensors, labels = dict(zip(place, nodes, strict=False)), nodes[len(place) :]
        edges: list[tuple[Edge, Arrow]] = []
        for arrow, label in zip(arrows, labels, strict=False):
            edges += [((tensors[key], label), arrow) for key in dict.fromkeys(arrow.inputs)]
            edges += [((label, tensors[key]), arrow) for key in arrow.outputs]
        edges += [((labels[i], end), arrows[i]) for i, end in zip(ends, nodes[len(place) + len(arrows) :], strict=True)]
        self.nodes = nodes
        self.layers, ways = arrange(nodes, [edge for edge, _ in edges], WIDEST - 2 * MARGIN)
        self.styles: dict[Edge, set[Arrow]] = {}
        for way, (_, arrow) in zip(ways, edges, strict=True):
            for short in way:
                self.styles.setdefault(short, set()).add(arrow)
        self.tops = self._stack()

    def _stack(self) -> list[tuple[float, float]]:
        """The top of each layer and its bottom."""
        y = float(MARGIN + (20 if self.title else 0))
        tops = []
        for layer in self.layers:
            bottom = y + max((node.height for node in layer), default=0)
            tops.append((y, bottom))
            slant = max((abs(node.line - other.line) for node in layer for other in node.below), default=0)
            arrows = any(not node.passing and not _is(node, StepLabel)
                         for node in layer for node in node.below)  # fmt: skip
            y = bottom + (10 if arrows else 4) + (min(26, 8 + slant * 0.06) if slant > 1 else 0)
        return tops

    def draw(self) -> Figure:
        width = max(node.x + node.width for layer in self.layers for node in layer)
        width = max(width, text_width(self.title, bold=True)) + 2 * MARGIN
        paper = Figure(
            width,
            self.tops[-1][1] + MARGIN,
            self._description(),
            diagram_text(self.boxes, self.arrows, self.title),
            self.title,
        )
        if self.title:
            write(paper, self.title, MARGIN, MARGIN + SIZE, font_weight="bold")
        page = drawsvg.Group(transform=f"translate({MARGIN} 0)")
        paper.append(page)
        for (upper, lower), arrows in self.styles.items():
            self._line(page, upper, lower, arrows.pop() if len(arrows) == 1 else None)
        for node in self.nodes:
            assert node.picture is not None
            node.picture.draw(page, node.x, self.tops[node.layer][0])
        return paper

    def _line(self, page: drawsvg.Group, upper: Node, lower: Node, arrow: Arrow | None) -> None:
        joined = arrow is not None and len(arrow.inputs) > 1 and not _is(lower, FramedBox)
        memory = arrow.memory if arrow and not joined else ""
        colour = FAULT.line if arrow and arrow.failed else INK
        top, bottom = self.tops[upper.layer]
        end, _ = self.tops[lower.layer]
        label = _is(upper, StepLabel)
        start = top if label or upper.passing else top + upper.height
        way = f"M{upper.line:.1f} {start:.1f}V{bottom:.1f}"
        if abs(upper.line - lower.line) < 0.6:
            way = f"M{upper.line:.1f} {start:.1f}V{end:.1f}"
        else:
            middle = (bottom + end) / 2
            way += f"C{upper.line:.1f} {middle:.1f} {lower.line:.1f} {middle:.1f} {lower.line:.1f} {end:.1f}"
        style = {"stroke": colour, "stroke_width": WIDTHS.get(memory, 1.2)}
        if memory in DASHES:
            style["stroke_dasharray"] = DASHES[memory]
        path(page, way, **style)
        if _is(lower, FramedBox):
            fill = PAPER if memory == "view" else colour
            page.append(drawsvg.Path(f"M{lower.line:.1f} {end:.1f}l-4 -7h8z", fill=fill, stroke=colour))
        elif arrow and len(arrow.inputs) > 1 and _is(lower, StepLabel):
            page.append(drawsvg.Circle(round(lower.line, 1), round(end, 1), 3, fill=colour))

    def _description(self) -> str:
        made = {key for arrow in self.arrows for key in arrow.outputs}
        used = {key for arrow in self.arrows for key in arrow.inputs}
        inputs = _listed([self.boxes[key] for key in self.boxes if key not in made])
        outputs = _listed([self.boxes[key] for key in self.boxes if key in made - used])
        steps = "1 step" if len(self.arrows) == 1 else f"{len(self.arrows)} steps"
        failures = [f" The step {arrow.operation} fails: {arrow.message}" for arrow in self.arrows if arrow.failed]
        return f"A computation in {steps} from {inputs}{f' to {outputs}' if outputs else ''}.{''.join(failures)}"


def _listed(boxes: Sequence[Box], most: int = 4) -> str:
    shown = [f"{box.name} {box.shape}".strip() for box in boxes[:most]]
    return ", ".join(shown) + (f" and {len(boxes) - most} more" if len(boxes) > most else "") or "nothing"


def _fitted(makers: Sequence[_Maker], passing: Mapping[int, int]) -> list[_Placed]:
    """A node for each picture, as roomy as its layer allows, which some lines pass."""
    pictures: dict[int, Picture] = {}
    for layer in {layer for layer, _ in makers}:
        members = [i for i, (other, _) in enumerate(makers) if other == layer]
        for crowded in range(len(ROOMS)):
            made = [makers[i][1](crowded) for i in members]
            if sum(one.width + one.gap for one in made) + 15 * passing.get(layer, 0) <= WIDEST - 2 * MARGIN:
                break
        pictures.update(zip(members, made, strict=True))
    return [
        _Placed(layer, one.width, one.height, one.port, one.gap, picture=one)
        for (layer, _), one in ((makers[i], pictures[i]) for i in range(len(makers)))
    ]
