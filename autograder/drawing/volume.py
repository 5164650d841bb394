"""Volumes: feature maps as solids of channel, height and width."""

from __future__ import annotations

import math

import drawsvg

from autograder.drawing.colours import Colour
from autograder.drawing.paper import path

SLANT = 0.55  # how far back a px of depth leads, to the right and up


def edges(sizes: tuple[int, int, int], scale: float, longest: float) -> tuple[float, float, float]:
    """The lengths in px of a solid's channel, height and width. They grow with the square root of the sizes, so that
    3×224×224 and 512×7×7 can both be read; `longest` is as long as one gets."""
    channel, height, width = (min(max(3.0, scale * math.sqrt(size)), longest) for size in sizes)
    return channel, height, width


def extent(lengths: tuple[float, float, float]) -> tuple[float, float]:
    """The width and the height in px of a solid's picture."""
    channel, height, width = lengths
    return width + SLANT * channel, height + SLANT * channel


def solid(
    paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float, lengths: tuple[float, float, float], colour: Colour
) -> None:
    """A solid whose picture begins at (x, y), its upper left corner: height by width in front, channels behind."""
    channel, height, width = lengths
    back = SLANT * channel
    top = y + back
    stroke = {"stroke": colour.line, "stroke_width": 1.2, "stroke_linejoin": "round"}
    front = f"M{x:.1f} {top:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"
    lid = f"M{x:.1f} {top:.1f}l{back:.1f} {-back:.1f}h{width:.1f}l{-back:.1f} {back:.1f}z"
    side = f"M{x + width:.1f} {top:.1f}l{back:.1f} {-back:.1f}v{height:.1f}l{-back:.1f} {back:.1f}z"
    for face, shade in ((front, 1.0), (lid, 0.35), (side, 0.65)):
        path(paper, face, **{**stroke, "fill": colour.fill, "fill_opacity": shade})
