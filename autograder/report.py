"""Reports: what a judge found, as data that each surface shows in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from torch import Tensor

Status = Literal["passed", "failed", "unattempted"]


class Stage(IntEnum):
    """How far judging came, from the coarse to the fine: it stops at the first fault."""

    CALLABLE = 1
    SIGNATURE = 2
    FORBIDDEN = 3
    STATE = 4
    RAN = 5
    TYPE = 6
    DTYPE = 7
    AXES = 8
    SIZES = 9
    VALUES = 10
    GRADIENTS = 11
    SIDE_EFFECTS = 12
    LOOPS = 13


@dataclass(frozen=True)
class Picture:
    """Two matrices to be seen side by side, `expected` and `yours`, and where they differ.

    `rows` and `columns` name the axes shown, `where` fixes the others, `first_row` and `first_column` say where the
    part shown begins.
    """

    expected: Tensor
    yours: Tensor
    differs: Tensor
    rows: str
    columns: str
    where: str = ""
    first_row: int = 0
    first_column: int = 0
    part: bool = False


@dataclass(frozen=True)
class Shapes:
    """Two shapes to be seen one above the other: axes as (name, size), a name "" where there is none, and the indices
    of those at fault in each."""

    expected: list[tuple[str, int]]
    yours: list[tuple[str, int]]
    at_fault: tuple[list[int], list[int]]


@dataclass(frozen=True)
class Fault:
    """The first thing wrong on one case: a headline, what was expected, what came, where to look."""

    stage: Stage
    headline: str
    expected: str = ""
    yours: str = ""
    look: str = ""
    frames: list[str] = field(default_factory=list)
    picture: Picture | None = None
    shapes: Shapes | None = None
    printed: str = ""


@dataclass(frozen=True)
class Verdict:
    """What was found on one case."""

    label: str
    status: Status
    fault: Fault | None = None


@dataclass(frozen=True)
class Report:
    """A candidate's verdicts on all cases of one exercise.

    `diagnosis` says what was recognised in the answers, `look` where to look then, and `recogniser` names what
    recognised it; `first` is what should be mended before this exercise, `note` something the learner should know
    whatever the verdict, `offer` what helps on.
    """

    exercise: str
    lesson: str
    points: int
    verdicts: list[Verdict]
    diagnosis: str = ""
    note: str = ""
    look: str = ""
    recogniser: str = ""
    first: str = ""
    offer: str = ""

    @property
    def status(self) -> Status:
        """Passed where every case is, unattempted where none was tried."""
        statuses = {verdict.status for verdict in self.verdicts}
        return statuses.pop() if len(statuses) == 1 else "failed"

    @property
    def passed(self) -> int:
        """How many cases are right."""
        return sum(verdict.status == "passed" for verdict in self.verdicts)

    @property
    def score(self) -> float:
        """The points earned: the share of cases that are right."""
        return self.points * self.passed / len(self.verdicts)

    @property
    def first_failure(self) -> Verdict | None:
        """The first case that is wrong, one that got furthest to the coarse end first."""
        failed = [verdict for verdict in self.verdicts if verdict.fault is not None]
        return min(failed, key=lambda verdict: verdict.fault.stage if verdict.fault else 0, default=None)


def summary(report: Report) -> str:
    """One line: the exercise and how it stands.

    >>> summary(Report("causal_mask", "22_masks", 2, [Verdict("five tokens", "passed"), Verdict("one", "failed")]))
    'causal_mask: 1 of 2 cases right'
    """
    count = len(report.verdicts)
    if report.status == "unattempted":
        return f"{report.exercise}: not attempted yet"
    if report.status == "passed":
        points = f"{report.points} point{'s' if report.points != 1 else ''}"
        cases = f"all {count} cases" if count != 1 else "its only case"
        return f"{report.exercise}: right on {cases} ({points})"
    return f"{report.exercise}: {report.passed} of {count} cases right"
