"""`own`: a learner's own part from an earlier lesson, where it is right; else the part that is given ready-made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython
from IPython.core.inputtransformer2 import TransformerManager
from IPython.utils.capture import capture_output

from autograder.answers import collect
from autograder.errors import NotebookProblem, UnknownExercise
from autograder.judge import judge
from autograder.key import ExerciseKey
from autograder.keyfile import read_key
from autograder.notebook import Cell, cells_defining, read_cells
from autograder.places import key_path
from autograder.quiet import is_quiet, quiet
from autograder.report import summary
from autograder.watch import OutOfTime, time_limit

SECONDS = 20.0  # for one cell of the earlier notebook

Part = TypeVar("Part")


def own(given: Part, lesson: str) -> Part:
    """The learner's own function or class of that name, from the earlier lesson's notebook, where it passes all of its
    checks; else `given`. Says in a line which of the two it is, and why.

    The notebook is looked for where lessons lie: `../<lesson>/<lesson>.ipynb`, seen from the one that runs.

    >>> MultiHeadAttention = own(MultiHeadAttention, "23_multi_head")  # doctest: +SKIP
    MultiHeadAttention: your own, from 23_multi_head

    Raises UnknownExercise where that lesson has no such exercise, KeyProblem where its key cannot be read.
    """
    if is_quiet():
        return given
    name = getattr(given, "__name__", str(given))
    key = read_key(key_path(lesson))
    if name not in {exercise.name for exercise in key.exercises}:
        raise UnknownExercise(f"{lesson} has no exercise named `{name}`.")
    path = Path.cwd().parent / lesson / f"{lesson}.ipynb"
    found, reason = _found(path, key.exercise(name), lesson)
    print(f"{name}: your own, from {lesson}" if not reason else f"{name}: the one given here, for {reason}")
    return given if reason else found


def _found(path: Path, key: ExerciseKey, lesson: str) -> tuple[Any, str]:
    """The learner's own, and why it cannot be used, or ""."""
    if not path.is_file():
        return None, f"there is no {path.parent.name}/{path.name} beside this lesson"
    try:
        cells = read_cells(path)
    except NotebookProblem as problem:
        return None, str(problem).rstrip(".")
    module = ModuleType(lesson)
    failed = _run(cells, module)
    if not hasattr(module, key.name):
        problems = [f"cell {cell.number} {failed[cell.number]}" for cell in cells_defining(cells, key.name) if failed]
        return None, f"{path.name} defines no `{key.name}`" + "".join(f": {problem}" for problem in problems)
    candidate = getattr(module, key.name)
    question = replace(key.question, contrasts=[])
    report = judge(key, collect(candidate, question), lesson)
    return candidate, "" if report.status == "passed" else f"yours in {lesson} is not right yet ({summary(report)})"


def _run(cells: list[Cell], module: ModuleType) -> dict[int, str]:
    """Run cells in a namespace of their own, unseen; the numbers of those that failed, with what they raised."""
    failed = {}
    transform = TransformerManager().transform_cell
    vars(module)["get_ipython"] = get_ipython
    with quiet(), capture_output():
        for cell in cells:
            try:
                with time_limit(SECONDS):
                    exec(
                        compile(transform(cell.source), f"<{module.__name__}, cell {cell.number}>", "exec"),
                        vars(module),
                    )
            except (Exception, SystemExit, OutOfTime) as error:
                failed[cell.number] = f"raised {type(error).__name__}: {error}"
    return failed
