"""Grading a class, fairly: partial points, a secret seed, cells that students deleted or changed, broken notebooks."""

from __future__ import annotations

import pytest
from classroom import RIGHT, WRONG, Classroom


def test_first(tmp_path, monkeypatch):
    room = Classroom.made(tmp_path)
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path / "keys"))
    room.hand_in("right", RIGHT)
    room.hand_in("wrong", WRONG)
    room.hand_in("undone")
    room.hand_in("half", {**RIGHT, "countdown": "def countdown(n):\n    return torch.arange(n).flip(0) if n % 2 else None"})
    print(room.autograde())
    print(room.scores(), room.grades("half"))
    assert 0
