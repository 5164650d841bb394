"""`trace`: runs a candidate once and gives its trace."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from torch import Tensor, nn

from autograder.drawing import Figure
from autograder.tracing import picture, table
from autograder.tracing.calls import Call
from autograder.tracing.facts import Facts
from autograder.tracing.names import JOINT, AxisNames
from autograder.tracing.operation import kind_of, shortened
from autograder.tracing.record import Recorder
from autograder.tracing.steps import module_calls, steps
from autograder.tracing.variables import is_own


class Trace(Facts):
    """One run of a candidate, which shows itself: as a table in a terminal, as a drawing in a notebook."""

    def table(self, most: int = table.MOST) -> str:
        """The steps as text, at most `most` of them."""
        return table.table(self, most)

    def diagram(self, volumes: bool = False) -> Figure:
        """The steps as a drawing; with `volumes`, values of four axes as volumes. Raises ValueError for too many."""
        return picture.diagram(self, volumes)

    def __repr__(self) -> str:
        return self.table()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the drawing where the steps are not too many, and the text."""
        bundle = {"text/plain": repr(self)}
        if 0 < len(self.steps) <= picture.MOST:
            bundle["image/svg+xml"] = self.diagram().as_svg()
        return bundle


def trace(
    candidate: Callable[..., Any],
    *inputs: Any,
    axes: Mapping[str, int] | None = None,
    depth: int | None = None,
    **named_inputs: Any,
) -> Trace:
    """Run a function or module once with these inputs, and give every step with its shapes in axis names.

    `trace(attention, q, k, v, axes={"batch": 2, "heads": 3, "tgt": 5, "src": 7, "d_head": 11})`

    An axis is named by its size, so choose sizes that differ and whose products differ. `depth` says how far modules
    are opened: None for every torch function (torch's own layers stay one step), 0 for the candidate as one step, 1
    for the modules that it calls, and so on. On tensors of the meta device nothing is computed, so that a large model
    takes no memory. Results that share an input's memory are marked as views, moved numbers as copies (`memory.py`);
    products, convolutions and attention are counted as multiply-adds (`costs.py`).

    A candidate that raises gives the trace up to there, with the failing step marked and what did not fit in it.

    Raises TypeError and ValueError for a wrong use of `trace` itself.
    """
    _check(candidate, axes, depth)
    sizes = dict(axes or {})
    recorder = Recorder(candidate, AxisNames(sizes), _title(candidate))
    root = recorder.root
    given = recorder.ledger.inputs(_named(candidate, inputs, named_inputs))
    root.inputs, error, outputs, notes = list(given), "", [], recorder.ledger.names.notes()
    try:
        with recorder.recording():
            result = candidate(*inputs, **named_inputs)
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
        if "meta" in error:
            notes.append("tensors on the meta device have shapes and no values: what depends on values needs real ones")
        _mark(recorder, root, raised)
    else:
        root.outputs = outputs = recorder.conclude(result)
        notes += _unused(recorder, root)
        if not outputs:
            notes.append(f"the candidate returned {_described(result)}, and no tensor")
    root.parameters = root.parameters or recorder.ledger.parts.held
    return Trace(
        title=root.operation,
        axes=sizes,
        values=recorder.ledger.values,
        steps=tuple(steps(root, depth, bool(error))),
        modules=tuple(module_calls(root)),
        inputs=tuple(given),
        outputs=tuple(outputs),
        parameters=sum(recorder.ledger.parts.held.values()),
        multiply_adds=root.multiply_adds,
        activation_bytes=recorder.ledger.activation_bytes,
        notes=(*notes, *recorder.ledger.decided),
        error=error,
    )


def _check(candidate: Any, axes: Any, depth: Any) -> None:
    if isinstance(candidate, Tensor):
        raise TypeError("trace takes a function and its inputs apart: trace(f, x), not trace(f(x)).")
    if isinstance(candidate, type) and issubclass(candidate, nn.Module):
        raise TypeError(
            f"{candidate.__name__} is a class; trace takes a module made of it: trace({candidate.__name__}(...), x)."
        )
    if not callable(candidate):
        raise TypeError(f"trace takes a function or a module, then its inputs; {candidate!r} cannot be called.")
    if axes is not None and not isinstance(axes, Mapping):
        raise TypeError(
            f'axes is a mapping of names to sizes, as {{"batch": 2, "src": 7}}; this is a {type(axes).__name__}.'
        )
    for name, size in (axes or {}).items():
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"the names in axes are text; {name!r} is not.")
        if JOINT in name:
            raise ValueError(f"the names in axes are of single axes; {name!r} is a product, which is found by itself.")
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"the sizes in axes are whole numbers; {name} has {size!r}.")
        if size < 1:
            raise ValueError(f"the sizes in axes are at least 1; {name} has {size}.")
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool)):
        raise TypeError(f"depth is None or a whole number; this is {depth!r}.")
    if depth is not None and depth < 0:
        raise ValueError(f"depth counts from 0, the candidate as one step; {depth} is less. None opens everything.")


def _title(candidate: Any) -> str:
    if isinstance(candidate, nn.Module):
        return kind_of(written(candidate))
    inner = getattr(candidate, "func", candidate)  # of functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))


def written(module: nn.Module) -> nn.Module:
    """The module that was compiled, of a compiled one."""
    inner = getattr(module, "_orig_mod", module)
    return inner if isinstance(inner, nn.Module) else module


def _named(candidate: Any, inputs: tuple[Any, ...], named_inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs by the names of the candidate's parameters; by number where its signature does not tell."""
    try:
        signature = inspect.signature(written(candidate).forward if isinstance(candidate, nn.Module) else candidate)
        bound = signature.bind_partial(*inputs, **named_inputs).arguments
    except (TypeError, ValueError):
        return {**{f"input[{place}]": value for place, value in enumerate(inputs)}, **named_inputs}
    named: dict[str, Any] = {}
    for name, value in bound.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        else:
            named[name] = value
    return named


def _unused(recorder: Recorder, root: Call) -> list[str]:
    """What a run did not use of what it was given: inputs by name, parameters by number."""
    values, parameters = set(root.outputs), set()
    waiting = [root]
    while waiting:
        call = waiting.pop()
        if call.has_functions:
            waiting += [child for child in call.children if not child.failed]
        elif call is not root:
            values |= set(call.inputs)
            parameters |= set(call.parameters)
    names = [recorder.ledger.values[key].name for key in root.inputs if key not in values]
    notes = [f"no step takes {' or '.join(names)}"] if names else []
    left = sum(count for parameter, count in recorder.ledger.parts.held.items() if parameter not in parameters)
    return notes + ([f"no step takes {left:,} of the parameters"] if left else [])


def _described(result: Any) -> str:
    return "None" if result is None else f"a value of type {type(result).__name__}"


def _mark(recorder: Recorder, root: Call, error: Exception) -> None:
    """See that the tree ends with the call that failed. What raised outside of torch becomes a step of its own: the
    line of source, with the tensors that it names."""
    root.failed = True
    call = root
    while call.children and call.children[-1].failed:
        call = call.children[-1]
    if call.module is None and call is not root:
        return
    text, keys = _line(recorder, error.__traceback__)
    call.children.append(Call(text, inputs=keys, failed=True, message=f"{type(error).__name__}: {error}"))


def _line(recorder: Recorder, traceback: TracebackType | None) -> tuple[str, list[str]]:
    """The innermost line of a reader's code in a traceback, and the values of the tensors that it names."""
    text, keys = "the call", list(recorder.root.inputs)
    while traceback is not None:
        code = traceback.tb_frame.f_code
        line = linecache.getline(code.co_filename, traceback.tb_lineno).strip()
        if line and not is_own(code.co_filename):
            text = shortened(line)
            local = traceback.tb_frame.f_locals
            keys = recorder.ledger.known(local[name] for name in re.findall(r"[A-Za-z_]\w*", line) if name in local)
        traceback = traceback.tb_next
    return text, keys
