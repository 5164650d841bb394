"""Every figure of docs/drawings.md, and harder ones, as a browser renders them on a page as wide as a notebook."""

from __future__ import annotations

import random
import re
import runpy
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import torch
from conftest import ROOT
from test_jupyterlab import QUIET_CHROMIUM, chromium

from autograder.drawing import (
    Arrow,
    Box,
    Figure,
    broadcasting,
    diagram,
    flow,
    grid,
    side_by_side,
    strides,
    volume,
    windows,
)
from autograder.drawing.paper import PAGE, WIDEST, rectangle, text_width, write

DOCS = runpy.run_path(str(ROOT / "docs" / "draw.py"))
SMALLEST = 9.0  # px, of text
Point = tuple[float, float]
Bounds = tuple[float, float, float, float]

# for each figure: its texts and rectangles as corners on the screen, and of graphs the lines as points
MEASURE = """
graphs => Array.from(document.querySelectorAll("svg")).map((svg, number) => {
    const screen = (element, x, y) => {
        const point = new DOMPoint(x, y).matrixTransform(element.getScreenCTM());
        return [point.x, point.y];
    };
    const corners = element => {
        const {x, y, width, height} = element.getBBox();
        const [right, bottom] = [x + width, y + height];
        return [[x, y], [right, y], [right, bottom], [x, bottom]].map(([x, y]) => screen(element, x, y));
    };
    const all = name => Array.from(svg.querySelectorAll(name));
    const filled = element => getComputedStyle(element).fill !== "none";
    return {
        scale: svg.getScreenCTM().a,
        texts: all("text").map(text => ({
            text: text.textContent,
            size: parseFloat(getComputedStyle(text).fontSize),
            bold: parseInt(getComputedStyle(text).fontWeight) > 500,
            width: text.getComputedTextLength(),
            corners: corners(text),
        })),
        rectangles: all("rect").map(rect => ({filled: filled(rect), corners: corners(rect)})),
        lines: (graphs[number] ? all("path") : []).filter(path => !filled(path)).map(path => {
            const length = path.getTotalLength();
            return Array.from({length: Math.ceil(length / 4) + 1}, (_, i) => {
                const {x, y} = path.getPointAtLength(Math.min(length, 4 * i));
                return screen(path, x, y);
            });
        }),
    };
})
"""


# ---- figures ---------------------------------------------------------------------------------------------------------


def chain(steps: int, name: str = "x") -> Figure:
    boxes = {f"x{i}": Box(f"{name}{i}", {"batch": 2, "seq": 7, "feature": i + 1}) for i in range(steps + 1)}
    return diagram(boxes, [Arrow(f"layers.{i}: Linear", (f"x{i}",), (f"x{i + 1}",)) for i in range(steps)])


def residual(blocks: int) -> Figure:
    maps = {"batch": 1, "channel": 64, "height": 56, "width": 56}
    boxes, arrows = {"0": Box("x", maps, volume=True)}, []
    for block in range(blocks):
        for step in range(5):
            last, new = f"{block}" if step == 0 else f"{block}.{step - 1}", f"{block}.{step}"
            boxes[new] = Box("", maps, volume=True)
            arrows.append(Arrow(f"layer1.{block}.step{step}", (last,), (new,), memory="in place" if step == 2 else ""))
        boxes[f"{block + 1}"] = Box("", maps, volume=True)
        arrows.append(Arrow("+", (f"{block}.4", f"{block}"), (f"{block + 1}",)))
    return diagram(boxes, arrows, "residual blocks")


def u_shape(depth: int) -> Figure:
    boxes, arrows = {"d0": Box("image", {"batch": 1, "channel": 3, "height": 64, "width": 64})}, []
    for i in range(depth):
        boxes[f"d{i + 1}"] = Box("", {"batch": 1, "channel": 8 << i, "height": 32 >> i, "width": 32 >> i})
        arrows.append(Arrow(f"down.{i}: Conv2d", (f"d{i}",), (f"d{i + 1}",), note="4,640 parameters"))
    last = f"d{depth}"
    for i in reversed(range(depth)):
        boxes[f"u{i}"] = Box("", {"batch": 1, "channel": 8 << i, "height": 64 >> i, "width": 64 >> i})
        arrows.append(Arrow(f"up.{i}: cat", (last, f"d{i}"), (f"u{i}",), memory="copy", joins="channel"))
        last = f"u{i}"
    return diagram(boxes, arrows, "skips that cross nothing")


def heads(count: int) -> Figure:
    boxes = {"x": Box("x", {"batch": 2, "seq": 7, "d_model": 12})}
    boxes |= {f"h{i}": Box(f"head {i}", {"batch": 2, "seq": 7, "d_head": 4}, note="224 bytes") for i in range(count)}
    boxes["y"] = Box("y", [("batch", 2), ("seq", 7), ("heads·d_head", 48)])
    parts = tuple(f"h{i}" for i in range(count))
    split = Arrow(f"chunk({count}, dim=-1)", ("x",), parts, memory="view")
    return diagram(boxes, [split, Arrow("cat(dim=-1)", parts, ("y",), memory="copy", joins="d_head")])


def any_graph(seed: int, size: int) -> Figure:
    draw = random.Random(seed)
    names = ["batch", "heads", "tgt", "src", "d_head", "channel", "heads·d_head", "", "unheard_of"]
    operations = ["+", "transpose(1, 2)", "encoder.layers.11.self_attention.out_projection: Linear(768, 768)"]
    boxes, arrows = {"0": Box("x", {"batch": 2})}, []
    for i in range(1, size):
        axes = [(draw.choice(names), draw.randint(1, 4096)) for _ in range(draw.randint(0, 5))]
        title, note = draw.choice(["", "scores", "a name of several words"]), draw.choice(["", "1.2 MB"])
        inputs = tuple(draw.sample(list(boxes), min(len(boxes), draw.choice([0, 1, 1, 1, 2, 3]))))
        boxes[f"{i}"] = Box(title, axes, draw.random() < 0.3, note)
        failed = draw.random() < 0.05
        details = draw.choice(["", "view", "copy", "in place"]), draw.choice(["", "", "channel"]), "163,696 parameters"
        if inputs:
            outputs = () if failed else (f"{i}",)
            arrows.append(Arrow(draw.choice(operations), inputs, outputs, *details, failed, "ValueError: no"))
    return diagram(boxes, arrows, "any graph")


def hard() -> dict[str, Figure]:
    random_numbers = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    scores = {"batch": 2, "heads": 3, "tgt": 5, "src": 7}
    x = torch.arange(24.0).view(2, 3, 4)
    tokens = ["[CLS]", "un", "##believ", "##able", "supercalifragilisticexpialidocious", "<eos>"]
    image = torch.arange(12).view(2, 2, 3)
    return {
        "a chain of 15": chain(15),
        "a chain of 60": chain(60),
        "a chain of long names": chain(4, "a name that goes on and on, much longer than anybody would want it to be "),
        "residual": residual(2),
        "a deep residual": residual(10),
        "a u": u_shape(4),
        "3 heads": heads(3),
        "12 heads": heads(12),
        "30 heads": heads(30),
        "alone": diagram({"x": Box("x", {"n": 3}), "scalar": Box("", {})}, []),
        "tokens": grid(random_numbers, tokens, tokens, "t", "tgt", "src"),
        "a large mask": grid(torch.ones(100, 100).tril() > 0, range(100), range(100), "causal", "tgt", "src"),
        "numbers of many digits": grid(torch.tensor([[1e-30, -1e30, float("nan")], [float("inf"), 123456.0, 0.0]])),
        "an empty grid": grid(torch.zeros(0, 3), title="nothing"),
        "grids in rows": side_by_side([grid(torch.eye(6), range(6), range(6), f"{i}", "tgt", "src") for i in range(6)]),
        "planes": broadcasting(image, "+", image[:, :1], image + image[:, :1], "channel height width", ["a", "b", "c"]),
        "a wide flow": flow([Box(f"x{i}", scores) for i in range(5)], "op", [Box("", {})]),
        "strides of three axes": strides(x.permute(2, 0, 1), "width channel height", "x.permute(2, 0, 1)"),
        "strides of much memory": strides(torch.arange(200.0).view(10, 20)[2:5, ::3], "rows cols"),
        "strides of a scalar": strides(torch.tensor(3.5), "", "a number"),
        "volumes of ones": volume((1, 1, 1), (3, 1, 1), (2048, 1, 1), (1, 512, 3), (3, 1024, 1024), names=["a", "b"]),
        "windows that skip": windows((9, 11), (2, 3), (4, 3), (1, 0), (1, 2)),
        "windows on a large image": windows((28, 28), 5, 2, 2),
        "the last window": windows(12, 3, 2, 1, at=5),
        **{f"graph {seed}": any_graph(seed, 8 + 4 * seed) for seed in range(6)},
    }  # fmt: skip


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    drawn = DOCS["figures"](DOCS["PAGE"].read_text(encoding="utf-8"))
    return {**drawn, **hard()}


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    executable = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET_CHROMIUM)
        yield browser.new_page(viewport={"width": PAGE, "height": 600})
        browser.close()


def is_graph(name: str) -> bool:
    return any(word in name for word in ("chain", "residual", "a u", "heads", "graph", "diagram", "branches", "failed"))


def show(page: Any, figures: dict[str, Figure], background: str = "white") -> list[dict[str, Any]]:
    """Put figures on a page, as wide as it at most, and measure them."""
    style = f"<style>body{{margin:0;background:{background}}}svg{{display:block;max-width:100%;height:auto}}</style>"
    page.set_content(style + "".join(figure.as_svg(header="") for figure in figures.values()))
    measured: list[dict[str, Any]] = page.evaluate(MEASURE, [is_graph(name) for name in figures])
    return measured


# ---- geometry --------------------------------------------------------------------------------------------------------


def shrunk(corners: list[Point], by: float) -> list[Point]:
    """A rectangle, turned or not, with each side moved inwards: a text's box has room above and below its letters."""
    (x0, y0), (x1, y1), _, (x3, y3) = corners
    across, down = ((x1 - x0, y1 - y0), (x3 - x0, y3 - y0))
    wide, high = (max(1e-9, (v[0] ** 2 + v[1] ** 2) ** 0.5) for v in (across, down))
    a, d = min(by, wide / 2.1) / wide, min(by, high / 2.1) / high
    moves = [(a, d), (-a, d), (-a, -d), (a, -d)]
    return [
        (x + i * across[0] + j * down[0], y + i * across[1] + j * down[1])
        for (x, y), (i, j) in zip(corners, moves, strict=True)
    ]


def apart(one: list[Point], other: list[Point]) -> bool:
    """Whether some line separates two convex shapes."""
    for shape in (one, other):
        for (x0, y0), (x1, y1) in zip(shape, shape[1:] + shape[:1], strict=True):
            shadows = [[(y1 - y0) * x - (x1 - x0) * y for x, y in points] for points in (one, other)]
            if max(shadows[0]) < min(shadows[1]) or max(shadows[1]) < min(shadows[0]):
                return True
    return False


def bounds(corners: list[Point]) -> Bounds:
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def meet(one: Bounds, other: Bounds) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def within(point: Point, box: Bounds, by: float = 0.0) -> bool:
    return box[0] + by < point[0] < box[2] - by and box[1] + by < point[1] < box[3] - by


def faults(figure: dict[str, Any]) -> list[str]:
    """What is wrong with a measured figure."""
    found = []
    texts, paper = figure["texts"], bounds(figure["rectangles"][0]["corners"])
    boxes = [(bounds(rect["corners"]), rect["filled"]) for rect in figure["rectangles"][1:]]
    for text in texts:
        text["shape"] = shrunk(text["corners"], 1.2)
        text["bounds"] = bounds(text["shape"])
        if text["size"] * figure["scale"] < SMALLEST:
            found.append(f"“{text['text']}” has {text['size'] * figure['scale']:.1f} px")
        if not all(within(corner, paper) for corner in text["shape"]):
            found.append(f"“{text['text']}” leaves the paper")
        for box, filled in boxes:
            if not filled or not meet(text["bounds"], box) or all(within(corner, box) for corner in text["shape"]):
                continue
            if not apart(text["shape"], [(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])]):
                found.append(f"“{text['text']}” leaves its box")
        if text["width"] > text_width(text["text"], text["size"], text["bold"]) + 0.5:
            found.append(f"“{text['text']}” is wider than it was taken to be")
    for one, other in combinations(texts, 2):
        if meet(one["bounds"], other["bounds"]) and not apart(one["shape"], other["shape"]):
            found.append(f"“{one['text']}” and “{other['text']}” overlap")
    for one, other in combinations([box for box, filled in boxes if filled], 2):
        left, top, right, bottom = (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
        if right - left > 0.5 and bottom - top > 0.5 and (left, top, right, bottom) not in (one, other):
            found.append(f"two boxes overlap at {left:.0f}, {top:.0f}")
    return found + crossed(figure, [box for box, _ in boxes])


def crossed(figure: dict[str, Any], boxes: list[Bounds]) -> list[str]:
    """The boxes and texts that a line goes across; a mark that lies within its box is no line."""
    found = []
    for line in figure["lines"]:
        reach = bounds(line)
        for box in (box for box in boxes if meet(box, reach)):
            inside = [within(point, box, by=1.5) for point in line]
            if any(inside) and not all(inside):
                found.append(f"a line crosses the box at {box[0]:.0f}, {box[1]:.0f}")
        for text in (text for text in figure["texts"] if meet(text["bounds"], reach)):
            if any(within(point, text["bounds"], by=1.0) for point in line):
                found.append(f"a line crosses “{text['text']}”")
    return found


# ---- tests -----------------------------------------------------------------------------------------------------------


def test_nothing_overlaps_and_every_label_is_in_its_box(page: Any, figures: dict[str, Figure]) -> None:
    measured = show(page, figures)
    found = {name: faults(one) for name, one in zip(figures, measured, strict=True)}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_the_check_sees_what_is_wrong(page: Any) -> None:
    bad = Figure(400, 200, "bad", "bad")
    rectangle(bad, 10, 10, 40, 20, fill="white")
    write(bad, "longer than its box", 12, 24)
    write(bad, "over", 80, 24)
    write(bad, "another", 84, 26)
    write(bad, "tiny", 200, 24, 6)
    write(bad, "outside", 390, 100)
    rectangle(bad, 10, 100, 40, 20, fill="white")
    rectangle(bad, 30, 110, 40, 20, fill="white")
    [measured] = show(page, {"bad": bad})
    measured["lines"] = [[(0.0, 20.0), (20.0, 20.0), (90.0, 20.0)]]
    found = faults(measured)
    assert found == [
        "“longer than its box” leaves its box",
        "“tiny” has 6.0 px",
        "“outside” leaves the paper",
        "“longer than its box” and “over” overlap",
        "“longer than its box” and “another” overlap",
        "“over” and “another” overlap",
        "two boxes overlap at 30, 110",
        "a line crosses the box at 10, 10",
        "a line crosses “longer than its box”",
        "a line crosses “over”",
        "a line crosses “another”",
    ]


def test_a_figure_looks_the_same_on_a_light_and_on_a_dark_page(page: Any, figures: dict[str, Figure]) -> None:
    shown = {name: figures[name] for name in ("diagram", "mask", "windows")}
    pictures = []
    for background in ("white", "#111111"):
        show(page, shown, background)
        boxes = [svg.bounding_box() for svg in page.locator("svg").all()]
        inner = [{"x": b["x"] + 5, "y": b["y"] + 1, "width": b["width"] - 10, "height": b["height"] - 2} for b in boxes]
        pictures.append([page.screenshot(clip=clip, full_page=True) for clip in inner])
    assert pictures[0] == pictures[1]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures[0])


def test_a_graph_that_is_taller_than_a_screen_goes_on_in_columns(figures: dict[str, Figure]) -> None:
    assert figures["a chain of 60"].height < 1500
    assert figures["a deep residual"].height < 2000


def test_no_figure_is_wider_than_text_can_bear(figures: dict[str, Figure]) -> None:
    too_wide = {name: figure.width for name, figure in figures.items() if figure.width > WIDEST}
    assert too_wide == {}


def test_figures_are_small_files(figures: dict[str, Figure]) -> None:
    assert {name: len(figure.as_svg()) for name, figure in figures.items() if len(figure.as_svg()) > 100_000} == {}


def test_every_figure_has_a_text_alternative_and_a_plain_text_form(figures: dict[str, Figure]) -> None:
    for name, figure in figures.items():
        root = ElementTree.fromstring(figure.as_svg(header=""))
        assert root.get("role") == "img", name
        assert root.findtext("{http://www.w3.org/2000/svg}desc") == figure.description, name
        assert root.findtext("{http://www.w3.org/2000/svg}title"), name
        assert repr(figure) == str(figure) == figure.text, name
        assert len(figure.description) > 20, name
        assert figure.text.strip(), name


def test_the_documentation_shows_what_is_drawn() -> None:
    page = DOCS["PAGE"].read_text(encoding="utf-8")
    drawn = DOCS["figures"](page)
    assert page.count("![") == len(drawn)
    assert DOCS["written"](page, drawn) == page, "docs/drawings.md is out of date: run `make build`"
    files = {path.stem: path.read_text(encoding="utf-8") for path in DOCS["PICTURES"].glob("*.svg")}
    assert files == {name: figure.as_svg(header="") + "\n" for name, figure in drawn.items()}, "run `make build`"


def test_no_figure_of_a_lesson_is_wider_than_text_can_bear() -> None:
    widths = {}
    for path in sorted((ROOT / "lessons").glob("*.ipynb")):
        svgs = re.findall(r"<svg [^>]*?\bwidth=\\\"(\d+)\\\"", path.read_text(encoding="utf-8").replace("\\n", " "))
        widths[path.name] = max(map(int, svgs), default=0)
    assert max(widths.values()) > 100
    assert {name: width for name, width in widths.items() if width > WIDEST} == {}
