"""What the tests share: the course as it is committed, and copies of its notebooks to break."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.answers import collect
from autograder.authoring import Exercise, Lesson
from autograder.build import Course
from autograder.judge import judge
from autograder.key import Key
from autograder.keyfile import read_key
from autograder.report import Report

pytest_plugins = ["pytester"]
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start: the tests themselves fill the cores

ROOT = Path(__file__).parent.parent
COURSE = Course(ROOT)
LESSONS: dict[str, Lesson] = {name: COURSE.load(name) for name in COURSE.names()}
KEYS: dict[str, Key] = {name: read_key(COURSE.key(name)) for name in LESSONS}
EXERCISES: list[tuple[Lesson, Exercise]] = [
    (lesson, exercise) for lesson in LESSONS.values() for exercise in lesson.exercises
]

each_lesson = pytest.mark.parametrize("lesson", LESSONS.values(), ids=list(LESSONS))
each_exercise = pytest.mark.parametrize(
    ("lesson", "exercise"), EXERCISES, ids=[exercise.name for _, exercise in EXERCISES]
)

Notebook = dict[str, Any]


def report_on(lesson: Lesson, exercise: Exercise, candidate: Any) -> Report:
    """What the learner of an exercise would be told of a candidate."""
    key = KEYS[lesson.name].exercise(exercise.name)
    return judge(key, collect(candidate, key.question), lesson.name)


def released(name: str) -> Notebook:
    """A lesson's exercise notebook as learners get it."""
    return dict(json.loads(COURSE.released(name).read_text(encoding="utf-8")))


def solved(name: str) -> Notebook:
    """A lesson's exercise notebook with everything right in it."""
    return dict(json.loads(COURSE.source_notebook(name).read_text(encoding="utf-8")))


def demonstrated(name: str, **changes: str) -> None:
    """Run the last cell of a lesson's exercises on the references, with other text in some places."""
    source = next("".join(c["source"]) for c in solved(name)["cells"] if "# demonstration" in "".join(c["source"]))
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    space = {**vars(LESSONS[name].module), "ready": lambda *_: True}
    exec(compile(source, "demonstration", "exec"), space)


def cell_of(notebook: Notebook, exercise: str) -> Notebook:
    """The cell in which an exercise is solved."""
    return dict_of(next(cell for cell in notebook["cells"] if _grade_id(cell) == exercise))


def dict_of(cell: Any) -> Notebook:
    assert isinstance(cell, dict)
    return cell


def _grade_id(cell: Notebook) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str, Notebook], Path]:
    """Puts a notebook where pytest finds it as a learner's, and gives its path."""

    def put(name: str, notebook: Notebook) -> Path:
        path = tmp_path / "exercises" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return put
