"""Checks what learners build: shapes and values against references, and a sentence that names the mistake.

`check(causal_mask)` judges an exercise, `hint(causal_mask)` gives the next of its hints, `ready(causal_mask)` tells
whether it is right. `own(causal_mask, "22_masks")` is a learner's own part from an earlier lesson, where it is right.
`trace(attention, q, k, v)` shows every step of a function or module with its shapes. Everything else is read in the
modules, from authoring to key, judge, report and the surfaces.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.earlier import own
    from autograder.jupyter import check, hint, ready
    from autograder.tracing import trace

__all__ = ["check", "hint", "own", "ready", "trace"]
__version__ = "0.1.0"
HOMES = {"own": "earlier", "trace": "tracing"}  # the modules of names that are not the notebook's own


def __getattr__(name: str) -> Any:
    # torch is loaded when a name is first used: pytest imports this package in every run
    if name in __all__:
        return getattr(import_module(f"autograder.{HOMES.get(name, 'jupyter')}"), name)
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
