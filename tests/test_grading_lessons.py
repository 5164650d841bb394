"""Every lesson of the course, graded: the sandbox, hostile reading and discretion change no verdict."""

from __future__ import annotations

import pytest
from conftest import each_lesson

from autograder.answers import collect
from autograder.authoring import Lesson
from autograder.build import source_notebook
from autograder.grading.course import Asked
from autograder.grading.submission import Submission
from autograder.grading.verdict import Task, Verdict, reach
from autograder.judge import judge
from autograder.key import Key, make_key
from autograder.notebook import Cell
from autograder.prose import as_text

SEED = 20_261_124
_keys: dict[str, Key] = {}


def key_of(lesson: Lesson) -> Key:
    if lesson.name not in _keys:
        _keys[lesson.name] = make_key(lesson, SEED, with_slips=False)
    return _keys[lesson.name]


def graded(lesson: Lesson, candidates: str = "") -> Verdict:
    """The verdict on the solved notebook, or on one whose answers are `candidates` of each exercise, an expression."""
    cells = [
        Cell(number, cell.source)
        for number, cell in enumerate(source_notebook(lesson, "").cells, 1)
        if cell.cell_type == "code" and "check(" not in cell.source and not cell.source.startswith("# demonstration")
    ]
    files = {}
    if candidates:
        files["written.py"] = (lesson.folder / "checks.py").read_bytes()
        lines = [
            "import written",
            "found = {each.name: each for each in vars(written).values() if hasattr(each, 'cases')}",
        ]
        lines += [f"{each.name} = {candidates.format(f'found[{each.name!r}]')}" for each in lesson.exercises]
        cells.append(Cell(len(cells) + 99, "\n".join(lines)))
    asked = {each.name: Asked(each, float(each.points), frozenset(), "") for each in key_of(lesson).exercises}
    return reach(Task(Submission(cells, files), asked))


@each_lesson
def test_the_solution_earns_all_points(lesson: Lesson) -> None:
    verdict = graded(lesson)
    assert {name: found.headline for name, found in verdict.findings.items() if found.score != found.points} == {}
    assert verdict.settled


@each_lesson
@pytest.mark.parametrize("place", [0, -1])
def test_variants_and_misconceptions_earn_what_the_judge_gives_them(lesson: Lesson, place: int) -> None:
    found = graded(lesson, f"list({{}}.variants.values())[{place}]").findings
    assert {name: each.text for name, each in found.items() if each.status != "passed"} == {}
    found = graded(lesson, f"{{}}.misconceptions[{place}].candidate").findings
    for exercise in lesson.exercises:
        item, key = exercise.misconceptions[place], key_of(lesson).exercise(exercise.name)
        here = judge(key, collect(item.candidate, key.question))
        told = found[exercise.name]
        assert told.score == pytest.approx(key.points * here.passed / len(key.cases), abs=1e-5), told.text
        assert as_text(here.diagnosis)[:40] in " ".join(told.text.split()), told.text
