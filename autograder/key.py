"""Keys: everything needed to judge one lesson on one seed, and nothing that solves it. Data alone.

A key is a safetensors file with a JSON header: cases' inputs, expected results, every misconception's answers, axis
names, points and hints. Keys for the public seed lie in `autograder/keys`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from autograder import axes
from autograder.answers import Answer, Answers, Question, collect
from autograder.answers import answer as answer_case
from autograder.authoring import Candidate, Exercise, Lesson
from autograder.contrast import make_contrasts
from autograder.draw import Draw
from autograder.errors import KeyProblem, LessonProblem, UnknownExercise
from autograder.places import key_path, keys_folder
from autograder.plans import Plan
from autograder.values import Foreign, identical, pack, unpack

FORMAT = 3
PUBLIC_SEED = 0
LOOP_SIZES = (8, 264)


@dataclass(frozen=True)
class ExerciseKey:
    """One exercise's part of a key.

    `cases` hold `label`, `probe`, `arguments`, `raises`, `memory`, `contiguous`, `quantities` and `expected`;
    `misconceptions` hold `name`, `sentence` and their `answers` on every case; `parameters`, `forward`, `returns` and
    the module's own `tensors` are as `axes` describes them; `contrasts` are as `contrast` makes them.
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

    @property
    def signature(self) -> str:
        """The exercise as it is called: `standardize(x, eps=1e-05)`."""
        return f"{self.name}({', '.join(parameter['written'] for parameter in self.parameters)})"

    @property
    def heading(self) -> str:
        """The first line of its definition: `def causal_mask(length)`, `class Affine(nn.Module)`."""
        return f"def {self.signature}" if self.forward is None else f"class {self.name}(nn.Module)"

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
        inputs = {each["name"]: each["axes"] for each in [*self.parameters, *(self.forward or [])]}
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


def make_key(lesson: Lesson, seed: int = PUBLIC_SEED, source: str = "") -> Key:
    """Run a lesson's references and misconceptions on inputs drawn from `seed`."""
    return Key(lesson.name, seed, source, [_exercise_key(lesson, exercise, seed) for exercise in lesson.exercises])


def _exercise_key(lesson: Lesson, exercise: Exercise, seed: int) -> ExerciseKey:
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
    return ExerciseKey(
        name=exercise.name,
        points=exercise.points,
        hints=list(exercise.hints),
        needs=list(exercise.needs),
        forbids=list(exercise.forbids),
        parameters=parameters,
        forward=forward,
        returns=returns,
        tensors=axes.tensors_of(reference),
        cases=cases,
        misconceptions=[
            {"name": item.name, "sentence": item.sentence, "answers": _answers(item.candidate, question).cases}
            for item in exercise.misconceptions
        ],
        loop_axis=exercise.loop_axis or "",
        loop=question.loop,
        contrasts=make_contrasts(question, returns, lambda case: answer_case(reference, question, case, 10.0)),
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


def to_bytes(key: Key) -> bytes:
    """A key as the bytes of its file."""
    header = {"format": FORMAT, "torch": torch.__version__.partition("+")[0]}
    exercises = [{**vars(exercise), "misconceptions": _plain(exercise)} for exercise in key.exercises]
    return pack({**header, "lesson": key.lesson, "seed": key.seed, "source": key.source, "exercises": exercises})


def _plain(exercise: ExerciseKey) -> list[dict[str, Any]]:
    """The misconceptions as data. Of their results those that are the expected ones are left out: a network's key would
    hold its whole state once more for each."""
    expected = [case["expected"] for case in exercise.cases]
    return [{**item, "answers": list(map(_shortened, expected, item["answers"]))} for item in exercise.misconceptions]


def _shortened(expected: dict[str, Any], answer: Answer) -> dict[str, Any]:
    results = answer.results
    other = {name: results[name] for name in results if not identical(results[name], expected.get(name))}
    return {**vars(answer), "results": other, "missing": [name for name in expected if name not in results]}


def _answer_from(expected: dict[str, Any], data: dict[str, Any]) -> Answer:
    """The inverse of `_shortened`."""
    missing = data.pop("missing")
    same = {name: value for name, value in expected.items() if name not in missing}
    return Answer(**{**data, "results": {**same, **data["results"]}})


def read_key(path: Path) -> Key:
    """The key in a file. Raises KeyProblem, with the remedy, where it is missing, damaged or does not fit."""
    if not path.is_file():
        raise KeyProblem(f"The key {path} is missing. {_remedy(path)}")
    stamp = path.stat()
    return _read_key(path, stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=64)
def _read_key(path: Path, changed: int, size: int) -> Key:
    try:
        data = unpack(path.read_bytes())
        fits = data["format"], str(data["torch"])
    except (ValueError, KeyError, TypeError) as error:
        raise KeyProblem(f"The key {path} is damaged or cut short. {_remedy(path)}") from error
    if fits[0] != FORMAT:
        raise KeyProblem(f"The key {path} has format {fits[0]}; this autograder reads format {FORMAT}. {_remedy(path)}")
    if not _fits(fits[1], torch.__version__):
        raise KeyProblem(
            f"The key {path} was made with torch {fits[1]}; installed is torch {torch.__version__}. Install the pinned "
            f"version with `pip install -c constraints.txt -e .`, or make the keys again with `make build`."
        )
    try:
        exercises = [_exercise_from(item) for item in data["exercises"]]
        return Key(data["lesson"], data["seed"], data["source"], exercises)
    except (KeyError, TypeError) as error:
        raise KeyProblem(f"The key {path} lacks a part: {error}. {_remedy(path)}") from error


def _exercise_from(data: dict[str, Any]) -> ExerciseKey:
    expected = [case["expected"] for case in data["cases"]]
    misconceptions = [
        {**item, "answers": list(map(_answer_from, expected, item["answers"]))} for item in data["misconceptions"]
    ]
    return ExerciseKey(**{**data, "misconceptions": misconceptions})


def _fits(made_with: str, installed: str) -> bool:
    """Results of a torch are right for later ones of the same major version; older ones may lack what made them."""
    made, here = (tuple(int(part) for part in re.findall(r"\d+", version)[:2]) for version in (made_with, installed))
    return made[:1] == here[:1] and made <= here


def _remedy(path: Path) -> str:
    return f"Restore it with `git checkout -- {path.name}` in {path.parent}, or make it again with `make build`."


def find_exercise(name: str) -> tuple[Key, ExerciseKey]:
    """The exercise of that name among all keys. Raises UnknownExercise, or KeyProblem where a key cannot be read."""
    problems = []
    known: list[str] = []
    for path in sorted(keys_folder().glob("*.safetensors")):
        try:
            key = read_key(path)
        except KeyProblem as problem:
            problems.append(problem)
            continue
        if any(exercise.name == name for exercise in key.exercises):
            return key, key.exercise(name)
        known += [exercise.name for exercise in key.exercises]
    if problems:
        raise problems[0]
    if not known:
        raise KeyProblem(f"There are no keys in {keys_folder()}. {_remedy(key_path('*'))}")
    raise UnknownExercise(_unknown(name, known))


def _unknown(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean `{close[0]}`?" if close else f" The exercises are {', '.join(sorted(known))}."
    return f"There is no exercise named `{name}`.{guess}"


__all__ = ["FORMAT", "PUBLIC_SEED", "ExerciseKey", "Key", "find_exercise", "make_key", "read_key", "to_bytes"]
