"""The sweep itself: what it changes, what it counts, and that the README holds what it wrote."""

from __future__ import annotations

import datetime

import pytest
from conftest import EXERCISES, LESSONS, ROOT
from mutants import Mutant, mutants
from sweep import BEGIN, END, Swept, defined, into, reasons_for, sweep, table

from autograder.report import Fault, Report, Stage, Verdict

SOURCE = '''
def scaled(x: "batch", eps: float = 0.5):
    """Says 1 + 1."""
    y = x.mean(dim=0) + eps
    return y if y > 1 else -y
'''


def test_each_change_is_made_once_and_only_in_what_runs() -> None:
    changes = {mutant.change.partition(" in ")[0] for mutant in mutants(SOURCE)}
    assert {
        "x.mean(dim=0) + eps → x.mean(dim=0) - eps",
        "x.mean(dim=0) → x.mean()",
        "x.mean(dim=0) → x",
        "y > 1 → y >= 1",
        "0 → 1",
        "0.5 → 1.0",
        "-y → y",
        "x → eps",
        "y = x.mean(dim=0) + eps → (left out)",
        "y if y > 1 else -y → -y if y > 1 else y",
    } <= changes
    assert not any("Says" in change or "batch" in change for change in changes)
    assert "0 → 1 in y = x.mean(dim=0) + eps" in {mutant.change for mutant in mutants(SOURCE)}
    assert len({mutant.source for mutant in mutants(SOURCE)}) == len(mutants(SOURCE))


def test_every_exercise_has_mutants_enough() -> None:
    from inspect import getsource
    from textwrap import dedent

    few = [e.name for lesson, e in EXERCISES if len(mutants(dedent(getsource(lesson.reference(e))))) < 15]
    assert not few


@pytest.mark.parametrize("name", ["causal_mask", "standardize", "count_parameters"])
def test_a_few_mutants_are_rejected_or_have_a_reason(name: str) -> None:
    lesson, exercise = next((lesson, exercise) for lesson, exercise in EXERCISES if exercise.name == name)
    swept = sweep(lesson, exercise)
    assert all(swept.accepted.values())
    assert set(swept.accepted) == set(reasons_for(name)) & swept.changes
    assert swept.rejected + len(swept.accepted) <= swept.mutants
    assert swept.named + swept.raised <= swept.rejected


def test_a_mutant_that_is_accepted_without_a_reason_is_seen() -> None:
    lesson = LESSONS["22_masks"]
    exercise = next(each for each in lesson.exercises if each.name == "causal_mask")
    same = "def causal_mask(length):\n    return torch.ones(length, length).tril().bool()"
    assert sweep(lesson, exercise, [Mutant("nothing → nothing", same)]).accepted == {"nothing → nothing": ""}
    assert defined(same, "causal_mask", lesson)(2).tolist() == [[True, False], [True, True]]


def test_the_table_counts_and_gives_reasons() -> None:
    swept = Swept("double")
    wrong = Report("double", "", 1, [Verdict("two", "failed", Fault(Stage.VALUES, "No."))], "Named.")
    error = Report("double", "", 1, [Verdict("two", "failed", Fault(Stage.RAN, "Raised."))])
    right = Report("double", "", 1, [Verdict("two", "passed")])
    swept.take(Mutant("a → b", ""), wrong, {})
    swept.take(Mutant("c → d", ""), error, {})
    swept.take(Mutant("e → f", ""), right, {"e → f": "it is the same"})
    assert table([swept], datetime.date(2026, 1, 2)).splitlines() == [
        "2026-01-02, 3 mutants:",
        "",
        "| exercise | mutants | rejected | named | an error alone | accepted: equivalent |",
        "|---|---|---|---|---|---|",
        "| double | 3 | 2 | 1 | 1 | 1 |",
        "| all | 3 | 2 | 1 | 1 | 1 |",
        "",
        "<details><summary>Why the accepted ones are right</summary>",
        "",
        "- double: `e → f`: it is the same",
        "",
        "</details>",
    ]


def test_the_readme_keeps_what_stands_around_the_table() -> None:
    assert into(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb"
    with pytest.raises(ValueError, match="needs the lines"):
        into("a", "new")


def test_the_readme_holds_a_table_of_every_exercise() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    part = readme.partition(BEGIN)[2].partition(END)[0]
    assert all(f"| {exercise.name} |" in part for _, exercise in EXERCISES)
