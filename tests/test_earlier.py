"""A lesson's last cell runs on the learner's own parts of earlier lessons, where they are right, and says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import torch
from learner import LESSON, RELEASED, SOURCE_NOTEBOOK, answered
from nbformat.v4 import new_code_cell
from torch import Tensor

from autograder import own
from autograder.errors import KeyProblem, UnknownExercise
from autograder.quiet import quiet

Place = Callable[..., Path]


def causal_mask(length: int) -> Tensor:
    return torch.ones(length, length).tril().bool()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Puts an earlier notebook beside the lesson in which the test stands."""
    (tmp_path / "99_later").mkdir()
    (tmp_path / LESSON).mkdir()
    monkeypatch.chdir(tmp_path / "99_later")

    def put(source: Path, cells: list[str] | None = None, **answers: str) -> Path:
        path = tmp_path / LESSON / f"{LESSON}.ipynb"
        notebook = answered(source, answers)
        notebook.cells[1:1] = map(new_code_cell, cells or [])
        nbformat.write(notebook, path)
        return path

    return put


def test_a_right_part_is_used(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place(SOURCE_NOTEBOOK)
    found = own(causal_mask, LESSON)
    assert capsys.readouterr().out == "causal_mask: your own, from 22_masks\n"
    assert found is not causal_mask
    assert torch.equal(found(5), causal_mask(5))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("def causal_mask(length):\n    return torch.ones(length, length)", "is not right yet (causal_mask: 0 of"),
        ("def causal_mask(length):\n    return torch.ones(length", "defines no `causal_mask`: cell"),
        ("causal_maks = 3", "22_masks.ipynb defines no `causal_mask`"),
        ("raise SystemExit", "22_masks.ipynb defines no `causal_mask`"),
    ],
    ids=["wrong", "broken", "missing", "exits"],
)
def test_another_part_is_not_used_and_the_reason_is_said(
    place: Place, capsys: pytest.CaptureFixture[str], answer: str, reason: str
) -> None:
    place(SOURCE_NOTEBOOK, causal_mask=answer)
    assert own(causal_mask, LESSON) is causal_mask
    shown = capsys.readouterr().out
    assert shown.startswith("causal_mask: the one given here, for ")
    assert reason in shown
    assert shown.count("\n") == 1


def test_a_notebook_that_was_not_begun(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place(RELEASED)
    assert own(causal_mask, LESSON) is causal_mask
    assert "for yours in 22_masks is not right yet (causal_mask: not attempted yet)" in capsys.readouterr().out


def test_what_a_learner_added_is_neither_shown_nor_in_the_way(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place(SOURCE_NOTEBOOK, ["print('my notes')", "1 / 0", "%matplotlib inline", "while True:\n    pass"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.earlier.SECONDS", 0.3)
        found = own(causal_mask, LESSON)
    assert found is not causal_mask
    assert capsys.readouterr().out == "causal_mask: your own, from 22_masks\n"


def test_no_notebook_and_a_broken_one(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    path = place(SOURCE_NOTEBOOK)
    path.write_text("{")
    assert own(causal_mask, LESSON) is causal_mask
    assert "22_masks.ipynb is not a notebook" in capsys.readouterr().out
    shutil.rmtree(path.parent)
    assert own(causal_mask, LESSON) is causal_mask
    assert "for there is no 22_masks/22_masks.ipynb beside this lesson" in capsys.readouterr().out


def test_where_cells_only_define_things_the_given_part_is_taken_without_a_word(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place(SOURCE_NOTEBOOK)
    with quiet():
        assert own(causal_mask, LESSON) is causal_mask
    assert capsys.readouterr().out == ""


def test_what_is_no_exercise_of_that_lesson_is_refused() -> None:
    with pytest.raises(UnknownExercise, match="22_masks has no exercise named `sorted`"):
        own(sorted, LESSON)
    with pytest.raises(KeyProblem, match=r"98_none\.safetensors is missing"):
        own(causal_mask, "98_none")
