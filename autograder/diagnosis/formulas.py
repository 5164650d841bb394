"""Formulas: sizes of sliding windows, and the well-known ways to get them wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from autograder.diagnosis.evidence import Finding, Sample
from autograder.diagnosis.quantities import named_sizes

LEAST = 2  # wrong sizes, and different ones
ROLES = {
    "kernel": ("kernel", "kernel_size", "size", "window", "kh", "kw"),
    "stride": ("stride", "step"),
    "padding": ("padding",),
    "dilation": ("dilation",),
}
Sized = tuple[Sample, int, int]  # with the expected size and the candidate's
Formula = Callable[[float, float, float, float, float], float]

MISTAKES: tuple[tuple[str, Formula], ...] = (
    (
        "the last window is counted though it does not fit: ceil where floor is asked for",
        lambda s, k, t, p, d: math.ceil((s + 2 * p - d * (k - 1) - 1) / t) + 1,
    ),
    ("padding is counted once, not on both sides", lambda s, k, t, p, d: (s + p - d * (k - 1) - 1) // t + 1),
    ("padding is left out", lambda s, k, t, p, d: (s - d * (k - 1) - 1) // t + 1),
    ("the stride is left out", lambda s, k, t, p, d: s + 2 * p - d * (k - 1)),
    ("dilation is left out", lambda s, k, t, p, d: (s + 2 * p - k) // t + 1),
    ("the kernel is counted as one too large", lambda s, k, t, p, d: (s + 2 * p - d * k - 1) // t + 1),
    ("dilation stretches the kernel, not the steps in it", lambda s, k, t, p, d: (s + 2 * p - d * k) // t + 1),
    ("the kernel is left out", lambda s, k, t, p, d: (s + 2 * p - 1) // t + 1),
    ("the kernel stands in the place of the stride", lambda s, k, t, p, d: (s + 2 * p - d * (k - 1) - 1) // k + 1),
    ("the size is divided by the stride alone", lambda s, k, t, p, d: (s + 2 * p) // t),
)


def right_size(size: float, kernel: float, stride: float, padding: float, dilation: float) -> float:
    """How many windows of a kernel fit into a padded size.

    >>> right_size(7, 3, 2, 1, 1)
    4
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def formula_finding(sized: Sequence[Sized], what: str) -> Finding | None:
    """The mistake in the formula of a sliding window that gives the candidate's size in every case, where the formula
    gives the expected one."""
    wrong = [(expected, yours) for _, expected, yours in sized if expected != yours]
    if len(wrong) < LEAST or len(set(wrong)) < LEAST:
        return None
    for kernel in ROLES["kernel"]:
        for name in named_sizes(sized[0][0]):
            values = [_values(sample, name, kernel) for sample, _, _ in sized]
            if name == kernel or not _fits(right_size, values, [expected for _, expected, _ in sized]):
                continue
            for mistake, formula in MISTAKES:
                if _fits(formula, values, [yours for _, _, yours in sized]):
                    return Finding(
                        f"{what} is what comes out when {mistake}.", "Write the formula down for one small case."
                    )
    return None


def _fits(formula: Formula, values: Sequence[tuple[float, ...] | None], sizes: Sequence[int]) -> bool:
    return all(v is not None and formula(*v) == size for v, size in zip(values, sizes, strict=True))


def _values(sample: Sample, size: str, kernel: str) -> tuple[float, ...] | None:
    """Size, kernel, stride, padding and dilation in one case; None where a size or a kernel is not among the names."""
    known = named_sizes(sample)
    if size not in known or kernel not in known:
        return None
    return (known[size], known[kernel], *_others(known))


def _others(known: dict[str, float]) -> Iterator[float]:
    for role, missing in (("stride", 1.0), ("padding", 0.0), ("dilation", 1.0)):
        found = next((known[name] for name in ROLES[role] if name in known), missing)
        yield max(found, 1.0) if role == "stride" else found
