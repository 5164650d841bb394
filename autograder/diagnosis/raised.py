"""Raised: errors of torch about sizes that do not fit, in the exercise's axis names, and about writing in place."""

from __future__ import annotations

import re
from typing import Any

from autograder.answers import Answer, Answers
from autograder.axes import of_arguments
from autograder.contrast import arguments_of, axis_names
from autograder.diagnosis.evidence import Finding
from autograder.diagnosis.given import sizes_of
from autograder.key import ExerciseKey

# torch refuses to write into what gradients are asked for: an input or a parameter, or a view of one
WRITTEN = re.compile(r"leaf Variable that requires grad is being used in an in-place operation")
MEETING = re.compile(r"The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)")
PRODUCT = re.compile(r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
MISFITS = (
    (
        re.compile(r"mat1 and mat2 shapes cannot be multiplied \(\d+x(?P<given>\d+) and (?P<takes>\d+)x\d+\)"),
        "A matrix product takes {takes} numbers of each row, and is given {given}.",
    ),
    (
        re.compile(r"same reduction dim, but got \[\d+, (?P<given>\d+)\] X \[(?P<takes>\d+), \d+\]"),
        "A matrix product takes {takes} numbers of each row, and is given {given}.",
    ),
    (
        re.compile(r"to have (?P<takes>\d+) channels, but got (?P<given>\d+) channels instead"),
        "A convolution takes {takes} channels, and is given {given}.",
    ),
)
BATCHED = re.compile(
    r"Expected size for first two dimensions of batch2 tensor to be: \[(\d+), (\d+)\] but got: \[(\d+), (\d+)\]"
)


def raised_finding(key: ExerciseKey, answers: Answers) -> Finding | None:
    """Which two axes meet in the errors, the same two on every case that raises one."""
    failed = [
        (case, answer)
        for case, answer in zip(key.cases, answers.cases, strict=True)
        if answer.outcome == "raised" and not case["raises"]
    ]
    sides = [_meeting(key, case, answer) for case, answer in failed]
    if not sides or any(side is None for side in sides):
        return None
    common = [set.intersection(*(side[i] for side in sides if side is not None)) for i in (0, 1)]
    if len(common[0]) != 1 or len(common[1]) != 1 or common[0] == common[1]:
        return None
    first, second = common[0].pop(), common[1].pop()
    return Finding(
        f"Two sizes meet that do not fit: {first} meets {second}.",
        "Sizes are lined up from the right; a product sums over the last axis of the first and the last but one of the "
        "second.",
        "raised_finding",
    )


def misfit_finding(key: ExerciseKey, answers: Answers) -> Finding | None:
    """How much a linear map or a convolution takes, and how much it is given, in the first of the errors that all say
    so."""
    found = [
        next((text for text in (_misfit(each, answer.message) for each in MISFITS) if text), "")
        for case, answer in zip(key.cases, answers.cases, strict=True)
        if answer.outcome == "raised" and not case["raises"]
    ]
    if not found or not all(found):
        return None
    return Finding(
        found[0], "What does the step in front of it give, and which argument says what comes in?", "misfit_finding"
    )


def _misfit(kind: tuple[re.Pattern[str], str], message: str) -> str:
    pattern, text = kind
    match = pattern.search(message)
    return text.format(**match.groupdict()) if match and match["takes"] != match["given"] else ""


def written_finding(key: ExerciseKey, answers: Answers) -> Finding | None:
    """An input or a parameter that is written into, wherever an error is raised."""
    failed = [
        a for case, a in zip(key.cases, answers.cases, strict=True) if a.outcome == "raised" and not case["raises"]
    ]
    if not failed or not all(WRITTEN.search(answer.message) for answer in failed):
        return None
    changed = sorted({name for answer in answers.cases for name in answer.changed if "." not in name})
    name = changed[0].partition(" in call ")[0] if changed else ""
    what = f"its input `{name}`" if name else "a tensor that it was given, or into a parameter"
    return Finding(
        f"Your code writes into {what}, in place.",
        "`+=`, methods that end in an underscore, inplace=True and assignments to x[...] write into the tensor itself.",
        "written_finding",
    )


def none_finding(key: ExerciseKey, answers: Answers) -> Finding | None:
    """The argument that is None wherever an error is raised, and nowhere else."""
    cases = [case for case in key.cases if not case["raises"]]
    failed = [
        answer.outcome == "raised" for case, answer in zip(key.cases, answers.cases, strict=True) if not case["raises"]
    ]
    given = [arguments_of(case, key.question.names) for case in cases]
    for parameter in [*key.parameters, *(key.forward or [])]:
        name = parameter["name"]
        default = None if parameter["written"].endswith("=None") else ""
        is_none = [arguments.get(name, default) is None for arguments in given]
        if is_none == failed and any(failed) and not all(failed):
            return Finding(
                f"Your function raises an error where `{name}` is None, and nowhere else.",
                f"Where do you ask whether `{name}` is None?",
                "none_finding",
            )
    return None


def _meeting(key: ExerciseKey, case: dict[str, Any], answer: Answer) -> tuple[set[str], set[str]] | None:
    """The names that each of the two sizes in an error may have; None where the error is about something else."""
    sizes = _sizes_in(answer.message)
    if sizes is None:
        return None
    known = _known(key, case)
    first, second = ({name for name, size in known.items() if size == wanted} for wanted in sizes)
    return first, second


def _sizes_in(message: str) -> tuple[int, int] | None:
    if found := MEETING.search(message):
        return int(found[1]), int(found[2])
    if found := PRODUCT.search(message):
        return int(found[2]), int(found[3])
    if found := BATCHED.search(message):
        batch, inner, other_batch, other = (int(size) for size in found.groups())
        return (inner, other) if batch == other_batch else (batch, other_batch)
    return None


def _known(key: ExerciseKey, case: dict[str, Any]) -> dict[str, int]:
    arguments = arguments_of(case, key.question.names)
    described = of_arguments(key.parameters, key.forward)
    known = [(axis_names(axes, arguments.get(name)), arguments.get(name)) for name, axes in described.items()]
    numbers = {name: value for name, value in arguments.items() if isinstance(value, int)}
    sizes = sizes_of([(names, value.shape) for names, value in known if names and value is not None])
    # lead0, lead1: names of ours for any number of axes
    return {**numbers, **{name: size for name, size in sizes.items() if not name[-1].isdigit()}}
