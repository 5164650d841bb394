"""What a learner reads, word for word."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy
import pytest
import torch

from autograder import html, text
from autograder.compare import compare
from autograder.drawing import expected_yours_difference
from autograder.report import Fault, Picture, Report, Stage, Verdict
from autograder.values import record

MASK = {"dtype": "Bool", "dims": "batch heads=1 tgt src"}
FLOATS = {"dtype": "Float", "dims": "batch feature"}
expected_mask = torch.ones(2, 1, 5, 7, dtype=torch.bool)


def told(expected: Any, yours: Any, described: Any = None) -> list[str]:
    """Headline, expected, yours, where to look: those that are there."""
    fault = compare(expected, yours, described)
    assert fault is not None
    return [part for part in (fault.headline, fault.expected, fault.yours, fault.look) if part]


@pytest.mark.parametrize(
    ("yours", "lines"),
    [
        (
            expected_mask[:, 0],
            [
                "The result has 3 axes; 4 were expected.",
                "(batch=2, heads=1, tgt=5, src=7)",
                "(2, 5, 7)",
                "The heads axis is missing.",
            ],
        ),
        (
            expected_mask[None],
            [
                "The result has 5 axes; 4 were expected.",
                "(batch=2, heads=1, tgt=5, src=7)",
                "(1, 2, 1, 5, 7)",
                "There is one axis too many: the one at position 0, of size 1.",
            ],
        ),
        (
            expected_mask.transpose(2, 3),
            [
                "The tgt and src axes are swapped in the result.",
                "(batch=2, heads=1, tgt=5, src=7)",
                "(2, 1, 7, 5)",
                "transpose exchanges two axes.",
            ],
        ),
        (
            expected_mask[..., :1, :],
            [
                "The tgt axis of the result has size 1; 5 was expected.",
                "(batch=2, heads=1, tgt=5, src=7)",
                "(2, 1, 1, 7)",
            ],
        ),
        (
            expected_mask.float(),
            [
                "The result holds float32 values; bool was expected.",
                "bool",
                "float32",
                "A comparison gives booleans, as does torch.ones(..., dtype=torch.bool).",
            ],
        ),
        (
            None,
            [
                "The result is None; a tensor was expected.",
                "a tensor",
                "None",
                "A function without `return` returns None.",
            ],
        ),
        (
            [[True]],
            [
                "The result is a list; a tensor was expected.",
                "a tensor",
                "[[True]]",
                "torch.stack and torch.tensor make a tensor of a list.",
            ],
        ),
    ],
)
def test_a_wrong_mask_is_told_in_its_axis_names(yours: Any, lines: list[str]) -> None:
    assert told(expected_mask, yours, MASK) == lines


def test_nothing_is_broadcast_before_it_is_compared() -> None:
    assert (
        told(torch.ones(2, 3), torch.ones(1, 3), FLOATS)[0]
        == "The batch axis of the result has size 1; 2 was expected."
    )
    assert told(torch.ones(2, 3), torch.ones(()), FLOATS)[0] == "The result has 0 axes; 2 were expected."


def test_wrong_values_are_counted_and_the_first_is_shown() -> None:
    yours = torch.zeros(2, 3)
    yours[1, 2] = 0.25
    assert told(torch.zeros(2, 3), yours, FLOATS) == [
        "1 of 6 values of the result differs, at [batch=1, feature=2].",
        "[batch=1, feature=2] 0",
        "[batch=1, feature=2] 0.25",
        "The largest difference is 0.25.",
    ]


def test_a_million_differences_cost_no_more_than_ten() -> None:
    fault = compare(torch.zeros(1000, 1000), torch.ones(1000, 1000), FLOATS)
    assert fault is not None
    assert fault.picture is not None
    assert fault.picture.expected.shape == (12, 12)
    assert len(text.draw(fault.picture)) < 2000


@pytest.mark.parametrize(
    ("expected", "yours"),
    [
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan])),
        (torch.tensor([torch.inf, -torch.inf]), torch.tensor([torch.inf, -torch.inf])),
        (torch.tensor([1.0]), torch.tensor([1.0 + 5e-5])),
        (torch.tensor([1.0], dtype=torch.float16), torch.tensor([1.005], dtype=torch.float16)),
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (torch.zeros(0, 3), torch.zeros(0, 3)),
        ((2, 3), torch.Size([2, 3])[:2].__class__((2, 3))[0:2]),
        (2.0, 2),
        ({"a": (1, 2), "b": 1}, {"b": 1, "a": (1, 2)}),
    ],
)
def test_right_answers_have_no_fault(expected: Any, yours: Any) -> None:
    if isinstance(yours, torch.Size):
        yours = tuple(yours)
    assert compare(expected, yours) is None


@pytest.mark.parametrize(
    ("expected", "yours", "headline"),
    [
        (torch.tensor([1.0]), torch.tensor([torch.nan]), "1 of 1 values of the result differs, at [0]."),
        (torch.tensor([torch.inf]), torch.tensor([1e38]), "1 of 1 values of the result differs, at [0]."),
        (
            torch.tensor([-torch.inf]),
            torch.tensor([torch.inf]),
            "1 of 1 values of the result differs, at [0].",
        ),
        (torch.tensor([1.0]), torch.tensor([1.001]), "1 of 1 values of the result differs, at [0]."),
        (torch.tensor(2), torch.tensor(3), "The result has another value."),
        (
            torch.tensor([1], dtype=torch.int64),
            torch.tensor([1], dtype=torch.int32),
            "The result holds int32 values; int64 ",
        ),
        ((2, 3), (2, 3, 1), "The result is not what was expected."),
        ((2, 3), [2, 3], "The result is a list; a tuple was expected."),
        ((2, 3), (2, 3.0), "The result[1] is a float; an int was expected."),
        (3, True, "The result is a bool; an int was expected."),
        (3, torch.tensor(3), "The result is a tensor of shape (); an int was expected."),
        (1.5, torch.tensor(1.5), "The result is a tensor of shape (); a number was expected."),
        ({"a": 1}, {}, "The result has no 'a'."),
        ({"a": 1}, {"a": 1, "b": 2}, "The result has a 'b' too many."),
        ({"a": (1, 2)}, {"a": (2, 1)}, "“a” is not what was expected."),
        ({"a": ((1, 2), "view")}, {"a": ((1, 2), "copy")}, "“a”[1] is not what was expected."),
        ((torch.ones(2), torch.ones(3)), (torch.ones(2),), "The result has 1 part; 2 were expected."),
        (
            (torch.ones(2), torch.ones(3)),
            (torch.ones(2), torch.ones(4)),
            "Axis 0 of part 1 of the result has size 4; 3 was",
        ),
    ],
)
def test_wrong_answers_have_one(expected: Any, yours: Any, headline: str) -> None:
    assert told(expected, yours)[0].startswith(headline)


def test_an_integer_annotation_leaves_the_width_free() -> None:
    assert compare(torch.tensor([1]), torch.tensor([1], dtype=torch.int32), {"dtype": "Int", "dims": "batch"}) is None
    assert compare(torch.tensor([1]), torch.tensor([1.0]), {"dtype": "Int", "dims": "batch"}) is not None


def report(status: str, fault: Fault | None = None, **more: Any) -> Report:
    verdicts = [Verdict("five positions", status, fault), Verdict("one", "passed")]  # type: ignore[arg-type]
    return Report("causal_mask", "22_masks", 2, verdicts if fault else verdicts[:1], **more)


def test_the_whole_report_in_a_terminal() -> None:
    expected = torch.ones(3, 3, dtype=torch.bool).tril()
    fault = compare(expected, expected.T, {"dtype": "Bool", "dims": "length length"})
    shown = text.render(report("failed", fault, diagnosis="Keep the lower triangle.", note="Defined twice."))
    assert shown == dedent("""\
        causal_mask: 1 of 2 cases right

          on “five positions”:

          Keep the lower triangle.

          6 of 9 values of the result differ, the first at [row length=0, column length=1].

            expected: [row length=0, column length=1] False
            yours:    [row length=0, column length=1] True

            expected    yours       difference
            # . .       # # #       . x x
            # # .       . # #       x . x
            # # #       . . #       x x .
            rows: length, columns: length; # True, . False, x differs

          Note: Defined twice.

          x five positions
          + one""")


def test_a_passed_and_an_unattempted_report() -> None:
    assert text.render(report("passed")) == "causal_mask: right on its only case (2 points)"
    assert text.render(report("unattempted")).startswith("causal_mask: not attempted yet")
    assert "✓ causal_mask: right on its only case" in html.render(report("passed"))
    assert "○ causal_mask: not attempted yet" in html.render(report("unattempted"))


def test_html_holds_what_the_text_does_and_escapes_what_a_learner_wrote() -> None:
    fault = Fault(
        Stage.RAN, "Your function `f` raised.", yours="<script>", frames=["line 1, in <lambda>"], printed="<b>"
    )
    shown = html.render(report("failed", fault, diagnosis="a < b"))
    assert "<code>f</code>" in shown
    assert "&lt;script&gt;" in shown
    assert "a &lt; b" in shown
    assert "line 1, in &lt;lambda&gt;" in shown
    assert "<script>" not in shown
    assert "<b>" not in shown


def test_numbers_are_drawn_too_and_a_part_says_that_it_is_one() -> None:
    matrix = torch.tensor([[0.5, 1.25]])
    picture = Picture(matrix, -matrix, matrix != -matrix, "", "feature", "[batch=3]", 0, 7, part=True)
    assert text.draw(picture).splitlines() == [
        "expected      yours         difference",
        " 0.5 1.25      -0.5 -1.25   x x",
        "columns: feature, at [batch=3]; a part, from row 0 and column 7",
    ]
    assert "A part of the result at [batch=3]" in html.draw(picture)


SENTENCE = "Yours gives the *first* positions, `x * 2` in `f(*args)`, to h: 2 * 3 < 7, as __init__ and **kwargs say."


def test_emphasis_and_code_are_set_as_such_and_stars_that_multiply_stay() -> None:
    fault = Fault(Stage.VALUES, "It *differs*.", "*a*", "*b*", "Look at *`x`*.")
    failed = report("failed", fault, diagnosis=SENTENCE, note="Written *twice*.", first="Mend *that* first.")
    shown = html.render(failed)
    assert (
        "Yours gives the <em>first</em> positions, <code>x * 2</code> in <code>f(*args)</code>, to h: 2 * 3 &lt; 7, "
        "as __init__ and **kwargs say." in shown
    )
    for part in ("It <em>differs</em>.", "Look at <em><code>x</code></em>.", "Written <em>twice</em>.", "Mend <em>"):
        assert part in shown
    assert "*a*" in shown  # a value, not a sentence
    shown = " ".join(text.render(failed).split())
    plain = "Yours gives the first positions, `x * 2` in `f(*args)`, to h: 2 * 3 < 7, as __init__ and **kwargs say."
    for part in (plain, "It differs.", "Look at `x`.", "Written twice.", "Mend that first.", "expected: *a*"):
        assert part in shown


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("expected", "yours", "look"),
    [
        ([1.0, 2.0], [1.0, NAN], "Yours is NaN where a number is expected."),
        ([1.0, 2.0], [NAN, NAN], "Yours is NaN at 2 places where a number is expected."),
        ([NAN, 2.0], [0.5, 2.0], "Yours is a number where NaN is expected."),
        ([-INF, -INF, 1.0], [INF, INF, 1.0], "Yours is infinity at 2 places where minus infinity is expected."),
        ([INF, 1.0], [NAN, 1.0], "Yours is NaN where infinity is expected."),
        (
            [1.0, 2.0, 3.0],
            [1.25, 2.0, NAN],
            "Yours is NaN where a number is expected, at [2]. Between numbers the largest difference is 0.25.",
        ),
        (
            [1.0, INF, 3.0, 4.0],
            [NAN, 7.0, 3.0, NAN],
            "Yours is NaN at 2 places where a number is expected, and a number where infinity is, at [1].",
        ),
    ],
)
def test_where_nan_and_infinity_stand_is_told_and_never_a_difference_of_nan(
    expected: list[float], yours: list[float], look: str
) -> None:
    assert told(torch.tensor(expected), torch.tensor(yours))[-1] == look


def test_a_difference_is_drawn_where_there_is_one_and_nothing_where_both_are_infinite() -> None:
    expected = torch.tensor([[-INF, NAN, 1.0, 2.0, INF]])
    yours = torch.tensor([[-INF, NAN, NAN, 2.5, -INF]])
    fault = compare(expected, yours)
    assert fault is not None
    assert fault.picture is not None
    assert text.draw(fault.picture).splitlines()[:2] == [
        "expected                   yours                      difference",
        "-inf  nan    1    2  inf   -inf  nan  nan  2.5 -inf   . . x x x",
    ]
    drawn = str(expected_yours_difference(expected, yours)).splitlines()[1]
    assert drawn == "−inf nan 1 2 inf   −inf nan [nan] [2.5] [−inf]   0 0 [≠] [0.5] [≠]"


HUGE = record(10**400)


@pytest.mark.parametrize(
    ("expected", "yours", "lines"),
    [
        (
            3,
            HUGE,
            ["The result is far too large: an integer of over 300 digits.", "3", "an integer of over 300 digits"],
        ),
        ((3, 4), (3, HUGE), ["The result is not what was expected.", "(3, 4)", "(3, an integer of over 300 digits)"]),
        (
            torch.ones(2, 5),
            [torch.ones(2, 5)] * 3,
            [
                "The result is a list; a tensor was expected.",
                "a tensor",
                "a list of 3 tensors of shape (2, 5)",
                "torch.stack and torch.tensor make a tensor of a list.",
            ],
        ),
        (
            3,
            record((torch.ones(2), torch.ones(3, device="meta"), object(), {"a": [torch.ones(1)]})),
            [
                "The result is a tuple; an int was expected.",
                "an int",
                "(a tensor of shape (2,), a meta tensor of shape (3,), an object of type object, "
                "{'a': [a tensor of shape (1,)]})",
            ],
        ),
        (
            (torch.ones(2), torch.ones(2)),
            record([torch.ones(2, 5, device="meta")] * 2),
            [
                "The result is a list; a tuple was expected.",
                "a tuple",
                "a list of 2 meta tensors of shape (2, 5)",
            ],
        ),
        (
            1.5,
            record(numpy.float32(1.5)),
            [
                "The result is a single NumPy value of type float32; a number was expected.",
                "a number",
                "a single NumPy value of type float32",
            ],
        ),
    ],
)
def test_what_came_is_shown_as_its_author_knows_it(expected: Any, yours: Any, lines: list[str]) -> None:
    assert told(expected, yours) == lines


def test_a_negative_zero_is_shown_as_a_zero() -> None:
    expected, yours = torch.tensor([[-0.0, 1.0]]), torch.tensor([[2.0, -0.0]])
    fault = compare(expected, yours)
    assert fault is not None
    assert fault.picture is not None
    assert (fault.expected, fault.yours) == ("[0, 0] 0", "[0, 0] 2")
    assert text.draw(fault.picture).splitlines()[1] == "0 1         2 0         x x"
