"""What an instructor sees of a run: a bar while it goes on, and at its end how the class stands."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from autograder.errors import AutograderError

if TYPE_CHECKING:
    from autograder.grading.pool import Ahead
    from autograder.grading.session import Session

SLOW = 3.0  # seconds after which a submission is named


class Slow(ProgressColumn):
    """The student whose work was graded last, or those whose code is taking long."""

    def __init__(self, ahead: Ahead) -> None:
        super().__init__()
        self.ahead = ahead

    def render(self, task: Task) -> Text:
        """The column's text, asked for ten times a second."""
        slow = self.ahead.slow(SLOW)
        names = ", ".join(slow[:3]) + (" ..." if len(slow) > 3 else "")
        return Text(f"slow: {names}" if slow else task.description)


class Bar:
    """A progress bar on a terminal; elsewhere nothing but nbgrader's own log."""

    def __init__(self, log: logging.Logger, total: int, ahead: Ahead) -> None:
        self.log = log
        self.total = total
        self.ahead = ahead
        self.progress: Progress | None = None

    def __enter__(self) -> Bar:
        self.handlers = [handler for handler in self.log.handlers if _writes_here(handler)]
        if not sys.stderr.isatty() or not self.handlers:
            return self
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), Slow(self.ahead))
        self.progress = Progress(*columns, console=Console(stderr=True))
        self.task = self.progress.add_task("", total=self.total)
        self.progress.start()
        # nbgrader's lines about each step would push the bar away; its warnings are shown above it
        self.streams = [handler.setStream(sys.stderr) for handler in self.handlers]
        for handler in self.handlers:
            handler.setLevel(logging.WARNING)
        return self

    def advance(self, student: str) -> None:
        """One submission more is graded."""
        if self.progress is not None:
            self.progress.update(self.task, advance=1, description=student)

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()
            for handler, stream in zip(self.handlers, self.streams, strict=True):
                handler.setLevel(logging.INFO)
                if stream is not None:
                    handler.setStream(stream)


def _writes_here(handler: logging.Handler) -> TypeGuard[logging.StreamHandler[Any]]:
    """Whether a handler writes nbgrader's ordinary log to the terminal: with --debug or --quiet it is left alone."""
    plain = isinstance(handler, logging.StreamHandler) and handler.level == logging.INFO
    return plain and getattr(handler, "stream", None) is sys.stderr


def summary(session: Session) -> str:
    """How the class stands: each exercise, what was slow, and whose work could not be graded and why."""
    return "\n".join(_lines(session))


def _lines(session: Session) -> Iterator[str]:
    outcomes = session.ahead.outcomes
    judged = [outcome for outcome in outcomes.values() if outcome.problem is None]
    known = sum(outcome.known for outcome in judged)
    yield (
        f"{session.assignment}: {len(session.finished)} of {len(session.plan)} submissions graded"
        + (f", {known} of them judged before" if known else "")
    )
    if session.settings.sandbox == "none":
        yield "WITHOUT A SANDBOX: submissions ran with your rights, and could read and change whatever you can."
    yield from _table(session)
    slow = sorted(((o.seconds, name) for name, o in outcomes.items() if o.seconds > SLOW and not o.known), reverse=True)
    if slow:
        yield "Slow: " + ", ".join(f"{name[0]} ({seconds:.0f} s)" for seconds, name in slow[:10])
    for student in session.plan:
        if student not in session.finished:
            yield f"Not graded: {student}: {_reason(session, student)}"


def _table(session: Session) -> Iterator[str]:
    """A line for each exercise: how many have it right, in part, wrong, and have not begun."""
    rows: dict[str, Counter[str]] = {}
    for verdict in session.verdicts.values():
        for name, finding in verdict.findings.items():
            row = rows.setdefault(name.removeprefix("check_"), Counter())
            kind = "in part" if finding.status == "failed" and finding.score else finding.status
            row[kind] += 1
            row["points"] += finding.score  # type: ignore[assignment]
            row["of"] += finding.points  # type: ignore[assignment]
    if not rows:
        return
    width = max(map(len, rows))
    yield f"{'':{width}}  right  in part  wrong  not begun  points"
    for name, row in rows.items():
        counts = f"{row['passed']:5}  {row['in part']:7}  {row['failed']:5}  {row['unattempted']:9}"
        yield f"{name:{width}}  {counts}  {100 * row['points'] / row['of'] if row['of'] else 0:5.0f}%"


def _reason(session: Session, student: str) -> str:
    problems = [outcome.problem for name, outcome in session.ahead.outcomes.items() if name[0] == student]
    problem = next((problem for problem in problems if problem is not None), None)
    if isinstance(problem, AutograderError):
        return str(problem)
    if problem is not None:
        return f"{type(problem).__name__}: {problem}"
    if not session._handed_in(student):
        names = " or ".join(f"{name}.ipynb" for name in session.notebooks)
        return f"no notebook named {names} was handed in. Rename it, and grade again."
    return "see the errors above."
