"""Needs: earlier exercises that one builds on. Where one of them is not right yet, that is said first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autograder.report import Report, Status


def mention_needs(report: Report, needs: Sequence[str], statuses: Mapping[str, Status]) -> Report:
    """The report on a wrong answer, with what should be mended before it.

    `statuses` tells how the exercises in `needs` stand; one that it does not tell is left out.
    """
    waiting = [name for name in needs if statuses.get(name, "passed") != "passed"]
    if report.status != "failed" or not waiting:
        return report
    name = waiting[0]  # the earliest: what builds on it may be wrong for that alone
    state, verb = ("not written yet", "write") if statuses[name] == "unattempted" else ("not right yet", "mend")
    return replace(report, first=f"`{name}`, which this exercise builds on, is {state}: {verb} that one first.")


def with_needs(reports: Mapping[str, Report], needs: Mapping[str, Sequence[str]]) -> dict[str, Report]:
    """The reports of one notebook under their own names, each with the earlier exercise that should be mended before
    it."""
    statuses = {report.exercise: report.status for report in reports.values()}
    return {
        name: mention_needs(report, all_needs(report.exercise, needs), statuses) for name, report in reports.items()
    }


def all_needs(name: str, needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The exercises that one builds on, directly and through others, the earliest first.

    >>> all_needs("c", {"a": [], "b": ["a"], "c": ["b"]})
    ['a', 'b']
    """
    found: dict[str, None] = {}

    def visit(one: str, above: frozenset[str]) -> None:
        for need in needs.get(one, ()):
            if need not in above and need not in found:
                visit(need, above | {need})
                found[need] = None

    visit(name, frozenset({name}))
    return list(found)
