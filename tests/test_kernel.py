"""Exercise notebooks in a real Jupyter kernel: what a learner gets to see, output by output."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from learner import (
    CHECK,
    RELEASED,
    SOLUTION,
    SOURCE_NOTEBOOK,
    as_answer,
    as_shown,
    grade_id,
    is_check,
    points,
    read,
    reference_sources,
    words,
)
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder.authoring import Lesson, load_lesson
from autograder.prose import as_text

EXERCISES = list(points())
FIRST = EXERCISES[1]  # a function of one tensor's worth of arithmetic; the very first exercise is on paper


class Kernel:
    """One kernel that the tests share, because starting one takes longer than all that they run in it."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client

    def run(self, cells: Iterable[NotebookNode | str]) -> list[NotebookNode]:
        """Run cells one after the other, errors or not; they come back with their outputs."""
        notebook = self.client.nb
        done = []
        for cell in cells:
            notebook.cells.append(new_code_cell(cell) if isinstance(cell, str) else cell)
            done.append(self.client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1))
        assert not [output for cell in done for output in outputs(cell) if output.get("name") == "stderr"]
        return done

    def run_notebook(self, path: Path) -> list[NotebookNode]:
        return self.run(read(path).cells)

    def check(self, name: str, source: str) -> list[NotebookNode]:
        """The outputs of `check` for an exercise whose cell holds this source."""
        written, checked = self.run([source, f"check({name})"])
        assert outputs(written) == []
        return outputs(checked)


def outputs(cell: NotebookNode) -> list[NotebookNode]:
    return list(cell.get("outputs", []))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")  # away from the course: nothing may be found by its place
    notebook = new_notebook(metadata=read(RELEASED).metadata)
    client = NotebookClient(notebook, timeout=60, allow_errors=True, shutdown_kernel="immediate")
    # one thread: on a busy machine torch's threads wait for each other, ten times as long as they compute
    with client.setup_kernel(cwd=str(folder), env={**os.environ, "OMP_NUM_THREADS": "1"}):
        running = Kernel(client)
        running.run([cell for cell in read(RELEASED).cells if "import" in cell.source and not grade_id(cell)])
        yield running


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return load_lesson(SOLUTION)


def report_and_error(shown: list[NotebookNode]) -> tuple[str, str, str]:
    """A report as HTML and as text, and the one line below it."""
    assert [output.output_type for output in shown] == ["display_data", "error"]
    report, error = shown
    assert set(report.data) == {"text/html", "text/plain"}
    [line] = error.traceback
    assert "\n" not in line
    return report.data["text/html"], report.data["text/plain"], line


def checks(cells: list[NotebookNode]) -> dict[str, list[NotebookNode]]:
    """The outputs of a notebook's check cells, by exercise."""
    found = {grade_id(cell).removeprefix(CHECK): outputs(cell) for cell in cells if is_check(cell)}
    assert list(found) == EXERCISES
    return found


def test_released_notebook_says_of_every_exercise_that_it_is_not_attempted(kernel: Kernel) -> None:
    for name, shown in checks(kernel.run_notebook(RELEASED)).items():
        html, text, line = report_and_error(shown)
        assert "not attempted yet" in html
        assert "not attempted yet" in text
        assert line == f"{name}: not attempted yet"


def test_solved_notebook_runs_without_an_error_and_every_check_says_right(kernel: Kernel) -> None:
    cells = kernel.run_notebook(SOURCE_NOTEBOOK)
    assert not [output for cell in cells for output in outputs(cell) if output.output_type == "error"]
    for name, shown in checks(cells).items():
        [report] = shown
        assert report.output_type == "display_data"
        assert f"{name}: right on all" in report.data["text/html"]
        assert f"{name}: right on all" in report.data["text/plain"]


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_answer_shows_the_sentence_that_sets_it_right_and_raises(
    name: str, kernel: Kernel, lesson: Lesson
) -> None:
    exercise = next(exercise for exercise in lesson.exercises if exercise.name == name)
    misconception = exercise.misconceptions[0]
    html, text, line = report_and_error(kernel.check(name, as_answer(misconception.candidate, name)))
    assert as_shown(misconception.sentence) in words(html)
    assert as_text(misconception.sentence) in " ".join(text.split())
    assert line.endswith("cases right")


def test_error_in_the_learners_code_shows_their_own_lines_and_none_of_ours(kernel: Kernel) -> None:
    # it fails within torch's own Python code, so that there are frames of torch and of the engine to leave out
    call = 'torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(2, 3))'
    source = f"def spoilt(x):\n    return x + {call}\n\ndef {FIRST}(*arguments):\n    return spoilt(arguments[0])"
    html, text, line = report_and_error(kernel.check(FIRST, source))
    for shown in (words(html), text):
        assert "RuntimeError: einsum" in shown
        assert call in shown
        assert "return spoilt(arguments[0])" in shown
    for shown in (html, text, line):
        assert "autograder/" not in shown
        assert "site-packages" not in shown


def test_warnings_and_writing_to_stderr_do_not_spoil_a_right_answer(kernel: Kernel) -> None:
    source = f"""
import sys, warnings
{reference_sources()[FIRST]}
right = {FIRST}
def {FIRST}(*arguments, **named):
    warnings.warn("deprecated, or so")
    print("to stderr", file=sys.stderr)
    return right(*arguments, **named)
"""
    [report] = kernel.check(FIRST, source)
    assert report.output_type == "display_data"
    assert "right on all" in report.data["text/plain"]


def test_hint_gives_the_next_step_each_time(kernel: Kernel, lesson: Lesson) -> None:
    exercise = next(exercise for exercise in lesson.exercises if exercise.name == FIRST)
    assert len(set(exercise.hints)) == 3
    cells = kernel.run([reference_sources()[FIRST], *[f"hint({FIRST})"] * 3])
    shown = [output.data for cell in cells for output in outputs(cell)]
    for step, (hint, data) in enumerate(zip(exercise.hints, shown, strict=True), 1):
        assert data["text/plain"] == f"Hint {step} of 3 for {FIRST}: {as_text(hint)}"
        assert as_shown(hint) in words(data["text/html"])


def test_misspelt_function_is_one_line_that_names_the_nearest_exercise(kernel: Kernel) -> None:
    misspelt = FIRST[:-2] + FIRST[-1] + FIRST[-2]
    [error] = kernel.check(misspelt, f"def {misspelt}(*arguments):\n    return arguments")
    assert error.output_type == "error"
    [line] = error.traceback
    assert "\n" not in line
    assert f"`{misspelt}`" in line
    assert f"Did you mean `{FIRST}`?" in line
