"""Colours: one for each axis name of the whole course, on light paper."""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """A colour as it is used: `line` for frames and text on paper, `fill` behind dark text."""

    line: str
    fill: str


# from Okabe and Ito's colours, darkened for lines and lightened for fills
AMBER = Colour("#9A6700", "#F3D08A")
GREEN = Colour("#00734F", "#8FD6BF")
BLUE = Colour("#0060A8", "#A9CDEB")
PINK = Colour("#A3457C", "#E9BCD5")
SKY = Colour("#2A7CA8", "#CDEBFA")
NEUTRAL = Colour("#5C5C5C", "#E9E9E9")

INK, PAPER, MUTED, RULE, HAIRLINE = "#1B1B1B", "#FFFFFF", "#5C5C5C", "#767676", "#D0D0D0"
FAULT = Colour("#B84300", "#FBE3D6")  # what is wrong; no axis has it

AXES = {
    "batch": AMBER,
    "n": AMBER,
    "heads": GREEN,
    "classes": GREEN,
    "tgt": BLUE,
    "length": BLUE,
    "seq": BLUE,
    "height": BLUE,
    "m": BLUE,
    "src": PINK,
    "max_len": PINK,
    "width": PINK,
    "channel": SKY,
    "feature": SKY,
}


def parts_of(axis: str) -> list[str]:
    """The axes that a product holds: `heads·d_head` is two.

    >>> parts_of("heads·d_head")
    ['heads', 'd_head']
    """
    return axis.replace("*", "·").split("·")


def colour_of(axis: str) -> Colour:
    """The colours of one axis; grey for one that has none of its own. A number behind a name changes nothing."""
    return AXES.get(axis) or AXES.get(axis.rstrip("0123456789")) or NEUTRAL


def axis_colour(axis: str) -> str:
    """The colour of an axis in lines and text; for a product, that of its first part."""
    return colour_of(parts_of(axis)[0]).line
