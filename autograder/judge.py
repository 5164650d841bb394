"""The judge: answers held against a key. It never runs a learner's code."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autograder.answers import Answer, Answers
from autograder.compare import compare
from autograder.diagnosis import Finding, diagnose
from autograder.effects import changed_fault, memory_fault
from autograder.key import ExerciseKey
from autograder.report import Fault, Report, Stage, Verdict
from autograder.state import compare_state
from autograder.wording import show

# A loop over an axis runs several instructions for each element; a right answer that halves or doubles runs its loop a
# few times more. Two for each element lies between.
STEPS_FOR_EACH = 2
STATE = (
    "parameters",
    "buffers",
    "unsaved buffers",
    "zero weights",
)  # what a module is made of: judged before what it does


def judge(key: ExerciseKey, answers: Answers, lesson: str = "") -> Report:
    """The report on one exercise's answers.

    Each case is judged from the coarse to the fine and stops at the first fault; `Stage` holds the order.
    """
    problem = _problem(key, answers)
    if problem is not None:
        verdicts = [Verdict(case["label"], "failed", problem) for case in key.cases]
        return Report(key.name, lesson, key.points, verdicts, note=answers.note)
    if all(answer.outcome == "unattempted" for answer in answers.cases):
        verdicts = [Verdict(case["label"], "unattempted") for case in key.cases]
        return Report(key.name, lesson, key.points, verdicts, note=answers.note)
    loop = _loop_fault(key, answers.steps)
    verdicts = []
    raises_always = all(answer.outcome == "raised" for answer in answers.cases)
    for case, answer in zip(key.cases, answers.cases, strict=True):
        fault = _forbidden_fault(key, answer, answers.names) or judge_case(key, case, answer, raises_always) or loop
        if fault is not None and answer.printed:
            fault = replace(fault, printed=answer.printed)
        verdicts.append(Verdict(case["label"], "failed" if fault else "passed", fault))
    finding: Finding | None = None
    if any(verdict.status == "failed" for verdict in verdicts):
        # a diagnosis is a courtesy: whatever strange answers do to it, the verdict stands
        with contextlib.suppress(Exception):
            finding = diagnose(key, answers)
    report = Report(key.name, lesson, key.points, verdicts, note=answers.note)
    if finding is None:
        return report
    return replace(report, diagnosis=finding.sentence, look=finding.look, recogniser=finding.recogniser)


def judge_case(key: ExerciseKey, case: dict[str, Any], answer: Answer, raises_always: bool = False) -> Fault | None:
    """The first fault of one answer, or None where it is right. To raise is right only for one that also returns."""
    if answer.outcome != "returned":
        asked = case["raises"] and case["raises"] in answer.raised
        if asked and not raises_always:
            return changed_fault(answer)
        return _state_fault(key, case["expected"], answer.results) or _not_returned(case, answer)
    if case["raises"]:
        came = show(next(iter(answer.results.values()), None))
        headline = f"On these inputs a {case['raises']} should be raised; yours returned."
        return Fault(Stage.RAN, headline, f"raise {case['raises']}", came)
    return (
        _state_fault(key, case["expected"], answer.results)
        or _results_fault(key, case["expected"], answer.results)
        or changed_fault(answer)
        or memory_fault(case, answer)
    )


def _state_fault(key: ExerciseKey, expected: dict[str, Any], results: dict[str, Any]) -> Fault | None:
    """What a module is made of: known where it could be built, and told before what it does."""
    if "zero weights" not in expected or "parameters" not in results:
        return None
    return compare_state(expected, results, key.described)


def _results_fault(key: ExerciseKey, expected: dict[str, Any], results: dict[str, Any]) -> Fault | None:
    for name in (name for name in expected if name not in STATE):
        if name.startswith("attribute ") and name not in results:
            continue
        wanted, came = expected[name], results.get(name)
        if name.startswith("gradient of ") and wanted is not None and came is None:
            headline = f"No gradient reaches {name.removeprefix('gradient of ')}."
            look = "detach(), .data, item() and torch.no_grad() cut the way back, and so does torch.tensor(...)."
            return Fault(Stage.GRADIENTS, headline, "a gradient", "none", look)
        if name.startswith("buffers in the graph") and came and not wanted:
            headline = f"The buffer `{came[0]}` still hangs on the graph that it was computed in."
            look = "detach() or torch.no_grad() gives the numbers alone; otherwise each step keeps all those before it."
            return Fault(
                Stage.GRADIENTS, headline, "a tensor without history", "a tensor that requires a gradient", look
            )
        if name.startswith("calls of ") and wanted != came:
            called = name.removeprefix("calls of ")
            headline = f"`{called}`: its hooks saw {came} calls; {wanted} was expected."
            look = "A module is called like a function, inner(x). Its hooks do not see a call of inner.forward(x)."
            return Fault(Stage.SIDE_EFFECTS, headline, str(wanted), str(came), look)
        fault = compare(wanted, came, key.described(name), f"the {name}")
        if fault is not None:
            return replace(fault, stage=Stage.GRADIENTS) if name.startswith("gradient of ") else fault
    return None


def _problem(key: ExerciseKey, answers: Answers) -> Fault | None:
    match answers.problem:
        case "":
            return None
        case "missing":
            look = "Its cell was deleted or renamed, or did not run. The released notebook has the stub."
            return Fault(
                Stage.CALLABLE,
                f"There is no `{key.name}` in this notebook.",
                key.heading,
                "nothing of that name",
                answers.detail or look,
            )
        case "not callable":
            headline = f"`{key.name}` is {answers.detail}, not a function."
            return Fault(Stage.CALLABLE, headline, key.heading, answers.detail)
        case "not a class":
            headline = f"`{key.name}` is {answers.detail}, not a class."
            return Fault(Stage.CALLABLE, headline, key.heading, answers.detail)
        case "signature":
            headline = f"`{key.name}` cannot be called with the parameters of the stub."
            yours = f"{key.name}{answers.detail}"
            return Fault(Stage.SIGNATURE, headline, key.signature, yours, "The stub's first line has them.")
    return Fault(Stage.RAN, answers.detail or answers.problem)


def _not_returned(case: dict[str, Any], answer: Answer) -> Fault:
    expected = f"raise {case['raises']}" if case["raises"] else ""
    if answer.outcome == "out of time":
        look = "Is there a loop whose condition never becomes false?"
        return Fault(Stage.RAN, f"Your function did not finish: {answer.message}.", expected, "", look, answer.frames)
    if answer.outcome in ("died", "untried"):
        return Fault(Stage.RAN, answer.message, expected)
    if answer.outcome == "unattempted":
        return Fault(Stage.RAN, "On this case your function raises NotImplementedError.", expected)
    headline = "Your function raised an error."
    if case["raises"] and answer.raised:
        headline = f"On these inputs a {case['raises']} should be raised; yours raised {answer.raised[0]}."
    return Fault(Stage.RAN, headline, expected, answer.message, "", answer.frames)


def _forbidden_fault(key: ExerciseKey, answer: Answer, mentioned: Sequence[str]) -> Fault | None:
    used = next((name for name in key.forbids if answer.calls.get(name) or name in mentioned), None)
    if used is None:
        return None
    headline = f"Your code uses `{used}`, which this exercise forbids."
    return Fault(Stage.FORBIDDEN, headline, look="The stub says what to build it from.")


def _loop_fault(key: ExerciseKey, steps: Sequence[int]) -> Fault | None:
    if len(steps) < 2:
        return None
    small, large = key.loop_sizes
    if steps[1] - steps[0] < STEPS_FOR_EACH * (large - small):
        return None
    headline = f"The result is right, but your code loops over the {key.loop_axis} axis, which this exercise forbids."
    look = "A comparison or an operation of whole tensors does it at once: let the axes broadcast."
    return Fault(Stage.LOOPS, headline, look=look)
