"""Keys: everything needed to judge one lesson on one seed, and nothing that solves it. Data alone.

A key holds cases' inputs, expected results, every misconception's answers, axis names, points and hints; `keyfile`
writes it to a file and reads it back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from autograder import axes
from autograder.answers import Answer, Answers, Question, collect
from autograder.answers import answer as answer_case
from autograder.authoring import Candidate, Exercise, Lesson
from autograder.contrast import make_contrasts
from autograder.draw import Draw
from autograder.errors import LessonProblem, UnknownExercise
from autograder.layers import tensors_in
from autograder.plans import Plan
from autograder.slips import make_slips
from autograder.values import Foreign

PUBLIC_SEED = 0
LOOP_SIZES = (8, 264)
SECONDS = 10.0  # for a reference on a changed case


@dataclass(frozen=True)
class ExerciseKey:
    """One exercise's part of a key.

    `cases` hold `label`, `probe`, `arguments`, `raises`, `memory`, `contiguous`, `quantities` and `expected`;
    `misconceptions` hold `name`, `sentence` and their `answers` on every case; `parameters`, `forward`, `returns` and
    the module's own `tensors` are as `axes` describes them; `contrasts` and `slips` are as these modules make them.
    """

    name: str
    points: int
    hints: list[str]
    needs: list[str]
    forbids: list[str]
    parameters: list[dict[str, Any]]
    forward: list[dict[str, Any]] | None
    returns: Any
    tensors: dict[str, Any]
    cases: list[dict[str, Any]]
    misconceptions: list[dict[str, Any]]
    loop_axis: str
    loop: list[dict[str, Any]]
    contrasts: list[dict[str, Any]] = field(default_factory=list)
    slips: dict[str, Any] = field(default_factory=dict)

    @property
    def signature(self) -> str:
        """The exercise as it is called: `standardize(x, eps=1e-05)`."""
        return f"{self.name}({', '.join(parameter['written'] for parameter in self.parameters)})"

    @property
    def heading(self) -> str:
        """The first line of its definition: `def causal_mask(length)`, `class Affine(nn.Module)`."""
        if self.forward is None:
            return f"def {self.signature}"
        is_module = any("parameters" in case["expected"] for case in self.cases)
        return f"class {self.name}(nn.Module)" if is_module else f"class {self.name}"

    @property
    def loop_sizes(self) -> tuple[int, int]:
        """The sizes of the axis that must not be looped over."""
        return LOOP_SIZES

    @property
    def question(self) -> Question:
        """What a candidate's process may see: no expected result, no misconception."""
        shown = [{name: case[name] for name in ("label", "probe", "arguments")} for case in self.cases]
        return Question(self.name, self.parameters, shown, self.loop, self.forward, self.contrasts)

    def described(self, result: str) -> Any:
        """The axes of a named result: those of what it is the gradient of, say; None where none are known."""
        subject = re.sub(r" (in|after) call \d+$", "", result).removeprefix("gradient of ").removeprefix("buffer ")
        inputs = axes.of_arguments(self.parameters, self.forward)
        return {"result": self.returns, **inputs, **self.tensors}.get(subject)


@dataclass(frozen=True)
class Key:
    """A lesson's key."""

    lesson: str
    seed: int
    source: str
    exercises: list[ExerciseKey]

    def exercise(self, name: str) -> ExerciseKey:
        """One exercise's part. Raises UnknownExercise where the key has none of that name."""
        found = next((exercise for exercise in self.exercises if exercise.name == name), None)
        if found is None:
            raise UnknownExercise(f"The key of {self.lesson} has no exercise `{name}`.")
        return found


def make_key(lesson: Lesson, seed: int = PUBLIC_SEED, source: str = "", with_slips: bool = True) -> Key:
    """Run a lesson's references and misconceptions on inputs drawn from `seed`; to try the slips takes the longest."""
    exercises = [_exercise_key(lesson, exercise, seed, with_slips) for exercise in lesson.exercises]
    return Key(lesson.name, seed, source, exercises)


def _exercise_key(lesson: Lesson, exercise: Exercise, seed: int, with_slips: bool) -> ExerciseKey:
    reference = lesson.reference(exercise)
    parameters = axes.parameters(reference)
    cases = [
        {
            "label": case.label,
            **_tried(case.arguments(Draw(seed, exercise.name, case.label)), case.probe),
            "raises": case.raises,
            "memory": exercise.memory if case.memory is None else case.memory,
            "contiguous": exercise.contiguous,
        }
        for case in exercise.cases
    ]
    forward, returns = axes.forward_of(reference), axes.returns(reference)
    question = Question(exercise.name, parameters, cases, _loop(exercise, seed), forward)
    for case, answer in zip(cases, _answers(reference, question).cases, strict=True):
        case["expected"] = _expected(exercise, case, answer)
        case["quantities"] = {name: float(of(case["arguments"])) for name, of in exercise.quantities.items()}

    def answered(case: dict[str, Any]) -> Answer:
        return answer_case(reference, question, case, SECONDS)

    return ExerciseKey(
        name=exercise.name,
        points=exercise.points,
        hints=list(exercise.hints),
        needs=list(exercise.needs),
        forbids=list(exercise.forbids),
        parameters=parameters,
        forward=forward,
        returns=returns,
        tensors=tensors_in(reference, question.names, cases),
        cases=cases,
        misconceptions=[
            {"name": item.name, "sentence": item.sentence, "answers": _answers(item.candidate, question).cases}
            for item in exercise.misconceptions
        ],
        loop_axis=exercise.loop_axis or "",
        loop=question.loop,
        contrasts=make_contrasts(question, returns, answered),
        slips=make_slips(reference, question, answered) if with_slips else {},
    )


def _loop(exercise: Exercise, seed: int) -> list[dict[str, Any]]:
    if exercise.loop_arguments is None:
        return []
    drawn = [exercise.loop_arguments(Draw(seed, exercise.name, f"size {size}"), size) for size in LOOP_SIZES]
    return [_tried(arguments) for arguments in drawn]


def _tried(arguments: dict[str, Any], probe: str = "call") -> dict[str, Any]:
    """Arguments with the probe for them: a plan is for the probe "module" alone."""
    return {"probe": "module" if isinstance(arguments, Plan) else probe, "arguments": dict(arguments)}


def _answers(candidate: Candidate, question: Question) -> Answers:
    answers = collect(candidate, replace(question, loop=[], contrasts=[]))
    if answers.problem:
        raise LessonProblem(f"{question.name}: {candidate.__name__}{answers.detail} cannot be called on the cases.")
    # where the author's code failed, and what it printed, is of no use to a learner
    plain = [
        Answer(a.outcome, a.results, a.raised, changed=a.changed, shares=a.shares, contiguous=a.contiguous)
        for a in answers.cases
    ]
    failed = next((a for a in answers.cases if a.outcome == "out of time"), None)
    if failed is not None:
        raise LessonProblem(f"{question.name}: {candidate.__name__} is {failed.message}.")
    return Answers(cases=plain)


def _expected(exercise: Exercise, case: dict[str, Any], answer: Answer) -> dict[str, Any]:
    if case["raises"]:
        if case["raises"] not in answer.raised:
            raise LessonProblem(f"{exercise.name} on {case['label']!r}: the reference does not raise {case['raises']}.")
        return {}
    if answer.outcome != "returned":
        raise LessonProblem(
            f"{exercise.name} on {case['label']!r}: the reference raised {answer.raised[:1]}: {answer.message}"
        )
    if answer.changed:
        raise LessonProblem(f"{exercise.name} on {case['label']!r}: the reference changes its input {answer.changed}.")
    foreign = next((name for name, value in answer.results.items() if _is_no_data(value)), None)
    if foreign is not None:
        raise LessonProblem(
            f"{exercise.name} on {case['label']!r}: the reference's {foreign} is {answer.results[foreign].text}."
        )
    return answer.results


def _is_no_data(value: Any) -> bool:
    """A meta tensor is no data either, but tells its shape, and is asked for where a network is too large to be run."""
    return isinstance(value, Foreign) and not value.text.startswith("a meta tensor")
