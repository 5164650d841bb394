"""Layout: a layered graph from top to bottom, with lines that pass between what lies on their way.

The steps are Sugiyama's: lines that pass layers get a narrow place in each, layers are sorted so that few lines cross
(barycentres), and each layer is shifted towards its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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


def arrange(nodes: Sequence[Node], edges: Sequence[Edge], bends: int = 0) -> tuple[Layers, list[list[Edge]]]:
    """Give every node its x, from 0 up: the layers, from left to right, and the short edges that each edge is made of.

    Edges lead downwards, from a layer to a later one. Lines that bend take less room: with 1 for `bends` they may do so
    where they begin to pass layers, with 2 anywhere, and stand closer.
    """
    layers: Layers = [[] for _ in range(max(node.layer for node in nodes) + 1)]
    for node in nodes:
        layers[node.layer].append(node)
    ways = _connect(layers, edges, 4 if bends > 1 else 9)
    _sort(layers)
    _place(layers, _chains(layers, bends))
    return layers, ways


def _connect(layers: Layers, edges: Sequence[Edge], gap: float) -> list[list[Edge]]:
    """Lines that leave the same node share their way as far as it is the same."""
    ways = []
    passing: dict[tuple[int, int], Node] = {}
    for source, target in edges:
        chain = [source]
        for layer in range(source.layer + 1, target.layer):
            if (id(source), layer) not in passing:
                passing[id(source), layer] = Node(layer, 4, 0, 2, gap, passing=True)
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
        for neighbours, layer in pairwise(layers if downwards else layers[::-1]):
            place = {id(node): i for i, node in enumerate(neighbours)}
            centres = []
            for i, node in enumerate(layer):
                near = [place[id(other)] for other in (node.above if downwards else node.below)]
                centres.append(sum(near) / len(near) if near else i)
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


Chain = list[Node]


def _place(layers: Layers, chains: Sequence[Chain]) -> None:
    """Give each chain one straight line: halfway between the leftmost and the rightmost places, then near to what it is
    connected with."""
    of = {id(node): i for i, chain in enumerate(chains) for node in chain}
    before: list[list[tuple[int, float]]] = [[] for _ in chains]  # for each chain those to its left, and how far off
    behind: list[list[tuple[int, float]]] = [[] for _ in chains]
    for layer in layers:
        for left, right in pairwise(layer):
            apart = left.width - left.port + left.gap + right.port
            before[of[id(right)]].append((of[id(left)], apart))
            behind[of[id(left)]].append((of[id(right)], apart))
    least = [max(node.port for node in chain) for chain in chains]
    order = _outwards(before)
    for i in order:
        least[i] = max([least[i], *(least[j] + apart for j, apart in before[i])])
    page = max(line + node.width - node.port for line, chain in zip(least, chains, strict=True) for node in chain)
    most = [min(page - node.width + node.port for node in chain) for chain in chains]
    for i in reversed(order):
        most[i] = min([most[i], *(most[j] - apart for j, apart in behind[i])])
    lines = [(low + high) / 2 for low, high in zip(least, most, strict=True)]
    for _ in range(SWEEPS):
        for i in [*order, *reversed(order)]:
            near = [lines[of[id(other)]] for node in chains[i] for other in (*node.above, *node.below)]
            near = [line for line in near if line != lines[i]]
            low = max([max(node.port for node in chains[i]), *(lines[j] + apart for j, apart in before[i])])
            high = min([min(page - n.width + n.port for n in chains[i]), *(lines[j] - apart for j, apart in behind[i])])
            if near:
                lines[i] = min(max(sum(near) / len(near), low), high)
    for line, chain in zip(lines, chains, strict=True):
        for node in chain:
            node.x = line - node.port


def _chains(layers: Layers, bends: int) -> list[Chain]:
    """Nodes below each other that one straight line goes through, each in one chain. No two chains cross."""
    chain_of: dict[int, Chain] = {id(node): [node] for layer in layers for node in layer}
    for upper, lower in pairwise(layers):
        place = {id(node): i for i, node in enumerate(upper)}
        own = {id(node): i for i, node in enumerate(lower)}
        edges = [
            (one, other)
            for one in upper
            for other in one.below
            if not bends or (bends == 1 and one.passing == other.passing)
        ]
        taken: list[tuple[int, int]] = []
        for one, other in sorted(edges, key=_turn):
            i, j = place[id(one)], own[id(other)]
            if all((i < k and j < m) or (i > k and j > m) for k, m in taken):
                taken.append((i, j))
                chain_of[id(one)].append(other)
                chain_of[id(other)] = chain_of[id(one)]
    return list({id(chain): chain for chain in chain_of.values()}.values())


def _turn(edge: Edge) -> tuple[bool, float]:
    """How little it matters that an edge is straight: a line that passes goes on as it came, a branch in the middle."""
    upper, lower = edge
    aside = abs(upper.below.index(lower) - (len(upper.below) - 1) / 2)
    aside += abs(lower.above.index(upper) - (len(lower.above) - 1) / 2)
    return upper.passing != lower.passing, aside


def _outwards(before: Sequence[Sequence[tuple[int, float]]]) -> list[int]:
    """The chains in an order in which each stands behind those to its left."""
    order: list[int] = []
    seen: set[int] = set()

    def visit(i: int) -> None:
        if i not in seen:
            seen.add(i)
            for j, _ in before[i]:
                visit(j)
            order.append(i)

    for i in range(len(before)):
        visit(i)
    return order
