"""Steps: the tree of calls, read as a sequence down to a depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autograder.tracing.calls import Call
from autograder.tracing.memory import Memory


@dataclass(frozen=True)
class Step:
    """One step of a trace. `inputs` and `outputs` are keys of the trace's values.

    `module` is the dotted path of the module that the step is, None where it is a function. `parameters` counts the
    numbers of the parameters that it uses, `multiply_adds` as `costs.py` says. `joins` is the axis that several inputs
    join on. `failed` marks the step that raised, with its `message`, and in axis names what does not fit; it has no
    outputs.
    """

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    module: str | None = None
    memory: Memory = ""
    joins: str = ""
    parameters: int = 0
    multiply_adds: int = 0
    failed: bool = False
    message: str = ""
    mismatch: str = ""


def steps(root: Call, depth: int | None, failed: bool) -> Iterator[Step]:
    """The steps of a run. Depth 0 is the candidate as one step, 1 its modules as one step each, and so on; functions
    called outside of these are steps of their own. With `failed`, the last call is the one that raised: the modules
    around it are opened at any depth, and calls that raised before were caught and are left out."""
    path = set()
    call = root
    while failed and call.children and call.children[-1].failed:
        path.add(id(call))
        call = call.children[-1]
    if failed:
        path.add(id(call))
    if depth == 0 and not failed:
        yield _step(root)
    else:
        yield from _inside(root, depth, path)


def module_calls(root: Call) -> Iterator[Step]:
    """Every call of a module that returned, at any depth, an outer one before those within it."""
    if root.module is not None and not root.failed:
        yield _step(root)
    for child in root.children:
        yield from module_calls(child)


def _inside(call: Call, depth: int | None, path: set[int]) -> Iterator[Step]:
    for child in call.children:
        failing = id(child) in path
        if child.failed and not failing:
            continue
        if child.module is None or (child.one and not any(inner.module is not None for inner in child.children)):
            yield _step(child)
        elif failing:
            yield from _inside(child, None if depth is None else depth - 1, path)
        elif depth is not None and depth <= 1:
            yield _step(child)
        elif child.has_functions:
            yield from _inside(child, None if depth is None else depth - 1, path)
        elif child.inputs or set(child.outputs) - set(child.inputs):
            yield _step(child)


def _step(call: Call) -> Step:
    inner = call.children[-1] if call.failed and call.children else call
    outputs = call.outputs if call.module is None else [key for key in call.outputs if key not in set(call.inputs)]
    return Step(
        operation=call.operation,
        inputs=tuple(dict.fromkeys(inner.inputs)),
        outputs=tuple(dict.fromkeys(outputs)),
        module=call.module,
        memory=call.memory,
        joins=call.joins,
        parameters=sum(call.parameters.values()),
        multiply_adds=call.multiply_adds,
        failed=call.failed,
        message=inner.message,
        mismatch=inner.mismatch,
    )
