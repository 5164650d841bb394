"""Reading an exercise notebook: which of its cells define what the learner wrote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import NotebookProblem

DEMONSTRATION = "demonstration"


@dataclass(frozen=True)
class Cell:
    """A code cell: its place in the notebook, counted from 1 as a reader counts, and its source."""

    number: int
    source: str


def read_cells(path: Path) -> list[Cell]:
    """The code cells that define things: neither locked nor graded, nor tagged as a demonstration.

    Raises NotebookProblem where the file is no notebook. Read as plain JSON, because importing nbformat takes as long
    as judging a lesson.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotebookProblem(f"{path.name} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # JSON and UTF-8 errors both
        raise NotebookProblem(
            f"{path.name} is not a notebook: it is not JSON ({error}). Take it from a backup, or from the released "
            f"exercises and put your functions in again."
        ) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotebookProblem(
            f"{path.name} is not a notebook of version 4: it has no list of cells. Open it in JupyterLab and save it."
        )
    return [
        Cell(number, _source(cell))
        for number, cell in enumerate(cells, 1)
        if cell.get("cell_type") == "code" and _defines(cell)
    ]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _defines(cell: dict[str, Any]) -> bool:
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    nbgrader = metadata.get("nbgrader")
    nbgrader = nbgrader if isinstance(nbgrader, dict) else {}
    solution = bool(nbgrader.get("solution"))
    locked = bool(nbgrader.get("locked") or nbgrader.get("grade")) and not solution
    return not locked and DEMONSTRATION not in (metadata.get("tags") or [])


def cells_defining(cells: list[Cell], name: str) -> list[Cell]:
    """The cells whose source defines `name`, found by its line, so that a cell with a syntax error is found too."""
    pattern = re.compile(rf"^(?:async +)?(?:def|class) +{re.escape(name)}\b|^{re.escape(name)} *(?::[^=\n]*)?=", re.M)
    return [cell for cell in cells if pattern.search(cell.source)]
