"""Diagrams: a whole computation as a graph of tensors and the steps between them, from top to bottom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import drawsvg

from autograder.drawing.box import Box
from autograder.drawing.colours import FAULT, INK, PAPER
from autograder.drawing.columns import Columns, in_columns
from autograder.drawing.layout import Edge, Node, arrange
from autograder.drawing.paper import MARGIN, SIZE, WIDEST, Figure, fitting, path, sentence, text_width, write
from autograder.drawing.pictures import ROOMS, FramedBox, Picture, StepEnd, StepLabel
from autograder.drawing.steps import LINE, Arrow, diagram_text, in_order, layers_of

PAGE = WIDEST - 2 * MARGIN
SHARES = (0.9, 0.6, 0.4, 0.2)  # of the page, for what stands in a layer; lines that pass take the rest
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


class _Placed(Node):
    """A node with its picture."""

    def __init__(self, layer: int, picture: Picture) -> None:
        super().__init__(layer, picture.width, picture.height, picture.port, picture.gap)
        self.picture = picture


def _is(node: Node, kind: type) -> bool:
    return isinstance(node, _Placed) and isinstance(node.picture, kind)


class _Diagram:
    """The nodes of a diagram in their places, and the ways of its lines."""

    def __init__(self, boxes: Mapping[str, Box], arrows: Sequence[Arrow], title: str) -> None:
        self.boxes, self.arrows, self.title = boxes, arrows, title
        for share in SHARES:
            self._lay_out(*layers_of(boxes, arrows, share * PAGE))
            if self.width <= PAGE:
                break
        self.columns = self._stack()

    def _lay_out(self, place: Mapping[str, int], steps: Sequence[int]) -> None:
        """Find everything's x: as straight and as roomy as the page allows."""
        boxes, arrows = self.boxes, self.arrows
        ends = [i for i, arrow in enumerate(arrows) if not arrow.outputs]
        makers: list[_Maker] = [(place[key], partial(FramedBox, boxes[key])) for key in place]
        makers += [(layer, partial(StepLabel, arrow)) for arrow, layer in zip(arrows, steps, strict=True)]
        makers += [(steps[i] + 1, partial(StepEnd, arrows[i])) for i in ends]
        passing: Counter[int] = Counter()
        for key in place:
            uses = [step for arrow, step in zip(arrows, steps, strict=True) if key in arrow.inputs]
            passing.update(range(place[key] + 1, max(uses, default=0)))
        for crowded in range(len(ROOMS)):
            self._arrange(place, ends, _fitted(makers, passing, crowded))
            if self.width <= PAGE:
                break
        for bends in (1, 2):
            if self.width > PAGE:
                self._arrange(place, ends, _fitted(makers, passing, crowded), bends)

    def _arrange(self, place: Mapping[str, int], ends: Sequence[int], nodes: list[_Placed], bends: int = 0) -> None:
        tensors, labels = dict(zip(place, nodes, strict=False)), nodes[len(place) :]
        edges: list[tuple[Edge, Arrow]] = []
        for arrow, label in zip(self.arrows, labels, strict=False):
            edges += [((tensors[key], label), arrow) for key in dict.fromkeys(arrow.inputs)]
            edges += [((label, tensors[key]), arrow) for key in arrow.outputs]
        lasts = nodes[len(place) + len(self.arrows) :]
        edges += [((labels[i], last), self.arrows[i]) for i, last in zip(ends, lasts, strict=True)]
        self.nodes = nodes
        self.layers, ways = arrange(nodes, [edge for edge, _ in edges], bends)
        self.styles: dict[Edge, set[Arrow]] = {}
        for way, (_, arrow) in zip(ways, edges, strict=True):
            for short in way:
                self.styles.setdefault(short, set()).add(arrow)

    @property
    def width(self) -> float:
        return max(node.x + node.width for layer in self.layers for node in layer)

    def _stack(self) -> Columns:
        y = float(MARGIN + (20 if self.title else 0))
        tops, bottoms = [], []
        for layer in self.layers:
            tops.append(y)
            bottoms.append(y + max((node.height for node in layer), default=0))
            slant = max((abs(node.line - other.line) for node in layer for other in node.below), default=0)
            arrows = any(not _is(node, StepLabel) for node in layer for other in node.below if not other.passing)
            y = bottoms[-1] + (9 if arrows else 4) + (min(26, 8 + slant * 0.06) if slant > 1 else 0)
        return in_columns(self.layers, tops, bottoms, PAGE)

    def draw(self) -> Figure:
        """The whole diagram."""
        width = max(self.width, text_width(self.title, bold=True)) + 2 * MARGIN
        text = diagram_text(self.boxes, self.arrows, self.title)
        paper = Figure(width, max(self.columns.bottoms) + MARGIN, self._description(), text, self.title)
        if self.title:
            write(paper, self.title, MARGIN, MARGIN + SIZE, font_weight="bold")
        page = drawsvg.Group(transform=f"translate({MARGIN} 0)")
        paper.append(page)
        for (upper, lower), arrows in self.styles.items():
            self._line(page, upper, lower, next(iter(arrows)) if len(arrows) == 1 else None)
        for node in self.nodes:
            node.picture.draw(page, node.x, self.columns.tops[node.layer])
        return paper

    def _line(self, page: drawsvg.Group, upper: Node, lower: Node, arrow: Arrow | None) -> None:
        """One short edge; lines that several steps share are plain."""
        joins = arrow is not None and len(arrow.inputs) > 1 and not _is(lower, FramedBox)
        memory = arrow.memory if arrow and not joins else ""
        colour = FAULT.line if arrow and arrow.failed else INK
        style: dict[str, object] = {"stroke": colour, "stroke_width": WIDTHS.get(memory, 1.2)}
        if memory in DASHES:
            style["stroke_dasharray"] = DASHES[memory]
        path(page, self._way(upper, lower), **style)
        end = self.columns.tops[lower.layer]
        if _is(lower, FramedBox):
            fill = PAPER if memory == "view" else colour
            page.append(drawsvg.Path(f"M{lower.line:.1f} {end:.1f}l-4 -7h8z", fill=fill, stroke=colour))
        elif joins and not lower.passing:
            page.append(drawsvg.Circle(round(lower.line, 1), round(end, 1), 3, fill=colour))

    def _way(self, upper: Node, lower: Node) -> str:
        columns = self.columns
        top, bottom, end = columns.tops[upper.layer], columns.bottoms[upper.layer], columns.tops[lower.layer]
        start = top if upper.passing or _is(upper, StepLabel) else top + upper.height
        if columns.column[upper.layer] != columns.column[lower.layer]:
            gutter = columns.gutter(columns.column[lower.layer])
            turns = f"V{bottom + 6:.1f}H{gutter:.1f}V{end - 8:.1f}H{lower.line:.1f}V{end:.1f}"
            return f"M{upper.line:.1f} {start:.1f}{turns}"
        if abs(upper.line - lower.line) < 0.6:
            return f"M{upper.line:.1f} {start:.1f}V{end:.1f}"
        middle = (bottom + end) / 2
        curve = f"C{upper.line:.1f} {middle:.1f} {lower.line:.1f} {middle:.1f} {lower.line:.1f} {end:.1f}"
        return f"M{upper.line:.1f} {start:.1f}V{bottom:.1f}{curve}"

    def _description(self) -> str:
        made = {key for arrow in self.arrows for key in arrow.outputs}
        used = {key for arrow in self.arrows for key in arrow.inputs}
        inputs = _listed([self.boxes[key] for key in self.boxes if key not in made])
        outputs = _listed([self.boxes[key] for key in self.boxes if key in made - used])
        origin = f" from {inputs}" if inputs else ""
        to = f" to {outputs}" if outputs else ""
        steps = "1 step" if len(self.arrows) == 1 else f"{len(self.arrows)} steps"
        failures = [f" The step {arrow.operation} fails: {arrow.message}" for arrow in self.arrows if arrow.failed]
        return f"A computation in {steps}{origin}{to}.{''.join(failures)}"


def _listed(boxes: Sequence[Box], most: int = 4) -> str:
    shown = [f"{box.name} {box.shape}".strip() for box in boxes[:most]]
    return ", ".join(shown) + (f" and {len(boxes) - most} more" if len(boxes) > most else "")


def _fitted(makers: Sequence[_Maker], passing: Mapping[int, int], crowded: int) -> list[_Placed]:
    """A node for each picture, as roomy as its layer allows, which some lines pass. `crowded` is how narrow pictures
    are where three or more stand side by side."""
    pictures: dict[int, Picture] = {}
    for layer in {layer for layer, _ in makers}:
        members = [i for i, (other, _) in enumerate(makers) if other == layer]
        for level in range(crowded if len(members) > 2 else 0, len(ROOMS)):
            made = [makers[i][1](level) for i in members]
            if sum(one.width + one.gap for one in made) + LINE * passing.get(layer, 0) <= PAGE:
                break
        pictures.update(zip(members, made, strict=True))
    placed = [(layer, pictures[i]) for i, (layer, _) in enumerate(makers)]
    return [_Placed(layer, picture) for layer, picture in placed]
