"""A trace as text: a line for each step, for terminals and as the plain twin of the drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from autograder.tracing.facts import Facts, amount

MOST = 200  # steps shown; of a longer trace the first and last
WIDEST = 64  # characters, of shapes on one line
TITLES = ("step", "operation", "in → out", "memory", "parameters", "multiply-adds")
RIGHT = {"step", "parameters", "multiply-adds"}
Row = tuple[str, str, list[str], str, str, str]  # the shapes may take several lines


def table(facts: Facts, most: int = MOST) -> str:
    """The whole trace: inputs, steps, totals, what it stopped at, and notes. At most `most` steps are shown."""
    parts = [_title(facts), _rows(facts, most), _totals(facts)]
    if facts.error:
        parts.append(stopped(facts))
    parts += [f"Note: {note}." for note in facts.notes]
    return "\n".join(part for part in parts if part)


def _title(facts: Facts) -> str:
    given = ", ".join(f"{name}={size}" for name, size in facts.axes.items())
    return f"{facts.title}   {given}".rstrip()


def labels(facts: Facts) -> dict[str, str]:
    """What each value is called in the text: by its name where no other has it, a result without one by its step as
    `#3`, one of several of a name by both, as `x#3`."""
    found = {key: value.name for key, value in facts.values.items()}
    counts = Counter(found[key] for key in _shown(facts))
    for number, step in enumerate(facts.steps, 1):
        for part, key in enumerate(step.outputs):
            if counts[found[key]] > 1 or not found[key]:
                found[key] += f"#{number}" if len(step.outputs) == 1 or found[key] else f"#{number}[{part}]"
    return found


def _shown(facts: Facts) -> set[str]:
    return {*facts.inputs, *(key for step in facts.steps for key in (*step.inputs, *step.outputs))}


def _rows(facts: Facts, most: int) -> str:
    called = labels(facts)
    rows: list[Row] = [("", "input", [f"{called[key]} {facts.shape(key)}"], "", "", "") for key in facts.inputs]
    left_out = max(0, len(facts.steps) - most)
    first_left_out = most // 2
    for number in range(len(facts.steps)):
        if left_out and number == first_left_out:
            rows.append(("", f"... {left_out:,} steps more", [], "", "", ""))
        if not first_left_out <= number < first_left_out + left_out:
            rows.append(_row(facts, number, called))
    return _aligned(rows) if rows else ""


def _row(facts: Facts, number: int, called: Mapping[str, str]) -> Row:
    step = facts.steps[number]
    went_in = [f"{called[key]} {facts.shape(key)}".strip() for key in step.inputs]
    came_out = [f"{facts.values[key].name} {facts.shape(key)}".strip() for key in step.outputs]
    shapes = [*went_in, *(f"→ {shape}" for shape in came_out or (["raised"] if step.failed else []))]
    if len(went_in) <= 1 and len(came_out) <= 1 and len(" ".join(shapes)) <= WIDEST:
        shapes = [" ".join(shapes)]
    return (
        f"x {number + 1}" if step.failed else str(number + 1),
        step.operation,
        shapes,
        step.memory,
        f"{step.parameters:,}" if step.parameters else "",
        f"{step.multiply_adds:,}" if step.multiply_adds else "",
    )


def _aligned(rows: Sequence[Row]) -> str:
    """Rows as lines, in columns; a column without any entry is left out."""
    lines: list[Sequence[str]] = [TITLES]
    for number, operation, shapes, *rest in rows:
        lines.append((number, operation, *shapes[:1], *([] if shapes else [""]), *rest))
        lines += [("", "", shape, "", "", "") for shape in shapes[1:]]
    columns = [
        (title, max(map(len, column)), column)
        for title, column in zip(TITLES, zip(*lines, strict=True), strict=True)
        if any(column[1:])
    ]
    cells = [
        [cell.rjust(width) if title in RIGHT else cell.ljust(width) for cell in cells]
        for title, width, cells in columns
    ]
    return "\n".join("  ".join(line).rstrip() for line in zip(*cells, strict=True))


def _totals(facts: Facts) -> str:
    count = len(facts.steps)
    if not count:
        return "No step: nothing here called torch."
    return (
        f"{count:,} step{'s' if count > 1 else ''}, {facts.parameters:,} parameters, "
        f"{facts.multiply_adds:,} multiply-adds, {amount(facts.activation_bytes)} of results"
    )


def stopped(facts: Facts) -> str:
    """What a candidate that raised stopped at, with the shapes that went in."""
    last = facts.steps[-1] if facts.steps and facts.steps[-1].failed else None
    if last is None:
        return f"Stopped: {facts.error}"
    called = labels(facts)
    went_in = ", ".join(f"{called[key]} {facts.shape(key, sizes=True)}".strip() for key in last.inputs)
    lines = [f"Stopped at step {len(facts.steps)}, {last.operation}", facts.error, went_in and f"went in: {went_in}"]
    return "\n  ".join(line for line in [*lines, last.mismatch] if line)
