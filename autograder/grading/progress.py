"""What an instructor sees of a run: a bar while it goes on, and at its end how the class stands."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from autograder.errors import AutograderError

if TYPE_CHECKING:
    from autograder.grading.pool import Ahead
    from autograder.grading.session import Session

SLOW = 3.0  # seconds after which a submission is named


class Bar:
    """A progress bar on a terminal; elsewhere nothing but nbgrader's own log."""

    def __init__(self, log: logging.Logger, total: int, ahead: Ahead) -> None:
        self.log = log
        self.total = total
        self.ahead = ahead
        self.progress: Any = None

    def __enter__(self) -> Bar:
        if not sys.stderr.isatty() or self.log.level != logging.INFO:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self.progress = Progress(*columns, console=Console(stderr=True))
        self.task = self.progress.add_task("", total=self.total)
        self.progress.start()
        # nbgrader's lines about each step would push the bar away; its warnings are shown above it
        self.streams = [
            (handler, handler.setStream(sys.stderr))
            for handler in self.log.handlers
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
        ]
        self.log.setLevel(logging.WARNING)
        return self

    def advance(self, student: str) -> None:
        """One submission more is graded."""
        if self.progress is not None:
            slow = self.ahead.slow(SLOW)
            waiting = f"slow: {', '.join(slow[:3])}{' ...' if len(slow) > 3 else ''}" if slow else student
            self.progress.update(self.task, advance=1, description=waiting)

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.log.setLevel(logging.INFO)
            for handler, stream in self.streams:
                if stream is not None:
                    handler.setStream(stream)


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
