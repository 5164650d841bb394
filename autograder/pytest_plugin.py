"""The terminal's side: pytest collects exercise notebooks, with a test for every case.

    pytest exercises/22_masks                  all of a lesson
    pytest exercises -k causal_mask            one exercise
    pytest "exercises/22_masks/22_masks.ipynb::causal_mask::five positions"

A file is ours when it is a notebook named as a lesson that has a key, or one that the course's build has marked. In
other people's test runs the plugin does nothing, and loads neither torch nor anything else of size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from autograder.errors import AutograderError
from autograder.places import key_path

if TYPE_CHECKING:
    from autograder.answers import Answers
    from autograder.key import ExerciseKey
    from autograder.report import Report, Verdict

MARK = '"autograder"'  # what the build writes into a notebook's metadata
BAR = 20
PATIENCE = 3  # runs in which an exercise fails, after which a hint is shown
reports_key = pytest.StashKey[dict[str, "dict[str, Report]"]]()


class NotRight(Exception):
    """A case is not right; the text is the report, its `headline` what the summary's one line says."""

    def __init__(self, text: str, headline: str) -> None:
        super().__init__(text)
        self.headline = headline


class ShownReport:
    """A report in the form that pytest shows: whole where the failure is told, its headline in the summary."""

    def __init__(self, text: str, headline: str) -> None:
        self.text = text
        self.reprcrash = SimpleNamespace(message=headline)

    def __str__(self) -> str:
        return self.text

    def toterminal(self, tw: Any) -> None:
        """Write the report."""
        tw.line(self.text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """One setting, for slow machines."""
    parser.addini("autograder_timeout", "seconds that a learner's function may take on one case", default="10")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> None:
    """Where the command line names a lesson's notebook, begin to load torch while pytest itself is still starting."""
    paths = [Path(argument.partition("::")[0]) for argument in args if not argument.startswith("-")]
    if any(_is_ours(path if path.suffix else path / f"{path.name}.ipynb") for path in paths):
        from autograder.runner import start_server

        start_server()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the course's notebooks."""
    if not _is_ours(file_path):
        return None
    from autograder.runner import start_server

    start_server()  # it loads torch while this process does
    return ExerciseNotebook.from_parent(parent, path=file_path)


def _is_ours(path: Path) -> bool:
    if path.suffix != ".ipynb" or path.parent.name != path.stem:
        return False
    with contextlib.suppress(OSError):  # what looks like a path may be a long expression behind -k
        if path.is_file():
            return key_path(path.stem).exists() or MARK in path.read_text(encoding="utf-8", errors="replace")
    return False


class ExerciseNotebook(pytest.File):
    """One learner's notebook."""

    def collect(self) -> Iterator[pytest.Collector | pytest.Item]:
        """The lesson's exercises, or one item that tells why there are none."""
        from autograder.keyfile import read_key
        from autograder.notebook import read_cells

        try:
            key = read_key(key_path(self.path.stem))
            self.cells = read_cells(self.path)
        except AutograderError as problem:
            yield BrokenItem.from_parent(self, name="cannot be judged", problem=problem)
            return
        for exercise in key.exercises:
            yield ExerciseCollector.from_parent(self, name=exercise.name, key=exercise)

    def reports(self) -> dict[str, Report]:
        """The reports on all exercises that this run wants, judged together when the first of them is asked for."""
        from autograder.judge import judge
        from autograder.keyfile import read_key
        from autograder.needs import all_needs, with_needs
        from autograder.runner import Limits, run_notebook

        known = self.session.stash.setdefault(reports_key, {})
        if self.nodeid not in known:
            items = [item for item in self.session.items if isinstance(item, CaseItem) and item.notebook is self]
            wanted = {item.key.name: item.key for item in items}
            # those that they build on are judged too: what is wrong there is said first
            lesson = {exercise.name: exercise for exercise in read_key(key_path(self.path.stem)).exercises}
            needs = {name: exercise.needs for name, exercise in lesson.items()}
            earlier = {need: lesson[need] for name in wanted for need in all_needs(name, needs) if need in lesson}
            limits = Limits(case=float(self.config.getini("autograder_timeout")))
            keys = earlier | wanted

            def doubts(name: str, answers: Answers) -> bool:
                return judge(keys[name], answers, self.path.stem).status == "failed"

            questions = [key.question for key in keys.values()]
            answers = run_notebook(self.path, self.cells, questions, limits, doubts=doubts)
            reports = {name: judge(key, answers[name], self.path.stem) for name, key in keys.items()}
            told = with_needs(reports, needs)
            known[self.nodeid] = {name: self._with_hint(key, told[name]) for name, key in wanted.items()}
        return known[self.nodeid]

    def _with_hint(self, key: ExerciseKey, report: Report) -> Report:
        """The report, with the next hint from the third failing run on: a terminal has nobody to ask for it.

        pytest's own cache counts the runs that fail one after the other; without it there are no hints.
        """
        cache: pytest.Cache | None = getattr(self.config, "cache", None)
        if cache is None or report.status == "unattempted":
            return report
        name = f"autograder/failures/{self.path.stem}/{key.name}"
        failures = cache.get(name, 0) + 1 if report.status == "failed" else 0
        cache.set(name, failures)
        step = min(failures - PATIENCE + 1, len(key.hints))
        if step < 1:
            return report
        return replace(report, offer=f"Hint {step} of {len(key.hints)}: {key.hints[step - 1]}")


class ExerciseCollector(pytest.Collector):
    """One exercise: its cases."""

    def __init__(self, *, key: ExerciseKey, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.shown = False

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each case."""
        for case in self.key.cases:
            yield CaseItem.from_parent(self, name=case["label"], key=self.key)


class CaseItem(pytest.Item):
    """One case of one exercise."""

    def __init__(self, *, key: ExerciseKey, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key

    @property
    def notebook(self) -> ExerciseNotebook:
        """The notebook that the case belongs to."""
        notebook = self.getparent(ExerciseNotebook)
        assert notebook is not None
        return notebook

    def runtest(self) -> None:
        """Pass, skip where the exercise was not attempted, or fail with the report."""
        from autograder import text

        report = self.notebook.reports()[self.key.name]
        verdict: Verdict = next(verdict for verdict in report.verdicts if verdict.label == self.name)
        if verdict.status == "unattempted":
            pytest.skip(f"not attempted yet. {report.note}".rstrip(". "))
        if verdict.fault is not None:
            assert isinstance(self.parent, ExerciseCollector)
            headline = verdict.fault.headline
            if self.parent.shown:
                raise NotRight(f"{headline}\n(the whole report on {self.key.name} stands above)", headline)
            self.parent.shown = True
            raise NotRight(text.render_failure(report, verdict), headline)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report, without Python's internals."""
        if isinstance(excinfo.value, NotRight):
            return ShownReport(str(excinfo.value), excinfo.value.headline)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """What pytest puts above a failure."""
        return self.path, None, f"{self.key.name}: {self.name}"


class BrokenItem(pytest.Item):
    """Stands for a lesson that cannot be judged."""

    def __init__(self, *, problem: AutograderError, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.problem = problem

    def runtest(self) -> None:
        """Fail with the problem."""
        raise self.problem

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The problem's text."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """What pytest puts above a failure."""
        return self.path, None, f"{self.path.stem}: {self.name}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A bar for each lesson that was judged."""
    session = getattr(terminalreporter, "_session", None)
    lessons = session.stash.get(reports_key, {}) if session is not None else {}
    if not lessons:
        return
    terminalreporter.section("lessons")
    for reports in lessons.values():
        terminalreporter.write_line(bar(list(reports.values())))


def bar(reports: list[Report]) -> str:
    """How a lesson stands, in a line.

    >>> from autograder.report import Report, Verdict
    >>> right, wrong = [Verdict("x", "passed")], [Verdict("x", "failed")]
    >>> bar([Report("a", "22_masks", 1, right), Report("b", "22_masks", 3, wrong)])
    '22_masks  ##########..........  1 of 2 exercises, 1 of 4 points'
    """
    done = sum(report.status == "passed" for report in reports)
    filled = BAR * done // len(reports)
    points = sum(report.score for report in reports)
    total = sum(report.points for report in reports)
    return (
        f"{reports[0].lesson}  {'#' * filled}{'.' * (BAR - filled)}  "
        f"{done} of {len(reports)} exercises, {points:g} of {total} points"
    )
