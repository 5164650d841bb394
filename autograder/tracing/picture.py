"""A trace as a drawing: its values as boxes, its steps as arrows."""

from __future__ import annotations

from autograder.drawing import Arrow, Box, Figure
from autograder.drawing import diagram as draw
from autograder.tracing.calls import Value
from autograder.tracing.facts import Facts

MOST = 100  # steps that a drawing can show


def diagram(facts: Facts, volumes: bool = False) -> Figure:
    """The graph of a trace. Raises ValueError where it has more steps than can be drawn."""
    if len(facts.steps) > MOST:
        raise ValueError(
            f"{len(facts.steps):,} steps are too many to draw (at most {MOST}): trace with a smaller depth, as depth=1"
        )
    keys = dict.fromkeys(
        [*facts.inputs, *(key for step in facts.steps for key in (*step.inputs, *step.outputs)), *facts.outputs]
    )
    boxes = {key: _box(facts.values[key], volumes) for key in keys}
    arrows = [
        Arrow(
            operation=step.operation,
            inputs=step.inputs,
            outputs=step.outputs,
            memory=step.memory,
            joins=step.joins,
            note=f"{step.parameters:,} parameters" if step.parameters and step.module is not None else "",
            failed=step.failed,
            message=" ".join([step.mismatch, step.message.partition("\n")[0]]).strip(),
        )
        for step in facts.steps
    ]
    return draw(boxes, arrows, facts.title)


def _box(value: Value, volumes: bool) -> Box:
    notes: list[str] = [value.kind] if value.kind in ("parameter", "buffer") else []
    if not value.dtype.is_floating_point:
        notes.append(str(value.dtype).removeprefix("torch."))
    return Box(
        value.name,
        tuple(zip(value.axes, value.shape, strict=True)),
        volume=volumes and len(value.shape) == 4,
        note=", ".join(notes),
    )
