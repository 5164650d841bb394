"""Reports as HTML: for notebooks, and for the feedback that nbgrader makes of them."""

from __future__ import annotations

from html import escape

import torch

from autograder.axes import distinct
from autograder.drawing import Box, expected_yours_difference, flow
from autograder.prose import as_html
from autograder.report import Fault, Picture, Report, Shapes, Verdict, summary

GREEN, ORANGE, GREY = "#009E73", "#D55E00", "#8A8A8A"
COLOURS = {"passed": GREEN, "failed": ORANGE, "unattempted": GREY}
MARKS = {"passed": "✓", "failed": "✗", "unattempted": "○"}
# no colour of its own for text and page, so that it reads on light and dark pages
BOX = "border-left:4px solid {colour};padding:2px 0 2px 12px;margin:4px 0;max-width:56em;line-height:1.5"
CODE = "font-family:ui-monospace,monospace;font-size:92%;white-space:pre-wrap;margin:6px 0;background:none"


def render(report: Report) -> str:
    """The whole report as one block of HTML."""
    colour = COLOURS[report.status]
    parts = [f'<div style="font-weight:600;color:{colour}">{MARKS[report.status]} {escape(summary(report))}</div>']
    failure = report.first_failure
    if report.status == "unattempted":
        parts.append("<div>Write the function where the stub says so, run its cell, then check again.</div>")
    elif failure is not None:
        parts.append(_failure(report, failure))
        if len(report.verdicts) > 1:
            parts.append(_cases(report))
    parts += [f"<div>{as_html(text)}</div>" for text in (report.note and f"Note: {report.note}", report.offer) if text]
    return f'<div class="autograder-report" style="{BOX.format(colour=colour)}">{"".join(parts)}</div>'


def _failure(report: Report, verdict: Verdict) -> str:
    assert verdict.fault is not None
    fault = verdict.fault
    parts = [f'<div style="font-weight:600;margin:6px 0">{as_html(report.first)}</div>'] if report.first else []
    parts.append(f'<div style="opacity:.75">on “{escape(verdict.label)}”</div>')
    if report.diagnosis:
        parts.append(f'<div style="font-weight:600;margin:6px 0">{as_html(report.diagnosis)}</div>')
    parts.append(f"<div>{as_html(fault.headline)}</div>")
    parts.append(_sides(fault))
    look = report.look or fault.look
    if look:
        parts.append(f"<div>{as_html(look)}</div>")
    if fault.frames:
        frames = "\n".join(fault.frames)
        parts.append(f'<pre style="{CODE}">{escape(frames)}</pre>')
    if fault.shapes is not None:
        parts.append(f'<div style="margin:8px 0;overflow-x:auto">{draw_shapes(fault.shapes)}</div>')
    if fault.picture is not None:
        parts.append(f'<div style="margin:8px 0;overflow-x:auto">{draw(fault.picture)}</div>')
    if fault.printed:
        parts.append(f'<div>Your code printed:</div><pre style="{CODE}">{escape(fault.printed)}</pre>')
    return "".join(parts)


def _sides(fault: Fault) -> str:
    sides = [("expected", fault.expected), ("yours", fault.yours)]
    lines = [f"{name + ':':<10}{text}" for name, text in sides if text]
    return f'<pre style="{CODE}">{escape(chr(10).join(lines))}</pre>' if lines else ""


def _cases(report: Report) -> str:
    items = [
        f'<span style="margin-right:1.2em;white-space:nowrap"><span style="color:{COLOURS[verdict.status]}">'
        f"{MARKS[verdict.status]}</span> {escape(verdict.label)}</span>"
        for verdict in report.verdicts
    ]
    return f'<div style="margin-top:6px">{" ".join(items)}</div>'


def draw(picture: Picture) -> str:
    """Expected, yours and the difference as one SVG."""
    height, width = picture.expected.shape
    rows = range(picture.first_row, picture.first_row + height) if picture.rows else None
    columns = range(picture.first_column, picture.first_column + width)

    figure = expected_yours_difference(
        picture.expected, picture.yours, rows, columns, picture.rows, picture.columns, picture.differs
    )
    part = "A part of the result" if picture.part else "The result"
    where = f" at {picture.where}" if picture.where else ""
    filled = "filled is True; " if picture.expected.dtype == torch.bool else ""
    caption = escape(f"{part}{where}: {filled}framed where it differs.")
    return f'{figure.as_svg(header="")}<div style="opacity:.75;font-size:90%">{caption}</div>'


def draw_shapes(shapes: Shapes) -> str:
    """The two shapes as rows of boxes, the axes at fault marked, as one SVG."""
    rows = [
        Box(title, _marked(axes, wrong))
        for title, axes, wrong in zip(
            ("expected", "yours"), (shapes.expected, shapes.yours), shapes.at_fault, strict=True
        )
    ]
    return str(flow(*([row] for row in rows)).as_svg(header=""))


def _marked(axes: list[tuple[str, int]], wrong: list[int]) -> list[tuple[str, int]]:
    """The axes, with a cross at each that is at fault."""
    names = distinct([name for name, _ in axes]) or []
    return [(f"{name} ✗".strip() if i in wrong else name, axes[i][1]) for i, name in enumerate(names)]
