"""What a student handed in: the notebook's cells and the files beside it, read as hostile.

Nothing is followed out of the student's folder, and nothing is read that is larger than a submission may be.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import NotebookProblem
from autograder.grading.files import LARGEST_FILES, LARGEST_NOTEBOOK, read_bytes
from autograder.grading.restore import Released, restore, tidy
from autograder.notebook import DEMONSTRATION, Cell

MOST_FILES = 1_000


@dataclass(frozen=True)
class Submission:
    """The cells to run, in order, and the files that lie beside the notebook, by their names from its folder."""

    cells: list[Cell]
    files: dict[str, bytes]


def read(notebook: Path, released: Released, given: dict[str, bytes]) -> Submission:
    """A student's submission as it is judged: with the locked cells as they were released, and the course's own files
    (`given`) in place of the student's. Raises NotebookProblem where it cannot be read."""
    content = read_notebook(notebook)
    restore(content, released)
    return Submission(cells_to_run(content, released), {**files_beside(notebook), **given})


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook as plain data, in version 4 of the format, tidy. Raises NotebookProblem."""
    data = read_bytes(path, LARGEST_NOTEBOOK)
    try:
        notebook = json.loads(data)
        if isinstance(notebook, dict) and notebook.get("nbformat", 4) != 4:
            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
    except RecursionError as error:
        raise NotebookProblem(f"{path.name} is not a notebook: its lists lie too deep within each other.") from error
    except Exception as error:  # whatever nbformat's converters make of hostile data
        raise NotebookProblem(f"{path.name} is not a notebook: {str(error)[:200]}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise NotebookProblem(f"{path.name} is not a notebook: it has no list of cells.")
    return tidy(notebook)


def cells_to_run(notebook: dict[str, Any], released: Released) -> list[Cell]:
    """The code cells that define things. A restored notebook's test cells are left out, as are demonstrations."""
    cells = []
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] != "code":
            continue
        tags = cell["metadata"].get("tags")
        shown = isinstance(tags, list) and DEMONSTRATION in tags
        test = cell["metadata"].get("nbgrader", {}).get("grade_id") in released.tests
        if not shown and not test and not cell["source"].startswith(f"# {DEMONSTRATION}"):
            cells.append(Cell(number, cell["source"]))
    return cells


def files_beside(notebook: Path) -> dict[str, bytes]:
    """The regular files in the notebook's folder and below, other notebooks left out. Links are not followed."""
    found: dict[str, bytes] = {}
    left = LARGEST_FILES
    for folder, folders, names in os.walk(notebook.parent, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if path.suffix == ".ipynb" or path.is_symlink() or not path.is_file():
                continue
            if len(found) >= MOST_FILES:
                raise NotebookProblem(f"There are more than {MOST_FILES:,} files beside {notebook.name}.")
            content = read_bytes(path, left)
            left -= len(content)
            found[str(path.relative_to(notebook.parent))] = content
    return found
