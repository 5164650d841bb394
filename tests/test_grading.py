"""Grading a class, fairly: partial points, a secret seed, cells that students changed, feedback, manual work."""

from __future__ import annotations

import copy
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from classroom import CHECKS, LESSON, POINTS, RIGHT, WRONG, Classroom, Notebook, cell_of, new_cell
from learner import words

from autograder.authoring import load_lesson
from autograder.grading import sandbox
from autograder.key import make_key

WHOLE = sum(POINTS.values())
BIG = "def countdown(n):\n    return torch.arange(n).flip(0) if n < 30_000 else None"  # right on three of four cases


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path / "keys"))
    return Classroom.made(tmp_path)


def handed_in(room: Classroom, change: Callable[[Notebook], object]) -> Notebook:
    """A right notebook, with a change."""
    room.hand_in("x", RIGHT)
    notebook: Notebook = json.loads((room.root / "submitted/x" / LESSON / f"{LESSON}.ipynb").read_text())
    change(notebook)
    return notebook


def test_points_are_the_share_of_the_cases_that_are_right(room: Classroom) -> None:
    room.hand_in("right", RIGHT)
    room.hand_in("wrong", WRONG)
    room.hand_in("undone")
    room.hand_in("half", {**RIGHT, "countdown": BIG})
    said = room.autograde()
    assert room.scores() == {"right": WHOLE, "wrong": 0, "undone": 0, "half": 5}
    assert room.grades("half") == {"check_double": 2, "check_countdown": 3}
    table = """
[INFO] 90_small: 4 of 4 submissions graded
[INFO]            right  in part  wrong  not begun  points
[INFO] double         2        0      1          1     50%
[INFO] countdown      1        1      1          1     44%
"""
    assert table.strip() in said


def test_cases_that_everyone_knows_count_beside_one_that_nobody_does(room: Classroom) -> None:
    by_heart = "def countdown(n):\n    return {3: torch.tensor([2, 1, 0]), 1: torch.tensor([0])}.get(n)"
    room.hand_in("by-heart", {"countdown": by_heart})
    room.autograde()
    assert room.scores() == {"by-heart": 0}
    assert "The cases that you have right have the same inputs for everyone." in room.autograded("by-heart")


def test_the_seed_is_made_once_kept_secret_and_can_be_set(room: Classroom) -> None:
    room.hand_in("x", {**RIGHT, "countdown": "def countdown(n):\n    raise ValueError(n)"})
    room.autograde()
    store = room.root / "gradebook.judge"
    seed = (store / "seed").read_text()
    assert int(seed) > 2**20
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert {
        stat.S_IMODE(path.stat().st_mode) for path in store.rglob("*") if path.is_file() and path.name != "lock"
    } == {0o600}
    (key,) = (store / "keys").iterdir()
    lesson = load_lesson(room.root / "solutions" / LESSON)
    drawn, public = (make_key(lesson, number).exercise("countdown") for number in (int(seed), 0))
    assert drawn.cases[2]["arguments"] != public.cases[2]["arguments"]
    room.autograde()
    assert (store / "seed").read_text() == seed
    assert list((store / "keys").iterdir()) == [key]
    room.autograde(seed=7)
    assert (store / "seed").read_text() == seed
    assert list((store / "keys").iterdir()) != [key]


def test_a_seed_file_that_is_damaged_is_named(room: Classroom) -> None:
    room.hand_in("x", RIGHT)
    room.autograde()
    (room.root / "gradebook.judge" / "seed").write_text("no number")
    assert "gradebook.judge/seed holds no number. Restore it from a backup" in room.autograde()


LIES = {
    "points": lambda n: cell_of(n, "check_double")["metadata"]["nbgrader"].update(points=1000),
    "no longer graded": lambda n: cell_of(n, "check_double")["metadata"]["nbgrader"].update(grade=False, locked=False),
    "a solution": lambda n: cell_of(n, "check_double")["metadata"]["nbgrader"].update(solution=True),
    "schema of tomorrow": lambda n: cell_of(n, "check_double")["metadata"]["nbgrader"].update(schema_version=99),
    "schema of yesterday": lambda n: cell_of(n, "double")["metadata"]["nbgrader"].update(schema_version=0),
    "edited": lambda n: cell_of(n, "check_double").update(source="check = None  # passed"),
    "edited badly": lambda n: cell_of(n, "check_double").update(source=[None, 3]),
    "markdown": lambda n: cell_of(n, "check_double").update(cell_type="markdown"),
    "another type": lambda n: cell_of(n, "check_double").update(cell_type="magic"),
    "deleted": lambda n: n["cells"].remove(cell_of(n, "check_double")),
    "both deleted": lambda n: [n["cells"].remove(cell_of(n, f"check_{name}")) for name in RIGHT],
    "renamed": lambda n: cell_of(n, "check_double")["metadata"]["nbgrader"].update(grade_id="mine"),
    "solution renamed": lambda n: cell_of(n, "double")["metadata"]["nbgrader"].update(grade_id="mine"),
    "solution locked": lambda n: cell_of(n, "double")["metadata"]["nbgrader"].update(locked=True, solution=False),
    "solution a test": lambda n: cell_of(n, "double")["metadata"]["nbgrader"].update(grade_id="check_double"),
    "names swapped": lambda n: (
        cell_of(n, "check_double")["metadata"]["nbgrader"].update(grade_id="y"),
        cell_of(n, "check_countdown")["metadata"]["nbgrader"].update(grade_id="check_double"),
    ),
    "duplicated": lambda n: n["cells"].append(copy.deepcopy(cell_of(n, "check_double"))),
    "all duplicated": lambda n: n["cells"].extend(copy.deepcopy(n["cells"])),
    "no metadata": lambda n: [cell.update(metadata={}) for cell in n["cells"]],
    "odd metadata": lambda n: [cell.update(metadata=[1]) for cell in n["cells"]],
    "odd nbgrader": lambda n: [cell["metadata"].update(nbgrader="yes") for cell in n["cells"]],
    "no cell": lambda n: n["cells"].extend([None, 3, {}, {"cell_type": "code"}]),
    "forged outputs": lambda n: [
        cell.update(
            outputs=[
                {"output_type": "execute_result", "data": {"text/plain": "99"}, "metadata": {}, "execution_count": 1}
            ]
        )
        for cell in n["cells"]
        if cell["cell_type"] == "code"
    ],
    "no kernel": lambda n: n.update(metadata={"kernelspec": {"name": "nothing", "display_name": "x", "language": "R"}}),
    "an old format": lambda n: n.update(nbformat_minor=0),
    "reversed": lambda n: n["cells"][2:].reverse(),
}


def test_what_is_done_to_cells_neither_gains_points_nor_loses_any(room: Classroom) -> None:
    for name, change in LIES.items():
        room.hand_in_notebook(f"right-{name}", handed_in(room, change))
        wrong = handed_in(room, change)
        for cell in wrong["cells"]:
            if isinstance(cell, dict) and str(cell.get("source", "")).startswith("def "):
                cell["source"] = re.sub("return .*", "return None", cell["source"])
        room.hand_in_notebook(f"wrong-{name}", wrong)
    said = room.autograde()
    scores = room.scores()
    assert {name: scores[f"right-{name}"] for name in LIES} == dict.fromkeys(LIES, WHOLE), said
    assert {name: scores[f"wrong-{name}"] for name in LIES} == dict.fromkeys(LIES, 0), said
    assert "right-edited: the cell check_double was changed. It is as it was released." in said
    assert "right-deleted: the cell check_double was deleted. It is as it was released." in said
    assert "right-duplicated: the cell check_double is there more than once: the last one counts." in said
    assert "Not graded" not in said
    assert all(grade is not None for name in LIES for grade in room.grades(f"right-{name}").values())


def test_a_deleted_solution_is_missing_and_the_other_counts(room: Classroom) -> None:
    room.hand_in_notebook("x", handed_in(room, lambda n: n["cells"].remove(cell_of(n, "double"))))
    room.autograde()
    assert room.grades("x") == {"check_double": 0, "check_countdown": 4}
    assert "There is no `double` in this notebook." in room.autograded("x")


def test_who_cannot_be_graded_is_named_and_the_others_are_graded(room: Classroom, tmp_path: Path) -> None:
    room.hand_in("a-right", RIGHT)
    room.hand_in_notebook("broken", '{"cells": [')
    path = room.hand_in("other-name", RIGHT)
    path.rename(path.with_name("my solution.ipynb"))
    path = room.hand_in("link", RIGHT)
    path.unlink()
    path.symlink_to(room.root / "submitted/a-right" / LESSON / f"{LESSON}.ipynb")
    room.hand_in("z-right", RIGHT)
    said = room.autograde()
    assert {name: score for name, score in room.scores().items() if score} == {"a-right": WHOLE, "z-right": WHOLE}
    assert "90_small: 2 of 5 submissions graded" in said
    assert "Not graded: broken: 90_small.ipynb is not a notebook: " in said
    assert "Not graded: link: 90_small.ipynb is a link; hand in the file itself." in said
    assert "Not graded: other-name: no notebook named 90_small.ipynb was handed in. Rename it, and grade again." in said


TELLING = {
    "prints": "print('SECRET', n)",
    "raises": "raise ValueError(f'SECRET {n}')",
    "raises own": "raise type(f'SECRET{n}', (Exception,), {})()",
    "names a type": "return type(f'SECRET{n}', (), {})()",
    "returns text": "return 'SECRET' * 9 + str(n)",
    "returns a dict": "return {f'SECRET{n}': 1}",
    "returns big": "return int.from_bytes(b'SECRET' * 20, 'big')",
    "traceback": "exec(compile(f'raise ValueError #SECRET{n}', 'SECRET', 'exec'))",
    "signature": "globals().update(countdown=eval(f'lambda SECRET{n}=1, *, x: 1'))",
}


def test_feedback_tells_the_report_and_never_the_inputs(room: Classroom) -> None:
    for name, body in TELLING.items():
        room.hand_in(name, {**RIGHT, "countdown": f"def countdown(n):\n    {body}"})
    room.hand_in("wrong", {"double": WRONG["double"], "countdown": "def countdown(n):\n    return torch.arange(n)"})
    peeking = (
        "import sys, autograder.values as v\nframe = sys._getframe()\n"
        "while frame and 'task' not in frame.f_locals:\n    frame = frame.f_back\n"
        "questions = frame.f_locals['task']['questions']\n"
        "lengths = [case['arguments'].get('length') for q in questions for case in q['cases']]\n"
        "raise ValueError(f'SECRET{lengths}')"
    )
    room.hand_in("cell-raises", {"double": RIGHT["double"], "countdown": peeking + "\n" + RIGHT["countdown"]})
    room.autograde()
    assert room.api().generate_feedback(LESSON)["success"]
    seed = int((room.root / "gradebook.judge/seed").read_text())
    key = make_key(load_lesson(room.root / "solutions" / LESSON), seed).exercise("countdown")
    lengths = {str(case["arguments"]["length"]) for case in key.cases[2:]}
    for name in [*TELLING, "cell-raises"]:
        page = (room.root / "feedback" / name / LESSON / f"{LESSON}.html").read_text()
        assert "countdown: 0 of 4 cases right" in words(page)
        outputs = json.loads(room.autograded(name))["cells"]
        told = json.dumps([cell.get("outputs", []) for cell in outputs])
        assert re.search(r"SECRET.?\d", told) is None, (name, told)
        assert not any(length in told for length in lengths), (name, told)
    page = words((room.root / "feedback/wrong" / LESSON / f"{LESSON}.html").read_text())
    assert "countdown: 1 of 4 cases righton “three”Yours counts upwards." in page
    assert "double: 0 of 2 cases righton “two rows”You squared x." in page
    assert "0 of 2 points" in page
    assert "<svg" not in room.autograded("wrong")


def test_manual_scores_comments_late_penalties_and_export_work_as_in_nbgrader(room: Classroom) -> None:
    room.hand_in("x", {**RIGHT, "countdown": BIG})
    room.hand_in("late", RIGHT)
    (room.root / "submitted/late" / LESSON / "timestamp.txt").write_text("2030-01-02 00:00:00 UTC")
    with (room.root / "nbgrader_config.py").open("a") as config:
        config.write(
            "import sys\nsys.path.insert(0, c.CourseDirectory.root)\n"
            "c.AssignLatePenalties.plugin_class = 'late.OnePoint'\n"
        )
        config.write(f"c.CourseDirectory.root = {str(room.root)!r}\n")
    (room.root / "late.py").write_text(
        "from nbgrader.plugins import BasePlugin\nclass OnePoint(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n        return 1\n"
    )
    with room.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate="2030-01-01 00:00:00 UTC")
    room.autograde()
    with room.gradebook() as gradebook:
        grade = gradebook.find_grade("check_countdown", LESSON, LESSON, "x")
        grade.manual_score, grade.extra_credit = 1.5, 0.25
        gradebook.find_comment("countdown", LESSON, LESSON, "x").manual_comment = "Large ones, too."
        gradebook.db.commit()
    room.autograde("x")
    assert room.scores()["x"] == 2 + 1.5 + 0.25
    with room.gradebook() as gradebook:
        assert gradebook.find_grade("check_countdown", LESSON, LESSON, "x").needs_manual_grade
        assert gradebook.find_comment("double", LESSON, LESSON, "late").auto_comment is None
    room.api().generate_feedback(LESSON)
    assert "Large ones, too." in (room.root / "feedback/x" / LESSON / f"{LESSON}.html").read_text()
    room.nbgrader("export", "--to=grades.csv")
    assert room.exported() == {"x": 3.75, "late": WHOLE - 1}


def test_files_beside_the_notebook_are_there_and_the_courses_own_win(room: Classroom) -> None:
    (room.root / "solutions" / LESSON / "data.txt").write_text("2")
    path = room.hand_in("x", {**RIGHT, "double": "from helper import twice\ndouble = twice"})
    (path.parent / "helper.py").write_text("def twice(x):\n    return int(open('data.txt').read()) * x\n")
    (path.parent / "data.txt").write_text("3")
    (path.parent / "secret").symlink_to(room.root / "gradebook.db")
    room.autograde()
    assert room.scores() == {"x": WHOLE}


def test_points_are_those_of_the_gradebook_whatever_checks_py_says(room: Classroom) -> None:
    source = room.root / "solutions" / LESSON / f"{LESSON}.ipynb"
    notebook = json.loads(source.read_text())
    cell_of(notebook, "check_countdown")["metadata"]["nbgrader"]["points"] = 0.3  # as formgrader's toolbar does
    notebook["cells"].remove(cell_of(notebook, "check_double"))
    source.write_text(json.dumps(notebook))
    assert room.api().generate_assignment(LESSON)["success"]
    room.hand_in("right", RIGHT)
    room.hand_in("half", {"countdown": BIG})
    room.autograde()
    assert room.scores() == {"right": 0.3, "half": pytest.approx(0.225)}
    assert list(room.grades("right")) == ["check_countdown"]


def test_an_exercise_can_be_moved_into_another_assignment(room: Classroom) -> None:
    source = room.root / "solutions" / "week_1"
    source.mkdir()
    notebook = json.loads((room.root / "solutions" / LESSON / f"{LESSON}.ipynb").read_text())
    (source / "homework.ipynb").write_text(json.dumps(notebook))
    api = room.api()
    assert api.generate_assignment("week_1")["success"]
    released = (room.root / "exercises/week_1/homework.ipynb").read_text()
    handed = room.root / "submitted/x/week_1/homework.ipynb"
    handed.parent.mkdir(parents=True)
    handed.write_text(released.replace("raise NotImplementedError()", "return 2 * x", 1))
    result = api.autograde("week_1", "x")
    assert result["success"], result
    with room.gradebook() as gradebook:
        assert gradebook.find_submission("week_1", "x").score == 2


def test_an_assignment_without_checks_is_refused_before_anything_is_touched(room: Classroom) -> None:
    source = room.root / "solutions" / "own"
    source.mkdir()
    about = {
        "grade_id": "t",
        "grade": True,
        "solution": False,
        "locked": True,
        "task": False,
        "points": 1,
        "schema_version": 3,
    }
    cell = {**new_cell("assert True"), "metadata": {"nbgrader": about}}
    (source / "own.ipynb").write_text(json.dumps({**room.released(), "cells": [cell]}))
    api = room.api()
    assert api.generate_assignment("own")["success"]
    handed = room.root / "submitted/x/own/own.ipynb"
    handed.parent.mkdir(parents=True)
    handed.write_text((room.root / "exercises/own/own.ipynb").read_text())
    result = api.autograde("own", "x")
    assert not result["success"]
    assert (
        "The test cell t of own cannot be judged: it calls no check(...). Give the exercise a checks.py"
        in result["log"]
    )
    assert not (room.root / "autograded").exists()


def test_without_bubblewrap_nothing_is_graded_and_the_remedy_is_told(
    room: Classroom, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room.hand_in("x", RIGHT)
    sandbox.shared("bubblewrap").close()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        said = room.autograde()
    assert "Nothing was graded. bubblewrap is not installed: `bwrap` is not on PATH." in said
    assert "apt install bubblewrap" in said
    assert 'put `c.Judge.sandbox = "none"` into nbgrader_config.py' in said
    assert not (room.root / "autograded").exists()
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        said = room.autograde()
    assert "bubblewrap cannot work here: bwrap: No permissions to create new namespace." in said
    assert not (room.root / "autograded").exists()


def test_without_a_sandbox_every_summary_says_so(room: Classroom) -> None:
    room.hand_in("x", RIGHT)
    before = set(Path(tempfile.gettempdir()).glob("submission-*"))
    for _ in range(2):
        assert "WITHOUT A SANDBOX: submissions ran with your rights" in room.autograde(sandbox="none")
    assert room.scores() == {"x": WHOLE}
    sandbox.shared("none").close()
    assert set(Path(tempfile.gettempdir()).glob("submission-*")) <= before
    assert "WITHOUT" not in room.autograde()


def test_checks_with_a_mistake_are_the_authors_and_are_told(room: Classroom) -> None:
    room.hand_in("x", RIGHT)
    (room.root / "solutions" / LESSON / "checks.py").write_text(CHECKS + "\n1 / 0\n")
    said = room.autograde()
    assert "90_small cannot be judged: " in said
    assert "checks.py cannot be loaded: ZeroDivisionError" in said
    assert not (room.root / "autograded").exists()
