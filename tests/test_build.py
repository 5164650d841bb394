"""Building: what is made, when it is made again, and what it never overwrites."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from textwrap import dedent

import jupytext
import pytest
from conftest import COURSE, LESSONS, ROOT, released

from autograder.answers import collect
from autograder.authoring import load_lesson
from autograder.build import Course, source_notebook
from autograder.errors import LessonProblem
from autograder.judge import judge
from autograder.key import make_key

NAME = "22_masks"


def examples() -> list[str]:
    """The files that CONTRIBUTING.md has an author write, as they stand there."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    blocks = re.findall(r"^( +)(````?)(?:python|markdown)\n([\s\S]*?)^\1\2$", text, re.M)
    return [dedent(block) for _, _, block in blocks]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course of one lesson, made by the steps of CONTRIBUTING.md."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    (tmp_path / "autograder").mkdir()
    (tmp_path / "lessons").mkdir()
    folder = tmp_path / "solutions" / "03_doubling"
    folder.mkdir(parents=True)
    places = (folder / "03_doubling.py", folder / "checks.py", tmp_path / "lessons" / "03_doubling.md")
    for path, text in zip(places, examples(), strict=True):
        path.write_text(text)
    return Course(tmp_path)


def test_the_example_in_contributing_makes_a_whole_lesson(course: Course) -> None:
    lesson = course.load("03_doubling")
    key = make_key(lesson, with_slips=False).exercise("double")
    assert judge(key, collect(lesson.reference(lesson.exercises[0]), key.question)).status == "passed"
    for variant in lesson.exercises[0].variants.values():
        assert judge(key, collect(variant, key.question)).status == "passed"
    for misconception in lesson.exercises[0].misconceptions:
        report = judge(key, collect(misconception.candidate, key.question))
        assert report.diagnosis == misconception.sentence


def test_building_twice_changes_nothing_and_a_changed_source_builds_its_own_files_alone(course: Course) -> None:
    key, source, exercise, lesson = (
        "autograder/keys/03_doubling.safetensors",
        "solutions/03_doubling/03_doubling.ipynb",
        "exercises/03_doubling/03_doubling.ipynb",
        "lessons/03_doubling.ipynb",
    )
    assert len(course.stale()) == 4
    assert course.build() == [key, source, exercise, lesson]
    assert course.stale() == course.build() == []
    text = course.lessons / "03_doubling.md"
    text.write_text(text.read_text().replace("2 * 21", "2 * 27"))
    assert course.stale() == [f"{lesson} is out of date: run `make build`."]
    assert course.build() == [lesson]
    assert "54" in course.lesson_notebook("03_doubling").read_text()
    meanwhile = "text = open('03_doubling.md').read(); open('03_doubling.md', 'w').write(text.replace('print', 'repr'))"
    text.write_text(text.read_text().replace("print(2 * 27)", f"print(2 * 27)\n{meanwhile}"))
    assert course.build() == [lesson]
    assert course.stale() == [f"{lesson} is out of date: run `make build`."]  # what changed while it ran is not in it
    assert course.build() == [lesson]
    checks = course.solutions / "03_doubling" / "checks.py"
    checks.write_text(checks.read_text().replace("points=1", "points=4"))
    assert course.build() == [key, source, exercise]
    assert course.stale() == []

    path = course.released("03_doubling")
    path.write_text(path.read_text().replace("raise NotImplementedError()", "return x + x"))
    checks.write_text(checks.read_text().replace("points=4", "points=5"))
    with pytest.raises(LessonProblem, match="03_doubling.ipynb was edited. Move it away"):
        course.build()
    assert "return x + x" in path.read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("03_doubling.py", "check(double)\n", "", "03_doubling.py has no cell check\\(double\\)"),
        ("03_doubling.py", "check(double)", "check(print)", "calls check\\(print\\), which checks.py does not name"),
        ("03_doubling.py", "def double", "def triple", "03_doubling.py cannot be loaded: NameError: name 'double'"),
        ("checks.py", '    "double",', '    "triple",', "03_doubling.py has no function `triple`"),
        ("03_doubling.py", "return 2 * x", "raise RuntimeError", "double on 'two rows': the reference raised"),
        ("checks.py", '    """Yours is half of x."""\n', "", "misconception halved needs a docstring"),
        ("checks.py", "halved(x)", "halved(x, y)", "double: halved\\(x, y\\) cannot be called on the cases"),
    ],
)
def test_what_an_author_got_wrong_is_named(course: Course, file: str, old: str, new: str, message: str) -> None:
    path = course.solutions / "03_doubling" / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(LessonProblem, match=message):
        course.build()


def test_a_lesson_with_a_failing_cell_is_named(course: Course) -> None:
    text = course.lessons / "03_doubling.md"
    text.write_text(text.read_text().replace("2 * 21", "2 / 0"))
    with pytest.raises(
        LessonProblem, match="lessons/03_doubling.md has a cell that fails:\n[\\s\\S]*ZeroDivisionError"
    ):
        course.build()


def test_a_missing_file_is_named(course: Course) -> None:
    (course.lessons / "03_doubling.md").unlink()
    with pytest.raises(LessonProblem, match="03_doubling.md is missing: every lesson has one"):
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


def test_a_built_lesson_shows_the_first_frame_of_what_can_be_moved(course: Course) -> None:
    text = course.lessons / "03_doubling.md"
    text.write_text(
        "```python\nfrom autograder.drawing import explore_windows\n\nexplore_windows(height=3, width=4)\n```\n"
    )
    course.build()
    notebook = json.loads(course.lesson_notebook("03_doubling").read_text(encoding="utf-8"))
    frame, controls = notebook["cells"][0]["outputs"]
    assert "output 1 × 2" in "".join(frame["data"]["image/svg+xml"])
    assert "".join(frame["data"]["text/plain"]).startswith("input 3 × 4")
    assert controls["data"] == {"text/plain": ["(In a running notebook there are controls here.)"]}
    assert "widgets" not in notebook["metadata"]
