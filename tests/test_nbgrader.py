"""nbgrader's whole round with this course: release, three hand-ins, grades, feedback, export, validation.

Each command runs once, for all tests, as an instructor would run it who has not activated the environment.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from learner import (
    LESSON,
    RELEASED,
    ROOT,
    SOLUTION,
    SOURCE_NOTEBOOK,
    answered,
    as_answer,
    as_shown,
    grade_id,
    isolated,
    points,
    read,
    reference_sources,
    words,
)

from autograder.answers import collect
from autograder.authoring import Lesson, Misconception, load_lesson
from autograder.judge import judge
from autograder.keyfile import find_exercise

POINTS = points()
EXERCISES = list(POINTS)
SOLVED, UNDONE, MIXED = "all-right", "nothing-done", "some-wrong"
RIGHT_IN_MIXED, (*WRONG_IN_MIXED, UNDONE_IN_MIXED) = EXERCISES[::2], EXERCISES[1::2]
NOT_ATTEMPTED = "not attempted yet"


@dataclass
class Round:
    """A course's folder, with what the commands said that ran in it."""

    course: Path
    sentences: list[str]
    said: dict[str, str] = field(default_factory=dict)

    @property
    def released(self) -> Path:
        return self.course / "exercises" / LESSON / f"{LESSON}.ipynb"

    def nbgrader(self, *arguments: str) -> str:
        """Run one of nbgrader's commands; what it said."""
        # one thread: on a busy machine torch's threads wait for each other, ten times as long as they compute
        bare = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=self.course,
            env={**isolated(self.course.parent / "home"), **bare},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def submit(self, student: str, answers: dict[str, str]) -> None:
        path = self.course / "submitted" / student / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(answered(self.released, answers), path)

    def feedback(self, student: str) -> str:
        """The words in a student's feedback."""
        path = self.course / "feedback" / student / LESSON / f"{LESSON}.html"
        return words(path.read_text(encoding="utf-8"))


def wrong_everywhere(lesson: Lesson, name: str) -> Misconception:
    """A misconception that is right on no case: it earns nothing, however partial answers are counted."""
    _, key = find_exercise(name)
    exercise = next(exercise for exercise in lesson.exercises if exercise.name == name)
    return next(
        misconception
        for misconception in exercise.misconceptions
        if judge(key, collect(misconception.candidate, key.question)).passed == 0
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Round:
    lesson = load_lesson(SOLUTION)
    wrong = {name: wrong_everywhere(lesson, name) for name in WRONG_IN_MIXED}
    course = tmp_path_factory.mktemp("class") / "course"
    course.mkdir()
    (course.parent / "home").mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", course)
    for folder in ("solutions", "exercises"):
        shutil.copytree(ROOT / folder / LESSON, course / folder / LESSON)

    result = Round(course, [as_shown(misconception.sentence) for misconception in wrong.values()])
    result.nbgrader("generate_assignment", LESSON)
    right = reference_sources()
    result.submit(SOLVED, right)
    result.submit(UNDONE, {})
    some = {name: right[name] for name in RIGHT_IN_MIXED}
    result.submit(MIXED, {**some, **{name: as_answer(item.candidate, name) for name, item in wrong.items()}})
    result.nbgrader("autograde", LESSON)
    result.nbgrader("generate_feedback", LESSON)
    result.nbgrader("export", "--to=grades.csv")
    for student in (SOLVED, UNDONE):
        result.said[student] = result.nbgrader("validate", f"submitted/{student}/{LESSON}/{LESSON}.ipynb")
    return result


def solution_lines() -> list[str]:
    """The lines of code that only the reference has, those with nothing but brackets left out."""
    blocks = re.findall(
        r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", "\n".join(reference_sources().values()), flags=re.S
    )
    return [line.strip() for block in blocks for line in block.splitlines() if re.search(r"\w.*\W.*\w", line)]


def test_an_instructors_release_is_the_committed_one_to_the_byte(graded: Round) -> None:
    assert graded.released.read_bytes() == RELEASED.read_bytes()


def test_release_holds_the_notebook_alone(graded: Round) -> None:
    assert [path.name for path in graded.released.parent.iterdir()] == [f"{LESSON}.ipynb"]


def test_release_holds_every_stub_and_nothing_that_solves_it(graded: Round) -> None:
    cells = read(graded.released).cells
    code = "\n".join(cell.source for cell in cells)
    stubs = {grade_id(cell): cell.source for cell in cells}
    for name in EXERCISES:
        assert re.match(rf"(?:def|class) {name}\b", stubs[name])
        assert "raise NotImplementedError()" in stubs[name]
    assert "BEGIN SOLUTION" in SOURCE_NOTEBOOK.read_text(encoding="utf-8")
    assert "BEGIN SOLUTION" not in graded.released.read_text(encoding="utf-8")
    assert len(solution_lines()) >= len(EXERCISES)
    assert [line for line in solution_lines() if line in code] == []


def test_exported_scores_are_full_points_nothing_and_the_sum_of_what_is_right(graded: Round) -> None:
    with (graded.course / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    total = sum(POINTS.values())
    assert {float(row["max_score"]) for row in rows.values()} == {total}
    assert {student: float(row["score"]) for student, row in rows.items()} == {
        SOLVED: total,
        UNDONE: 0,
        MIXED: sum(POINTS[name] for name in RIGHT_IN_MIXED),
    }


def test_feedback_on_wrong_answers_has_the_sentences_that_set_them_right(graded: Round) -> None:
    assert graded.sentences
    for sentence in graded.sentences:
        assert sentence in graded.feedback(MIXED)
        assert sentence not in graded.feedback(SOLVED)


def test_feedback_says_of_each_exercise_that_it_is_right_or_not_attempted(graded: Round) -> None:
    for name in EXERCISES:
        right, unattempted = f"{name}: right on all", f"{name}: {NOT_ATTEMPTED}"
        assert right in graded.feedback(SOLVED)
        assert unattempted in graded.feedback(UNDONE)
        assert (right in graded.feedback(MIXED)) == (name in RIGHT_IN_MIXED)
        assert (unattempted in graded.feedback(MIXED)) == (name == UNDONE_IN_MIXED)


def test_validate_passes_the_solved_notebook_and_lists_every_failure_of_the_released_one(graded: Round) -> None:
    assert "Success! Your notebook passes all the tests." in graded.said[SOLVED]
    assert f"VALIDATION FAILED ON {len(EXERCISES)} CELL(S)" in graded.said[UNDONE]
    for name in EXERCISES:
        assert f"{name}: {NOT_ATTEMPTED}" in graded.said[UNDONE]
