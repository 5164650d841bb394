"""The judge: answers held against a key. It never runs a learner's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autograder.answers import Answer, Answers
from autograder.compare import compare
from autograder.key import ExerciseKey
from autograder.report import Fault, Report, Stage, Verdict
from autograder.state import compare_state

# A loop over an axis runs several instructions for each element; a right answer that halves or doubles runs its loop a
# few times more. Two for each element lies between.
STEPS_FOR_EACH = 2
STATE = ("parameters", "buffers", "zero weights")  # what a module is made of: judged before what it does


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
    diagnosis = ""
    if any(verdict.status == "failed" for verdict in verdicts):
        diagnosis = recognise(key, answers.cases)
    return Report(key.name, lesson, key.points, verdicts, diagnosis, answers.note)


def judge_case(key: ExerciseKey, case: dict[str, Any], answer: Answer, raises_always: bool = False) -> Fault | None:
    """The first fault of one answer, or None where it is right. To raise is right only for one that also returns."""
    if answer.outcome != "returned":
        asked = case["raises"] and case["raises"] in answer.raised
        return _changed(answer) if asked and not raises_always else _not_returned(case, answer)
    if case["raises"]:
        came = ", ".join(f"{value!r}" for value in answer.results.values())
        headline = f"On these inputs a {case['raises']} should be raised; yours returned."
        return Fault(Stage.RAN, headline, f"raise {case['raises']}", came[:200])
    return _results_fault(key, case["expected"], answer.results) or _changed(answer) or _memory_fault(case, answer)


def _results_fault(key: ExerciseKey, expected: dict[str, Any], results: dict[str, Any]) -> Fault | None:
    if "parameters" in expected:
        fault = compare_state(expected, results, key.described)
        if fault is not None:
            return fault
    for name in (name for name in expected if name not in STATE):
        wanted, came = expected[name], results.get(name)
        if name.startswith("gradient of ") and wanted is not None and came is None:
            headline = f"No gradient reaches {name.removeprefix('gradient of ')}."
            look = "detach(), .data, item() and torch.no_grad() cut the way back, and so does torch.tensor(...)."
            return Fault(Stage.GRADIENTS, headline, "a gradient", "none", look)
        fault = compare(wanted, came, key.described(name), f"the {name}")
        if fault is not None:
            return replace(fault, stage=Stage.GRADIENTS) if name.startswith("gradient of ") else fault
    return None


def _changed(answer: Answer) -> Fault | None:
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
    headline = f"Your function changed its input `{name}` in place."
    look = "Methods that end in an underscore, and assignments to x[...], write into the caller's tensor."
    return Fault(Stage.SIDE_EFFECTS, headline, "the input as it was", "other values in it", look)


def _memory_fault(case: dict[str, Any], answer: Answer) -> Fault | None:
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


def recognise(key: ExerciseKey, cases: Sequence[Answer]) -> str:
    """The sentence of the misconception that the answers equal on every case, or "" where there is none."""
    for misconception in key.misconceptions:
        if all(map(_same, misconception["answers"], cases, key.cases)):
            return str(misconception["sentence"])
    return ""


def _same(wrong: Answer, answer: Answer, case: dict[str, Any]) -> bool:
    if wrong.outcome != answer.outcome or wrong.changed != answer.changed or wrong.raised != answer.raised:
        return False
    if (_memory_fault(case, wrong) is None) != (_memory_fault(case, answer) is None):
        return False
    return compare(wrong.results, answer.results) is None


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
            return Fault(Stage.CALLABLE, headline, f"class {key.name}(nn.Module)", answers.detail)
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
    return Fault(Stage.RAN, "Your function raised an error.", expected, answer.message, "", answer.frames)


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
