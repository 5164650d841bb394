"""The cell at the end of 26_decoder: a GPT on the learner's own parts of earlier lessons learns names, and writes."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import COURSE, LESSONS, demonstrated

LESSON = "26_decoder"
EARLIER = ["18_padding", "21_attention", "22_masks"]  # of 23_multi_head there is no notebook here


@pytest.fixture
def _beside_earlier_lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A learner's folder of exercises, some of the earlier ones done."""
    for name in EARLIER:
        (tmp_path / name).mkdir()
        shutil.copy(COURSE.source_notebook(name), tmp_path / name)
    (tmp_path / LESSON).mkdir()
    monkeypatch.chdir(tmp_path / LESSON)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_beside_earlier_lessons")
def test_a_gpt_on_the_learners_own_parts_learns_and_writes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("faker")
    import matplotlib.pyplot as plt

    shown: list[int] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(len(plt.gcf().axes)))
    plt.switch_backend("agg")
    before = dict(vars(LESSONS[LESSON].module))
    demonstrated(LESSON, **{"context, steps = 30, 600": "context, steps = 30, 16"})
    plt.close("all")
    said = capsys.readouterr().out
    for name, lesson in {"position_ids": "18_padding", "attention": "21_attention", "causal_mask": "22_masks"}.items():
        assert f"{name}: your own, from {lesson}\n" in said
    reason = "there is no 23_multi_head/23_multi_head.ipynb beside this lesson"
    assert f"MultiHeadAttention: the one given here, for {reason}\n" in said
    first, *_, last = (float(line.split()[-2]) for line in said.splitlines() if line.startswith("step "))
    assert last < first / 1.5  # in letters that it is unsure among
    assert "With a cache it writes the same line" in said
    assert shown == [1, 12]  # the loss, and a map for each head of each block
    assert vars(LESSONS[LESSON].module) == before


def test_without_faker_it_says_how_to_get_the_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    demonstrated(LESSON)
    assert (
        capsys.readouterr().out
        == """\
The names come with the package Faker, which is not installed. In a terminal, in the course's folder, run
    .venv/bin/pip install -c constraints.txt -e ".[capstones]"
and then this cell again.
"""
    )
