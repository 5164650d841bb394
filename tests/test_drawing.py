"""Each drawing: what it shows, its plain-text form, and what bad input is told."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
import torch
from conftest import ROOT
from IPython.core.interactiveshell import InteractiveShell

from autograder import drawing
from autograder.drawing import (
    Arrow,
    Box,
    Figure,
    broadcasting,
    diagram,
    expected_yours_difference,
    explore_broadcasting,
    explore_windows,
    flow,
    grid,
    legend,
    side_by_side,
    strides,
    volume,
    windows,
)

WORDS = ["the", "cat", "sat"]
CAUSAL = torch.ones(3, 3, dtype=torch.bool).tril()
COLUMN, ROW = torch.tensor([[0], [10]]), torch.arange(3)
X = torch.arange(6).view(2, 3)


def texts(figure: Figure) -> list[str]:
    """What stands in a figure."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure.as_svg())


def boxes(*names: str) -> dict[str, Box]:
    return {name: Box(name, {"batch": 2, "seq": 7}) for name in names}


# ---- plain text ------------------------------------------------------------------------------------------------------

PLAIN = {
    "a mask with its tokens": (
        lambda: grid(CAUSAL, WORDS, WORDS, "causal", "tgt", "src"),
        """
causal
tgt ↓  src →  the cat sat
the             ■   ·   ·
cat             ■   ■   ·
sat             ■   ■   ■""",
    ),
    "numbers without labels": (
        lambda: grid(torch.tensor([[0.5, -1.25], [1e10, float("nan")]])),
        """
  0.5 −1.25
1e+10   nan""",
    ),
    "expected, yours and the difference of masks": (
        lambda: expected_yours_difference(CAUSAL, CAUSAL.T, WORDS, WORDS),
        """
expected           yours              difference
     the cat sat        the cat sat        the cat sat
the    ■   ·   ·   the    ■ [■] [■]   the      [+] [+]
cat    ■   ■   ·   cat  [·]   ■ [■]   cat  [−]     [+]
sat    ■   ■   ■   sat  [·] [·]   ■   sat  [−] [−]""",
    ),
    "expected, yours and the difference of numbers": (
        lambda: expected_yours_difference(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.5]])),
        """
expected   yours     difference
1 2        1 [2.5]   0 [0.5]""",
    ),
    "a flow": (
        lambda: flow([Box("x", {"n": 5}), Box("y", {"m": 4}, note="32 bytes")], "x[:, None] − y", [Box("", {})]),
        """
x  (n 5)
y  (m 4)  32 bytes
  ↓ x[:, None] − y
   ()""",
    ),
    "a diagram with views, a copy, a shortcut and a failure": (
        lambda: diagram(
            boxes("x", "a", "b", "c", "d"),
            [
                Arrow("t()", ("x",), ("a",), memory="view"),
                Arrow("contiguous()", ("a",), ("b",), memory="copy", note="56 bytes"),
                Arrow("relu_()", ("b",), ("c",), memory="in place"),
                Arrow("cat", ("x", "c"), ("d",), joins="seq"),
                Arrow("view(3)", ("d",), (), failed=True, message="RuntimeError: shape '[3]' is invalid"),
            ],
            "steps",
        ),
        """
steps
x  (batch 2, seq 7)
  ┆ t()   view
a  (batch 2, seq 7)
  ┃ contiguous()   copy   56 bytes
b  (batch 2, seq 7)
  ↻ relu_()   in place
c  (batch 2, seq 7)
  │ cat   of x, c   joined on seq
d  (batch 2, seq 7)
  ✗ view(3)
    failed: RuntimeError: shape '[3]' is invalid""",
    ),
    "boxes of one name or none are told apart": (
        lambda: diagram(
            {"a": Box("x", {"n": 1}), "b": Box("", {"n": 1}), "c": Box("x", {"n": 2})},
            [Arrow("f", ("a",), ("b",)), Arrow("g", ("a",), ("c",))],
        ),
        """
x#1  (n 1)
  │ f
#2   (n 1)
  │ g   of x#1
x#3  (n 2)""",
    ),
    "broadcasting, repetitions in brackets": (
        lambda: broadcasting(COLUMN, "+", ROW, COLUMN + ROW, "n m", ["column", "row", "sum"]),
        """
column               row               sum
(2, 1)               (3,)              (2, 3)
   0  (0)  (0)   +     0   1   2   =    0  1  2
  10 (10) (10)       (0) (1) (2)       10 11 12""",
    ),
    "windows, what no window reads crossed out": (
        lambda: windows((4, 5), kernel=2, stride=2, padding=(0, 1)),
        """
input 4 × 5, padded   output 2 × 3
■ ■ □ □ □ □ ×         ■ □ □
■ ■ □ □ □ □ ×         □ □ □
· □ □ □ □ □ ×
· □ □ □ □ □ ×
height: a window spans 2; (4 − 2) // 2 + 1 = 2
width: a window spans 2; (5 + 2·1 − 2) // 2 + 1 = 3, 1 left over
×: no window reads it.""",
    ),
    "windows of a line with gaps": (
        lambda: windows(7, kernel=2, stride=3, dilation=2),
        """
input 7         output 2
■ × ■ □ × □ ×   ■ □
length: a window spans 2·(2 − 1) + 1 = 3; (7 − 3) // 3 + 1 = 2, 1 left over
×: no window reads it.""",
    ),
    "a transpose": (
        lambda: strides(X.T, "cols rows", "X.T"),
        """
memory  0 1 2 3 4 5
place   0 1 2 3 4 5
X.T, each element's place:
  0 3
  1 4
  2 5
cols: one step is 1 place; rows: one step is 3 places""",
    ),
    "a slice that begins later": (
        lambda: strides(10 * torch.arange(6)[1::2], "n"),
        """
memory  10 30 50
place    0  1  2
tensor, each element's place:
   0  1  2
n: one step is 1 place""",
    ),
    "a view of a part": (
        lambda: strides(X[1:, ::2], "rows cols"),
        """
memory  0 1 2 3 4 5
place   0 1 2 3 4 5
tensor, each element's place:
  3 5
rows: one step is 3 places; cols: one step is 2 places
it begins at place 3""",
    ),
    "an expanded tensor": (
        lambda: strides(torch.tensor([[5], [6]]).expand(2, 3), "rows cols"),
        """
memory  5 6
place   0 1
tensor, each element's place:
  0 0 0
  1 1 1
rows: one step is 1 place; cols: one step is 0 places
a step of 0 stays where it is: along cols all elements are the same cell""",
    ),
    "windows that share cells": (
        lambda: strides(torch.arange(5.0).as_strided((2, 3), (2, 1)), "windows size"),
        """
memory  0 1 2 3 4
place   0 1 2 3 4
tensor, each element's place:
  0 1 2
  2 3 4
windows: one step is 2 places; size: one step is 1 place""",
    ),
    "a tensor of three axes": (
        lambda: strides(torch.arange(4).view(2, 1, 2), "batch heads seq"),
        """
memory  0 1 2 3
place   0 1 2 3
tensor, each element's place:
batch = 0
  0 1
batch = 1
  2 3
batch: one step is 2 places; heads: one step is 2 places; seq: one step is 1 place""",
    ),
    "feature maps": (
        lambda: volume((3, 8, 8), (16, 4, 4), names=["image"]),
        """
image  (channel 3, height 8, width 8)
(channel 16, height 4, width 4)""",
    ),
    "a legend": (lambda: legend("batch", "n", "src"), "\nbatch n\nsrc"),
}


@pytest.mark.parametrize(("draw", "text"), PLAIN.values(), ids=list(PLAIN))
def test_the_plain_text_form(draw: Any, text: str) -> None:
    figure = draw()
    assert str(figure) == repr(figure) == text.removeprefix("\n")


# ---- bad input -------------------------------------------------------------------------------------------------------

NO_VALUES = "a tensor on the meta device has a shape and no values that could be drawn"
SPARSE = "a tensor with the layout torch.sparse_coo has no strides"
BAD = {
    "three axes": (
        lambda: grid(torch.ones(2, 3, 4)),
        "grid draws a matrix, with 2 axes; this tensor has the shape (2, 3, 4)",
    ),
    "labels": (lambda: grid(CAUSAL, ["a"]), "there are 1 labels for 3 rows"),
    "differs": (lambda: grid(CAUSAL, differs=CAUSAL[:2]), "differs has the shape (2, 3); the matrix has (3, 3)"),
    "no values": (lambda: grid(torch.ones(2, 2, device="meta")), NO_VALUES),
    "two shapes": (
        lambda: expected_yours_difference(CAUSAL, CAUSAL[:2]),
        "expected has the shape (3, 3), yours has (2, 3): only matrices of one shape have a difference",
    ),
    "no figures": (lambda: side_by_side([]), "side_by_side needs at least one figure"),
    "no boxes": (lambda: flow("op"), "flow needs at least one row of boxes"),
    "names of axes": (lambda: Box.of("x", CAUSAL, "tgt"), "'tgt' names 1 axes; x has 2, of shape (3, 3)"),
    "a size": (lambda: Box("x", {"tgt": -1}), "the axis 'tgt' of 'x' has the size -1; a size is an int from 0 up"),
    "an unknown box": (
        lambda: diagram(boxes("x"), [Arrow("f", ("z",), ("x",))]),
        "the step 'f' names 'z', which is none of the boxes ['x']",
    ),
    "two makers": (
        lambda: diagram(boxes("x", "y"), [Arrow("f", ("x",), ("y",)), Arrow("g", ("x",), ("y",))]),
        "'f' and 'g' both make 'y': a tensor that changes needs a box for each of its states",
    ),
    "a circle": (
        lambda: diagram(boxes("x", "y"), [Arrow("f", ("x",), ("y",)), Arrow("g", ("y",), ("x",))]),
        "these steps wait for each other's results: 'f', 'g'",
    ),
    "its own result": (
        lambda: diagram(boxes("x"), [Arrow("add_", ("x",), ("x",))]),
        "these steps wait for each other's results: 'add_'",
    ),
    "memory": (
        lambda: diagram(boxes("x", "y"), [Arrow("f", ("x",), ("y",), memory="alias")]),
        "the step 'f' has the memory 'alias'; it is one of ['view', 'copy', 'in place'] or ''",
    ),
    "shapes that do not fit": (
        lambda: broadcasting(ROW, "+", torch.ones(2), ROW, "n"),
        "(3,) and (2,) do not stretch to (3,)",
    ),
    "too many axes": (
        lambda: broadcasting(ROW, "+", ROW, ROW, "n m"),
        "one to three axes can be drawn; 'n m' names those of a result of 1 axes",
    ),
    "too many cells": (
        lambda: broadcasting(torch.ones(30, 1), "+", torch.ones(30), torch.ones(30, 30), "n m"),
        "the result has 900 cells; at most 400 can be drawn",
    ),
    "a kernel that is too large": (
        lambda: windows((2, 9), kernel=3, dilation=2),
        "no window fits: along the height a kernel of 3 with dilation 2 spans 5, and the padded input has 2",
    ),
    "a stride of 0": (lambda: windows(5, 3, stride=0), "stride is 0; it is a number from 1 up, or a pair of them"),
    "three numbers": (
        lambda: windows((5, 5), (3, 3, 3)),  # type: ignore[arg-type]
        "kernel is (3, 3, 3); it is a number from 1 up, or a pair of them",
    ),
    "a large image": (lambda: windows((224, 224), 3), "the padded height is 224; at most 32 can be drawn"),
    "no such window": (lambda: windows(5, 3, at=3), "there is no window 3: they are numbered from 0 to 2"),
    "axes of strides": (lambda: strides(X, "n"), "'n' names 1 axes; the tensor has 2, of shape (2, 3)"),
    "much memory": (
        lambda: strides(torch.ones(1000)[:2], "n"),
        "there are 1000 cells of memory and 2 elements; at most 240 can be drawn",
    ),
    "sparse": (lambda: strides(torch.eye(2).to_sparse(), "n m"), SPARSE),
    "no memory": (lambda: strides(torch.ones(2, device="meta")), NO_VALUES),
    "a flat volume": (
        lambda: volume((3, 4)),  # type: ignore[arg-type]
        "a volume has 3 sizes of at least 1, channel height width; this shape is (3, 4)",
    ),
    "no volume": (lambda: volume(), "there are 0 names for 0 shapes; volume needs at least one shape"),
    "an axis too few": (lambda: volume((3, 4, 4), axes="c h"), "a volume has 3 axes; 'c h' names 2"),
}


@pytest.mark.parametrize(("draw", "message"), BAD.values(), ids=list(BAD))
def test_bad_input_is_named_with_its_remedy(draw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        draw()


def test_an_empty_diagram_says_so() -> None:
    assert str(diagram({}, [])) == "There are no steps to draw."


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(0, 3),
        torch.zeros(2, 0),
        torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2, 2, dtype=torch.complex64),
        torch.full((2, 2), float("inf")),
        torch.ones(2, 2, requires_grad=True),
        torch.tensor([[2**62, -1]]),
    ],
    ids=str,
)
def test_unusual_tensors_are_drawn(tensor: torch.Tensor) -> None:
    for figure in (grid(tensor), expected_yours_difference(tensor, tensor), strides(tensor, "n m")):
        assert figure.as_svg()
    assert broadcasting(tensor, "+", tensor, tensor, "n m").as_svg()


def test_names_that_no_svg_can_hold_are_drawn() -> None:
    box = Box("a\x00b\n<&>\ud800", {"näme": 1}, note="\x1b[0m")
    figure = diagram({"x": box, "y": Box("y", {})}, [Arrow("\x07 f\n\n", ("x",), ("y",), note="]]>")])
    assert "a�b &lt;&amp;&gt;�" in figure.as_svg()
    assert figure.as_svg().encode("utf-8")


# ---- what a drawing shows --------------------------------------------------------------------------------------------


def test_a_grid_shows_every_label_and_number() -> None:
    shown = texts(grid(torch.tensor([[0.5, 2.0, -3.0]]), ["a"], WORDS, "title", "tgt", "src"))
    assert sorted(shown) == sorted(["title", "tgt ↓", "src →", "a", *WORDS, "0.5", "2", "−3"])


def test_a_mask_is_two_paths_however_large() -> None:
    assert len(grid(torch.ones(30, 30).tril() > 0).as_svg()) < 25_000


def test_what_is_too_large_for_a_page_is_drawn_in_part_and_says_so() -> None:
    figure = grid(torch.zeros(100, 200) > 0)
    assert "the first 40 of 100 rows, 39 of 200 columns" in texts(figure)


def test_cells_that_differ_are_framed_and_told() -> None:
    differs = torch.tensor([[False, True]])
    figure = grid(torch.zeros(1, 2), differs=differs)
    assert figure.as_svg().count('stroke-width="2.5"') == 1
    assert figure.description == "a grid of numbers, 1 by 2. 1 cell is framed."


def test_values_that_are_equal_or_nan_in_both_do_not_differ() -> None:
    same = torch.tensor([[float("nan"), 1.0]])
    assert "[" not in str(expected_yours_difference(same, same.clone()))


def test_a_flow_shows_every_tensor_axis_and_operation() -> None:
    first = Box.of("tokens", torch.ones(2, 7), "batch src")
    shown = texts(flow([first], "[:, None]", [Box("mask", {"batch": 2, "tgt": 1, "src": 7})]))
    assert shown == ["tokens", "batch 2", "src 7", "[:, None]", "mask", "batch 2", "tgt 1", "src 7"]


def test_views_copies_and_steps_in_place_look_different() -> None:
    lines = {}
    for memory in ("", "view", "copy", "in place"):
        figure = diagram(boxes("x", "y"), [Arrow("f", ("x",), ("y",), memory=memory)])
        assert (memory in texts(figure)) == bool(memory)
        lines[memory] = tuple(re.findall(r'<path d="M[^C]*?V[^"]*"[^>]*>', figure.as_svg())[-1:])
    assert len(set(lines.values())) == 4


def test_a_join_names_its_axis() -> None:
    figure = diagram(boxes("a", "b", "c"), [Arrow("cat", ("a", "b"), ("c",), joins="channel")])
    assert [text for text in texts(figure) if text in ("joins on", "channel")] == ["joins on", "channel"]
    assert "<circle" in figure.as_svg()


def test_a_failed_step_is_marked_by_more_than_a_colour() -> None:
    figure = diagram(boxes("a"), [Arrow("view", ("a",), (), failed=True, message="RuntimeError: no")])
    assert "RuntimeError: no" in texts(figure)
    assert "l10 10m0 -10l-10 10" in figure.as_svg()  # the cross
    assert figure.description.endswith("The step view fails: RuntimeError: no")


def test_a_chain_of_15_steps_fits_a_screen() -> None:
    names = [f"x{i}" for i in range(16)]
    assert diagram(boxes(*names), [Arrow("f", (a,), (b,)) for a, b in pairwise(names)]).height < 1100


def test_windows_count_as_torch_does() -> None:
    for size, kernel, stride, padding, dilation in ((7, 3, 2, 1, 1), (9, 2, 3, 0, 2), (5, 5, 1, 0, 1), (8, 3, 3, 2, 2)):
        out = torch.nn.functional.conv1d(
            torch.ones(1, 1, size), torch.ones(1, 1, kernel), None, stride, padding, dilation
        )
        assert f"output {out.shape[-1]}" in texts(windows(size, kernel, stride, padding, dilation))


def test_places_in_memory_are_where_torch_reads() -> None:
    base = torch.arange(24).view(2, 3, 4)
    for view in (base.permute(2, 0, 1), base[:, 1:, ::2], base.unfold(2, 3, 1)[0], base[0, 0].expand(2, 4)):
        lines = [line for line in str(strides(view)).splitlines() if re.match(r"  +\d", line)]
        assert [int(place) for line in lines for place in line.split()] == view.flatten().tolist()


def test_figures_side_by_side_go_on_below_where_the_page_ends() -> None:
    one = grid(torch.zeros(2, 10))
    assert side_by_side([one] * 2).height == one.height
    assert side_by_side([one] * 9).height > one.height
    assert (
        side_by_side([one, one]).as_svg().count("<use") == 0
    )  # each drawn anew: an id would clash with other figures'


# ---- notebooks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell() -> Any:
    return InteractiveShell.instance()


def test_a_notebook_keeps_both_forms(shell: Any) -> None:
    data, _ = shell.display_formatter.format(grid(CAUSAL, WORDS, WORDS))
    assert data["text/plain"].splitlines()[1] == "the    ■   ·   ·"
    assert data["image/svg+xml"].startswith("<svg ")
    assert data["image/svg+xml"] == grid(CAUSAL, WORDS, WORDS).as_svg(header="")  # the same each time


def test_windows_are_explored_by_setting_controls() -> None:
    explorer = explore_windows(height=4, width=5, kernel=3)
    assert str(explorer.figure) == str(windows((4, 5), 3, at=0))
    explorer.controls["stride"].value = 2
    assert "output 1 × 2" in texts(explorer.figure)
    explorer.controls["window"].value = 1
    assert str(explorer.figure) == str(windows((4, 5), 3, 2, at=1))
    explorer.controls["kernel"].value = 5
    assert str(explorer.figure) == (
        "No window fits: along the height a kernel of 5 with dilation 1 spans 5, and the padded input has 4."
    )
    explorer.controls["padding"].value = 1
    assert str(explorer.figure) == str(windows((4, 5), 5, 2, 1, at=1))


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ("3, 2", "(3, 2) and (1, 4) do not fit: at the last axis 2 meets 4, and neither is 1."),
        ("three", "“three” is no shape: type sizes with commas between them, as in 3, 1."),
        ("-3, 1", "“-3, 1” is no shape: type sizes with commas between them, as in 3, 1."),
        ("2, 2, 2, 1", "Together they have 4 axes; one to 3 can be drawn."),
        ("1000, 1", "Together they have 4000 cells; at most 400 can be drawn."),
    ],
)
def test_shapes_that_cannot_be_broadcast_are_told_why(first: str, text: str) -> None:
    explorer = explore_broadcasting()
    explorer.controls["first"].value = first
    assert str(explorer.figure) == text
    explorer.controls["first"].value = "(2, 1)"
    assert texts(explorer.figure)[:2] == ["first", "0"]


def test_an_explorer_shows_its_first_frame_as_an_ordinary_output(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[dict[str, Any]] = []
    monkeypatch.setattr(
        shell.display_pub, "publish", lambda data, metadata=None, **more: published.append({**more, "data": data})
    )
    explorer = explore_windows()
    assert shell.display_formatter.format(explorer) == ({}, {})  # it has shown itself
    frame, controls = published
    assert frame["data"]["image/svg+xml"] == explorer.figure.as_svg(header="")
    assert set(controls["data"]) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert controls["data"]["text/plain"] == "(In a running notebook there are controls here.)"

    explorer.controls["kernel"].value = 2
    assert published[-1]["update"] is True
    assert published[-1]["transient"] == frame["transient"]
    assert published[-1]["data"]["image/svg+xml"] == explorer.figure.as_svg(header="")


# ---- the package -----------------------------------------------------------------------------------------------------


def test_exports() -> None:
    assert all(callable(getattr(drawing, name)) for name in drawing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'flwo'"):
        _ = drawing.flwo


def test_drawing_imports_nothing_of_what_it_is_used_for() -> None:
    for path in (ROOT / "autograder" / "drawing").glob("*.py"):
        modules = re.findall(r"^ *from (autograder\S*) import", path.read_text(encoding="utf-8"), re.M)
        assert all(module.startswith("autograder.drawing") for module in modules), path.name


def test_drawing_does_not_load_ipywidgets() -> None:
    code = "import autograder.drawing, sys; assert 'ipywidgets' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
