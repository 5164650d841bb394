"""Drawings as SVG, in one visual language: docs/drawings.md shows it.

Every drawing is a `Figure`: it has a text alternative and a plain-text form, and lies on light paper of its own.
"""

from autograder.drawing.box import Box
from autograder.drawing.broadcast import broadcasting
from autograder.drawing.colours import axis_colour
from autograder.drawing.diagram import diagram
from autograder.drawing.flow import flow
from autograder.drawing.grid import expected_yours_difference, grid
from autograder.drawing.paper import Figure, side_by_side
from autograder.drawing.steps import Arrow, diagram_text

__all__ = [
    "Arrow",
    "Box",
    "Figure",
    "axis_colour",
    "broadcasting",
    "diagram",
    "diagram_text",
    "expected_yours_difference",
    "flow",
    "grid",
    "side_by_side",
]
