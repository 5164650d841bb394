"""Drawings as SVG, in one visual language: docs/drawings.md shows it.

Every drawing is a `Figure`: it has a text alternative and a plain-text form, and lies on light paper of its own.
"""

from typing import TYPE_CHECKING, Any

from autograder.drawing.box import Box
from autograder.drawing.broadcast import broadcasting
from autograder.drawing.colours import axis_colour
from autograder.drawing.diagram import diagram
from autograder.drawing.flow import flow
from autograder.drawing.grid import expected_yours_difference, grid
from autograder.drawing.legend import legend
from autograder.drawing.memory import strides
from autograder.drawing.paper import Figure, sentence, side_by_side
from autograder.drawing.steps import Arrow, diagram_text
from autograder.drawing.volume import volume
from autograder.drawing.windows import windows

if TYPE_CHECKING:
    from autograder.drawing.widgets import explore_broadcasting, explore_windows

__all__ = [
    "Arrow",
    "Box",
    "Figure",
    "axis_colour",
    "broadcasting",
    "diagram",
    "diagram_text",
    "expected_yours_difference",
    "explore_broadcasting",
    "explore_windows",
    "flow",
    "grid",
    "legend",
    "sentence",
    "side_by_side",
    "strides",
    "volume",
    "windows",
]


def __getattr__(name: str) -> Any:
    # ipywidgets is loaded when a learner asks for controls, not whenever something is checked
    if name in ("explore_broadcasting", "explore_windows"):
        from autograder.drawing import widgets

        return getattr(widgets, name)
    raise AttributeError(f"module 'autograder.drawing' has no attribute {name!r}")
