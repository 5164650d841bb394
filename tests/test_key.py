"""Keys: data that fits, or a message that says what does not and how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import COURSE, KEYS, each_lesson

from autograder import keyfile
from autograder.authoring import Lesson
from autograder.errors import KeyProblem, UnknownExercise
from autograder.key import make_key
from autograder.keyfile import find_exercise, read_key, to_bytes
from autograder.values import identical, pack, unpack

NAME = "22_masks"


def written(tmp_path: Path, **changes: object) -> Path:
    """The committed key with changes in its header."""
    data = unpack(COURSE.key(NAME).read_bytes())
    path = tmp_path / "key.safetensors"
    path.write_bytes(pack({**data, **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "has format 99; this autograder reads format 4. Restore it with"),
        ({"torch": "9.1.0"}, r"was made with torch 9.1.0; installed is torch 2.*pip install -c constraints.txt"),
        (
            {"torch": "1.13.1"},
            r"was made with torch 1.13.1; installed is torch 2.*or make the keys again with `make build`",
        ),
        ({"torch": "2.999.0"}, r"was made with torch 2.999.0"),
        ({"exercises": [{}]}, "lacks a part"),
    ],
)
def test_a_key_that_does_not_fit_says_so_and_how_to_mend_it(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(KeyProblem, match=message):
        read_key(written(tmp_path, **changes))


def test_an_unchanged_key_is_read_and_one_for_an_older_torch_of_the_same_major_version_too(tmp_path: Path) -> None:
    assert read_key(written(tmp_path)).lesson == NAME
    assert read_key(written(tmp_path, torch="2.0.0")).lesson == NAME


def test_every_cut_of_a_key_is_noticed(tmp_path: Path) -> None:
    whole = COURSE.key(NAME).read_bytes()
    path = tmp_path / "cut.safetensors"
    for size in (0, 7, 8, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(KeyProblem, match="damaged or cut short"):
            read_key(path)


def test_a_key_is_data_and_made_the_same_each_time() -> None:
    data = to_bytes(KEYS[NAME])
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"]
    assert data == to_bytes(KEYS[NAME]) == COURSE.key(NAME).read_bytes()


@each_lesson
def test_what_a_misconception_gets_right_is_kept_once_and_read_back_whole(lesson: Lesson, tmp_path: Path) -> None:
    key, path = make_key(lesson, with_slips=False), tmp_path / "key.safetensors"
    path.write_bytes(to_bytes(key))
    kept = unpack(path.read_bytes())["exercises"]
    for exercise, again, data in zip(key.exercises, read_key(path).exercises, kept, strict=True):
        expected = [case["expected"] for case in exercise.cases]
        for made, read, short in zip(
            exercise.misconceptions, again.misconceptions, data["misconceptions"], strict=True
        ):
            for right, one, other, part in zip(
                expected, made["answers"], read["answers"], short["answers"], strict=True
            ):
                assert identical(dict(sorted(vars(one).items())), dict(sorted(vars(other).items())))
                assert not any(
                    name in right and identical(value, right[name]) for name, value in part["results"].items()
                )


def test_an_unknown_exercise_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownExercise, match="There is no exercise named `casual_mask`. Did you mean `causal_mask`?"):
        find_exercise("casual_mask")


def test_a_folder_without_keys_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path))
    with pytest.raises(KeyProblem, match="There are no keys in"):
        find_exercise("causal_mask")


def test_another_lessons_damaged_key_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "00_other.safetensors").write_bytes(b"broken")
    (tmp_path / f"{NAME}.safetensors").write_bytes(COURSE.key(NAME).read_bytes())
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path))
    assert find_exercise("causal_mask")[0].lesson == NAME
    with pytest.raises(KeyProblem, match="00_other"):
        find_exercise("not_there")


def test_the_format_is_the_one_that_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfile, "FORMAT", 7)
    assert unpack(to_bytes(KEYS[NAME]))["format"] == 7
    assert unpack(to_bytes(KEYS[NAME]))["torch"] == torch.__version__.partition("+")[0]
