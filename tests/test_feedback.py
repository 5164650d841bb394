"""What a learner reads when something is recognised, when an earlier exercise is wrong, and the third time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from conftest import KEYS, Notebook, cell_of, released, solved
from torch import Tensor

from autograder import check, html, jupyter, text
from autograder.answers import collect
from autograder.judge import judge
from autograder.jupyter import NotRight
from autograder.needs import all_needs, mention_needs, with_needs
from autograder.report import Report, Verdict

LENGTHS = "lengths_to_mask"


def report_on(lesson: str, exercise: str, candidate: Callable[..., Any]) -> Report:
    key = KEYS[lesson].exercise(exercise)
    return judge(key, collect(candidate, key.question), lesson)


def shifted(lengths: Tensor, max_len: int) -> Tensor:
    return torch.arange(max_len) < lengths[:, None] + 2


def one_column_more(labels: Tensor, classes: int) -> Tensor:
    return (labels[:, None] == torch.arange(classes + 1)).float()


def by_the_batch(images: Tensor, bias: Tensor) -> Tensor:
    return (images + bias[:, None, None]).transpose(2, 3)


def test_a_recognised_mask_in_a_terminal() -> None:
    assert text.render(report_on("02_broadcasting", LENGTHS, shifted)) == dedent("""\
        lengths_to_mask: 0 of 7 cases right

          on “three sentences, four positions”:

          Your mask is the expected one shifted along the max_len axis by 2 places, towards
          higher indices.

          3 of 12 values of the result differ, the first at [batch=0, max_len=3].

            expected: [batch=0, max_len=3] False
            yours:    [batch=0, max_len=3] True

          Is a bound off by one: `<` or `<=`, a range that starts at 0 or at 1?

            expected    yours       difference
            # # # .     # # # #     . . . x
            # . . .     # # # .     . x x .
            # # # #     # # # #     . . . .
            rows: batch, columns: max_len; # True, . False, x differs

          x three sentences, four positions
          x lengths of their own
          x more sentences than positions
          x as many sentences as positions
          x an empty sentence and a full one
          x one sentence of one token
          x int32 lengths, a column of a table""").replace("0 of 7", "1 of 7").replace(
        "x one sentence of one token", "+ one sentence of one token"
    )


def test_a_recognised_shape_in_a_terminal() -> None:
    shown = text.render(report_on("02_broadcasting", "one_hot", one_column_more)).split("\n\n  x")[0]
    assert shown == dedent("""\
        one_hot: 0 of 7 cases right

          on “four labels, three classes”:

          The classes axis of the result is one too large, in every case.

          The classes axis of the result has size 4; 3 was expected.

            expected: (batch=4, classes=3)
            yours:    (4, 4)
                          ^

          Look at the bounds: what is the first one, what is the last one, and does it count?""")


def test_the_html_says_the_same_and_draws_the_axes_at_fault() -> None:
    shown = html.render(report_on("02_broadcasting", "one_hot", one_column_more))
    assert "The classes axis of the result is one too large, in every case." in shown
    assert "Look at the bounds" in shown
    assert shown.count("<svg") == 1
    assert ">classes ✗ 3</text>" in shown
    assert ">✗ 4</text>" in shown
    assert shown.count(">batch 4</text>") == 2


def test_exchanged_axes_name_the_call_that_exchanges_them() -> None:
    report = report_on("02_broadcasting", "add_channel_bias", by_the_batch)
    assert report.diagnosis == "Your result is the expected one with the height axis and the width axis exchanged."
    assert report.look == "`transpose(2, 3)` exchanges these two; so does the order of what is combined."


def test_where_nothing_is_recognised_nothing_is_said() -> None:
    def scrambled(length: int) -> Tensor:
        return (torch.arange(length)[:, None] * 7 + torch.arange(length) * 3) % 5 < 2

    report = report_on("22_masks", "causal_mask", scrambled)
    assert (report.diagnosis, report.look, report.recogniser) == ("", "", "")


# ---- what to mend first ----------------------------------------------------------------------------------------------


def failed(name: str) -> Report:
    return Report(name, "22_masks", 2, [Verdict("five", "failed")])


def test_what_an_exercise_builds_on_is_named_first() -> None:
    needs = ["causal_mask", "combine_masks"]
    first = mention_needs(failed("prefix_mask"), needs, {"causal_mask": "passed", "combine_masks": "failed"}).first
    assert first == "`combine_masks`, which this exercise builds on, is not right yet: mend that one first."
    first = mention_needs(failed("prefix_mask"), needs, {"causal_mask": "unattempted"}).first
    assert first == "`causal_mask`, which this exercise builds on, is not written yet: write that one first."
    assert mention_needs(failed("prefix_mask"), needs, dict.fromkeys(needs, "passed")).first == ""
    right = Report("prefix_mask", "22_masks", 2, [Verdict("five", "passed")])
    assert mention_needs(right, needs, dict.fromkeys(needs, "failed")).first == ""


def test_needs_of_needs_count_and_a_circle_ends() -> None:
    assert all_needs("c", {"b": ["a"], "c": ["b", "a"]}) == ["a", "b"]
    assert all_needs("a", {"a": ["b"], "b": ["a"]}) == ["b"]


def wrong_causal_mask(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool)


def wrong_prefix_mask(prefix: Tensor, length: int) -> Tensor:
    return torch.zeros(len(prefix), 1, length, length, dtype=torch.bool)


def checked(namespace: dict[str, Any], name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `check(name)` shows in a notebook whose names are these."""
    with pytest.raises(NotRight):
        exec(f"check({name})", namespace)
    return capsys.readouterr().out


def test_a_notebook_says_what_to_mend_first(capsys: pytest.CaptureFixture[str]) -> None:
    space = {"check": check, "prefix_mask": wrong_prefix_mask, "causal_mask": wrong_causal_mask}
    shown = checked(space, "prefix_mask", capsys)
    said = "`causal_mask`, which this exercise builds on, is not right yet: mend that one first."
    assert said in " ".join(shown.split())
    assert shown.index("causal_mask`") < shown.index("on “three prompts”")
    del space["causal_mask"]  # not in this notebook: nothing is known of it
    assert "builds on" not in checked(space, "prefix_mask", capsys)


def test_pytest_says_what_to_mend_first(
    pytester: pytest.Pytester, place: Callable[[str, Notebook], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = solved("22_masks")
    cell_of(notebook, "causal_mask")["source"] = (
        "def causal_mask(length):\n    return torch.ones(length, length, dtype=torch.bool)"
    )
    cell_of(notebook, "prefix_mask")["source"] = (
        "def prefix_mask(prefix, length):\n    return causal_mask(length).expand(len(prefix), 1, -1, -1)"
    )
    path = place("22_masks", notebook)
    result = pytester.runpytest(str(path), "-k", "prefix_mask")
    result.stdout.fnmatch_lines(["*`causal_mask`, which this exercise builds on, is not right yet*"])


def test_a_grade_says_what_to_mend_first() -> None:
    keys = {f"check_{name}": KEYS["22_masks"].exercise(name) for name in ("causal_mask", "prefix_mask")}
    wrong: dict[str, Callable[..., Any]] = {
        "check_causal_mask": wrong_causal_mask,
        "check_prefix_mask": wrong_prefix_mask,
    }
    reports = {cell: report_on("22_masks", keys[cell].name, candidate) for cell, candidate in wrong.items()}
    told = with_needs(reports, {key.name: key.needs for key in keys.values()})
    assert told["check_causal_mask"].first == ""
    assert told["check_prefix_mask"].first.startswith("`causal_mask`, which this exercise builds on, is not right yet")


# ---- the third time --------------------------------------------------------------------------------------------------


def test_a_third_failure_offers_the_next_hint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jupyter, "_failures", Counter())
    monkeypatch.setattr(jupyter, "_hints_given", Counter())
    space = {"check": check, "hint": jupyter.hint, "causal_mask": wrong_causal_mask}
    offer = "`hint(causal_mask)` gives the next hint, 1 of 3."
    assert [offer in checked(space, "causal_mask", capsys) for _ in range(4)] == [False, False, True, True]
    exec("hint(causal_mask)", space)
    assert "gives the next hint, 2 of 3." in checked(space, "causal_mask", capsys)
    right = {"check": check, "causal_mask": lambda length: torch.ones(length, length, dtype=torch.bool).tril()}
    exec("check('causal_mask')", right)
    assert "next hint" not in checked(space, "causal_mask", capsys)


def test_what_is_not_attempted_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jupyter, "_failures", Counter())
    cells = [cell for cell in released("22_masks")["cells"] if cell["cell_type"] == "code"]
    space: dict[str, Any] = {"__name__": "notebook"}
    exec("".join(cells[0]["source"]), space)
    exec("".join(cell_of(released("22_masks"), "causal_mask")["source"]), space)
    for _ in range(3):
        assert "hint" not in checked(space, "causal_mask", capsys)


def test_in_a_terminal_the_third_run_shows_a_hint(
    pytester: pytest.Pytester, place: Callable[[str, Notebook], Path]
) -> None:
    notebook = solved("22_masks")
    source = "def causal_mask(length):\n    return torch.ones(length, length, dtype=torch.bool)"
    cell_of(notebook, "causal_mask")["source"] = source
    path = place("22_masks", notebook)
    hints = KEYS["22_masks"].exercise("causal_mask").hints
    shown = []
    for _ in range(4):
        result = pytester.runpytest(str(path), "-k", "causal_mask")
        shown.append(" ".join(result.stdout.str().split()))
    assert ["Hint" in run for run in shown] == [False, False, True, True]
    assert f"Hint 1 of 3: {hints[0]}" in shown[2]
    assert f"Hint 2 of 3: {hints[1]}" in shown[3]
    path.write_text(json.dumps(solved("22_masks")), encoding="utf-8")
    pytester.runpytest(str(path), "-k", "causal_mask")
    path.write_text(json.dumps(notebook), encoding="utf-8")
    again = pytester.runpytest(str(path), "-k", "causal_mask")
    assert "Hint" not in again.stdout.str()
