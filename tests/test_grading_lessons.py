"""Every lesson of the course, graded: the sandbox, hostile reading and discretion change no verdict."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from conftest import each_lesson
from learner import as_answer, grade_id

from autograder.answers import collect
from autograder.authoring import Lesson
from autograder.build import source_notebook
from autograder.grading.course import Asked
from autograder.grading.submission import Submission
from autograder.grading.verdict import Task, Verdict, reach
from autograder.judge import judge
from autograder.key import Key, make_key
from autograder.notebook import Cell

SEED = 20_261_124
_keys: dict[str, Key] = {}


def key_of(lesson: Lesson) -> Key:
    if lesson.name not in _keys:
        _keys[lesson.name] = make_key(lesson, SEED)
    return _keys[lesson.name]


def graded(lesson: Lesson, answers: Mapping[str, str]) -> Verdict:
    """The verdict on the solved notebook with these answers in it."""
    cells = [
        Cell(number, answers.get(grade_id(cell), cell.source))
        for number, cell in enumerate(source_notebook(lesson, "").cells, 1)
        if cell.cell_type == "code" and "check(" not in cell.source and not cell.source.startswith("# demonstration")
    ]
    asked = {each.name: Asked(each, float(each.points), frozenset(), "") for each in key_of(lesson).exercises}
    return reach(Task(Submission(cells, {}), asked))


@each_lesson
def test_the_solution_earns_all_points(lesson: Lesson) -> None:
    verdict = graded(lesson, {})
    assert {name: found.headline for name, found in verdict.findings.items() if found.score != found.points} == {}
    assert verdict.settled


@each_lesson
@pytest.mark.parametrize("place", [0, -1])
def test_variants_and_misconceptions_earn_what_the_judge_gives_them(lesson: Lesson, place: int) -> None:
    variants = {exercise.name: as_answer(list(exercise.variants.values())[place], exercise.name) for exercise in lesson.exercises}
    found = graded(lesson, variants).findings
    assert {name: each.text for name, each in found.items() if each.status != "passed"} == {}
    wrong = {exercise.name: exercise.misconceptions[place] for exercise in lesson.exercises}
    found = graded(lesson, {name: as_answer(item.candidate, name) for name, item in wrong.items()}).findings
    for name, item in wrong.items():
        key = key_of(lesson).exercise(name)
        here = judge(key, collect(item.candidate, key.question))
        assert found[name].score == pytest.approx(key.points * here.passed / len(key.cases)), found[name].text
        assert item.sentence.split(".")[0][:40] in " ".join(found[name].text.split()), found[name].text
