"""Whether `check`, `hint` and `ready` stay quiet: they do wherever a notebook's cells run only to define things."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_quiet = False


def is_quiet() -> bool:
    """Whether the cells run now are only read for their definitions."""
    return _quiet


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, `check` and `hint` do nothing and `ready` is False."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before
