"""A trace as text: a line for each step, for terminals and as the plain twin of the drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autograder.tracing.facts import Facts, amount

MOST = 200  # steps shown; of a longer trace the first and last
TITLES = ("step", "operation", "in", "out", "memory", "parameters", "multiply-adds")
RIGHT = {"step", "parameters", "multiply-adds"}
Row = tuple[list[str], ...]  # the lines of each cell


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
    """What each value is called in the text: by its name, a result without one by its step, as `#3`."""
    found = {key: value.name for key, value in facts.values.items()}
    for number, step in enumerate(facts.steps, 1):
        for part, key in enumerate(step.outputs):
            found[key] = found[key] or (f"#{number}" if len(step.outputs) == 1 else f"#{number}[{part}]")
    return found


def _rows(facts: Facts, most: int) -> str:
    called = labels(facts)
    rows: list[Row] = [
        ([""], ["input"], [""], [f"{called[key]} {facts.shape(key)}"], [""], [""], [""]) for key in facts.inputs
    ]
    numbers = range(len(facts.steps))
    left_out = max(0, len(numbers) - most)
    for number in numbers:
        if left_out and number == most // 2:
            rows.append(([""], [f"... {left_out:,} steps more"], [""], [""], [""], [""], [""]))
        if left_out and most // 2 <= number < most // 2 + left_out:
            continue
        rows.append(_row(facts, number, called))
    return _aligned(rows) if rows else ""


def _row(facts: Facts, number: int, called: Mapping[str, str]) -> Row:
    step = facts.steps[number]
    return (
        [f"x {number + 1}" if step.failed else str(number + 1)],
        [step.operation],
        [f"{called[key]} {facts.shape(key)}".strip() for key in step.inputs] or [""],
        [f"{facts.values[key].name} {facts.shape(key)}".strip() for key in step.outputs]
        or (["raised"] if step.failed else [""]),
        [step.memory],
        [f"{step.parameters:,}" if step.parameters else ""],
        [f"{step.multiply_adds:,}" if step.multiply_adds else ""],
    )


def _aligned(rows: Sequence[Row]) -> str:
    shown = [column for column, title in enumerate(TITLES) if any(any(row[column]) for row in rows)]
    widths = [max(len(TITLES[column]), *(len(line) for row in rows for line in row[column])) for column in shown]
    lines = [[TITLES[column] for column in shown]]
    for row in rows:
        for place in range(max(len(row[column]) for column in shown)):
            lines.append([row[column][place] if place < len(row[column]) else "" for column in shown])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if TITLES[column] in RIGHT else cell.ljust(width)
            for cell, width, column in zip(line, widths, shown, strict=True)
        ).rstrip()
        for line in lines
    )


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
    lines = [f"Stopped at step {len(facts.steps)}, {last.operation}", f"  {facts.error}"]
    return "\n".join(lines + ([f"  went in: {went_in}"] if went_in else []))
