"""What a student may read of a judgement: never the instructor's inputs beyond the label and the first difference.

A submission's process knows its inputs, and whatever text it sends could hold them: what it printed, an exception's
message, a traceback, the name of a type. So its own words are left out, or put in words of ours.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autograder.answers import Answer, Answers
from autograder.report import Fault, Report, Stage, Verdict
from autograder.values import Foreign

LONGEST = 80  # characters of one side of a difference
# what the engine itself says of a case, on either side of the sandbox
ENDINGS = re.compile(
    r"still running after [\d.e+]+ s"
    r"|This case was not tried, because an earlier one (did not finish|ended the process)\."
    r"|Your function (was ended by (signal SIG[A-Z0-9]+|the grader)|ended the process with exit code -?\d{1,3}"
    r"|did not finish within [\d.]+ s(, and could not be interrupted)?|used more than [\d,]+ MB of memory"
    r"|sent something that is no answer)\."
)
NOTE = re.compile(r"`\w+` is defined in cells [\d, and]{3,80}: the last one counts\.")
CELL = re.compile(r"Cell (\d+) ((?:(?!Cell \d+ ).)*)", re.S)
FOREIGN = re.compile(
    r"a NumPy array of shape \([\d, ]{0,40}\)|a [a-z_]{1,20} tensor of shape \([\d, ]{0,40}\)"
    r"|an integer of over 300 digits|more values than an answer can hold|a (list|tuple|dict) of [\d,]{1,12} values"
)
HARMLESS = {
    "a",
    "an",
    "array",
    "function",
    "module",
    "not",
    "NumPy",
    "numpy",
    "object",
    "of",
    "Tensor",
    "torch",
    "type",
}
OTHER = "(another name)"
WORD = re.compile(r"[^\W\d]\w*|\d+")


def answers(given: Answers, source: str, expected: Any) -> Answers:
    """Answers without the candidate's own words. `source` is the submission's code and `expected` what is right: words
    that stand in them are no secret."""
    words = {*WORD.findall(source), *words_in(expected), *dir(builtins), *HARMLESS}
    detail = given.detail
    if given.problem == "missing":
        detail = " ".join(f"Cell {number} {_of_cell(said)}" for number, said in CELL.findall(detail))
    elif given.problem == "not run":
        detail = (
            detail if ENDINGS.fullmatch(detail.replace("The notebook's process", "Your function")) else "It failed."
        )
    elif given.problem:
        detail = detail if _harmless(detail, words) else "something else"
    return replace(given, detail=detail, cases=[_answer(answer, words) for answer in given.cases])


def note(given: str) -> str:
    """A note, where it is one of the engine's own."""
    return given if NOTE.fullmatch(given) else ""


def words_in(value: Any) -> set[str]:
    """The words in all texts of a value, the names in its dicts included."""
    if isinstance(value, str):
        return set(WORD.findall(value))
    if isinstance(value, dict):
        return set().union(*map(words_in, value), *map(words_in, value.values()))
    return set().union(*map(words_in, value)) if isinstance(value, list | tuple) else set()


def _harmless(text: str, words: set[str]) -> bool:
    return len(text) <= LONGEST and set(WORD.findall(text)) <= words


def _answer(given: Answer, words: set[str]) -> Answer:
    message = given.message if ENDINGS.fullmatch(given.message) else _exception(given.raised)
    changed = [name if _harmless(name, words) else OTHER for name in given.changed]
    return replace(given, message=message, results=_plain(given.results, words), changed=changed, frames=[], printed="")


def _exception(raised: Sequence[str]) -> str:
    """An exception's class, or the nearest of its bases that Python itself has."""
    return next((name for name in raised if isinstance(getattr(builtins, name, None), type)), "an exception")


def _of_cell(said: str) -> str:
    """What is wrong with a cell, without the words of its exception."""
    syntax = re.match(r"has a syntax error in its line \d{1,6}", said)
    raised = re.match(r"raised (\w+)", said)
    if syntax:
        return f"{syntax[0]}."
    if raised:
        return f"raised {_exception([raised[1]])}."
    ended = ENDINGS.fullmatch(f"Your function {said.strip()}") or re.fullmatch(
        r"did not finish within [\d.]+ s\. *", said
    )
    return said.strip() if ended else "failed."


def _plain(value: Any, words: set[str]) -> Any:
    if isinstance(value, str):
        return value if _harmless(value, words) else OTHER
    if isinstance(value, Foreign):
        known = FOREIGN.fullmatch(value.text) or _harmless(value.text, words)
        kind = value.kind if _harmless(value.kind, words) else "object"
        return Foreign(kind, value.text if known else "an object of another type")
    if isinstance(value, tuple | list):
        return type(value)(_plain(item, words) for item in value)
    if isinstance(value, dict):
        return {_plain(name, words): _plain(item, words) for name, item in value.items()}
    return value


def report(given: Report) -> Report:
    """A report for its student: of each fault what is wrong and the first difference, no picture and no traceback."""
    return replace(given, verdicts=[_verdict(verdict) for verdict in given.verdicts])


def _verdict(given: Verdict) -> Verdict:
    fault = given.fault
    if fault is None:
        return given
    expected, yours = (_short(text, LONGEST) for text in (fault.expected, fault.yours))
    if fault.stage is Stage.TYPE:  # the headline has the type; a value of a wrong type is no difference
        yours = ""
    # built anew: what a fault may hold besides stays out
    told = Fault(fault.stage, _short(fault.headline, 3 * LONGEST), expected, yours, fault.look)
    return replace(given, fault=told)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."
