"""Answers: what one candidate returned on the inputs of a key. Holds and sees no expected result.

A *question* is the part of a key that may be seen here: names, parameters, inputs. An *answer* is data too, so that
both can cross to another process as bytes.
"""

from __future__ import annotations

import contextlib
import inspect
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch

from autograder.probes import PROBES, accepts, as_called
from autograder.values import clone, identical, record
from autograder.watch import Calls, Capped, OutOfTime, Steps, names_used, namespace_of, time_limit

Outcome = str  # "returned", "raised", "unattempted", "out of time", "untried", "died"
MOST_FRAMES = 6


@dataclass(frozen=True)
class Question:
    """One exercise's inputs: `cases` are dicts with `label`, `probe` and `arguments`; `loop` holds the arguments of a
    small and of a large size, where loops over an axis are forbidden."""

    name: str
    parameters: list[dict[str, Any]]
    cases: list[dict[str, Any]]
    loop: list[dict[str, Any]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The parameters' names, in order."""
        return [parameter["name"] for parameter in self.parameters]


@dataclass(frozen=True)
class Answer:
    """What happened on one case.

    `results` are the probe's named results; `raised` names the exception's class and its bases, `message` and `frames`
    tell what it said and where in the learner's own code; `changed` names inputs that were changed in place; `calls`
    counts torch functions by name; `printed` is the start of what was written to stdout and stderr.
    """

    outcome: Outcome
    results: dict[str, Any] = field(default_factory=dict)
    raised: list[str] = field(default_factory=list)
    message: str = ""
    frames: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    printed: str = ""


@dataclass(frozen=True)
class Answers:
    """What one candidate did: a `problem` that kept it from being tried at all ("missing", "not callable",
    "signature", with its `detail`), or an answer for each case; `note` is worth telling either way; `steps` are the
    Python steps taken on the loop sizes, `names` what the candidate's code mentions."""

    problem: str = ""
    detail: str = ""
    note: str = ""
    cases: list[Answer] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def as_data(answers: Answers) -> dict[str, Any]:
    """Answers as plain data, for `values.pack`."""
    return {**vars(answers), "cases": [dict(vars(answer)) for answer in answers.cases]}


def from_data(data: dict[str, Any]) -> Answers:
    """The inverse of `as_data`. Raises TypeError or KeyError on data that is no answers."""
    return Answers(**{**data, "cases": [Answer(**answer) for answer in data["cases"]]})


def collect(candidate: Any, question: Question, seconds: float = 10.0) -> Answers:
    """Try a candidate on every case of a question, each within `seconds`."""
    problem = unusable(candidate, question)
    if problem is not None:
        return problem
    return conclude(candidate, question, list(answer_each(candidate, question, seconds)), seconds)


def conclude(candidate: Any, question: Question, cases: list[Answer], seconds: float) -> Answers:
    """The answers on all cases, with what is asked of a candidate once."""
    return Answers(
        cases=cases,
        steps=count_steps(candidate, question, cases, seconds),
        names=sorted(names_used(candidate)),
    )


def answer_each(candidate: Any, question: Question, seconds: float) -> Iterator[Answer]:
    """An answer for each case in turn. Behind one that ran out of time the rest is not tried: it would wait as long."""
    stuck = False
    for case in question.cases:
        if stuck:
            yield Answer("untried", message="This case was not tried, because an earlier one did not finish.")
            continue
        found = answer(candidate, question, case, seconds)
        stuck = found.outcome == "out of time"
        yield found


def unusable(candidate: Any, question: Question) -> Answers | None:
    """Why a candidate cannot be tried at all; None where it can."""
    if not callable(candidate):
        return Answers(problem="not callable", detail=_kind(candidate))
    for case in question.cases:
        positional, by_name = as_called(candidate, question.names, case["arguments"])
        if not accepts(candidate, positional, by_name):
            return Answers(problem="signature", detail=_signature(candidate))
    return None


def answer(candidate: Any, question: Question, case: dict[str, Any], seconds: float) -> Answer:
    """Try a candidate on one case."""
    given = clone(case["arguments"])
    printed = Capped()
    calls = Calls()
    try:
        with _contained(printed), time_limit(seconds), calls:
            results = PROBES[case["probe"]](candidate, question.names, given)
        with _contained(printed), time_limit(seconds):
            recorded = {name: record(value) for name, value in results.items()}
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        outcome, message, frames = _explain(error, candidate, question.name)
        raised = [kind.__name__ for kind in type(error).__mro__]
        return Answer(outcome, {}, raised, message, frames, calls=dict(calls.counts), printed=printed.text)
    # compared as data: a learner's input is theirs to keep, but not to change
    before = record(case["arguments"])
    changed = [name for name, value in record(given).items() if not identical(value, before[name])]
    return Answer("returned", recorded, changed=changed, calls=dict(calls.counts), printed=printed.text)


def count_steps(candidate: Any, question: Question, cases: list[Answer], seconds: float) -> list[int]:
    """The Python steps that a candidate takes on the loop sizes; none where it is wrong already by not returning."""
    if not question.loop or not any(case.outcome == "returned" for case in cases):
        return []
    counts = []
    for arguments in question.loop:
        try:
            steps = Steps(namespace_of(candidate))
            with _contained(Capped()), time_limit(seconds), Calls() as calls, steps:
                PROBES["call"](candidate, question.names, clone(arguments))
            counts.append(steps.count + sum(calls.counts.values()))
        except KeyboardInterrupt:
            raise
        except OutOfTime:
            return [0, 10**9]
        except BaseException:
            return []
    return counts


@contextlib.contextmanager
def _contained(printed: Capped) -> Iterator[None]:
    """Keep what the code within prints, warns and draws at random from reaching anything outside."""
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
    ):
        warnings.simplefilter("ignore")
        torch.default_generator.manual_seed(0)  # torch.manual_seed writes down its caller for every device there could be
        yield


def _explain(error: BaseException, candidate: Callable[..., Any], name: str) -> tuple[Outcome, str, list[str]]:
    frames = own_frames(error.__traceback__, namespace_of(candidate))
    if isinstance(error, OutOfTime):
        return "out of time", str(error), _shown(frames)
    if isinstance(error, NotImplementedError) and not error.args and frames:
        # nbgrader's stub. Raised in another function, that one is what is missing.
        function = frames[-1].name
        if function == name or len(frames) == 1:
            return "unattempted", "", []
        return "raised", f"it calls `{function}`, which is not written yet", _shown(frames[:-1])
    if isinstance(error, SystemExit):
        return "raised", f"it ends the program: SystemExit({error.code!r})", _shown(frames)
    message = "".join(traceback.TracebackException(type(error), error, None).format_exception_only()).strip()
    message = message.partition("\nException raised from")[0]  # what follows are torch's own frames in C++
    return "raised", message[:2_000], _shown(frames)


def own_frames(trace: TracebackType | None, namespace: dict[str, Any] | None) -> list[traceback.FrameSummary]:
    """The part of a traceback that lies in the learner's own code."""
    own = [(frame, line) for frame, line in traceback.walk_tb(trace) if frame.f_globals is namespace]
    return list(traceback.StackSummary.extract(iter(own)))


def _shown(frames: list[traceback.FrameSummary]) -> list[str]:
    lines = [f"line {frame.lineno}, in {frame.name}\n    {frame.line or ''}".rstrip() for frame in frames]
    if len(lines) > MOST_FRAMES:
        half = MOST_FRAMES // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} calls more ..."]
    return lines


def _signature(candidate: Callable[..., Any]) -> str:
    parameters = inspect.signature(candidate).parameters.values()
    return f"({', '.join(str(parameter.replace(annotation=parameter.empty)) for parameter in parameters)})"


def _kind(value: object) -> str:
    return f"{'an' if type(value).__name__[0] in 'aeiouAEIOU' else 'a'} {type(value).__name__}"
