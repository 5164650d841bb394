"""A class of tricks earns nothing, and stock nbgrader's loss is shown beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from classroom import LESSON, POINTS, RIGHT, Classroom
from tricks import TRICKS

STOCK = """
c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "checks.py", "[0-9][0-9]_*.py"]
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    room = Classroom.made(tmp_path)
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path / "keys"))
    return room


def hand_in_all(room: Classroom, names: list[str]) -> None:
    for name in names:
        room.hand_in(name, TRICKS[name].answers, TRICKS[name].cell)
    # the first and the last to be graded, and one in the middle
    for name in ("a-honest", "k-honest", "z-honest"):
        room.hand_in(name, RIGHT)


def test_there_are_enough_tricks_of_enough_kinds() -> None:
    assert len(TRICKS) >= 30
    assert len(Counter(trick.kind for trick in TRICKS.values())) >= 12


def test_tricks_earn_nothing_and_cost_nobody_anything(room: Classroom) -> None:
    hand_in_all(room, list(TRICKS))
    room.autograde()
    scores = room.scores()
    whole = sum(POINTS.values())
    assert {name: scores.pop(name) for name in ("a-honest", "k-honest", "z-honest")} == dict.fromkeys(
        ("a-honest", "k-honest", "z-honest"), whole
    )
    assert scores == dict.fromkeys(TRICKS, 0.0), room.said
    assert not Path("/tmp/pickled-by-a-student").exists()


def test_what_stock_nbgrader_pays_for_them(room: Classroom) -> None:
    """Full points for each, in the kernel where nbgrader runs them. One of them raises everybody's."""
    (room.root / "nbgrader_config.py").write_text(STOCK.format(root=str(room.root)))
    assert room.api().generate_assignment(LESSON)["success"]
    names = [name for name, trick in TRICKS.items() if trick.stock]
    for name in names:
        room.hand_in(name, TRICKS[name].answers, TRICKS[name].cell)
    room.hand_in("a-honest", RIGHT)
    room.nbgrader("autograde", LESSON, check=False)
    scores = room.scores()
    assert scores.pop("a-honest") > sum(POINTS.values())  # manual scores of 99 for everyone, by `update-gradebook`
    assert len(scores) >= 10
    assert all(score >= sum(POINTS.values()) for score in scores.values()), scores
