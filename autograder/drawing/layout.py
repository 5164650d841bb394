"""Layout: a layered graph from top to bottom, with lines that pass between what lies on their way.

The steps are Sugiyama's: lines that pass layers get a narrow place in each, layers are sorted so that few lines cross
(barycentres), and each layer is shifted towards its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

SWEEPS = 12


@dataclass(eq=False)
class Node:
    """Something with a place in a layer. `port` is where lines come and go, in px from its left side, `gap` the room
    to its right. Found are `x`, and the nodes `above` and `below` that lines lead to. Where a line passes a layer
    there is a node that is `passing`."""

    layer: int
    width: float
    height: float
    port: float
    gap: float
    passing: bool = False
    x: float = 0.0
    above: list[Node] = field(default_factory=list)
    below: list[Node] = field(default_factory=list)

    @property
    def line(self) -> float:
        """Where lines come and go."""
        return self.x + self.port


Edge = tuple[Node, Node]
Layers = list[list[Node]]


def arrange(nodes: Sequence[Node], edges: Sequence[Edge], page: float) -> tuple[Layers, list[list[Edge]]]:
    """Give every node its x, from 0 up, within `page` px where that is enough: the layers, from left to right, and the
    short edges that each edge consists of.

    Edges lead downwards: from a layer to a later one.
    """
    layers: Layers = [[] for _ in range(max(node.layer for node in nodes) + 1)]
    for node in nodes:
        layers[node.layer].append(node)
    ways = _connect(layers, edges)
    _sort(layers)
    _shift(layers, page)
    left = min(node.x for layer in layers for node in layer)
    for layer in layers:
        for node in layer:
            node.x -= left
    return layers, ways


def _connect(layers: Layers, edges: Sequence[Edge]) -> list[list[Edge]]:
    """Lines that leave the same node share their way as far as it is the same."""
    ways = []
    passing: dict[tuple[int, int], Node] = {}
    for source, target in edges:
        chain = [source]
        for layer in range(source.layer + 1, target.layer):
            if (id(source), layer) not in passing:
                passing[id(source), layer] = Node(layer, 6, 0, 3, 9, passing=True)
                layers[layer].append(passing[id(source), layer])
            chain.append(passing[id(source), layer])
        ways.append(list(pairwise([*chain, target])))
        for upper, lower in ways[-1]:
            if lower not in upper.below:
                upper.below.append(lower)
                lower.above.append(upper)
    return ways


def _sort(layers: Layers) -> None:
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        for layer in layers[1:] if downwards else layers[-2::-1]:
            neighbours = layers[layer[0].layer + (-1 if downwards else 1)]
            place = {id(node): i for i, node in enumerate(neighbours)}
            own = {id(node): i for i, node in enumerate(layer)}

            centres = []
            for node in layer:
                near = [place[id(other)] for other in (node.above if downwards else node.below)]
                centres.append(sum(near) / len(near) if near else own[id(node)])
            layer[:] = [layer[i] for i in sorted(range(len(layer)), key=centres.__getitem__)]
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _crossings(layers: Layers) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {id(node): i for i, node in enumerate(lower)}
        ends = [place[id(node)] for source in upper for node in sorted(source.below, key=lambda node: place[id(node)])]
        total += sum(first > second for i, first in enumerate(ends) for second in ends[i + 1 :])
    return total


def _shift(layers: Layers, page: float) -> None:
    """Move each layer towards its neighbours, within the page where it is wide enough; then make lines straight."""
    page = max(page, *(_width(layer) for layer in layers))
    for layer in layers:
        _settle(layer, [page / 2] * len(layer), page)
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = []
            for node in layer:
                near = [*node.above, *node.below] if sweep > 1 else node.below if sweep else node.above
                near = near or [*node.above, *node.below] or [node]
                weights = [_weight(node, other) for other in near]
                wanted.append(sum(w * other.line for w, other in zip(weights, near, strict=True)) / sum(weights))
            _settle(layer, wanted, page)
    chains = _chains(layers)
    for _ in range(SWEEPS):
        for chain in chains:
            _straighten(chain, layers, page)


def _chains(layers: Layers) -> list[list[Node]]:
    """Nodes below each other that one straight line can go through, each in one chain, the longest first."""
    chain_of: dict[int, list[Node]] = {}
    for layer in layers:
        taken: set[int] = set()
        for node in layer:
            free = [other for other in node.above if id(other) not in taken]
            # a branch goes straight on rather than the line that passes it, and a line that passes goes on as it came
            best = min(free, key=partial(_turn, node), default=None)
            if best is None:
                chain_of[id(node)] = [node]
            else:
                taken.add(id(best))
                chain_of[id(node)] = chain_of[id(best)]
                chain_of[id(node)].append(node)
    unique = {id(chain): chain for chain in chain_of.values()}
    return sorted(unique.values(), key=len, reverse=True)


def _turn(node: Node, other: Node) -> tuple[bool, float]:
    return other.passing != node.passing, abs(other.line - node.line)


def _straighten(chain: Sequence[Node], layers: Layers, page: float) -> None:
    """Give the nodes of a chain one line, near to their neighbours', as far as those beside them leave room for one."""
    part: list[Node] = []
    low, high = 0.0, page
    for node in chain:
        least, most = _room(node, layers[node.layer], page)
        if max(low, least) > min(high, most):
            _move(part, low, high)
            part, low, high = [], 0.0, page
        part.append(node)
        low, high = max(low, least), min(high, most)
    _move(part, low, high)


def _room(node: Node, layer: Sequence[Node], page: float) -> tuple[float, float]:
    """Between which lines a node can move without touching those beside it."""
    i = next(i for i, other in enumerate(layer) if other is node)
    left = layer[i - 1].x + layer[i - 1].width + layer[i - 1].gap if i else 0.0
    right = layer[i + 1].x - node.gap if i + 1 < len(layer) else page
    return left + node.port, right - node.width + node.port


def _move(nodes: Sequence[Node], low: float, high: float) -> None:
    near = [other.line for node in nodes for other in (*node.above, *node.below)] or [node.line for node in nodes]
    line = min(max(sum(near) / max(1, len(near)), low), high)
    for node in nodes:
        node.x = line - node.port


def _width(layer: Sequence[Node]) -> float:
    return sum(node.width + node.gap for node in layer) - layer[-1].gap if layer else 0.0


def _weight(one: Node, other: Node) -> float:
    return 8.0 if one.passing and other.passing else 2.0 if one.passing or other.passing else 1.0


def _settle(layer: Sequence[Node], wanted: Sequence[float], page: float) -> None:
    """Place a layer's nodes in order, without overlap, their lines as near to the wanted ones as can be (least squares:
    neighbours that push each other become one block, which lies where its members want it on average)."""
    offsets, right = [], 0.0
    for node in layer:
        offsets.append(right)
        right += node.width + node.gap
    blocks: list[tuple[float, float, int]] = []  # the sum of weighted wishes, of weights, how many nodes
    for node, line, offset in zip(layer, wanted, offsets, strict=True):
        weight = 8.0 if node.passing else 1.0
        blocks.append((weight * (line - node.port - offset), weight, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            (sum_a, weight_a, count_a), (sum_b, weight_b, count_b) = blocks[-2:]
            blocks[-2:] = [(sum_a + sum_b, weight_a + weight_b, count_a + count_b)]
    starts = [total / weight for total, weight, count in blocks for _ in range(count)]
    room = page - _width(layer)
    for node, start, offset in zip(layer, starts, offsets, strict=True):
        node.x = min(max(start, 0.0), room) + offset
