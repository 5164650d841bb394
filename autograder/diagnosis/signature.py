"""Signature: the numbers that parameters have where a case gives none."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence
from typing import Any


def defaults(parameters: Sequence[dict[str, Any]]) -> dict[str, int | float]:
    """Defaults that are numbers, by parameter, as they are written in the signature.

    >>> defaults([{"name": "x", "written": "x"}, {"name": "eps", "written": "eps=1e-05"}])
    {'eps': 1e-05}
    """
    found: dict[str, int | float] = {}
    for each in parameters:
        _, _, written = each["written"].partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            value = ast.literal_eval(written.strip()) if written else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[each["name"]] = value
    return found
