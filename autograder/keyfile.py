"""Keys as files: safetensors with a JSON header. Those for the public seed lie in `autograder/keys`."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import torch

from autograder.answers import Answer
from autograder.errors import KeyProblem, UnknownExercise
from autograder.key import ExerciseKey, Key
from autograder.places import key_path, keys_folder
from autograder.values import identical, pack, unpack

FORMAT = 4


def to_bytes(key: Key) -> bytes:
    """A key as the bytes of its file."""
    header = {"format": FORMAT, "torch": torch.__version__.partition("+")[0]}
    exercises = [{**vars(exercise), "misconceptions": _plain(exercise)} for exercise in key.exercises]
    return pack({**header, "lesson": key.lesson, "seed": key.seed, "source": key.source, "exercises": exercises})


def _plain(exercise: ExerciseKey) -> list[dict[str, Any]]:
    """The misconceptions as data. Of their results those that are the expected ones are left out: a network's key would
    hold its whole state once more for each."""
    expected = [case["expected"] for case in exercise.cases]
    return [{**item, "answers": list(map(_shortened, expected, item["answers"]))} for item in exercise.misconceptions]


def _shortened(expected: dict[str, Any], answer: Answer) -> dict[str, Any]:
    results = answer.results
    other = {
        name: value for name, value in results.items() if name not in expected or not identical(value, expected[name])
    }
    return {**vars(answer), "results": other, "names": list(results)}


def _answer_from(expected: dict[str, Any], data: dict[str, Any]) -> Answer:
    """The inverse of `_shortened`: the results in their own order."""
    names, other = data.pop("names"), data["results"]
    return Answer(**{**data, "results": {name: other[name] if name in other else expected[name] for name in names}})


def read_key(path: Path) -> Key:
    """The key in a file. Raises KeyProblem, with the remedy, where it is missing, damaged or does not fit."""
    if not path.is_file():
        raise KeyProblem(f"The key {path} is missing. {_remedy(path)}")
    stamp = path.stat()
    return _read_key(path, stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=64)
def _read_key(path: Path, changed: int, size: int) -> Key:
    try:
        data = unpack(path.read_bytes())
        fits = data["format"], str(data["torch"])
    except (ValueError, KeyError, TypeError) as error:
        raise KeyProblem(f"The key {path} is damaged or cut short. {_remedy(path)}") from error
    if fits[0] != FORMAT:
        raise KeyProblem(f"The key {path} has format {fits[0]}; this autograder reads format {FORMAT}. {_remedy(path)}")
    if not _fits(fits[1], torch.__version__):
        raise KeyProblem(
            f"The key {path} was made with torch {fits[1]}; installed is torch {torch.__version__}. Install the pinned "
            f"version with `pip install -c constraints.txt -e .`, or make the keys again with `make build`."
        )
    try:
        exercises = [_exercise_from(item) for item in data["exercises"]]
        return Key(data["lesson"], data["seed"], data["source"], exercises)
    except (KeyError, TypeError) as error:
        raise KeyProblem(f"The key {path} lacks a part: {error}. {_remedy(path)}") from error


def _exercise_from(data: dict[str, Any]) -> ExerciseKey:
    expected = [case["expected"] for case in data["cases"]]
    misconceptions = [
        {**item, "answers": list(map(_answer_from, expected, item["answers"]))} for item in data["misconceptions"]
    ]
    return ExerciseKey(**{**data, "misconceptions": misconceptions})


def _fits(made_with: str, installed: str) -> bool:
    """Results of a torch are right for later ones of the same major version; older ones may lack what made them."""
    made, here = (tuple(int(part) for part in re.findall(r"\d+", version)[:2]) for version in (made_with, installed))
    return made[:1] == here[:1] and made <= here


def _remedy(path: Path) -> str:
    return f"Restore it with `git checkout -- {path.name}` in {path.parent}, or make it again with `make build`."


def find_exercise(name: str) -> tuple[Key, ExerciseKey]:
    """The exercise of that name among all keys. Raises UnknownExercise, or KeyProblem where a key cannot be read."""
    problems = []
    known: list[str] = []
    for path in sorted(keys_folder().glob("*.safetensors")):
        try:
            key = read_key(path)
        except KeyProblem as problem:
            problems.append(problem)
            continue
        if any(exercise.name == name for exercise in key.exercises):
            return key, key.exercise(name)
        known += [exercise.name for exercise in key.exercises]
    if problems:
        raise problems[0]
    if not known:
        raise KeyProblem(f"There are no keys in {keys_folder()}. {_remedy(key_path('*'))}")
    raise UnknownExercise(_unknown(name, known))


def _unknown(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean `{close[0]}`?" if close else f" The exercises are {', '.join(sorted(known))}."
    return f"There is no exercise named `{name}`.{guess}"
