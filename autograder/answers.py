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
from torch import Tensor, nn

from autograder.contrast import try_contrasts
from autograder.plans import has_plan
from autograder.probes import PROBES, Names, accepts, as_called, by_their_names, inputs_of
from autograder.recipes import aspects, made, unwatched
from autograder.values import clone, identical, record
from autograder.watch import Calls, Capped, OutOfTime, Steps, names_used, namespace_of, time_limit
from autograder.wording import with_article

Outcome = str  # "returned", "raised", "unattempted", "out of time", "untried", "died"
MOST_FRAMES = 6
OTHER_SEED = 1  # for what is tried again: an answer that is drawn at random comes out otherwise


@dataclass(frozen=True)
class Question:
    """One exercise's inputs: `cases` are dicts with `label`, `probe` and `arguments`; `loop` holds two more of them, of
    a small and of a large size, where loops over an axis are forbidden. `forward` has the parameters of a class's
    forward; None where a function is asked for. `contrasts` are cases with something changed."""

    name: str
    parameters: list[dict[str, Any]]
    cases: list[dict[str, Any]]
    loop: list[dict[str, Any]] = field(default_factory=list)
    forward: list[dict[str, Any]] | None = None
    contrasts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def names(self) -> Names:
        """The parameters' names, in order."""
        call, forward = ([each["name"] for each in group] for group in (self.parameters, self.forward or []))
        return Names(call, forward)


@dataclass(frozen=True)
class Answer:
    """What happened on one case.

    `results` are the probe's named results, up to an exception; `raised` names the exception's class and its bases,
    `message` and `frames` tell what it said and where in the learner's own code; `changed` names inputs that were
    changed in place, or what was changed of a module ("module.hooks"); `shares` names the inputs whose memory the
    result lies in, `contiguous` tells whether it is; `calls` counts torch functions and modules by name; `printed` is
    the start of what was written to stdout and stderr.
    """

    outcome: Outcome
    results: dict[str, Any] = field(default_factory=dict)
    raised: list[str] = field(default_factory=list)
    message: str = ""
    frames: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)
    contiguous: bool = True
    calls: dict[str, int] = field(default_factory=dict)
    printed: str = ""


@dataclass(frozen=True)
class Answers:
    """What one candidate did: a `problem` that kept it from being tried at all ("missing", "not callable",
    "signature", with its `detail`), or an answer for each case; `note` is worth telling either way; `steps` are the
    Python steps taken on the loop sizes, `names` what the candidate's code mentions, `contrasts` what became of each
    contrast: its `outcome` is "same", "other" or an answer's own, its `results` are kept where axes were exchanged."""

    problem: str = ""
    detail: str = ""
    note: str = ""
    cases: list[Answer] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    contrasts: list[dict[str, Any]] = field(default_factory=list)


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
        contrasts=contrasts(candidate, question, cases, seconds),
    )


def contrasts(candidate: Any, question: Question, cases: list[Answer], seconds: float = 10.0) -> list[dict[str, Any]]:
    """What becomes of each contrast, each within two seconds. Of use for a wrong answer alone."""
    least = min(seconds, 2.0)
    return try_contrasts(question, cases, lambda case: answer(candidate, question, case, least, OTHER_SEED))


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
    if question.forward is not None and not isinstance(candidate, type):
        return Answers(problem="not a class", detail=with_article(type(candidate).__name__))
    if not callable(candidate):
        return Answers(problem="not callable", detail=with_article(type(candidate).__name__))
    names = question.names.call
    tried: set[tuple[str, ...]] = set()
    for case in question.cases:
        given = case["arguments"]
        arguments = by_their_names(names, given["build"]) if has_plan(case) else given
        if tuple(arguments) in tried:  # only names tell whether a call fits
            continue
        tried.add(tuple(arguments))
        positional, by_name = as_called(candidate, names, arguments)
        if not accepts(candidate, positional, by_name):
            return Answers(problem="signature", detail=_signature(candidate))
    return None


def answer(candidate: Any, question: Question, case: dict[str, Any], seconds: float, seed: int = 0) -> Answer:
    """Try a candidate on one case. `seed` is that of torch's random numbers meanwhile."""
    try:
        given = made(clone(case["arguments"]), namespace_of(candidate) or {})
    except Exception as error:  # a block of the learner's own that is missing, or cannot be built
        outcome, message, frames = _explain(error, candidate, question.name)
        return Answer("raised" if outcome == "unattempted" else outcome, {}, [type(error).__name__], message, frames)
    inputs = inputs_of(question.names, {**case, "arguments": given})
    before = {name: _seen(value) for name, value in inputs.items()}
    printed = Capped()
    calls = Calls()
    recorded: dict[str, Any] = {}
    shares: list[str] = []
    contiguous = True
    try:
        with _contained(printed, seed), time_limit(seconds), calls:
            for name, value in PROBES[case["probe"]](candidate, question.names, given):
                with unwatched():
                    recorded[name] = record(value)
                    if name == "result":
                        shares, contiguous = _memory(value, inputs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        outcome, message, frames = _explain(error, candidate, question.name)
        raised = [kind.__name__ for kind in type(error).__mro__]
        changed = _changed(before, inputs)
        return Answer(
            outcome, recorded, raised, message, frames, changed, calls=dict(calls.counts), printed=printed.text
        )
    return Answer(
        "returned",
        recorded,
        changed=_changed(before, inputs),
        shares=shares,
        contiguous=contiguous,
        calls=dict(calls.counts),
        printed=printed.text,
    )


def _seen(value: Any) -> dict[str, Any]:
    """What an input looks like, as data: a learner's input is theirs to keep, but not to change."""
    return aspects(value) if isinstance(value, nn.Module) else {"state": record(value)}


def _changed(before: dict[str, dict[str, Any]], inputs: dict[str, Any]) -> list[str]:
    after = {name: _seen(value) for name, value in inputs.items()}
    return [
        name if aspect == "state" else f"{name}.{aspect}"
        for name in before
        for aspect in before[name]
        if not identical(after[name][aspect], before[name][aspect])
    ]


def _memory(result: Any, inputs: dict[str, Any]) -> tuple[list[str], bool]:
    """The inputs whose memory a result lies in, and whether it is contiguous."""
    if not isinstance(result, Tensor) or result.layout != torch.strided:
        return [], True
    own = result.untyped_storage().data_ptr()
    tensors = {name: value for name, value in inputs.items() if isinstance(value, Tensor)}
    shares = [name for name, value in tensors.items() if own and value.untyped_storage().data_ptr() == own]
    return shares, result.is_contiguous()


def count_steps(candidate: Any, question: Question, cases: list[Answer], seconds: float) -> list[int]:
    """The Python steps that a candidate takes on the loop sizes; none where it is wrong already by not returning."""
    if not question.loop or not any(case.outcome == "returned" for case in cases):
        return []
    counts = []
    for case in question.loop:
        try:
            given = made(clone(case["arguments"]), namespace_of(candidate) or {})
            steps = Steps(namespace_of(candidate))
            with _contained(Capped()), time_limit(seconds), Calls() as calls, steps:
                for _ in PROBES[case["probe"]](candidate, question.names, given):
                    pass
            counts.append(steps.count + sum(calls.counts.values()))
        except KeyboardInterrupt:
            raise
        except OutOfTime:
            return [0, 10**9]
        except BaseException:
            return []
    return counts


@contextlib.contextmanager
def _contained(printed: Capped, seed: int = 0) -> Iterator[None]:
    """Keep what the code within prints, warns and draws at random from reaching anything outside."""
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        torch.enable_grad(),  # a mode that the code within sets ends here
    ):
        warnings.simplefilter("ignore")
        # torch.manual_seed writes down its caller for every device there could be
        torch.default_generator.manual_seed(seed)
        yield


def _explain(error: BaseException, candidate: Callable[..., Any], name: str) -> tuple[Outcome, str, list[str]]:
    frames = own_frames(error.__traceback__, namespace_of(candidate))
    if isinstance(error, OutOfTime):
        return "out of time", str(error), _shown(frames)
    if isinstance(error, NotImplementedError) and not error.args and frames:
        # nbgrader's stub. Raised in another function, that one is what is missing.
        function = frames[-1].name
        if function in (name, "__init__") or (len(frames) == 1 and function != "forward"):
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
