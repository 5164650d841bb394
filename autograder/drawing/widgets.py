"""Explorers: drawings with controls, for what is understood by moving it. The first frame is an ordinary output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import ipywidgets
import torch
from IPython.display import DisplayHandle, display

from autograder.drawing.broadcast import MOST, broadcasting
from autograder.drawing.paper import Figure, sentence
from autograder.drawing.windows import axes_of, windows

REACH = {"height": (1, 12), "width": (1, 12), "kernel": (1, 7), "stride": (1, 4), "padding": (0, 3), "dilation": (1, 3)}
AXES = ("planes", "rows", "cols")
WITHOUT_KERNEL = "(In a running notebook there are controls here.)"


class Explorer:
    """A figure that is drawn anew whenever one of its `controls` changes.

    It is shown as two outputs. The figure is an ordinary SVG, which a notebook keeps and a code host shows; below it
    are the controls, which are alive only where a kernel is.
    """

    def __init__(self, draw: Callable[..., Figure], controls: Mapping[str, ipywidgets.ValueWidget]) -> None:
        self.draw, self.controls = draw, controls
        self._shown: list[DisplayHandle] = []
        self.figure = self._drawn()
        for control in controls.values():
            control.observe(self._redraw, names="value")

    def _drawn(self) -> Figure:
        try:
            return self.draw(**{name: control.value for name, control in self.controls.items()})
        except ValueError as reason:
            text = str(reason)
            return sentence(f"{text[0].upper()}{text[1:]}.")

    def _redraw(self, change: Mapping[str, Any]) -> None:
        self.figure = self._drawn()
        for handle in self._shown:
            handle.update(self.figure)

    def _ipython_display_(self) -> None:
        handle = DisplayHandle()
        handle.display(self.figure)
        self._shown.append(handle)
        box = ipywidgets.VBox(list(self.controls.values()))
        display({**(box._repr_mimebundle_() or {}), "text/plain": WITHOUT_KERNEL}, raw=True)

    def __repr__(self) -> str:
        return self.figure.text


def explore_windows(
    height: int = 6, width: int = 7, kernel: int = 3, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Explorer:
    """The windows of a convolution, with a slider for each of its numbers and one for which window is shown.

    The arguments are the settings of the first frame. A setting at which no window fits says so in place of the
    picture.
    """
    start = {"height": height, "width": width, "kernel": kernel, "stride": stride}
    start |= {"padding": padding, "dilation": dilation}
    controls = {name: _slider(name, value, *REACH[name]) for name, value in start.items()}
    controls["window"] = _slider("window", 0, 0, 0)

    def draw(window: int, height: int, width: int, **numbers: int) -> Figure:
        down, across = axes_of((height, width), **numbers)
        controls["window"].max = down.out * across.out - 1
        return windows((height, width), **numbers, at=min(window, controls["window"].max))

    return Explorer(draw, controls)


def explore_broadcasting(first: str = "3, 1", second: str = "1, 4") -> Explorer:
    """Two shapes to broadcast, each typed as numbers with commas between them; the result is drawn, or why there is
    none.

    The arguments are the shapes of the first frame. The result has one to three axes.
    """
    return Explorer(_broadcast, {"first": _field("first", first), "second": _field("second", second)})


def _broadcast(first: str, second: str) -> Figure:
    shapes = [_shape(text) for text in (first, second)]
    try:
        together = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
    except RuntimeError:
        raise ValueError(_misfit(*shapes)) from None
    if prod(together) > MOST:
        raise ValueError(f"together they have {prod(together)} cells; at most {MOST} can be drawn")
    if not 1 <= len(together) <= len(AXES):
        raise ValueError(f"together they have {len(together)} axes; one to {len(AXES)} can be drawn")
    one, other = (torch.arange(prod(shape)).view(shape) * step for shape, step in zip(shapes, (10, 1), strict=True))
    names = ["first", "second", "first + second"]
    return broadcasting(one, "+", other, one + other, " ".join(AXES[-len(together) :]), names)


def _shape(text: str) -> tuple[int, ...]:
    """The shape that was typed. Raises ValueError where it is none."""
    parts = [part.strip() for part in text.strip(" ()[]").split(",")]
    if not all(part.isdecimal() for part in parts if part):
        raise ValueError(f"“{text}” is no shape: type sizes with commas between them, as in 3, 1")
    return tuple(int(part) for part in parts if part)


def _misfit(first: tuple[int, ...], second: tuple[int, ...]) -> str:
    """Where two shapes do not fit, from the right."""
    pairs = list(zip(reversed(first), reversed(second), strict=False))
    place, (one, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1] and 1 not in pair)
    where = "at the last axis" if place == 0 else f"at axis {place + 1} from the right"
    return f"{first} and {second} do not fit: {where} {one} meets {other}, and neither is 1"


def _slider(name: str, value: int, least: int, most: int) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(value=value, min=least, max=max(most, value), description=name)


def _field(name: str, value: str) -> ipywidgets.Text:
    return ipywidgets.Text(value=value, description=name)
