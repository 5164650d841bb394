"""What a trace found, as data, and how its values are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.tracing.calls import Value
from autograder.tracing.steps import Step


@dataclass(frozen=True)
class Facts:
    """One run of a candidate: its steps, and the values that flow through them by key.

    `modules` are all calls of modules, at any depth, an outer one before those within it. `parameters` counts the
    numbers of all parameters that it holds or uses, shared ones once; `multiply_adds` those of the whole run;
    `activation_bytes` what all results take that are no views, each once, as training keeps them. `error` says what the
    candidate raised, "" where it returned.
    """

    title: str
    axes: Mapping[str, int]
    values: Mapping[str, Value]
    steps: tuple[Step, ...]
    modules: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int
    notes: tuple[str, ...] = ()
    error: str = ""

    def shape(self, key: str, sizes: bool = False) -> str:
        """A value's shape in axis names: `(batch, 1, heads·d_head)`, or with `sizes` `(batch=2, 1, heads·d_head=33)`.

        The size stands there in any case where it is not the one that the axis was given.
        """
        value = self.values[key]
        parts = []
        for name, size in zip(value.axes, value.shape, strict=True):
            known = not sizes and size == self.size_of(name)
            parts.append(name if name and known else f"{name}={size}" if name else str(size))
        return f"({', '.join(parts)})"

    def size_of(self, name: str) -> int:
        """The size that an axis or a product of axes was given, 0 for a name that was not given."""
        size = 1
        for part in name.split("·"):
            size *= self.axes.get(part, 0)
        return size


def amount(count: int) -> str:
    """Bytes for people.

    >>> amount(820), amount(1_230_000)
    ('820 bytes', '1.2 MB')
    """
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count} bytes"
