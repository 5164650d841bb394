"""What `make build` does: sources to what readers get. Built twice, it changes nothing.

    solutions/22_masks/{22_masks,checks}.py -> solutions/22_masks/22_masks.ipynb       nbgrader's source notebook
                                            -> exercises/22_masks/22_masks.ipynb       released by nbgrader itself
                                            -> autograder/keys/22_masks.safetensors    the key for the public seed
    lessons/22_masks.md                     -> lessons/22_masks.ipynb                  executed, with its outputs

Each built file records the hash of its sources and is made again only where that has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from autograder.authoring import Exercise, Lesson, load_lesson
from autograder.errors import AutograderError, KeyProblem, LessonProblem
from autograder.key import make_key
from autograder.keyfile import read_key, to_bytes
from autograder.notebook import DEMONSTRATION

ENGINE = Path(__file__).parent
# the modules that decide what a key holds, and those that draw a lesson's figures
KEY_MODULES = (
    "answers", "axes", "compare", "contrast", "draw", "dropout", "key", "keyfile", "layers", "plans", "probes",
    "recipes", *(f"slips/{path.stem}" for path in sorted((ENGINE / "slips").glob("*.py"))), "values", "watch",
    "wording",
)  # fmt: skip
FIGURE_MODULES = tuple(
    f"{folder}/{path.stem}" for folder in ("drawing", "tracing") for path in sorted((ENGINE / folder).glob("*.py"))
)
BUILD_MODULES = ("build",)
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
SOLUTION = "### BEGIN SOLUTION"
CHECK = re.compile(r"^check\((\w+)\)\s*$", re.M)
DEFINITION = re.compile(r"^(?:def|class) +(\w+)", re.M)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def fingerprint(paths: Iterable[Path]) -> str:
    """A hash of files' contents, in order."""
    digest = hashlib.sha256()
    for path in paths:
        if not path.is_file():
            raise LessonProblem(f"{path} is missing: every lesson has one (see CONTRIBUTING.md).")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _modules(names: Iterable[str]) -> list[Path]:
    return [ENGINE / f"{name}.py" for name in names]


class Course:
    """The course's folders, and what is built in them."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.solutions = self.root / "solutions"
        self.lessons = self.root / "lessons"
        self.exercises = self.root / "exercises"
        self.keys = self.root / "autograder" / "keys"

    def names(self) -> list[str]:
        """The lessons, in order."""
        return sorted(path.name for path in self.solutions.iterdir() if (path / "checks.py").is_file())

    def load(self, name: str) -> Lesson:
        """One lesson's references and checks."""
        return load_lesson(self.solutions / name)

    def stale(self) -> list[str]:
        """The built files that do not fit their sources, each with the reason."""
        found = []
        for name in self.names():
            for path, source, built in self._files(name):
                if built != source:
                    reason = "is missing" if built is None else "is out of date"
                    found.append(f"{path.relative_to(self.root)} {reason}: run `make build`.")
        return found

    def build(self) -> list[str]:
        """Build what is out of date; the built files' names. A lesson that cannot be built does not keep the others."""
        made, problems = [], []
        for name in self.names():
            try:
                made += self._build_lesson(name)
            except AutograderError as problem:
                problems.append(str(problem))
        if problems:
            raise LessonProblem("\n".join(problems))
        return made

    def _build_lesson(self, name: str) -> list[str]:
        made = []
        stale = {path for path, source, built in self._files(name) if built != source}
        for path, make in self._makers(name).items():
            if path in stale:
                make(name)
                made.append(str(path.relative_to(self.root)))
        return made

    def _files(self, name: str) -> list[tuple[Path, str, str | None]]:
        """Each built file of a lesson, its sources' hash now, and the hash it was built from."""
        sources = self.sources(name)
        return [
            (path, fingerprint(sources[path]), recorded(path))
            for path in (self.key(name), self.source_notebook(name), self.released(name), self.lesson_notebook(name))
        ]

    def sources(self, name: str) -> dict[Path, list[Path]]:
        """The files that each built file of a lesson is made from."""
        solution = [self.solutions / name / f"{name}.py", self.solutions / name / "checks.py"]
        notebook = solution + _modules(BUILD_MODULES)
        return {
            self.key(name): solution + _modules(KEY_MODULES),
            self.source_notebook(name): notebook,
            self.released(name): notebook,
            self.lesson_notebook(name): [self.lessons / f"{name}.md", *_modules(FIGURE_MODULES)],
        }

    def key(self, name: str) -> Path:
        """Where a lesson's key lies."""
        return self.keys / f"{name}.safetensors"

    def source_notebook(self, name: str) -> Path:
        """Where nbgrader's source notebook lies."""
        return self.solutions / name / f"{name}.ipynb"

    def released(self, name: str) -> Path:
        """Where the exercise notebook that learners fill in lies."""
        return self.exercises / name / f"{name}.ipynb"

    def lesson_notebook(self, name: str) -> Path:
        """Where the explanation notebook lies."""
        return self.lessons / f"{name}.ipynb"

    def _makers(self, name: str) -> dict[Path, Any]:
        return {
            self.key(name): self._make_key,
            self.source_notebook(name): self._make_source_notebook,
            self.released(name): self._release,
            self.lesson_notebook(name): self._run_lesson,
        }

    def _make_key(self, name: str) -> None:
        source = fingerprint(self.sources(name)[self.key(name)])
        self.keys.mkdir(exist_ok=True)
        self.key(name).write_bytes(to_bytes(make_key(self.load(name), source=source)))

    def _make_source_notebook(self, name: str) -> None:
        source = fingerprint(self.sources(name)[self.source_notebook(name)])
        write(source_notebook(self.load(name), source), self.source_notebook(name))

    def _release(self, name: str) -> None:
        """Let nbgrader make the exercise notebook. Without a database: an instructor's own run makes the gradebook."""
        self._refuse_to_overwrite(self.released(name))
        command = [sys.executable, "-m", "nbgrader", "generate_assignment", name, "--no-db"]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode or not self.released(name).is_file():
            raise LessonProblem(f"nbgrader could not release {name}:\n{done.stderr[-2000:]}")

    def _refuse_to_overwrite(self, path: Path) -> None:
        """A learner's work must not be lost: only what is as it was built is built again."""
        if not path.is_file():
            return
        marked = [
            cell for cell in nbformat.read(path, as_version=4).cells if "checksum" in cell.metadata.get("nbgrader", {})
        ]
        if any(compute_checksum(cell) != cell.metadata.nbgrader.checksum for cell in marked):
            raise LessonProblem(f"{path.relative_to(self.root)} was edited. Move it away, then run `make build` again.")

    def _run_lesson(self, name: str) -> None:
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError

        path = self.lessons / f"{name}.md"
        source = fingerprint(self.sources(name)[self.lesson_notebook(name)])  # before the cells run: they take a while
        notebook = jupytext.read(path, fmt="md")
        _number_cells(notebook, f"lesson-{name}")
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(self.lessons)}})
        try:
            client.execute(stderr=subprocess.DEVNULL)  # of the kernel itself, not of the cells
        except CellExecutionError as error:
            raise LessonProblem(f"{path.relative_to(self.root)} has a cell that fails:\n{error}") from error
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when a cell ran is of no use to a reader
            for output in cell.get("outputs", []):
                output.get("data", {}).pop(LIVE_VIEW, None)  # controls are dead without a kernel; the figure stays
        notebook.metadata = _metadata(name, source)
        write(notebook, self.lesson_notebook(name))


def recorded(path: Path) -> str | None:
    """The hash of the sources that a built file was made from; None where it is missing or records none."""
    if not path.is_file():
        return None
    try:
        if path.suffix == ".ipynb":
            return str(json.loads(path.read_text(encoding="utf-8"))["metadata"]["autograder"]["source"])
        return str(read_key(path).source)
    except (KeyProblem, ValueError, KeyError):
        return ""


def source_notebook(lesson: Lesson, source: str) -> NotebookNode:
    """nbgrader's source notebook: the reference's cells with nbgrader's metadata put in."""
    notebook = jupytext.read(lesson.folder / f"{lesson.name}.py", fmt="py:percent")
    exercises = {exercise.name: exercise for exercise in lesson.exercises}
    _number_cells(notebook, lesson.name)
    checked = set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        check = CHECK.search(cell.source)
        if SOLUTION in cell.source:
            cell.metadata["nbgrader"] = _nbgrader(_defined(cell.source, exercises, lesson), solution=True)
        elif check is not None:
            exercise = _exercise(check[1], exercises, lesson)
            cell.metadata["nbgrader"] = _nbgrader(f"check_{exercise.name}", grade=True, points=exercise.points)
            cell.metadata["tags"] = ["raises-exception"]  # "Run All" goes on past an exercise that is not done yet
            checked.add(exercise.name)
        elif cell.source.startswith(f"# {DEMONSTRATION}"):
            cell.metadata["tags"] = [DEMONSTRATION]
    unchecked = [name for name in exercises if name not in checked]
    if unchecked:
        raise LessonProblem(f"{lesson.name}.py has no cell check({unchecked[0]}).")
    notebook.metadata = _metadata(lesson.name, source)
    return notebook


def _number_cells(notebook: NotebookNode, prefix: str) -> None:
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"{prefix}-{number:02}"
        cell.metadata = NotebookNode()
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def _metadata(lesson: str, source: str) -> NotebookNode:
    language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    marks = {"lesson": lesson, "source": source}
    return nbformat.from_dict({"kernelspec": KERNEL, "language_info": language, "autograder": marks})


def _nbgrader(grade_id: str, solution: bool = False, grade: bool = False, points: int | None = None) -> NotebookNode:
    cell = {"grade_id": grade_id, "solution": solution, "grade": grade, "locked": not solution, "task": False}
    return nbformat.from_dict({**cell, "schema_version": 3, **({"points": points} if points is not None else {})})


def _defined(source: str, exercises: dict[str, Exercise], lesson: Lesson) -> str:
    names: list[str] = DEFINITION.findall(source)
    found = next((name for name in names if name in exercises), None)
    if found is None:
        raise LessonProblem(f"{lesson.name}.py: a solution cell defines {names}, none of which checks.py names.")
    return found


def _exercise(name: str, exercises: dict[str, Exercise], lesson: Lesson) -> Exercise:
    if name not in exercises:
        raise LessonProblem(f"{lesson.name}.py calls check({name}), which checks.py does not name.")
    return exercises[name]


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook the same way each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Build, or with `--check` tell what is out of date."""
    parser = argparse.ArgumentParser(prog="make build", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="build nothing; fail where something is out of date")
    arguments = parser.parse_args()
    course = Course(Path.cwd())
    try:
        lines = course.stale() if arguments.check else [f"built {name}" for name in course.build()]
    except AutograderError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines) or "everything is up to date")
    return 1 if arguments.check and lines else 0


if __name__ == "__main__":
    sys.exit(main())
