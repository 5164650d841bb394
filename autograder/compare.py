"""Comparing what came with what was expected: type, dtype, number of axes, each axis, values; the first fault is told.

Nothing is broadcast before it is compared, and nothing is compared with a candidate's own `==`: both sides are data.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor

from autograder.axes import labels, named, place
from autograder.report import Fault, Picture, Stage
from autograder.shapes import line_up
from autograder.values import Foreign, Outline
from autograder.wording import capital, count, is_huge, kind, number, show, told_nonfinite

# dtype -> (relative, absolute): about a hundred times the rounding of a short computation in that dtype; in double
# precision more, but less than one rounding to single precision, or numbers that passed through it would be right
TOLERANCES = {
    torch.float64: (1e-8, 1e-10),
    torch.float32: (1e-4, 1e-5),
    torch.float16: (1e-2, 1e-2),
    torch.bfloat16: (2e-2, 2e-2),
}
PICTURE_SIZE = 12
KINDS = ("a number", "NaN", "infinity", "minus infinity")
MOST_KINDS = 2  # ways in which NaN and infinity are wrong that are told
Shape = tuple[int, ...]
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64)


def compare(expected: Any, yours: Any, described: Any = None, what: str = "the result") -> Fault | None:
    """The first fault of `yours`, or None where it is right.

    `described` is the reference's annotation as `axes.describe` gives it; `what` names the value in the fault's text.
    """
    if isinstance(expected, Foreign):
        return None if expected == yours else _wrong_type(expected.text, yours, what)
    if isinstance(expected, Tensor):
        return _compare_tensors(expected, yours, described if isinstance(described, dict) else {}, what)
    if is_huge(yours) and type(expected) in (int, float):
        headline = f"{capital(what)} is far too large: {yours.text}."
        return Fault(Stage.VALUES, headline, show(expected), yours.text)
    if isinstance(expected, float):
        if type(yours) not in (int, float):
            return _wrong_type("a number", yours, what)
        return compare(torch.tensor(expected, dtype=torch.float64), torch.tensor(yours, dtype=torch.float64), {}, what)
    if type(expected) is not type(yours):
        return _wrong_type(kind(expected), yours, what)
    if isinstance(expected, tuple | list) and _holds_tensors(expected):
        return _compare_items(expected, yours, described, what)
    if isinstance(expected, dict):
        return _compare_dicts(expected, yours, what)
    if isinstance(expected, tuple | list):
        faults = (compare(e, y, None, f"{what}[{i}]") for i, (e, y) in enumerate(zip(expected, yours, strict=False)))
        fault = next((fault for fault in faults if fault is not None), None)
        whole = len(expected) == len(yours)
        if whole and fault is None:  # numbers within the tolerance, NaN where NaN is expected
            return None
        in_parts = whole and any(isinstance(item, tuple | list) for item in expected)
        if fault is not None and (fault.stage is Stage.TYPE or in_parts):
            return fault
    elif expected == yours:
        return None
    return Fault(Stage.VALUES, f"{capital(what)} is not what was expected.", show(expected), show(yours))


def distance(expected: Any, yours: Any) -> float:
    """How far `yours` lies outside the tolerance, in tolerances: up to 1 is right; infinite where no number tells.

    >>> round(distance(torch.tensor(1.0), torch.tensor(1.0011)))
    10
    """
    if isinstance(expected, dict) and isinstance(yours, dict) and expected.keys() == yours.keys():
        return max((distance(expected[name], yours[name]) for name in expected), default=0.0)
    if isinstance(expected, tuple) and isinstance(yours, tuple) and len(expected) == len(yours):
        return max((distance(e, y) for e, y in zip(expected, yours, strict=True)), default=0.0)
    if isinstance(expected, Tensor) and isinstance(yours, Tensor) and _alike(expected, yours):
        ratio = _excess(expected, yours)
        return float(ratio.max()) if ratio.numel() else 0.0
    return 0.0 if compare(expected, yours) is None else float("inf")


def _alike(expected: Tensor, yours: Tensor) -> bool:
    return expected.shape == yours.shape and expected.dtype == yours.dtype


def _excess(expected: Tensor, yours: Tensor) -> Tensor:
    """Each difference in tolerances. NaN equals NaN and infinity itself; either against anything else is infinite."""
    if expected.dtype not in TOLERANCES:
        return torch.where(expected == yours, 0.0, torch.inf)
    relative, absolute = TOLERANCES[expected.dtype]
    e, y = expected.double(), yours.double()
    ratio = (e - y).abs() / (absolute + relative * e.abs())
    same = (e == y) | (e.isnan() & y.isnan())
    return torch.where(same, 0.0, torch.nan_to_num(torch.where(e.isinf(), torch.inf, ratio), nan=torch.inf))


def _compare_tensors(expected: Tensor, yours: Any, described: dict[str, str], what: str) -> Fault | None:
    if not isinstance(yours, Tensor | Outline):
        return _wrong_type("a tensor", yours, what)
    names = labels(described.get("dims", ""), expected.dim())
    exact = described.get("dtype") != "Int"
    if yours.dtype != expected.dtype and (exact or yours.dtype not in INTEGERS):
        return _wrong_dtype(expected, yours, what)
    fault = compare_shapes(tuple(expected.shape), tuple(yours.shape), names, what)
    if fault is not None or isinstance(yours, Outline):
        return fault
    return _compare_values(expected, yours if exact else yours.to(expected.dtype), names, what)


def _wrong_dtype(expected: Tensor, yours: Tensor | Outline, what: str) -> Fault:
    wanted, came = (str(dtype).removeprefix("torch.") for dtype in (expected.dtype, yours.dtype))
    remedies = {torch.bool: "A comparison gives booleans, as does torch.ones(..., dtype=torch.bool)."}
    if expected.dtype.is_floating_point and yours.dtype.is_floating_point:
        remedies[expected.dtype] = "The result should have the dtype that was asked for, or that of the input."
    headline = f"{capital(what)} holds {came} values; {wanted} was expected."
    return Fault(Stage.DTYPE, headline, wanted, came, remedies.get(expected.dtype, ""))


def compare_shapes(
    expected: tuple[int, ...], yours: tuple[int, ...], names: list[str] | None, what: str
) -> Fault | None:
    """The first fault of a shape, told in axis names where `names` has them; None where it is right."""
    if expected == yours:
        return None
    swapped = _swapped(expected, yours) if len(expected) == len(yours) else None
    shapes = line_up(expected, yours, names, swapped)
    shown = (named(expected, names), str(yours))
    names = names or [""] * len(expected)
    if len(expected) != len(yours):
        headline = f"{capital(what)} has {count(len(yours), 'axis', 'axes')}; {len(expected)} were expected."
        if len(expected) == 1:
            headline = headline.replace("were", "was")
        return Fault(Stage.AXES, headline, *shown, _axis_count_look(expected, yours, names), shapes=shapes)
    if swapped is not None and all(names[axis] for axis in swapped):
        first, second = (names[axis] for axis in swapped)
        headline = f"The {first} and {second} axes are swapped in {what}."
        return Fault(Stage.SIZES, headline, *shown, "transpose exchanges two axes.", shapes=shapes)
    axis = next(i for i in range(len(expected)) if expected[i] != yours[i])
    name = f"The {names[axis]} axis" if names[axis] else f"Axis {axis}"
    headline = f"{name} of {what} has size {yours[axis]}; {expected[axis]} was expected."
    return Fault(Stage.SIZES, headline, *shown, shapes=shapes)


def _axis_count_look(expected: Shape, yours: Shape, names: list[str]) -> str:
    if len(yours) == len(expected) - 1:
        missing = [i for i in range(len(expected)) if expected[:i] + expected[i + 1 :] == yours]
        if len(missing) == 1 and names[missing[0]]:
            return f"The {names[missing[0]]} axis is missing."
        if len(missing) == 1:
            return f"An axis of size {expected[missing[0]]} is missing at position {missing[0]}."
    if len(yours) == len(expected) + 1:
        spare = [i for i in range(len(yours)) if yours[:i] + yours[i + 1 :] == expected]
        if len(spare) == 1:
            return f"There is one axis too many: the one at position {spare[0]}, of size {yours[spare[0]]}."
    return ""


def _swapped(expected: Shape, yours: Shape) -> tuple[int, int] | None:
    """The two axes whose exchange turns one shape into the other, where only one exchange does."""
    pairs = []
    for i, j in combinations(range(len(expected)), 2):
        exchanged = list(expected)
        exchanged[i], exchanged[j] = exchanged[j], exchanged[i]
        if expected[i] != expected[j] and tuple(exchanged) == yours:
            pairs.append((i, j))
    return pairs[0] if len(pairs) == 1 else None


def _compare_values(expected: Tensor, yours: Tensor, names: list[str] | None, what: str) -> Fault | None:
    if torch.equal(expected, yours):  # as most are, to the bit
        return None
    differs = _excess(expected, yours) > 1
    wrong = int(differs.sum())
    if wrong == 0:
        return None
    first = tuple(int(i) for i in differs.nonzero()[0])
    if expected.dim() == 0:
        return Fault(Stage.VALUES, f"{capital(what)} has another value.", number(expected), number(yours))
    where = place(first, names)
    differ = "differs" if wrong == 1 else "differ"
    headline = (
        f"{wrong} of {expected.numel()} values of {what} {differ}, {'' if wrong == 1 else 'the first '}at {where}."
    )
    look = _how_far(expected, yours, differs, names) if expected.dtype.is_floating_point else ""
    wanted, came = (f"{where} {number(value[first])}" for value in (expected, yours))
    return Fault(Stage.VALUES, headline, wanted, came, look, picture=_picture(expected, yours, differs, first, names))


def _how_far(expected: Tensor, yours: Tensor, differs: Tensor, names: list[str] | None) -> str:
    """Where NaN and infinity stand in the place of something else, and how far the numbers are apart."""
    wanted, came = _kinds(expected), _kinds(yours)
    kinds = {(i, j): differs & (wanted == i) & (came == j) for i, j in product(range(4), repeat=2)}
    numbers = kinds.pop((0, 0))
    found = sorted((where.nonzero()[0].tolist(), pair) for pair, where in kinds.items() if bool(where.any()))
    first = differs.nonzero()[0].tolist()
    pairs = [
        (KINDS[i], KINDS[j], int(kinds[i, j].sum()), place(at, names) if at != first else "")
        for at, (i, j) in found[:MOST_KINDS]
    ]
    told = [told_nonfinite(pairs)] if pairs else []
    if bool(numbers.any()):
        most = float((expected.double() - yours.double()).abs()[numbers].max())
        told.append(f"{'Between numbers the' if pairs else 'The'} largest difference is {most:.3g}.")
    return " ".join(told)


def _kinds(values: Tensor) -> Tensor:
    """Of each value its index in KINDS."""
    return values.isnan() * 1 + values.isposinf() * 2 + values.isneginf() * 3


def _picture(
    expected: Tensor, yours: Tensor, differs: Tensor, first: tuple[int, ...], names: list[str] | None
) -> Picture:
    """The last two axes around the first difference."""
    axes = list(names or [f"axis {i}" for i in range(expected.dim())])
    if expected.dim() == 1:
        expected, yours, differs = expected[None], yours[None], differs[None]
        first, axes = (0, *first), ["", *axes]
    lead = first[:-2]
    corner = [max(0, i - PICTURE_SIZE + 1) for i in first[-2:]]
    rows, columns = (slice(start, start + PICTURE_SIZE) for start in corner)
    expected_part, yours_part, differs_part = (value[lead][rows, columns] for value in (expected, yours, differs))
    where = place(lead, axes[:-2]) if lead else ""
    part = expected_part.shape != expected[lead].shape
    return Picture(expected_part, yours_part, differs_part, axes[-2], axes[-1], where, corner[0], corner[1], part)


def _compare_items(expected: Sequence[Any], yours: Sequence[Any], described: Any, what: str) -> Fault | None:
    if len(expected) != len(yours):
        headline = f"{capital(what)} has {count(len(yours), 'part', 'parts')}; {len(expected)} were expected."
        return Fault(Stage.TYPE, headline)
    for i, (wanted, came) in enumerate(zip(expected, yours, strict=True)):
        described_item = described[i] if isinstance(described, list) and i < len(described) else None
        fault = compare(wanted, came, described_item, f"part {i} of {what}")
        if fault is not None:
            return fault
    return None


def _compare_dicts(expected: dict[str, Any], yours: dict[str, Any], what: str) -> Fault | None:
    for name in expected:
        if name not in yours:
            return Fault(Stage.VALUES, f"{capital(what)} has no {name!r}.", ", ".join(expected), ", ".join(yours))
        fault = compare(expected[name], yours[name], None, f"“{name}”")
        if fault is not None:
            return fault
    extra = [name for name in yours if name not in expected]
    if extra:
        return Fault(
            Stage.VALUES, f"{capital(what)} has a {extra[0]!r} too many.", ", ".join(expected), ", ".join(yours)
        )
    return None


def _wrong_type(wanted: str, yours: Any, what: str) -> Fault:
    looks = {
        type(None): "A function without `return` returns None.",
        list: "torch.stack and torch.tensor make a tensor of a list." if wanted == "a tensor" else "",
        tuple: "Is there a comma too many behind the returned value?" if wanted == "a tensor" else "",
        Tensor: "item() takes the Python number out of a tensor that holds one."
        if wanted in ("an int", "a number")
        else "",
    }
    look = looks.get(type(yours), "")
    if isinstance(yours, Foreign) and "numpy" in yours.kind and wanted == "a tensor":
        look = "The exercise asks for torch's functions; torch.from_numpy makes a tensor of an array."
    return Fault(Stage.TYPE, f"{capital(what)} is {kind(yours)}; {wanted} was expected.", wanted, show(yours), look)


def _holds_tensors(values: Sequence[Any]) -> bool:
    return any(isinstance(value, Tensor) for value in values)
