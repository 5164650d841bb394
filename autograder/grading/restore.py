"""The cells that students cannot change, as they were released, whatever was done to them.

nbgrader believes the metadata in a submission: a cell that says it has another schema stops a whole class, one that
lies about being graded breaks its notebook. Here the gradebook alone says what a cell is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SCHEMA = 3  # of nbgrader's cell metadata


@dataclass(frozen=True)
class ReleasedCell:
    """A cell that nbgrader knows: its name (`grade_id`), what it is, its source as released, and its points."""

    name: str
    cell_type: str
    source: str
    checksum: str
    locked: bool
    grade: bool
    solution: bool
    task: bool
    points: float = 0.0

    @property
    def metadata(self) -> dict[str, Any]:
        """nbgrader's metadata for it."""
        kind = {"grade": self.grade, "solution": self.solution, "locked": self.locked, "task": self.task}
        about = {"grade_id": self.name, "cell_type": self.cell_type, "checksum": self.checksum, "schema_version": SCHEMA}
        return {**about, **kind, **({"points": self.points} if self.grade or self.task else {})}


@dataclass(frozen=True)
class Released:
    """A released notebook's cells that nbgrader knows, in order."""

    cells: list[ReleasedCell] = field(default_factory=list)

    @property
    def tests(self) -> dict[str, ReleasedCell]:
        """The cells whose points come from judging: graded code that learners do not write."""
        return {c.name: c for c in self.cells if c.grade and not c.solution and c.cell_type == "code"}


def restore(notebook: dict[str, Any], released: Released) -> dict[str, Any]:
    """The notebook, changed in place: known cells have their metadata, locked ones their source, missing ones are back.

    Of several cells with one name the last one keeps it, as in nbgrader. Whatever is no cell is left out.
    """
    known = {cell.name: cell for cell in released.cells}
    cells = [_tidy(cell) for cell in notebook["cells"] if isinstance(cell, dict)]
    at: dict[str, int] = {}
    for index, cell in enumerate(cells):
        about = cell["metadata"].pop("nbgrader", None)
        name = about.get("grade_id") if isinstance(about, dict) else None
        if isinstance(name, str) and name in known:
            at[name] = index
    for name, index in at.items():
        _as_released(cells[index], known[name])
    # from behind, so that an index still fits after those before it were used
    for index, cell in reversed(sorted(_missing(released, at), key=lambda item: item[0])):
        cells.insert(index, cell)
    if notebook.get("nbformat_minor", 5) >= 5:
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"  # a copied cell keeps the other's id, which nbformat refuses
    notebook["cells"] = cells
    return notebook


def _tidy(cell: dict[str, Any]) -> dict[str, Any]:
    """The parts of a cell that every notebook has, of the type they should be."""
    if not isinstance(cell.get("metadata"), dict):
        cell["metadata"] = {}
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    cell["source"] = source if isinstance(source, str) else ""
    if cell.get("cell_type") not in ("code", "markdown", "raw"):
        cell["cell_type"] = "raw"
    _fit_type(cell)
    return cell


def _fit_type(cell: dict[str, Any]) -> None:
    if cell["cell_type"] == "code":
        cell["outputs"] = cell["outputs"] if isinstance(cell.get("outputs"), list) else []
        cell["execution_count"] = None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def _as_released(cell: dict[str, Any], known: ReleasedCell) -> None:
    cell["metadata"]["nbgrader"] = known.metadata
    cell["cell_type"] = known.cell_type
    if known.locked:
        cell["source"] = known.source
    _fit_type(cell)


def _missing(released: Released, at: dict[str, int]) -> list[tuple[int, dict[str, Any]]]:
    """Cells that were deleted, with the index each belongs at: behind the nearest released one that is still there.

    A deleted solution stays deleted: its exercise is reported as missing.
    """
    found = []
    index = 0
    for known in released.cells:
        index = at[known.name] + 1 if known.name in at else index
        if known.name not in at and (known.locked or known.grade or known.task):
            cell: dict[str, Any] = {"cell_type": known.cell_type, "metadata": {}, "source": known.source}
            _as_released(cell, known)
            found.append((index, cell))
    return found
