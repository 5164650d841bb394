"""The notebook's side: `check`, `hint` and `ready`.

A wrong answer raises, so that nbgrader's Validate and grading see it; what is shown is the report, not a traceback.
Nothing is written to stderr, for nbgrader takes any of it for a failure.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from dataclasses import replace
from types import FrameType
from typing import Any

from autograder import html, text
from autograder.answers import collect, contrasts
from autograder.errors import AutograderError, UnknownExercise
from autograder.judge import judge
from autograder.key import ExerciseKey, Key
from autograder.keyfile import find_exercise
from autograder.needs import all_needs, mention_needs
from autograder.prose import as_html, as_text
from autograder.quiet import is_quiet
from autograder.report import Report, Status, summary

_hints_given: Counter[str] = Counter()
_failures: Counter[str] = Counter()
PATIENCE = 3  # failures of an exercise, after which a hint is offered


class NotRight(Exception):
    """An exercise is not right yet. The report was shown; this is only its first line."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [str(self)]


def check(candidate: Any) -> None:
    """Judge an exercise and show the report. Raises NotRight where it is not right yet.

    `candidate` is the learner's function or class, or the exercise's name.
    """
    if is_quiet():
        return
    report = _with_help(_report(candidate, sys._getframe(1)), sys._getframe(1))
    _show(html.render(report), text.render(report))
    if report.status != "passed":
        raise NotRight(summary(report))


def hint(candidate: Any) -> None:
    """Show the next hint of an exercise; after the last one, begin again."""
    if is_quiet():
        return
    _, key, _ = _find(candidate, sys._getframe(1))
    if not key.hints:
        _show_text(f"{key.name} has no hints.")
        return
    step = _hints_given[key.name] % len(key.hints)
    _hints_given[key.name] += 1
    _show_text(f"Hint {step + 1} of {len(key.hints)} for {key.name}: {key.hints[step]}")


def ready(*candidates: Any) -> bool:
    """Whether all these exercises are right; where not, says which ones are waited for."""
    if is_quiet():
        return False
    frame = sys._getframe(1)
    reports = [_report(candidate, frame) for candidate in candidates]
    waiting = [report.exercise for report in reports if report.status != "passed"]
    if waiting:
        _show_text(f"This cell waits for {', '.join(waiting)}: it runs on your own code once that is right.")
    return not waiting


def _report(candidate: Any, frame: FrameType) -> Report:
    lesson, key, candidate = _find(candidate, frame)
    answers = collect(candidate, replace(key.question, contrasts=[]))
    report = judge(key, answers, lesson.lesson)
    if report.status != "failed" or not answers.cases:
        return report
    # what tells more of a wrong answer would only cost a right one time
    tried = contrasts(candidate, key.question, answers.cases)
    return judge(key, replace(answers, contrasts=tried), lesson.lesson)


def _with_help(report: Report, frame: FrameType) -> Report:
    """The report, with what should be mended first, and with the offer of a hint from the third failure on."""
    if report.status != "failed":
        if report.status == "passed":
            del _failures[report.exercise]
        return report
    _failures[report.exercise] += 1
    key = find_exercise(report.exercise)[1]
    if _failures[key.name] >= PATIENCE and key.hints:
        step = _hints_given[key.name] % len(key.hints) + 1
        report = replace(report, offer=f"`hint({key.name})` gives the next hint, {step} of {len(key.hints)}.")
    return mention_needs(report, *_needs(key, frame))


def _needs(key: ExerciseKey, frame: FrameType) -> tuple[list[str], dict[str, Status]]:
    """The exercises that one builds on, and how those stand that are in this notebook."""
    needs: dict[str, list[str]] = {}
    waiting = [key.name]
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(AutograderError):
            needs[name] = find_exercise(name)[1].needs
            waiting += [need for need in needs[name] if need not in needs]
    names = all_needs(key.name, needs)
    return names, {name: _report(name, frame).status for name in names if name in frame.f_globals and name in needs}


def _find(candidate: Any, frame: FrameType) -> tuple[Key, ExerciseKey, Any]:
    """The exercise that a candidate is meant for: by the name it has in the notebook, else by its own."""
    try:
        if isinstance(candidate, str):
            key, exercise = find_exercise(candidate)
            if candidate not in frame.f_globals:
                raise UnknownExercise(f"`{candidate}` is not defined yet: run the cell that defines it.")
            return key, exercise, frame.f_globals[candidate]
        own = getattr(candidate, "__name__", "")
        names = [own] + [name for name, value in frame.f_globals.items() if value is candidate and name != own]
        unknown: UnknownExercise | None = None
        for name in names:
            try:
                return *find_exercise(name), candidate
            except UnknownExercise as error:
                unknown = unknown or error
        raise unknown or UnknownExercise(
            "check takes the function that you wrote, by its name and without quotes or brackets of its own."
        )
    except AutograderError as error:
        raise _plain(error) from None


def _plain(error: AutograderError) -> AutograderError:
    """The error, shown by IPython without a traceback of the engine."""
    error._render_traceback_ = lambda: [f"{type(error).__name__}: {error}"]  # type: ignore[attr-defined]
    return error


def _show(as_html: str, as_text: str) -> None:
    if "IPython" not in sys.modules:
        print(as_text)
        return
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(as_text)
    else:
        display({"text/html": as_html, "text/plain": as_text}, raw=True)


def _show_text(line: str) -> None:
    _show(f"<div>{as_html(line)}</div>", as_text(line))
