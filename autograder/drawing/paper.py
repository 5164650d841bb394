"""Paper: what every drawing lies on, with a text alternative and a plain-text form, and the strokes that go onto it.

A drawing lies on light paper of its own, so that it reads the same on a light page, on a dark one and in print: many
viewers show an SVG as an image, which does not know the page's colours.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from itertools import zip_longest

import drawsvg

from autograder.drawing.colours import HAIRLINE, INK, MUTED, PAPER

FONT = "ui-sans-serif, system-ui, 'DejaVu Sans', sans-serif"
SIZE, SMALL = 11, 10  # px, of text
BOLD = 1.16  # as wide as plain text
PAGE = 800  # px, what a notebook gives a figure; a wider one is scaled down to it
WIDEST = 880  # px: scaled to the page, small text still has 9
MARGIN = 8
LONGEST = 90  # characters of one label; what is longer is shortened in the drawing and whole in its plain text
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

# the widths of characters in DejaVu Sans, the widest of the fonts asked for, as parts of the text's size
_WIDTHS = {
    0.36: "ijlIJ.,:;'|·’‘ /\\",
    0.43: "frt()[]-!²³¹ᵀ",
    0.56: 'csz_*?L"“”°',
    0.6: "kvxyF",
    0.7: "ABCEKPRSTVXYZ",
    0.79: "DGHNOQU&",
    0.84: "w+=<>~^#×−→←↓↑÷±≤≥✗✓",
    1.0: "mMW@%…—",
}
_WIDTH_OF = {character: width for width, characters in _WIDTHS.items() for character in characters}


class _Description(drawsvg.Title):  # type: ignore[misc]  # drawsvg has no types
    """What a reader who does not see the drawing is told beyond its title."""

    TAG_NAME = "desc"


class Figure(drawsvg.Drawing):  # type: ignore[misc]  # drawsvg has no types
    """A drawing on light paper. `description` says in a sentence or two what it shows, `text` is its plain-text form,
    which is what `repr` and `str` give: a notebook keeps both forms."""

    def __init__(self, width: float, height: float, description: str, text: str, title: str = "") -> None:
        super().__init__(math.ceil(width), math.ceil(height), role="img", font_family=FONT, font_size=SIZE, fill=INK)
        self.description, self.text = clean(description), text
        self.append(drawsvg.Title(clean(title) or self.description))
        self.append(_Description(self.description))
        rectangle(self, 0.5, 0.5, self.width - 1, self.height - 1, rx=4, fill=PAPER, stroke=HAIRLINE)

    @property
    def shapes(self) -> list[drawsvg.DrawingElement]:
        """What was drawn, without title, description and paper."""
        return list(self.elements[3:])

    def _repr_svg_(self) -> str:
        return str(self.as_svg(header=""))

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__


def sentence(text: str) -> Figure:
    """A sentence in place of a picture: why there is none."""
    lines = wrap(text, 460)
    paper = Figure(480, len(lines) * 16 + 2 * MARGIN + 4, text, text)
    for i, line in enumerate(lines):
        write(paper, line, MARGIN + 2, MARGIN + 14 + 16 * i)
    return paper


def side_by_side(figures: Sequence[Figure], gap: int = 4) -> Figure:
    """Figures in one row, as one picture; in a new row where the page ends. Raises ValueError where there is none."""
    if not figures:
        raise ValueError("side_by_side needs at least one figure")
    places: list[tuple[float, float]] = []
    x = y = bottom = 0.0
    for figure in figures:
        if x and x + figure.width > WIDEST:
            x, y = 0.0, bottom + gap
        places.append((x, y))
        x, bottom = x + figure.width + gap, max(bottom, y + figure.height)
    width = max(x + figure.width for (x, _), figure in zip(places, figures, strict=True))
    rows: dict[float, list[str]] = {}
    for (_, y), figure in zip(places, figures, strict=True):
        rows.setdefault(y, []).append(figure.text)
    text = "\n\n".join(beside(row) for row in rows.values())
    together = Figure(width, bottom, " ".join(figure.description for figure in figures), text)
    for (x, y), figure in zip(places, figures, strict=True):
        together.append(drawsvg.Group(copy.deepcopy(figure.shapes), transform=f"translate({x:g} {y:g})"))
    return together


def beside(texts: Sequence[str], gap: str = "   ") -> str:
    """Blocks of plain text in one row."""
    blocks = [text.split("\n") for text in texts]
    widths = [max(map(len, block)) for block in blocks]
    rows = zip_longest(*blocks, fillvalue="")
    return "\n".join(gap.join(map(str.ljust, row, widths)).rstrip() for row in rows)


# ---- text ------------------------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Text in one line, without what XML cannot hold, shortened where it is longer than any label."""
    return " ".join(NOT_XML.sub("�", text).split())


def fitting(text: str, width: float = math.inf, size: float = SIZE, bold: bool = False) -> str:
    """Text in one line, shortened to a width in px."""
    text = clean(text)
    shown = text[:LONGEST]
    while len(shown) > 1 and (len(shown) < len(text)) + text_width(shown, size, bold) > width:
        shown = shown[:-1]
    return shown if shown == text else shown[:-1] + "…"


def text_width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """The width of one line in px, rather too much than too little."""
    width = sum(_WIDTH_OF.get(character, 0.66 if ord(character) < 0x2E80 else 1.1) for character in text)
    return width * size * (BOLD if bold else 1.0)


def wrap(text: str, width: float, size: float = SIZE, lines: int = 99) -> list[str]:
    """Text in lines of at most `width` px, broken at spaces and behind dots, commas and brackets; at most `lines`."""
    found = [""]
    for piece in re.findall(r"[^\s.,(=_]*(?:\s+|[.,(=_]|$)", clean(text)):
        if found[-1] and text_width(found[-1] + piece.rstrip(), size) > width:
            found.append("")
        found[-1] += piece
    shown = [fitting(line, width, size) for line in found if line.strip()] or [""]
    return shown if len(shown) <= lines else [*shown[: lines - 1], fitting(shown[lines - 1] + " …", width, size)]


# ---- strokes ---------------------------------------------------------------------------------------------------------


def write(
    paper: drawsvg.Drawing | drawsvg.Group, text: str, x: float, y: float, size: float = SIZE, **more: object
) -> None:
    """One line of text that begins at x and stands on y; `text_anchor="middle"` or `"end"` moves it."""
    paper.append(drawsvg.Text(clean(text), size if size != SIZE else None, round(x, 1), round(y, 1), **more))


def small(paper: drawsvg.Drawing | drawsvg.Group, text: str, x: float, y: float, **more: object) -> None:
    """A small muted line of text, for what stands beside the thing itself."""
    write(paper, text, x, y, SMALL, **{"fill": MUTED, **more})


def rectangle(
    paper: drawsvg.Drawing | drawsvg.Group, x: float, y: float, width: float, height: float, **more: object
) -> None:
    """A rectangle from its upper left corner."""
    paper.append(drawsvg.Rectangle(round(x, 1), round(y, 1), round(width, 1), round(height, 1), **more))


def path(paper: drawsvg.Drawing | drawsvg.Group, commands: str, **more: object) -> None:
    """A line that is not filled, in SVG's path commands."""
    paper.append(drawsvg.Path(commands, **{"fill": "none", **more}))
