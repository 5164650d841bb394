"""The engine's own shape: imports run one way, exports are what the README names."""

from __future__ import annotations

import _imp
import ast
import contextlib
import importlib
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import autograder
from autograder.draw import Draw
from autograder.watch import OutOfTime, time_limit

PACKAGE = ROOT / "autograder"
# authoring -> key -> judge -> report's renderings -> surfaces: a module may import from its own row and those above it
ROWS = [
    [
        "errors",
        "quiet",
        "places",
        "values",
        "axes",
        "draw",
        "watch",
        "plans",
        "dropout",
        "recipes",
        "probes",
        "report",
        "shapes",
        "needs",
        "notebook",
        "prose",
        "wording",
        "drawing",
        "tracing",
    ],
    ["answers", "authoring", "compare", "contrast", "layers"],
    ["state", "effects", "slips"],
    ["key"],
    ["keyfile"],
    ["diagnosis"],
    ["judge"],
    ["text", "html"],
    ["jupyter", "earlier", "worker", "runner"],
    ["pytest_plugin", "build", "grading"],
]


def imports(path: Path) -> set[str]:
    """The modules of the package that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "autograder":
            found |= {node.module.split(".")[1]} if "." in node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("autograder.")}
    return found


def test_imports_run_one_way() -> None:
    row_of = {name: row for row, names in enumerate(ROWS) for name in names}
    modules = {path: path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    del modules[PACKAGE / "__init__.py"]
    assert set(modules.values()) <= set(row_of), "a new module needs its row"
    for path, name in modules.items():
        upward = {other for other in imports(path) if row_of[other] > row_of[name]}
        assert not upward, f"{name} imports {upward} from a later row"
    for path in PACKAGE.glob("*/*.py"):
        upward = {other for other in imports(path) if row_of[other] > row_of[path.parent.name]}
        assert not upward, f"{path.parent.name}/{path.name} imports {upward} from a later row"


def test_modules_are_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path.name


def test_the_engine_knows_no_lesson() -> None:
    for path in PACKAGE.rglob("*.py"):
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", path.read_text())
        assert not re.search(r"\d\d_[a-z]+|causal_mask|\battention", code), path.name


def test_exports() -> None:
    assert autograder.__all__ == ["check", "hint", "own", "ready", "trace"]
    for name in autograder.__all__:
        assert callable(getattr(autograder, name))
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        _ = autograder.chek


def test_inputs_come_from_a_stream_that_numpy_has_frozen() -> None:
    draw = Draw(0, "causal_mask", "five positions")
    assert draw.integers(0, 9, 5).tolist() == FROZEN_INTEGERS
    assert [round(number, 6) for number in draw.normal(3).tolist()] == FROZEN_NORMALS
    assert Draw(0, "causal_mask", "another").integers(0, 9, 5).tolist() != FROZEN_INTEGERS
    assert Draw(1, "causal_mask", "five positions").integers(0, 9, 5).tolist() != FROZEN_INTEGERS
    assert draw.integer(3, 3) == 3
    assert draw.booleans(1000, true=0.9).float().mean() > 0.8
    assert sorted(draw.permutation(6).tolist()) == list(range(6))
    assert isinstance(draw._random, np.random.RandomState)


FROZEN_INTEGERS = [5, 8, 7, 5, 9]
FROZEN_NORMALS = [-0.418732, -0.787013, -1.572581]


def test_nothing_in_the_engine_writes_to_stderr() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.stem != "build" and path.parent.name != "grading":  # neither runs in a notebook
            assert "stderr)" not in path.read_text().replace("redirect_stderr(", ""), path.name


def test_one_who_is_interrupted_while_importing_leaves_no_lock_behind() -> None:
    def looking_for_modules() -> None:
        for number in itertools.count():
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(f"nothing_of_this_name_{number}")

    for _ in range(200):
        with pytest.raises(OutOfTime), time_limit(0.002):
            looking_for_modules()
        assert not _imp.lock_held()
