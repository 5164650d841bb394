"""Every exercise of the course, none of them named: right answers pass, wrong ones are told what is wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import COURSE, EXERCISES, KEYS, Notebook, cell_of, each_exercise, each_lesson, released, report_on, solved
from torch import Tensor

from autograder import check, ready, text
from autograder.answers import Answer, Answers, collect
from autograder.authoring import Exercise, Lesson
from autograder.compare import distance
from autograder.judge import judge, judge_case
from autograder.jupyter import NotRight
from autograder.key import ExerciseKey, make_key
from autograder.notebook import read_cells
from autograder.quiet import quiet
from autograder.report import Stage
from autograder.runner import run_notebook
from autograder.values import Foreign, identical

OTHERWISE = {"0": "1", "1": "2", "<": ">", ">": "<", "&": "|", "|": "&", "+": "-", "-": "+", "~": " ", "=": "!"}
OTHERWISE |= {"True": "False", "False": "True", "*": "+"}
OTHERWISE |= {" or ": " and ", " and ": " or ", "not ": "", " in ": " not in ", "if name": "if not name"}
OTHER_SEEDS = (1, 20_261_123)


@each_exercise
def test_an_exercise_is_whole(lesson: Lesson, exercise: Exercise) -> None:
    assert len(exercise.cases) >= 4
    assert len(exercise.misconceptions) >= 4
    assert len(exercise.variants) >= 2
    assert len(exercise.hints) >= 3
    assert exercise.points >= 1
    assert set(exercise.needs) <= {other.name for _, other in EXERCISES}


def test_exercise_names_are_unique_in_the_course() -> None:
    names = [exercise.name for _, exercise in EXERCISES]
    assert len(names) == len(set(names))


@each_exercise
def test_the_reference_passes(lesson: Lesson, exercise: Exercise) -> None:
    report = report_on(lesson, exercise, lesson.reference(exercise))
    assert report.status == "passed", text.render(report)
    assert report.score == exercise.points


@each_exercise
def test_every_variant_passes(lesson: Lesson, exercise: Exercise) -> None:
    for name, variant in exercise.variants.items():
        report = report_on(lesson, exercise, variant)
        assert report.status == "passed", f"{name}\n{text.render(report)}"


@pytest.mark.parametrize("seed", OTHER_SEEDS)
@each_lesson
def test_right_and_wrong_are_told_apart_on_seeds_that_no_learner_knows(
    lesson: Lesson, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.key.make_contrasts", lambda *_: [])  # for answers that no author foresaw
    key = make_key(lesson, seed, with_slips=False)
    for exercise in lesson.exercises:
        part = key.exercise(exercise.name)
        for candidate in [lesson.reference(exercise), *exercise.variants.values()]:
            report = judge(part, collect(candidate, part.question))
            assert report.status == "passed", f"{candidate.__name__}\n{text.render(report)}"
        for misconception in exercise.misconceptions:
            report = judge(part, collect(misconception.candidate, part.question))
            assert report.diagnosis == misconception.sentence, misconception.name


@each_exercise
def test_every_misconception_is_rejected_with_its_own_sentence(lesson: Lesson, exercise: Exercise) -> None:
    for misconception in exercise.misconceptions:
        report = report_on(lesson, exercise, misconception.candidate)
        assert report.status == "failed", misconception.name
        assert report.diagnosis == misconception.sentence, misconception.name
        assert report.score < exercise.points


@each_exercise
def test_every_misconception_lies_far_outside_the_tolerance(lesson: Lesson, exercise: Exercise) -> None:
    key = KEYS[lesson.name].exercise(exercise.name)
    for misconception in key.misconceptions:
        assert max(_distances(key, misconception["answers"])) >= 10, misconception["name"]


def _distances(key: ExerciseKey, answers: list[Answer]) -> Iterator[float]:
    for case, answer in zip(key.cases, answers, strict=True):
        fault = judge_case(key, case, answer)
        in_numbers = fault is None or fault.stage in (Stage.VALUES, Stage.GRADIENTS)
        yield distance(case["expected"], answer.results) if in_numbers else float("inf")


@each_exercise
def test_zeros_of_the_right_shape_are_rejected(lesson: Lesson, exercise: Exercise) -> None:
    key = KEYS[lesson.name].exercise(exercise.name)
    answers = [Answer("returned", {name: _zeros(value) for name, value in c["expected"].items()}) for c in key.cases]
    assert judge(key, Answers(cases=answers)).status == "failed"


def _zeros(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.zeros_like(value)
    if isinstance(value, tuple | list):
        return type(value)(_zeros(item) for item in value)
    if isinstance(value, dict):
        return {name: _zeros(item) for name, item in value.items()}
    if isinstance(value, Foreign):  # a tensor of the meta device, which has a shape and no numbers
        return value
    return type(value)()


@each_exercise
def test_nothing_returned_and_nonsense_are_rejected(lesson: Lesson, exercise: Exercise) -> None:
    for nonsense in (None, "", [], object(), torch.tensor(0.0), float("nan")):
        report = report_on(lesson, exercise, _returning(nonsense))
        assert report.status == "failed"
        assert report.passed == 0 or any(case.raises for case in exercise.cases)


def _returning(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


@each_exercise
def test_an_answer_that_claims_to_equal_everything_is_rejected(lesson: Lesson, exercise: Exercise) -> None:
    class Chameleon(torch.Tensor):
        def __eq__(self, other: object) -> Any:
            return True

        def __sub__(self, other: object) -> Any:
            return torch.zeros(())

        def __instancecheck__(self, other: object) -> bool:
            return True

    chameleon = torch.zeros(1).as_subclass(Chameleon)
    assert report_on(lesson, exercise, _returning(chameleon)).status == "failed"


@each_exercise
def test_where_loops_are_forbidden_a_loop_is_seen(lesson: Lesson, exercise: Exercise) -> None:
    if exercise.loop_axis is None:
        pytest.skip("this exercise allows loops")
    key = KEYS[lesson.name].exercise(exercise.name)
    reference = lesson.reference(exercise)
    counts = [sum(_sizes(case["arguments"])) for case in key.loop]

    def looping(*args: Any, **kwargs: Any) -> Any:
        for _ in range(sum(_sizes(inspect.signature(reference).bind(*args, **kwargs).arguments))):
            pass
        return reference(*args, **kwargs)

    assert counts[0] < counts[1]
    fault = report_on(lesson, exercise, looping).verdicts[0].fault
    assert fault is not None
    assert fault.stage is Stage.LOOPS
    assert f"loops over the {exercise.loop_axis} axis" in fault.headline


def _sizes(arguments: dict[str, Any]) -> Iterator[int]:
    for value in arguments.values():
        if isinstance(value, Tensor):
            yield from value.shape
        elif isinstance(value, int):
            yield value


@each_exercise
def test_where_a_function_is_forbidden_its_call_is_named(lesson: Lesson, exercise: Exercise) -> None:
    key = KEYS[lesson.name].exercise(exercise.name)
    honest = collect(lesson.reference(exercise), key.question)
    for name in exercise.forbids:
        cases = [Answer("returned", a.results, a.raised, calls={name: 1}) for a in honest.cases]
        faults = [verdict.fault for verdict in judge(key, Answers(cases=cases)).verdicts if verdict.fault]
        assert any(fault.stage is Stage.FORBIDDEN and f"`{name}`" in fault.headline for fault in faults)


@each_lesson
def test_a_key_can_be_checked_against_its_seed(lesson: Lesson) -> None:
    committed, again = KEYS[lesson.name], make_key(lesson, with_slips=False)
    for exercise, remade in zip(committed.exercises, again.exercises, strict=True):
        for case, case_again in zip(exercise.cases, remade.cases, strict=True):
            assert identical(case["arguments"], case_again["arguments"]), f"{exercise.name}: {case['label']}"
        report = judge(exercise, collect(lesson.reference(lesson.exercises[0]), exercise.question))
        assert report.exercise == exercise.name


@each_lesson
def test_a_key_shows_a_candidate_no_expected_result(lesson: Lesson) -> None:
    for exercise in KEYS[lesson.name].exercises:
        shown = vars(exercise.question)
        assert "expected" not in str(shown.keys())
        assert all(set(case) == {"label", "probe", "arguments"} for case in shown["cases"])


def test_everything_built_fits_its_source() -> None:
    assert COURSE.stale() == []


@each_lesson
def test_the_released_notebook_solves_nothing_and_lacks_nothing(lesson: Lesson) -> None:
    notebook = released(lesson.name)
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert not any("SOLUTION" in source for source in sources)
    for exercise in lesson.exercises:
        assert "raise NotImplementedError()" in "".join(cell_of(notebook, exercise.name)["source"])
        assert any(source.strip() == f"check({exercise.name})" for source in sources)
    assert [path.name for path in COURSE.released(lesson.name).parent.glob("[!._]*")] == [f"{lesson.name}.ipynb"]


@each_lesson
def test_points_in_the_notebook_are_those_of_the_checks(lesson: Lesson) -> None:
    for exercise in lesson.exercises:
        assert (
            cell_of(released(lesson.name), f"check_{exercise.name}")["metadata"]["nbgrader"]["points"]
            == exercise.points
        )


@each_lesson
def test_the_lesson_notebook_ran_without_errors(lesson: Lesson) -> None:
    import json

    notebook = json.loads(COURSE.lesson_notebook(lesson.name).read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert f"../exercises/{lesson.name}/{lesson.name}.ipynb" in json.dumps(notebook)


@each_lesson
def test_the_stub_is_not_attempted_and_the_solution_is_right(
    lesson: Lesson, place: Callable[[str, Notebook], Path]
) -> None:
    for notebook, status in ((released(lesson.name), "unattempted"), (solved(lesson.name), "passed")):
        assert set(_judged(lesson, place(lesson.name, notebook)).values()) == {status}


@each_lesson
def test_one_token_of_meaning_changes_the_verdict(lesson: Lesson, place: Callable[[str, Notebook], Path]) -> None:
    notebook = solved(lesson.name)
    for exercise in lesson.exercises:
        cell = cell_of(notebook, exercise.name)
        cell["source"] = _wrong_by_one_token(lesson, exercise)
    statuses = _judged(lesson, place(lesson.name, notebook))
    assert statuses == {exercise.name: "failed" for exercise in lesson.exercises}


def _wrong_by_one_token(lesson: Lesson, exercise: Exercise) -> str:
    """The solution's cell with one token changed, so that its own code is wrong where all before it is right."""
    cells = ["".join(cell["source"]) for cell in solved(lesson.name)["cells"] if cell["cell_type"] == "code"]
    source = "".join(cell_of(solved(lesson.name), exercise.name)["source"])
    setup = "\n".join(cell for cell in cells[: cells.index(source)] if not cell.startswith("check("))
    solution = source[: source.rindex("### END")]
    for token in re.compile("|".join(map(re.escape, OTHERWISE))).finditer(solution, source.index("### BEGIN")):
        mutant = source[: token.start()] + OTHERWISE[token[0]] + source[token.end() :]
        namespace: dict[str, Any] = {"__name__": "mutant"}
        try:
            with quiet():
                exec(compile(f"{setup}\n{mutant}", "mutant", "exec", dont_inherit=True), namespace)
        except Exception:
            continue
        report = report_on(lesson, exercise, namespace[exercise.name])
        ran = all(verdict.fault is None or verdict.fault.stage is not Stage.RAN for verdict in report.verdicts)
        if report.status == "failed" and ran:
            return mutant
    raise AssertionError(f"nothing in {exercise.name} matters")


@each_exercise
def test_the_stub_is_not_attempted_in_the_notebook_either(
    lesson: Lesson, exercise: Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [cell for cell in released(lesson.name)["cells"] if cell["cell_type"] == "code"]
    namespace: dict[str, Any] = {"__name__": "notebook"}
    exec("".join(cells[0]["source"]), namespace)
    for name in (*exercise.needs, exercise.name):  # what it builds on is a stub too
        stub = "".join(cell_of(released(lesson.name), name)["source"])
        exec(compile(stub, "stub", "exec", dont_inherit=True), namespace)
    with pytest.raises(NotRight, match=f"^{exercise.name}: not attempted yet$"):
        check(namespace[exercise.name])
    assert not ready(namespace[exercise.name])
    printed = capsys.readouterr()
    assert "Write the function where the stub says so" in printed.out
    assert f"This cell waits for {exercise.name}" in printed.out
    assert printed.err == ""


def _judged(lesson: Lesson, path: Path) -> dict[str, str]:
    exercises = KEYS[lesson.name].exercises
    answers = run_notebook(path, read_cells(path), [exercise.question for exercise in exercises])
    return {exercise.name: judge(exercise, answers[exercise.name]).status for exercise in exercises}
