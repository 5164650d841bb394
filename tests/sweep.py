"""Judges mutants of every reference, and writes the table in the README: `make sweep`.

Each mutant is one change of a reference's source. A mutant that is accepted is equivalent for a reason that stands in
equivalent_mutants.toml, or the checks are too weak: then the sweep fails.
"""

from __future__ import annotations

import datetime
import inspect
import sys
import textwrap
import tomllib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from answers_as_written import cells
from conftest import EXERCISES, KEYS, ROOT
from mutants import Mutant, mutants

from autograder.answers import collect
from autograder.authoring import Candidate, Exercise, Lesson
from autograder.judge import judge
from autograder.quiet import quiet
from autograder.report import Report, Stage

MOST, MOST_OF_LARGE = 120, 30  # mutants of one exercise
SECONDS = 10.0  # for one case of a mutant: some loop without end
REASONS = Path(__file__).parent / "equivalent_mutants.toml"
BEGIN, END = "<!-- sweep: written by `make sweep` -->", "<!-- end of sweep -->"


@dataclass
class Swept:
    """What became of one exercise's mutants. `accepted` maps a change to its reason, "" where none is written down."""

    exercise: str
    mutants: int = 0
    rejected: int = 0
    named: int = 0
    raised: int = 0
    accepted: dict[str, str] = field(default_factory=dict)
    changes: set[str] = field(default_factory=set)

    def take(self, mutant: Mutant, report: Report, reasons: dict[str, str]) -> None:
        """Count one mutant's report."""
        self.mutants += 1
        self.changes.add(mutant.change)
        if report.status == "passed":
            self.accepted[mutant.change] = reasons.get(mutant.change, "")
            return
        self.rejected += 1
        self.named += bool(report.diagnosis)
        failure = report.first_failure
        raised = failure is not None and failure.fault is not None and failure.fault.stage <= Stage.RAN
        self.raised += raised and not report.diagnosis


def sweep(lesson: Lesson, exercise: Exercise, changes: Sequence[Mutant] | None = None) -> Swept:
    """Judge all mutants of one exercise's reference, or those given."""
    source = textwrap.dedent(inspect.getsource(lesson.reference(exercise)))
    key = KEYS[lesson.name].exercise(exercise.name)
    swept = Swept(exercise.name)
    most = MOST if key.contrasts else MOST_OF_LARGE  # what is too large for contrasts takes seconds to judge
    for mutant in spread(mutants(source), most) if changes is None else changes:
        candidate = defined(mutant.source, exercise.name, lesson)
        report = judge(key, collect(candidate, key.question, SECONDS), lesson.name)
        swept.take(mutant, report, reasons_for(exercise.name))
    return swept


def spread(found: Sequence[Mutant], most: int) -> list[Mutant]:
    """At most so many mutants, from the first to the last."""
    step = max(1.0, len(found) / most)
    return [found[int(i * step)] for i in range(min(most, len(found)))]


def defined(source: str, name: str, lesson: Lesson) -> Candidate:
    """What a mutant's source defines, beside the other references."""
    namespace = cells(lesson)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(source, "mutant", "exec", dont_inherit=True), namespace)
    candidate: Callable[..., Any] = namespace[name]
    return candidate


def reasons_for(exercise: str) -> dict[str, str]:
    """Why the mutants of an exercise that are accepted are right answers."""
    table = tomllib.loads(REASONS.read_text(encoding="utf-8")).get(exercise, [])
    return {item["change"]: item["reason"] for item in table}


def table(found: Sequence[Swept], day: datetime.date) -> str:
    """The README's text: a row for each exercise, and each accepted mutant with its reason."""
    lines = [
        f"{day.isoformat()}, {sum(each.mutants for each in found)} mutants:",
        "",
        "| exercise | mutants | rejected | named | an error alone | accepted: equivalent |",
        "|---|---|---|---|---|---|",
    ]
    for each in [*found, _total(found)]:
        row = [each.exercise, each.mutants, each.rejected, each.named, each.raised, each.mutants - each.rejected]
        lines.append(f"| {' | '.join(str(cell) for cell in row)} |")
    lines += ["", "<details><summary>Why the accepted ones are right</summary>", ""]
    for each in found:
        reasons = {
            change: reason or "no reason yet: the checks are too weak" for change, reason in each.accepted.items()
        }
        lines += [f"- {each.exercise}: `{change}`: {reason}" for change, reason in reasons.items()]
    return "\n".join([*lines, "", "</details>"])


def _total(found: Sequence[Swept]) -> Swept:
    total = Swept("all")
    for each in found:
        total.mutants += each.mutants
        total.rejected += each.rejected
        total.named += each.named
        total.raised += each.raised
    return total


def into(readme: str, text: str) -> str:
    """The README with the text between its two markers. Raises ValueError where they are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> int:
    """Sweep all exercises; fail where a mutant is accepted without a reason, or a reason is for none."""
    chosen = sys.argv[1:]  # exercises, where only some are wanted: then nothing is written
    found = [sweep(lesson, exercise) for lesson, exercise in EXERCISES if not chosen or exercise.name in chosen]
    problems = [
        f"{each.exercise} accepts {change!r}: mend its cases, or say in {REASONS.name} why this is right."
        for each in found
        for change, reason in each.accepted.items()
        if not reason
    ]
    problems += [
        f"{each.exercise}: {REASONS.name} has a reason for {change!r}, which is not accepted."
        for each in found
        for change in reasons_for(each.exercise)
        if change in each.changes and change not in each.accepted
    ]
    readme = ROOT / "README.md"
    text = table(found, datetime.date.today())
    print(text)
    if not chosen:
        readme.write_text(into(readme.read_text(encoding="utf-8"), text), encoding="utf-8")
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
