"""Wording: values as a learner knows them, in a sentence: what kind of thing one is, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from autograder.values import Foreign, Outline

LONGEST = 200  # characters of a value that is shown
HUGE = "int"  # the kind of a Foreign that is an integer too long to be kept


def kind(value: Any) -> str:
    """What kind of thing a value is.

    >>> kind(3), kind([]), kind(None)
    ('an int', 'a list', 'None')
    """
    if value is None:
        return "None"
    if isinstance(value, Foreign):
        return value.text
    if isinstance(value, Outline | Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return with_article(type(value).__name__)


def with_article(name: str) -> str:
    """A name behind "a" or "an"."""
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def show(value: Any) -> str:
    """A value as it is written in Python; what cannot be written so, in words.

    >>> import torch
    >>> show([torch.zeros(2, 5), torch.zeros(2, 5)]), show((torch.zeros(3), 1))
    ('a list of 2 tensors of shape (2, 5)', '(a tensor of shape (3,), 1)')
    """
    text = _show(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def _show(value: Any) -> str:
    if isinstance(value, Foreign | Outline | Tensor):
        return kind(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_show(item)}' for name, item in value.items())}}}"
    if not isinstance(value, tuple | list):
        return repr(value)
    kinds = {kind(item) if isinstance(item, Tensor | Outline | Foreign) else "" for item in value}
    if len(value) > 1 and len(kinds) == 1 and " tensor of shape" in (each := kinds.pop()):
        return f"{kind(value)} of {len(value)} {each.removeprefix('a ').replace('tensor', 'tensors', 1)}"
    items = ", ".join(_show(item) for item in value)
    if isinstance(value, list):
        return f"[{items}]"
    return f"({items},)" if len(value) == 1 else f"({items})"


def number(value: Tensor) -> str:
    """A tensor's only number, in six digits; a negative zero is a zero."""
    found = value.item()
    return f"{found + 0.0:.6g}" if isinstance(found, float) else str(found)


def is_huge(value: Any) -> bool:
    """Whether a value was an integer too long to be kept."""
    return isinstance(value, Foreign) and value.kind == HUGE


def count(amount: int, one: str, many: str) -> str:
    """How many of something there are."""
    return f"{amount} {one if amount == 1 else many}"


def capital(text: str) -> str:
    """A sentence's beginning."""
    return text[0].upper() + text[1:]


def told_nonfinite(pairs: Sequence[tuple[str, str, int, str]]) -> str:
    """Where numbers that are none stand: (expected, yours, how often, the first place) for each kind of mistake.

    >>> told_nonfinite([("a number", "NaN", 1, ""), ("infinity", "minus infinity", 3, "[row=1]")])
    'Yours is NaN where a number is expected, and minus infinity at 3 places where infinity is, the first at [row=1].'
    """
    parts: list[str] = []
    for wanted, came, often, first in pairs:
        places = f" at {often} places" if often > 1 else ""
        at = f", the first at {first}" if first and often > 1 else f", at {first}" if first else ""
        parts.append(f"{came}{places} where {wanted} is{'' if parts else ' expected'}{at}")
    return f"Yours is {', and '.join(parts)}."
