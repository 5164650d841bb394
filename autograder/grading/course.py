"""The instructor's side of an assignment: where grading keeps its files, the secret seed, the keys, the points.

    gradebook.db
    gradebook.judge/seed          made once: the whole class, and every regrade, is judged on inputs drawn from it
    gradebook.judge/keys/         what is expected on those inputs; made again when a source or the seed changes
    gradebook.judge/verdicts/     what was found out so far
    gradebook.judge/open/         the submissions whose grading has begun and not ended

The folder and its files can be read by their owner alone, or by the group where `CourseDirectory.groupshared` is set.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autograder.authoring import Lesson, load_lesson
from autograder.errors import AutograderError, KeyProblem, LessonProblem
from autograder.grading.files import private, write
from autograder.grading.restore import Released, ReleasedCell
from autograder.key import PUBLIC_SEED, ExerciseKey, Key, make_key
from autograder.keyfile import read_key, to_bytes
from autograder.places import key_path
from autograder.runner import Packed, packed
from autograder.values import pack

ENGINE = Path(__file__).parent.parent
CHECK = re.compile(r"^check\((\w+)\)\s*$", re.M)


class CourseProblem(AutograderError):
    """An assignment cannot be judged, whoever handed it in."""


@dataclass(frozen=True)
class Asked:
    """One exercise as it is graded: its key, its points, the cases that have the same inputs for every seed, and a hash
    of all that the key was made from."""

    key: ExerciseKey
    points: float
    constant: frozenset[str]
    origin: str

    @functools.cached_property
    def question(self) -> Packed:
        """What a submission is asked, packed once for the whole class."""
        return packed(self.key.question)


@dataclass(frozen=True)
class Assigned:
    """One notebook of an assignment: its released cells, and what is asked in each of its test cells."""

    released: Released
    asked: dict[str, Asked]  # by the test cell's name


class Store:
    """The folder beside the gradebook."""

    def __init__(self, database: str, root: Path, group: bool = False) -> None:
        from sqlalchemy import make_url

        url = make_url(database)
        beside = Path(url.database) if url.drivername.startswith("sqlite") and url.database else root / "gradebook.db"
        self.folder = private(beside.with_suffix(".judge"), group)
        self.keys, self.verdicts, self.open = (
            private(self.folder / name, group) for name in ("keys", "verdicts", "open")
        )

    def seed(self, configured: int | None) -> int:
        """The secret seed: the configured one, or the one that is kept here, made where there is none."""
        if configured is not None:
            return configured
        path = self.folder / "seed"
        if not path.exists():
            write(path, f"{secrets.randbits(63)}\n".encode(), new=True)
        try:
            return int(path.read_text(encoding="ascii"))
        except ValueError as error:
            raise CourseProblem(
                f"{path} holds no number. Restore it from a backup: with another seed the class is judged on other "
                "inputs. `c.Judge.seed` sets one in nbgrader_config.py."
            ) from error


class GradingKeys:
    """The keys for the secret seed, by lesson. `solutions` is nbgrader's source directory."""

    def __init__(self, solutions: Path, store: Store, seed: int) -> None:
        self.solutions = solutions
        self.store = store
        self.seed = seed
        self.keys: dict[str, Key] = {}

    def asked(self, name: str, points: float, nearest: Sequence[str]) -> Asked | None:
        """What is asked in an exercise; None where no lesson has it. `nearest` are the lessons to look in first."""
        others = sorted(path.parent.name for path in self.solutions.glob("*/checks.py"))
        for lesson in dict.fromkeys([*nearest, *others]):
            if not (self.solutions / lesson / "checks.py").is_file():
                continue
            key = self.key(lesson)
            found = next((exercise for exercise in key.exercises if exercise.name == name), None)
            if found is not None:
                whole = int(points) if float(points).is_integer() else points
                key_of_points = replace(found, points=whole)  # type: ignore[arg-type]  # an instructor may give halves
                return Asked(key_of_points, points, self.constant(lesson, found), self.digest(lesson))
        return None

    def key(self, lesson: str) -> Key:
        """A lesson's key: the one that was made from the same seed and sources, or a new one."""
        if lesson not in self.keys:
            path = self.store.keys / f"{lesson}-{self.digest(lesson)}.safetensors"
            try:
                self.keys[lesson] = read_key(path)
            except KeyProblem:
                for old in self.store.keys.glob(f"{lesson}-*"):
                    old.unlink()
                key = make_key(load_lesson(self.solutions / lesson), self.seed)
                write(path, to_bytes(key))
                self.keys[lesson] = key
        return self.keys[lesson]

    @functools.cache  # noqa: B019  as long-lived as the run that asks
    def digest(self, lesson: str) -> str:
        """A hash of all that a lesson's key is made from: the seed, its sources, the engine, torch."""
        digest = hashlib.sha256(f"{self.seed} {torch.__version__}".encode())
        for path in [*sorted((self.solutions / lesson).glob("*.py")), *sorted(ENGINE.rglob("*.py"))]:
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()[:24]

    def constant(self, lesson: str, exercise: ExerciseKey) -> frozenset[str]:
        """The cases whose inputs every learner knows, because no seed changes them; none where all are so."""
        public = self._public(lesson)
        known = next((item for item in public.exercises if item.name == exercise.name), None)
        shown = {case["label"]: pack(case) for case in known.question.cases} if known else {}
        same = {case["label"] for case in exercise.question.cases if shown.get(case["label"]) == pack(case)}
        return frozenset(same) if len(same) < len(exercise.cases) else frozenset()

    def _public(self, lesson: str) -> Key:
        try:
            return read_key(key_path(lesson))
        except KeyProblem:  # an instructor's own lesson that was never built
            loaded: Lesson = load_lesson(self.solutions / lesson)
            return make_key(loaded, PUBLIC_SEED)


def assigned(notebook: Any, assignment: str, keys: GradingKeys) -> Assigned:
    """A notebook of the gradebook, with what is asked in it. Raises CourseProblem where a test cell is not ours."""
    released = Released(list(_released(notebook)))
    asked = {}
    for cell in released.tests.values():
        named = CHECK.search(cell.source)
        try:
            found = keys.asked(named[1], cell.points, [notebook.name, assignment]) if named else None
        except LessonProblem as problem:
            raise CourseProblem(f"{assignment} cannot be judged: {problem}") from problem
        if found is None:
            raise CourseProblem(_not_ours(notebook.name, cell, keys.solutions, named[1] if named else ""))
        asked[cell.name] = found
    return Assigned(released, asked)


def _released(notebook: Any) -> Iterator[ReleasedCell]:
    graded = {cell.name: cell for cell in notebook.grade_cells}
    tasks = {cell.name: cell for cell in notebook.task_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    for cell in notebook.source_cells:
        worth = graded.get(cell.name) or tasks.get(cell.name)
        yield ReleasedCell(
            name=cell.name,
            cell_type=cell.cell_type,
            source=cell.source,
            checksum=cell.checksum,
            locked=bool(cell.locked),
            grade=cell.name in graded,
            solution=cell.name in solutions,
            task=cell.name in tasks,
            points=float(worth.max_score) if worth is not None else 0.0,
        )


def _not_ours(notebook: str, cell: ReleasedCell, solutions: Path, exercise: str) -> str:
    reason = f"no checks.py below {solutions} has an exercise `{exercise}`" if exercise else "it calls no check(...)"
    return (
        f"The test cell {cell.name} of {notebook} cannot be judged: {reason}. Give the exercise a checks.py "
        "(CONTRIBUTING.md shows how), or grade this assignment in a course folder of its own, whose nbgrader_config.py "
        "leaves nbgrader's own preprocessors in place: they run submissions without a sandbox."
    )
