"""Steps: what a diagram shows as data, checked, put into layers, and written as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.drawing.box import Box, BoxPicture
from autograder.drawing.paper import clean

OPERATION_ROOM = 110  # px that an operation's label takes where it is narrow
GAP = 26
LINE = 8  # px that a line which passes a layer takes where there are many
LINES = {"view": "┆", "copy": "┃", "in place": "↻"}  # of plain text


@dataclass(frozen=True)
class Arrow:
    """One step, from boxes to boxes, which are named by their keys.

    `memory` is "view", "copy", "in place" or "": they look different. `joins` names the axis that several inputs join
    on. A step that `failed` has no outputs and shows its `message`.
    """

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    memory: str = ""
    joins: str = ""
    note: str = ""
    failed: bool = False
    message: str = ""


def in_order(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> list[Arrow]:
    """The arrows, each behind those that make its inputs. Raises ValueError where they make no graph of these boxes."""
    makers: dict[str, Arrow] = {}
    for arrow in arrows:
        if arrow.memory and arrow.memory not in LINES:
            raise ValueError(
                f"the step {arrow.operation!r} has the memory {arrow.memory!r}; it is one of {list(LINES)} or ''"
            )
        for key in (*arrow.inputs, *arrow.outputs):
            if key not in boxes:
                raise ValueError(
                    f"the step {arrow.operation!r} names {key!r}, which is none of the boxes {list(boxes)}"
                )
        for key in arrow.outputs:
            if key in makers:
                both = f"{makers[key].operation!r} and {arrow.operation!r} both make {key!r}"
                raise ValueError(f"{both}: a tensor that changes needs a box for each of its states")
            makers[key] = arrow
    waiting, done = list(arrows), set(boxes) - set(makers)
    found: list[Arrow] = []
    while waiting:
        ready = next((arrow for arrow in waiting if done.issuperset(arrow.inputs)), None)
        if ready is None:
            circle = ", ".join(repr(arrow.operation) for arrow in waiting)
            raise ValueError(f"these steps wait for each other's results: {circle}")
        waiting.remove(ready)
        found.append(ready)
        done.update(ready.outputs)
    return found


def layers_of(boxes: Mapping[str, Box], arrows: Sequence[Arrow], page: float) -> tuple[dict[str, int], list[int]]:
    """The layer of each box (even) and of each step (odd): as early as what it needs allows (longest path), later where
    a layer is as wide as `page`. What no step makes stands close above its first use."""
    used: Counter[int] = Counter()
    place: dict[str, int] = {}

    def free(layer: int, room: float, step: int = 2, lines: int = 0) -> int:
        while used[layer] and used[layer] + room + lines * LINE > page:
            layer += step
        used[layer] += int(room)
        return layer

    made = {key for arrow in arrows for key in arrow.outputs}
    steps: list[int] = []
    for arrow in arrows:
        above = max((place[key] for key in arrow.inputs if key in made), default=0)
        steps.append(free(above + 1, OPERATION_ROOM))
        for i, key in enumerate(arrow.outputs):  # the lines of those in earlier layers pass the later ones
            place[key] = free(steps[-1] + 1, _room(boxes[key]), lines=i)
    for key in reversed([key for key in boxes if key not in made]):
        uses = [step for arrow, step in zip(arrows, steps, strict=True) if key in arrow.inputs]
        place[key] = free(min(uses, default=1) - 1, _room(boxes[key]), step=-2)
    first = min([0, *place.values()])
    return {key: place[key] - first for key in boxes}, [layer - first for layer in steps]


def _room(box: Box) -> float:
    return BoxPicture(box, rows=max(1, len(box.pairs))).width + GAP


# ---- plain text ------------------------------------------------------------------------------------------------------


def diagram_text(boxes: Mapping[str, Box], arrows: Sequence[Arrow], title: str = "") -> str:
    """A computation as plain text: each tensor with its axes, and above it the step that made it.

    >>> x, y = Box("x", [("batch", 2), ("seq", 7)]), Box("y", [("seq", 7), ("batch", 2)])
    >>> print(diagram_text({"x": x, "y": y}, [Arrow("transpose(0, 1)", ("x",), ("y",), memory="view")]))
    x  (batch 2, seq 7)
      ┆ transpose(0, 1)   view
    y  (seq 7, batch 2)
    """
    if not boxes and not arrows:
        return "There are no steps to draw."
    names = _names(boxes)
    width = max((len(name) for name in names.values()), default=0)
    lines = [title] if title else []
    last: tuple[str, ...] = ()
    shown: set[str] = set()

    def tensors(keys: Iterable[str]) -> None:
        for key in keys:
            if key not in shown:
                shown.add(key)
                lines.append(f"{names[key]:<{width}}  {boxes[key].shape}  {clean(boxes[key].note)}".rstrip())

    for arrow in in_order(boxes, arrows):
        before = len(lines)
        tensors(arrow.inputs)
        last = arrow.inputs if len(lines) > before and len(arrow.inputs) == 1 else last
        of = "" if arrow.inputs == last else f"of {', '.join(names[key] for key in arrow.inputs)}"
        joins = f"joined on {arrow.joins}" if arrow.joins else ""
        details = [clean(arrow.operation), of, arrow.memory, joins, clean(arrow.note)]
        lines.append(f"  {'✗' if arrow.failed else LINES.get(arrow.memory, '│')} " + "   ".join(filter(None, details)))
        if arrow.failed:
            lines.append(f"    failed: {clean(arrow.message)}")
        tensors(arrow.outputs)
        last = arrow.outputs
    tensors(boxes)
    return "\n".join(lines)


def _names(boxes: Mapping[str, Box]) -> dict[str, str]:
    """What each box is called in plain text: its name, with a number where that is not enough."""
    counts = Counter(box.name for box in boxes.values())
    return {
        key: clean(box.name) if box.name and counts[box.name] == 1 else f"{clean(box.name)}#{i}"
        for i, (key, box) in enumerate(boxes.items(), 1)
    }
