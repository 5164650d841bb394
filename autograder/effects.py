"""What a candidate did besides giving a result: inputs that it changed, memory that its result shares."""

from __future__ import annotations

from typing import Any

from autograder.answers import Answer
from autograder.report import Fault, Stage


def changed_fault(answer: Answer) -> Fault | None:
    """An input that is not as it was: its numbers, or a module's hooks or mode."""
    if not answer.changed:
        return None
    name, _, aspect = answer.changed[0].partition(".")
    if aspect == "hooks":
        headline = f"Your code leaves other hooks on `{name}` than were there before."
        look = "register_forward_hook gives a handle: handle.remove() in a `finally` takes the hook away, always."
        return Fault(Stage.SIDE_EFFECTS, headline, "the hooks as they were", "other hooks", look)
    if aspect == "training":
        headline = f"Your code leaves `{name}` in another mode than it was in."
        return Fault(Stage.SIDE_EFFECTS, headline, "training and evaluation as they were", look="train() and eval().")
    name, _, call = name.partition(" in call ")
    headline = f"Your function changed its input `{name}` in place{f', in call {call}' if call else ''}."
    look = "`+=`, methods that end in an underscore, assignments to x[...], and a list's pop and append write into it."
    return Fault(Stage.SIDE_EFFECTS, headline, "the input as it was", "other values in it", look)


def memory_fault(case: dict[str, Any], answer: Answer) -> Fault | None:
    """A copy where a view is asked for, a view where a copy is, or a result that is not contiguous."""
    if case["memory"] == "view" and not answer.shares:
        headline = "The result is right, but it is a copy; a view of the input was asked for."
        look = "data_ptr() tells: a view's numbers are the input's own. reshape copies where no strides would do."
        return Fault(Stage.SIDE_EFFECTS, headline, "a view: the input's own memory", "a copy: memory of its own", look)
    if case["memory"] == "copy" and answer.shares:
        headline = f"The result is right, but it lies in the memory of `{answer.shares[0]}`; a copy was asked for."
        look = "Whoever writes into the result writes into the input too. clone() makes a copy."
        return Fault(Stage.SIDE_EFFECTS, headline, "a copy: memory of its own", "a view: the input's own memory", look)
    if case["contiguous"] and not answer.contiguous:
        headline = "The result is right, but it is not contiguous."
        look = "permute and transpose exchange strides and leave the numbers where they are; contiguous() moves them."
        return Fault(Stage.SIDE_EFFECTS, headline, "neighbours in memory along the last axis", "other strides", look)
    return None
