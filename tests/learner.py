"""What the end-to-end tests share: the lesson they try, and notebooks as a learner would fill them in."""

from __future__ import annotations

import ast
import inspect
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.prose import as_text

LESSON = "22_masks"
ROOT = Path(__file__).parent.parent
SOLUTION = ROOT / "solutions" / LESSON
SOURCE_NOTEBOOK = SOLUTION / f"{LESSON}.ipynb"
RELEASED = ROOT / "exercises" / LESSON / f"{LESSON}.ipynb"
CHECK = "check_"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def grade_id(cell: NotebookNode) -> str:
    """nbgrader's name of a cell: an exercise's own for its stub, `check_` before it for its test; else ""."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_check(cell: NotebookNode) -> bool:
    return grade_id(cell).startswith(CHECK)


def points() -> dict[str, int]:
    """The lesson's exercises, in order, and what each is worth."""
    checks = [cell for cell in read(SOURCE_NOTEBOOK).cells if is_check(cell)]
    return {grade_id(cell).removeprefix(CHECK): cell.metadata.nbgrader.points for cell in checks}


def reference_sources() -> dict[str, str]:
    """The reference solution's cell for each exercise."""
    return {grade_id(cell): cell.source for cell in read(SOURCE_NOTEBOOK).cells if grade_id(cell) in points()}


def answered(notebook: Path, answers: Mapping[str, str]) -> NotebookNode:
    """A copy of a notebook with these sources in the cells of these exercises."""
    filled = read(notebook)
    cells = {grade_id(cell): cell for cell in filled.cells}
    for name, source in answers.items():
        cells[name].source = source
    return filled


def as_answer(candidate: Callable[..., Any], name: str) -> str:
    """One of `checks.py`'s candidates as a learner would have written it: under the exercise's name, with the helpers
    that `checks.py` has, and without the docstring, which is the sentence that tests look for in a report."""
    module = ast.parse(Path(inspect.getfile(candidate)).read_text(encoding="utf-8"))
    helpers = [ast.unparse(node) for node in module.body if _is_helper(node)]
    own = ast.parse(textwrap.dedent(inspect.getsource(candidate))).body[0]
    assert isinstance(own, ast.FunctionDef | ast.ClassDef)
    own.name, own.decorator_list = name, []
    if ast.get_docstring(own) is not None:
        own.body = own.body[1:]
    return "\n".join([*helpers, ast.unparse(own)])


def _is_helper(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not (node.module or "").startswith("autograder")
    return isinstance(node, ast.Import) or (isinstance(node, ast.FunctionDef) and not node.decorator_list)


def words(html: str) -> str:
    """The text that a reader of a page sees, each gap one space."""
    shown = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", "", html, flags=re.S)
    return " ".join(unescape(shown).split())


def as_shown(sentence: str) -> str:
    """A sentence as a page shows it: code and emphasis are set as such, without their marks."""
    return as_text(sentence).replace("`", "")


def isolated(home: Path) -> dict[str, str]:
    """This environment without the user's own Jupyter settings, state and running servers."""
    folders = {
        "HOME": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
    }
    return {**os.environ, **{name: str(folder) for name, folder in folders.items()}}
