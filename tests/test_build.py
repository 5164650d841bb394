"""Building: what is made, when it is made again, and what it never overwrites."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jupytext
import pytest
from conftest import COURSE, LESSONS, ROOT, released

from autograder.authoring import load_lesson
from autograder.build import Course, source_notebook
from autograder.errors import LessonProblem

NAME = "22_masks"
SOURCE = """\
# %%
from autograder import check


# %%
def double(x: int) -> int:
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
check(double)
"""
CHECKS = """\
from autograder.authoring import Exercise

double = Exercise("double", points=3)


@double.case("three")
def _(draw):
    return {"x": draw.integer(2, 9)}


@double.misconception
def halves(x):
    \"\"\"Yours halves.\"\"\"
    return x // 2
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course of one small lesson."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    (tmp_path / "autograder").mkdir()
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "01_small.md").write_text("# Small\n\n```python\n6 * 7\n```\n")
    folder = tmp_path / "solutions" / "01_small"
    folder.mkdir(parents=True)
    (folder / "01_small.py").write_text(SOURCE)
    (folder / "checks.py").write_text(CHECKS)
    return Course(tmp_path)


def test_building_twice_changes_nothing_and_a_changed_source_builds_its_own_files_alone(course: Course) -> None:
    key, source, exercise, lesson = (
        "autograder/keys/01_small.safetensors",
        "solutions/01_small/01_small.ipynb",
        "exercises/01_small/01_small.ipynb",
        "lessons/01_small.ipynb",
    )
    assert len(course.stale()) == 4
    assert course.build() == [key, source, exercise, lesson]
    assert course.stale() == course.build() == []
    text = course.lessons / "01_small.md"
    text.write_text(text.read_text().replace("6 * 7", "6 * 9"))
    assert course.stale() == [f"{lesson} is out of date: run `make build`."]
    assert course.build() == [lesson]
    assert '"54"' in course.lesson_notebook("01_small").read_text()
    checks = course.solutions / "01_small" / "checks.py"
    checks.write_text(checks.read_text().replace("points=3", "points=4"))
    assert course.build() == [key, source, exercise]
    assert course.stale() == []

    path = course.released("01_small")
    path.write_text(path.read_text().replace("raise NotImplementedError()", "return x + x"))
    checks.write_text(checks.read_text().replace("points=4", "points=5"))
    with pytest.raises(LessonProblem, match="01_small.ipynb was edited. Move it away"):
        course.build()
    assert "return x + x" in path.read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("01_small.py", "check(double)\n", "", "01_small.py has no cell check\\(double\\)"),
        ("01_small.py", "check(double)", "check(print)", "calls check\\(print\\), which checks.py does not name"),
        ("01_small.py", "def double", "def triple", "01_small.py cannot be loaded: NameError: name 'double'"),
        ("checks.py", 'Exercise("double"', 'Exercise("triple"', "01_small.py has no function `triple`"),
        ("01_small.py", "return 2 * x", "raise RuntimeError", "double on 'three': the reference raised"),
        ("checks.py", '@double.case("three")', "", "double has no cases"),
        ("checks.py", '    """Yours halves."""\n', "", "misconception halves needs a docstring"),
        ("checks.py", "halves(x)", "halves(x, y)", "double: halves\\(x, y\\) cannot be called on the cases"),
    ],
)
def test_what_an_author_got_wrong_is_named(course: Course, file: str, old: str, new: str, message: str) -> None:
    path = course.solutions / "01_small" / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(LessonProblem, match=message):
        course.build()


def test_a_missing_file_is_named(course: Course) -> None:
    (course.lessons / "01_small.md").unlink()
    with pytest.raises(LessonProblem, match="01_small.md is missing: every lesson has one"):
        course.build()


def test_text_sources_and_built_notebooks_hold_the_same_cells() -> None:
    for name, lesson in LESSONS.items():
        built = json.loads(COURSE.source_notebook(name).read_text())
        remade = source_notebook(lesson, built["metadata"]["autograder"]["source"])
        assert ["".join(cell["source"]) for cell in built["cells"]] == [cell.source for cell in remade.cells]
        text = jupytext.read(COURSE.lessons / f"{name}.md", fmt="md")
        pair = json.loads(COURSE.lesson_notebook(name).read_text())
        assert ["".join(cell["source"]) for cell in pair["cells"]] == [cell.source for cell in text.cells]


def test_run_all_goes_on_past_an_exercise_that_is_not_done() -> None:
    checks = [cell for cell in released(NAME)["cells"] if "".join(cell["source"]).startswith("check(")]
    assert checks
    assert all("raises-exception" in cell["metadata"]["tags"] for cell in checks)


def test_loading_a_lesson_runs_none_of_its_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_lesson(COURSE.solutions / NAME)
    assert capsys.readouterr().out == ""
