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
        about = {
            "grade_id": self.name,
            "cell_type": self.cell_type,
            "checksum": self.checksum,
            "schema_version": SCHEMA,
        }
        return {**about, **kind, **({"points": self.points} if self.grade or self.task else {})}


@dataclass(frozen=True)
class Released:
    """A released notebook's cells that nbgrader knows, in order."""

    cells: list[ReleasedCell] = field(default_factory=list)

    @property
    def tests(self) -> dict[str, ReleasedCell]:
        """The cells whose points come from judging: graded code that learners do not write."""
        return {c.name: c for c in self.cells if c.grade and not c.solution and c.cell_type == "code"}


def tidy(notebook: dict[str, Any]) -> dict[str, Any]:
    """Make a notebook that nbformat can read of what is nearly one, in place, without outputs: nobody believes them.

    A copied cell has the id of the first, which nbformat refuses: all get new ones.
    """
    cells = [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    for number, cell in enumerate(cells):
        metadata, source = cell.get("metadata"), cell.get("source", "")
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        cell_type = cell.get("cell_type")
        cell.update(
            cell_type=cell_type if cell_type in ("code", "markdown", "raw") else "raw",
            id=f"cell-{number}",
            metadata=metadata if isinstance(metadata, dict) else {},
            source=source if isinstance(source, str) else "",
        )
        cell.pop("outputs", None)
        if not isinstance(cell.get("attachments"), dict):
            cell.pop("attachments", None)
        _fit_type(cell)
    metadata = notebook.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    metadata = {name: value for name, value in metadata.items() if isinstance(value, dict)}
    notebook.update(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=5)
    return notebook


def restore(notebook: dict[str, Any], released: Released) -> list[str]:
    """Change a tidy notebook in place: known cells get their metadata, locked ones their source, missing ones return.

    Of several cells with one name the last one keeps it, as in nbgrader. Returns what was put right, in words.
    """
    changes: list[str] = []
    known = {cell.name: cell for cell in released.cells}
    cells = notebook["cells"]
    at: dict[str, int] = {}
    for index, cell in enumerate(cells):
        about = cell["metadata"].pop("nbgrader", None)
        name = about.get("grade_id") if isinstance(about, dict) else None
        if isinstance(name, str) and name in known:
            if name in at:
                changes.append(f"{name} is there more than once: the last one counts")
            at[name] = index
    for name, index in at.items():
        if known[name].locked and cells[index]["source"] != known[name].source:
            changes.append(f"{name} was changed")
        _as_released(cells[index], known[name])
    # from behind, so that an index still fits after those before it were used
    missing = _missing(released, at)
    for index, cell in sorted(missing, key=lambda item: item[0])[::-1]:
        cells.insert(index, cell)
    changes += [f"{cell['metadata']['nbgrader']['grade_id']} was deleted" for _, cell in missing]
    return changes


def _fit_type(cell: dict[str, Any]) -> None:
    if cell["cell_type"] == "code":
        cell.setdefault("outputs", [])
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
    found: list[tuple[int, dict[str, Any]]] = []
    index = 0
    for known in released.cells:
        index = at[known.name] + 1 if known.name in at else index
        if known.name not in at and (known.locked or known.grade or known.task):
            cell: dict[str, Any] = {"id": f"restored-{len(found)}", "metadata": {}, "source": known.source}
            _as_released(cell, known)
            found.append((index, cell))
    return found
