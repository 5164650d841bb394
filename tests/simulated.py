"""A simulated class: right, wrong, half done, noisy and hanging submissions of a lesson, in a folder of its own."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import nbformat
from learner import ROOT, answered, as_answer, grade_id, isolated
from nbformat import NotebookNode

from autograder.answers import collect
from autograder.authoring import Exercise, load_lesson
from autograder.judge import judge
from autograder.keyfile import find_exercise

NAMES = [
    "ada", "alan", "amalie", "barbara", "blaise", "carl", "david", "dorothy", "edsger", "emmy", "evelyn",
    "florence", "george", "grace", "hedy", "henri", "ida", "james", "jean", "joan", "john", "karen",
    "katherine", "leonhard", "maria", "mary", "niels", "noor", "olga", "pierre", "rosalind", "shafi", "sofia",
    "tim", "ursula", "vera",
]  # fmt: skip
NOISE = "import sys, warnings\nwarnings.warn('careful')\nprint('working on it')\nprint('to stderr', file=sys.stderr)"
MIX = {"right": 47, "wrong": 20, "half done": 20, "noisy": 10, "hanging": 3}  # of a hundred


@functools.cache
def wrong_answers(lesson: str) -> dict[str, str]:
    """For each exercise a misconception that is right on no case, where there is one: it earns nothing, however it is
    counted."""
    return {exercise.name: _wrong(exercise) for exercise in load_lesson(ROOT / "solutions" / lesson).exercises}


def _wrong(exercise: Exercise) -> str:
    _, key = find_exercise(exercise.name)
    question = replace(key.question, contrasts=[])
    passed = {item.name: judge(key, collect(item.candidate, question)).passed for item in exercise.misconceptions}
    chosen = min(exercise.misconceptions, key=lambda item: passed[item.name])
    return as_answer(chosen.candidate, exercise.name)


@dataclass
class SimulatedClass:
    """A course folder with one lesson, to be graded by nbgrader's commands."""

    root: Path
    lesson: str

    def __post_init__(self) -> None:
        self.wrong = wrong_answers(self.lesson)
        source = nbformat.read(ROOT / "solutions" / self.lesson / f"{self.lesson}.ipynb", as_version=4)
        self.right = {grade_id(cell): cell.source for cell in source.cells if grade_id(cell) in self.wrong}

    def make(self, configuration: str = "") -> None:
        """The course folder, with the lesson released. `configuration` replaces the course's own."""
        (self.root / "solutions").mkdir(parents=True)
        shutil.copytree(ROOT / "solutions" / self.lesson, self.root / "solutions" / self.lesson)
        if configuration:
            (self.root / "nbgrader_config.py").write_text(configuration)
        else:
            shutil.copy(ROOT / "nbgrader_config.py", self.root)
        self.nbgrader("generate_assignment", self.lesson)
        self.released = self.root / "exercises" / self.lesson / f"{self.lesson}.ipynb"

    def submissions(self, size: int) -> Iterator[tuple[str, str, NotebookNode]]:
        """Student, kind and notebook, of a class in which the kinds are mixed as in `MIX`."""
        kinds = [kind for kind, count in MIX.items() for _ in range(count)]
        kinds = [kinds[(37 * place) % len(kinds)] for place in range(len(kinds))]  # one after another, not in blocks
        for number, kind in enumerate(islice(cycle(kinds), size)):
            name = NAMES[number % len(NAMES)] + (str(number // len(NAMES)) if number >= len(NAMES) else "")
            notebook = answered(self.released, self.answers(kind))
            extra = f"{NOISE if kind == 'noisy' else ''}\nseat = {number}".strip()
            notebook.cells.insert(1, nbformat.v4.new_code_cell(extra, id="seat"))
            yield name, kind, notebook

    def answers(self, kind: str) -> dict[str, str]:
        """What a student of a kind wrote."""
        names = list(self.right)
        match kind:
            case "wrong":
                return self.wrong
            case "half done":
                half = names[: len(names) // 2]
                return {name: self.right[name] for name in half}
            case "hanging":
                first = self.right[names[0]].partition("\n")[0]
                return {**self.right, names[0]: f"{first}\n    while True:\n        pass"}
        return self.right

    def hand_in(self, size: int) -> dict[str, str]:
        """Hand in a class; each student's kind."""
        kinds = {}
        for student, kind, notebook in self.submissions(size):
            path = self.root / "submitted" / student / self.lesson / f"{self.lesson}.ipynb"
            path.parent.mkdir(parents=True)
            nbformat.write(notebook, path)
            kinds[student] = kind
        return kinds

    @property
    def environment(self) -> dict[str, str]:
        """For nbgrader's commands."""
        home = self.root / ".home"
        home.mkdir(exist_ok=True)
        return {**isolated(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def nbgrader(self, *arguments: str) -> tuple[str, int]:
        """One of nbgrader's commands: what it said, and the most memory it had, in kilobytes."""
        log = self.root / ".log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "nbgrader", *arguments],
                cwd=self.root,
                env=self.environment,
                stdout=file,
                stderr=file,
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        said = log.read_text()
        assert process.returncode == 0, said
        return said, used.ru_maxrss

    def scores(self) -> dict[str, float]:
        """Each student's points."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            return {item.student_id: item.score for item in gradebook.assignment_submissions(self.lesson)}
