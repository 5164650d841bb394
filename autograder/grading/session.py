"""One run of `nbgrader autograde`: what it will grade, what an interrupted run left, what is judged ahead."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbgrader.api
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.utils import find_all_files, rmtree
from sqlalchemy.exc import SAWarning

from autograder.grading import sandbox
from autograder.grading.cage import MEBIBYTE, Bounds
from autograder.grading.course import Assigned, CourseProblem, GradingKeys, Store, assigned
from autograder.grading.files import LARGEST_FILES, write
from autograder.grading.pool import Ahead, Name, connect, cores, default_workers
from autograder.grading.progress import Bar, summary
from autograder.grading.submission import read
from autograder.grading.verdict import Task, Verdict, VerdictStore
from autograder.runner import Limits

if TYPE_CHECKING:
    from autograder.grading.preprocessor import Judge


class Session:
    """Everything that one run needs. Raises AutograderError where nothing can be graded, before anything is touched."""

    def __init__(self, converter: Autograde, settings: Judge) -> None:
        self.converter = converter
        self.settings = settings
        self.directory = converter.coursedir
        self.assignment = str(self.directory.assignment_id)
        walls: sandbox.Walls = settings.sandbox
        self.sandbox = sandbox.shared(walls)
        self.store = Store(self.directory.db_url, Path(self.directory.root), self.directory.groupshared)
        self.lock = self._alone()
        try:
            self._gather()
        except BaseException:
            self.lock.close()
            raise
        self.verdicts: dict[Name, Verdict] = {}
        self.finished: set[str] = set()

    def _gather(self) -> None:
        settings = self.settings
        solutions = Path(self.directory.format_path(self.directory.source_directory, ".", "."))
        self.keys = GradingKeys(solutions, self.store, self.store.seed(settings.seed))
        self.notebooks = self._notebooks()
        self.given = self._given()
        self.limits = Limits(cell=settings.cell_seconds, case=settings.case_seconds)
        self.bounds = Bounds(seconds=settings.seconds, memory=settings.memory * MEBIBYTE, processes=settings.processes)
        self.pool = connect(settings.scheduler, settings.workers or default_workers())
        if not settings.scheduler:
            self.sandbox.prove()
        self.plan = self._plan()

    def _alone(self) -> Any:
        """Hold the gradebook's folder: two runs at once would clear away each other's work."""
        lock = (self.store.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise CourseProblem(
                f"Another `nbgrader autograde` is at work on this gradebook ({self.store.folder} is locked). Wait "
                "until it has ended."
            ) from error
        return lock

    def _notebooks(self) -> dict[str, Assigned]:
        """The assignment's notebooks, with what is asked in each."""
        with Gradebook(self.directory.db_url, self.directory.course_id) as gradebook:
            try:
                found = gradebook.find_assignment(self.assignment).notebooks
            except MissingEntry as error:
                raise CourseProblem(
                    f"The gradebook knows no assignment {self.assignment}: run `nbgrader generate_assignment "
                    f"{self.assignment}` first."
                ) from error
            return {notebook.name: assigned(notebook, self.assignment, self.keys) for notebook in found}

    def _given(self) -> dict[str, bytes]:
        """The files that lie beside the source notebook and are copied over what students hand in, as nbgrader does."""
        source = Path(self.directory.format_path(self.directory.source_directory, ".", self.assignment))
        kept = {str(source / name) for name in self.converter.exclude_overwriting.get(self.assignment, [])}
        names = sorted(set(find_all_files(str(source), [*self.directory.ignore, "*.ipynb"])) - kept)
        sizes = sum(Path(name).stat().st_size for name in names)
        if sizes > LARGEST_FILES:
            raise CourseProblem(
                f"The files beside the notebook in {source} have {sizes:,} bytes; at most {LARGEST_FILES:,} are given "
                "to submissions. Name what students do not need in `c.CourseDirectory.ignore`."
            )
        return {str(Path(name).relative_to(source)): Path(name).read_bytes() for name in names}

    def _plan(self) -> list[str]:
        """The students whose submissions nbgrader is going to grade, in its order."""
        self.pattern = self.converter._format_source("(?P<assignment_id>.*)", "(?P<student_id>.*)", escape=True)
        excluded = self.directory.student_id_exclude.split(",")
        plan = []
        for folder in sorted(self.converter.assignments):
            found = re.match(self.pattern, folder)
            if found is not None and found["student_id"] not in excluded and self._is_due(folder, found["student_id"]):
                plan.append(found["student_id"])
        return plan

    def _is_due(self, folder: str, student: str) -> bool:
        """Whether there is something to grade, by the rule of nbgrader's `init_destination`."""
        graded = Path(self.converter._format_dest(self.assignment, student))
        if self.converter.force or not graded.exists() or self._marker(student).exists():
            return True
        if self.directory.notebook_id != "*":
            names = (Path(notebook).name for notebook in self.converter.assignments[folder])
            if not all((graded / name).exists() for name in names):
                return True
        handed_in, before = (self.directory.get_existing_timestamp(str(path)) for path in (folder, graded))
        return handed_in is not None and before is not None and handed_in > before

    def _marker(self, student: str) -> Path:
        return self.store.open / f"{self.assignment}+{student}"

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While nbgrader converts: judge ahead, and at the end say how the class stands."""
        for student in self.plan:
            graded = Path(self.converter._format_dest(self.assignment, student))
            if self._marker(student).exists() and graded.exists():
                self.converter.log.warning("Grading %s was interrupted: it is begun again.", student)
                rmtree(str(graded))
            write(self._marker(student), b"")
        names = [(student, notebook) for student in self.plan for notebook in self._handed_in(student)]
        window = 64 if self.settings.scheduler else 4 * cores()
        store = VerdictStore(self.store.verdicts)
        self.ahead = Ahead(names, self.prepare, store, self.pool, window, settled_only=self.converter.force)
        bar = Bar(self.converter.log, len(self.plan), self.ahead)
        try:
            with kept_engines(), bar:
                self.bar = bar
                yield
        finally:
            self.ahead.stop()
            self.lock.close()
            self.sandbox.close_later()
            for line in summary(self).splitlines():
                self.converter.log.info("%s", line)

    def _handed_in(self, student: str) -> list[str]:
        folder = Path(self.directory.format_path(self.directory.submitted_directory, student, self.assignment))
        wanted = Path(self.directory.notebook_id).name
        return [name for name in self.notebooks if (folder / f"{name}.ipynb").exists() and Path(name).match(wanted)]

    def prepare(self, name: Name) -> Task:
        """What is to be judged. Raises NotebookProblem where it cannot be read."""
        student, notebook = name
        folder = Path(self.directory.format_path(self.directory.submitted_directory, student, self.assignment))
        asked = self.notebooks[notebook]
        submission = read(folder / f"{notebook}.ipynb", asked.released, self.given)
        return Task(submission, asked.asked, self.limits, self.bounds, self.settings.sandbox)

    def verdict(self, name: Name) -> Verdict:
        """The verdict on a submission. Raises what kept it from being reached."""
        verdict = self.ahead.result(name)
        self.verdicts[name] = verdict
        return verdict

    def student_of(self, folder: str) -> str:
        """The student in whose folder a submission lies."""
        found = re.match(self.pattern, folder)
        assert found is not None
        return found["student_id"]

    def close_submission(self, student: str) -> None:
        """Note that nbgrader is through with a submission."""
        self._marker(student).unlink(missing_ok=True)
        self.finished.add(student)
        self.bar.advance(student)


@contextlib.contextmanager
def kept_engines() -> Iterator[None]:
    """nbgrader connects to the gradebook anew at each step, and SQLAlchemy then compiles every query again: half of a
    submission's time. Within this, one engine is kept for each address, with its compiled queries."""
    original = nbgrader.api.create_engine
    nbgrader.api.create_engine = functools.cache(original)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # of nbgrader's own habits; nobody here can do anything about it
            yield
    finally:
        nbgrader.api.create_engine = original
