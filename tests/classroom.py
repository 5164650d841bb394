"""A small course of its own, with a class in it: what the tests of grading share.

The lesson is no lesson of the course: two exercises, one of whose cases are the same for every seed.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from learner import ROOT, isolated
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

from autograder.authoring import load_lesson
from autograder.build import source_notebook, write
from autograder.key import make_key
from autograder.keyfile import to_bytes

LESSON = "90_small"
Notebook = dict[str, Any]
SOURCE = '''# %% [markdown]
# # 90 Small

# %%
import torch

from autograder import check, hint, ready


# %%
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
check(double)


# %%
def countdown(length):
    """The numbers from length - 1 to 0."""
    ### BEGIN SOLUTION
    return torch.arange(length - 1, -1, -1)
    ### END SOLUTION


# %%
check(countdown)
'''
CHECKS = '''import torch

from autograder.authoring import Exercise

double = Exercise("double", points=2)


@double.case("two rows")
def _(draw):
    return {"x": draw.normal(2, 3)}


@double.case("a view")
def _(draw):
    return {"x": draw.normal(4, 3).T}


@double.misconception
def squared(x):
    """You squared x."""
    return x**2


countdown = Exercise("countdown", points=4)


@countdown.case("three")
def _(draw):
    return {"length": 3}


@countdown.case("one")
def _(draw):
    return {"length": 1}


@countdown.case("some")
def _(draw):
    return {"length": draw.integer(300, 20_000)}


@countdown.case("more")
def _(draw):
    return {"length": draw.integer(30_000, 90_000)}


@countdown.misconception
def upwards(length):
    """Yours counts upwards."""
    return torch.arange(length)
'''
RIGHT = {
    "double": "def double(x):\n    return x + x",
    "countdown": "def countdown(n):\n    return torch.arange(n).flip(0)",
}
WRONG = {"double": "def double(x):\n    return x**2", "countdown": "def countdown(n):\n    return torch.arange(n) - 7"}
POINTS = {"check_double": 2.0, "check_countdown": 4.0}


@dataclass
class Classroom:
    """A course's folder with what is handed in; `settings` are those of `c.Judge`."""

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)
    said: str = ""

    @classmethod
    def made(cls, folder: Path, **settings: Any) -> Classroom:
        """A course with the lesson released and nothing handed in."""
        room = cls(folder / "course", settings)
        lesson = room.root / "solutions" / LESSON
        lesson.mkdir(parents=True)
        (folder / "home").mkdir()
        (lesson / f"{LESSON}.py").write_text(SOURCE)
        (lesson / "checks.py").write_text(CHECKS)
        shutil.copy(ROOT / "nbgrader_config.py", room.root)
        room.build()
        result = room.api().generate_assignment(LESSON)
        assert result["success"], result
        return room

    def build(self) -> None:
        """Make the source notebook, and the public key that learners have."""
        lesson = load_lesson(self.root / "solutions" / LESSON)
        write(source_notebook(lesson, "0"), lesson.folder / f"{LESSON}.ipynb")
        keys = self.root.parent / "keys"
        keys.mkdir(exist_ok=True)
        (keys / f"{LESSON}.safetensors").write_bytes(to_bytes(make_key(lesson, with_slips=False)))

    @property
    def environment(self) -> dict[str, str]:
        """For nbgrader's commands."""
        home = isolated(self.root.parent / "home")
        keys = str(self.root.parent / "keys")
        return {**home, "AUTOGRADER_KEYS": keys, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def config(self, **more: Any) -> Config:
        """The course's nbgrader_config.py, with this room's settings."""
        config = PyFileConfigLoader(str(self.root / "nbgrader_config.py")).load_config()
        config.CourseDirectory.root = str(self.root)
        for name, value in {**self.settings, **more}.items():
            config.Judge[name] = value
        return config

    def api(self, **more: Any) -> NbGraderAPI:
        """nbgrader's interface, as formgrader uses it."""
        config = self.config(**more)
        return NbGraderAPI(CourseDirectory(config=config), config=config)

    def released(self) -> Notebook:
        """The notebook as students get it."""
        return dict(json.loads((self.root / "exercises" / LESSON / f"{LESSON}.ipynb").read_text()))

    def hand_in(self, student: str, answers: Mapping[str, str] | None = None, extra: str = "") -> Path:
        """Hand in a notebook with these sources in the cells of these exercises, and one more cell before them."""
        notebook = self.released()
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            cell["source"] = (answers or {}).get(name, cell["source"])
        if extra:
            notebook["cells"].insert(2, new_cell(extra))
        return self.hand_in_notebook(student, notebook)

    def hand_in_notebook(self, student: str, notebook: Any) -> Path:
        """Hand in whatever it is."""
        path = self.root / "submitted" / student / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
        return path

    def autograde(self, student: str = "*", force: bool = True, **more: Any) -> str:
        """What formgrader's button does, for one student or all; what was logged."""
        result = self.api(**more).autograde(LESSON, student, force=force)
        self.said = str(result.get("log", "")) + str(result.get("error", ""))
        return self.said

    def nbgrader(self, *arguments: str, check: bool = True, **more: Any) -> str:
        """One of nbgrader's commands, as an instructor types it; what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=self.root,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def gradebook(self) -> Gradebook:
        """The gradebook, to be used in a `with`."""
        config = self.config()
        return Gradebook(CourseDirectory(config=config).db_url, config.CourseDirectory.course_id)

    def grades(self, student: str) -> dict[str, float | None]:
        """What each test cell earned."""
        with self.gradebook() as gradebook:
            found = gradebook.find_submission_notebook(LESSON, LESSON, student)
            return {grade.name: grade.auto_score for grade in found.grades}

    def scores(self) -> dict[str, float]:
        """Each student's points."""
        with self.gradebook() as gradebook:
            return {item.student_id: item.score for item in gradebook.assignment_submissions(LESSON)}

    def exported(self) -> dict[str, float]:
        """Each student's points in grades.csv."""
        with (self.root / "grades.csv").open(encoding="utf-8", newline="") as file:
            return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}

    def autograded(self, student: str) -> str:
        """The graded notebook."""
        return (self.root / "autograded" / student / LESSON / f"{LESSON}.ipynb").read_text()


def new_cell(source: str) -> Notebook:
    """A code cell that nbgrader does not know."""
    return {
        "cell_type": "code",
        "id": "added",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def cell_of(notebook: Notebook, grade_id: str) -> Notebook:
    """The cell with this name."""
    cells = (cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)
    return dict_of(next(cells))


def dict_of(value: Any) -> Notebook:
    assert isinstance(value, dict)
    return value


os.environ.setdefault("OMP_NUM_THREADS", "1")
