"""Reports as text: for terminals, and as the plain twin of what a notebook shows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import torch
from torch import Tensor

from autograder.prose import as_text
from autograder.report import Fault, Picture, Report, Shapes, Verdict, summary

WIDTH = 88
MARKS = {"passed": "+", "failed": "x", "unattempted": "."}


def render(report: Report) -> str:
    """The whole report: how the exercise stands, what is wrong first, and each case's verdict."""
    parts = [summary(report)]
    failure = report.first_failure
    if report.status == "unattempted":
        parts.append(_indent("Write the function where the stub says so, run its cell, then check again."))
    elif failure is not None:
        parts.append(render_failure(report, failure))
        if len(report.verdicts) > 1:
            parts.append("\n".join(f"  {MARKS[verdict.status]} {verdict.label}" for verdict in report.verdicts))
    elif report.note:
        parts.append(_indent(f"Note: {report.note}"))
    return "\n\n".join(parts)


def render_failure(report: Report, verdict: Verdict) -> str:
    """What is wrong on one case: the diagnosis where there is one, then the fault."""
    assert verdict.fault is not None
    fault = verdict.fault
    parts = [_indent(report.first)] if report.first else []
    parts.append(f"  on “{verdict.label}”:")
    if report.diagnosis:
        parts.append(_indent(report.diagnosis))
    parts.append(_indent(fault.headline))
    parts += _details(fault, report.look or fault.look)
    if report.note:
        parts.append(_indent(f"Note: {report.note}"))
    if report.offer:
        parts.append(_indent(report.offer))
    return "\n\n".join(parts)


def _details(fault: Fault, look: str) -> list[str]:
    parts = []
    sides = [("expected", fault.expected), ("yours", fault.yours)]
    shown = [textwrap.indent(f"{name + ':':<10}{text}", "    ") for name, text in sides if text]
    if fault.shapes is not None:
        shown += [f"{'':14}{line}" for line in [_marks(fault.shapes)] if line]
    if shown:
        parts.append("\n".join(shown))
    if look:
        parts.append(_indent(look))
    if fault.frames:
        parts.append(textwrap.indent("\n".join(fault.frames), "    "))
    if fault.picture is not None:
        parts.append(textwrap.indent(draw(fault.picture), "    "))
    if fault.printed:
        parts.append(_indent("Your code printed:") + "\n" + textwrap.indent(fault.printed.rstrip(), "    "))
    return parts


def _marks(shapes: Shapes) -> str:
    """Marks that stand below the axes at fault of the candidate's shape.

    >>> _marks(Shapes([("tgt", 5), ("src", 12)], [("src", 12), ("tgt", 5)], ([0, 1], [0, 1])))
    ' ^^  ^'
    """
    line = " "
    for index, (_, size) in enumerate(shapes.yours):
        mark = "^" if index in shapes.at_fault[1] else " "
        line += mark * len(str(size)) + "  "
    return line.rstrip()


def _indent(sentence: str) -> str:
    return textwrap.fill(as_text(sentence), WIDTH, initial_indent="  ", subsequent_indent="  ")


def draw(picture: Picture) -> str:
    """Expected, yours and the difference side by side: booleans as filled and empty places, numbers as numbers.

    >>> expected = torch.tensor([[True, False], [True, True]])
    >>> yours = torch.tensor([[True, True], [True, True]])
    >>> print(draw(Picture(expected, yours, expected != yours, "tgt", "src")))
    expected    yours       difference
    # .         # #         . x
    # #         # #         . .
    rows: tgt, columns: src; # True, . False, x differs
    """
    expected, yours = (_cells(value) for value in (picture.expected, picture.yours))
    difference = [["x" if differs else "." for differs in row] for row in picture.differs.tolist()]
    blocks = [_block(title, cells) for title, cells in zip(TITLES, (expected, yours, difference), strict=True)]
    width = max(len(line) for line in blocks[0] + blocks[1]) + 3
    if 3 * width > WIDTH + 20:  # numbers too wide to stand side by side
        body = "\n".join("\n".join(block) for block in blocks)
    else:
        body = "\n".join(
            "".join(line.ljust(max(width, 12)) for line in lines).rstrip() for lines in zip(*blocks, strict=True)
        )
    return f"{body}\n{_legend(picture)}"


TITLES = ("expected", "yours", "difference")


def _block(title: str, cells: Sequence[Sequence[str]]) -> list[str]:
    width = max(len(cell) for row in cells for cell in row)
    return [title] + [" ".join(cell.rjust(width) for cell in row) for row in cells]


def _cells(matrix: Tensor) -> list[list[str]]:
    if matrix.dtype == torch.bool:
        return [["#" if value else "." for value in row] for row in matrix.tolist()]
    return [[short(value) for value in row] for row in matrix.tolist()]


def short(value: float) -> str:
    """A number in at most eight characters."""
    return str(value) if isinstance(value, int) else f"{value + 0.0:.3g}"


def _legend(picture: Picture) -> str:
    axes = [f"{name}: {axis}" for name, axis in (("rows", picture.rows), ("columns", picture.columns)) if axis]
    parts = [", ".join(axes) + (f", at {picture.where}" if picture.where else "")]
    if picture.expected.dtype == torch.bool:
        parts.append("# True, . False, x differs")
    if picture.part:
        parts.append(f"a part, from row {picture.first_row} and column {picture.first_column}")
    return "; ".join(part for part in parts if part)
