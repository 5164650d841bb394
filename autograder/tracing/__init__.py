"""Tracing: every dimension that flows through a function or a module, step by step.

`trace(candidate, *inputs, axes=...)` runs the candidate once and gives a `Trace`: a table in a terminal, a drawing in a
notebook. Read `record.py` for how calls are seen, `names.py` for how axes get their names, `memory.py` for what a view
and a copy are, `costs.py` for what is counted.
"""

from autograder.tracing.calls import Value
from autograder.tracing.run import Trace, trace
from autograder.tracing.steps import Step

__all__ = ["Step", "Trace", "Value", "trace"]
