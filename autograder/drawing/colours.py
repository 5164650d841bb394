"""Colours: one for each axis name of the whole course, on light paper.

Eight colours after Okabe and Ito's, lightened for fills and darkened for lines, chosen so that no two come near each
other for readers without red, green or blue cones (`tests/test_colours.py` measures it). There are more axes than
colours: axes that never meet in one tensor share one, and the axis's name always stands in the box.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """A colour as it is used: `line` for frames and text on paper, `fill` behind dark text."""

    line: str
    fill: str


AMBER = Colour("#8A6100", "#FEDA78")
GREEN = Colour("#00724C", "#ADFED2")
BLUE = Colour("#1F4FC4", "#92B2FC")
PINK = Colour("#9C3C74", "#DCA4C4")
SKY = Colour("#0A7A94", "#DCFCFF")
YELLOW = Colour("#6F6B00", "#FEFEB8")
VIOLET = Colour("#7440B8", "#E4C8FE")
CORAL = Colour("#A3431A", "#FEA87B")
NEUTRAL = Colour("#5C5C5C", "#E9E9E9")  # an axis without a colour of its own
FAULT = Colour("#B84300", "#FBE3D6")  # what is wrong; no axis has it

INK, PAPER, MUTED, RULE, HAIRLINE = "#1B1B1B", "#FFFFFF", "#5C5C5C", "#767676", "#D0D0D0"

_NAMES = {
    AMBER: "batch n images lead nodes beams planes",
    # several at once, of the same kind
    GREEN: "heads classes groups experts vocab layers gates c_mid c_hidden",
    # positions, the first kind, and what lies downwards
    BLUE: "tgt m seq length out_length time steps longer context patches windows texts depth height rows out_height",
    # positions, the second kind, and what lies across
    PINK: "src max_len width cols out_width edges",
    # what a position holds
    SKY: "channel feature d d_model d_in d_tgt d_src c_in embedding",
    # what a layer makes of it
    YELLOW: "d_out d_k d_v d_head d_ff d_hidden c_out hidden latent",
    # within a window
    VIOLET: "kh kernel size patch p",
    CORAL: "kw",
}
AXES = {name: colour for colour, names in _NAMES.items() for name in names.split()}


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
