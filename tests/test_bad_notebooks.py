"""Notebooks that are broken in every way we could think of: each gets a clear message, and nothing else is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import KEYS, Notebook, cell_of, solved

from autograder import text
from autograder.errors import NotebookProblem
from autograder.judge import judge
from autograder.notebook import read_cells
from autograder.report import Report
from autograder.runner import Limits, run_notebook

NAME = "22_masks"
VICTIM = "causal_mask"  # the exercise that is broken; the others of the lesson stay right
LIMITS = Limits(cell=3, case=3, grace=1)
Place = Callable[[str, Notebook], Path]


def reports(path: Path, limits: Limits = LIMITS) -> dict[str, Report]:
    key = KEYS[NAME]
    answers = run_notebook(path, read_cells(path), [exercise.question for exercise in key.exercises], limits)
    return {exercise.name: judge(exercise, answers[exercise.name], NAME) for exercise in key.exercises}


def others_are_right(found: dict[str, Report]) -> bool:
    return all(report.status == "passed" for name, report in found.items() if name != VICTIM)


def told(found: dict[str, Report]) -> str:
    """What the learner reads of the broken exercise, in one line."""
    return " ".join(text.render(found[VICTIM]).split())


def with_victim(source: str) -> Notebook:
    notebook = solved(NAME)
    cell_of(notebook, VICTIM)["source"] = source
    return notebook


def returning(expression: str) -> Notebook:
    return with_victim(f"def {VICTIM}(length):\n    return {expression}\n")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("None", "The result is None; a tensor was expected."),
        ("torch.ones(length, length).bool().tril().numpy()", "The result is a NumPy array of shape (5, 5); a tensor"),
        ("[[j <= i for j in range(length)] for i in range(length)]", "The result is a list; a tensor was expected."),
        ("torch.ones(length, length).tril()", "The result holds float32 values; bool was expected."),
        ("torch.empty(length, 2**26, dtype=torch.bool)", "The length axis of the result has size 67108864; 5 was"),
        ("torch.empty(2**29)", "The result holds float32 values; bool was expected."),
        ("torch.ones(length, dtype=torch.bool)", "The result has 1 axis; 2 were expected."),
        (
            "torch.ones(length, length, dtype=torch.bool).to_sparse()",
            "The result is a sparse_coo tensor of shape (5, 5)",
        ),
        ("torch.ones(length, length, dtype=torch.bool, device='meta')", "The result is a meta tensor"),
        ("(torch.ones(length, length, dtype=torch.bool).tril(),)", "Is there a comma too many"),
        ("'causal'", "The result is a str; a tensor was expected."),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("undefined_name", "NameError: name 'undefined_name' is not defined"),
        ("torch.ones(length, length).trill()", "AttributeError: 'Tensor' object has no attribute 'trill'"),
        (f"{VICTIM}(length + 1)", "RecursionError"),
        ("exit()", "it ends the program: SystemExit"),
        ("__import__('os')._exit(3)", "Your function ended the process with exit code 3."),
        ("__import__('ctypes').string_at(0)", "Your function was ended by signal SIGSEGV."),
        ("__import__('os').kill(0, 9)", "Your function was ended by signal SIGKILL."),
        ("__import__('time').sleep(1000)", "Your function did not finish: still running after 3 s."),
        ("[print('x' * 10**7) for _ in range(100)]", "and 999,998,100 characters more"),
        ("torch.empty(2**45)", "Your function raised an error."),
    ],
)
def test_a_wrong_function_costs_its_own_exercise_alone(place: Place, expression: str, message: str) -> None:
    found = reports(place(NAME, returning(expression)))
    assert message in told(found)
    assert found[VICTIM].status == "failed"
    assert others_are_right(found)


def test_where_code_raised_the_learners_own_lines_are_shown_and_no_others(place: Place) -> None:
    notebook = with_victim(f"def helper(n):\n    return n.shape\n\ndef {VICTIM}(length):\n    return helper(length)\n")
    message = told(reports(place(NAME, notebook)))
    assert "line 5, in causal_mask return helper(length) line 2, in helper return n.shape" in message
    assert "AttributeError: 'int' object has no attribute 'shape'" in message
    assert "site-packages" not in message
    assert "autograder" not in message


def test_a_loop_that_python_cannot_interrupt_is_ended_from_outside(place: Place) -> None:
    stubborn = (
        f"def {VICTIM}(length):\n    import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
    )
    started = time.monotonic()
    found = reports(place(NAME, with_victim(f"{stubborn}    while True:\n        pass\n")))
    assert "did not finish within" in told(found)
    assert others_are_right(found)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def causal_mask(length:\n    return 1", "has a syntax error in its line 1"),
        ("while True:\n    pass\ndef causal_mask(length): ...", "did not finish within 3 s."),
        ("import os; os._exit(1)\ndef causal_mask(length): ...", "ended the process with exit code 1."),
        ("import sys; sys.exit()\ndef causal_mask(length): ...", "raised SystemExit"),
        ("raise RuntimeError('no')\ndef causal_mask(length): ...", "raised RuntimeError: no."),
        ("from somewhere import nothing\ndef causal_mask(length): ...", "raised ModuleNotFoundError: No module named"),
    ],
)
def test_a_cell_that_fails_is_named_and_the_others_count(place: Place, source: str, message: str) -> None:
    notebook = with_victim(source)
    number = notebook["cells"].index(cell_of(notebook, VICTIM)) + 1
    found = reports(place(NAME, notebook))
    assert f"There is no `{VICTIM}` in this notebook." in told(found)
    assert f"Cell {number} " in told(found)
    assert message in told(found)
    assert others_are_right(found)


def test_a_deleted_cell(place: Place) -> None:
    notebook = solved(NAME)
    notebook["cells"].remove(cell_of(notebook, VICTIM))
    found = reports(place(NAME, notebook))
    assert "There is no `causal_mask` in this notebook. expected: def causal_mask(length)" in told(found)
    assert "Its cell was deleted or renamed" in told(found)
    assert others_are_right(found)


def test_a_renamed_function(place: Place) -> None:
    notebook = solved(NAME)
    cell = cell_of(notebook, VICTIM)
    cell["source"] = "".join(cell["source"]).replace("def causal_mask", "def my_mask")
    assert "There is no `causal_mask` in this notebook." in told(reports(place(NAME, notebook)))


def test_a_duplicated_cell_counts_as_in_jupyter_and_is_told(place: Place) -> None:
    notebook = solved(NAME)
    wrong = {**cell_of(notebook, VICTIM), "source": f"def {VICTIM}(length):\n    return None\n"}
    notebook["cells"].append(wrong)
    numbers = notebook["cells"].index(cell_of(notebook, VICTIM)) + 1, len(notebook["cells"])
    found = reports(place(NAME, notebook))
    assert "The result is None" in told(found)
    assert f"`causal_mask` is defined in cells {numbers[0]} and {numbers[1]}: the last one counts." in told(found)


def test_a_changed_signature(place: Place) -> None:
    message = told(reports(place(NAME, with_victim("def causal_mask(length, window):\n    return 1\n"))))
    assert "cannot be called with the parameters of the stub" in message
    assert "expected: causal_mask(length) yours: causal_mask(length, window)" in message


def test_a_name_that_is_no_function(place: Place) -> None:
    assert "`causal_mask` is a Tensor, not a function." in told(
        reports(place(NAME, with_victim("causal_mask = torch.ones(2)")))
    )


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!true\ndef causal_mask(length):\n    return torch.ones(length, length).tril().bool()\n",
        "%%time\ndef causal_mask(length):\n    return torch.ones(length, length).tril().bool()\n",
        "import warnings, sys\ndef causal_mask(length):\n    warnings.warn('noise')\n"
        "    print('noise', file=sys.stderr)\n    return torch.ones(length, length).tril().bool()\n",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n"
        "causal_mask = lambda n: torch.ones(n, n).tril().bool()\n",
        "class Mask:\n    def __call__(self, length, *, extra=None):\n"
        "        return torch.ones(length, length).tril() > 0\ncausal_mask = Mask()\n",
        "import functools\ndef tri(n, d):\n    return torch.ones(n, n).tril(d) > 0\n"
        "causal_mask = functools.partial(tri, d=0)\n",
        "await __import__('asyncio').sleep(0)\n"
        "def causal_mask(*, length):\n    return torch.ones(length, length).tril() > 0",
        "check(causal_mask) if 'causal_mask' in globals() else None\nhint('causal_mask')\n"
        "def causal_mask(length):\n    return torch.ones(length, length).tril() > 0",
        "In [3]: def causal_mask(length):\n   ...:     return torch.ones(length, length).tril() > 0\n",
        "\n\n    def causal_mask(length):\n        return torch.ones(length, length).tril() > 0\n",
        "seen = 1\ndef causal_mask(length):\n    return torch.ones(length, length).tril() > 0\n"
        "from __future__ import annotations\ndef late(x: unknown) -> Unknown: ...\n",
        "display(1)\nshell = get_ipython()\nassert shell.user_ns is globals() and __name__ == '__main__'\n"
        "def causal_mask(length):\n    return torch.ones(length, length).tril() > 0\n",
        "def late(x: unknown): ...\ncausal_mask = lambda length: torch.ones(length, length).tril() > 0\n",
    ],
    ids=[
        "magics",
        "cell magic",
        "noise",
        "a thread left running",
        "a callable object",
        "partial",
        "await",
        "check inside",
        "prompts of a terminal",
        "indented",
        "a future in the middle",
        "what IPython offers",
        "a future from an earlier cell",
    ],
)
def test_an_honest_cell_in_an_unusual_style_is_right(place: Place, source: str) -> None:
    notebook = with_victim(source)
    notebook["cells"].insert(0, {**cell_of(notebook, VICTIM), "source": "from __future__ import annotations"})
    notebook["cells"].insert(1, {**cell_of(notebook, VICTIM), "source": "ls"})  # a magic, though it could be a name
    found = reports(place(NAME, notebook))
    assert found[VICTIM].status == "passed", told(found)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nmade = 2\nreturn 3\n", "has a syntax error in its line 3: 'return' outside function"),
        ("x = 1\nexit()\n", "raised SystemExit: "),
        ("x = 1\nraise KeyboardInterrupt('mine')\n", "raised KeyboardInterrupt: mine"),
        ("x = 1\nwhile True:\n    pass\n", "did not finish within 3 s"),
        ("x = 1\n%nonsense\n", "raised UsageError: Line magic function `%nonsense` not found."),
    ],
)
def test_a_cell_that_fails_says_how(place: Place, source: str, message: str) -> None:
    assert message in told(reports(place(NAME, with_victim(f"{source}\ndef causal_mask(length): ...\n"))))


def test_a_traceback_has_the_lines_of_its_cell(place: Place) -> None:
    message = told(reports(place(NAME, with_victim("# mine\ndef causal_mask(length):\n    return 1 / 0\n"))))
    assert "line 3, in causal_mask return 1 / 0" in message


@pytest.mark.parametrize("where", ["input_transformers_post", "input_transformer_manager.cleanup_transforms"])
def test_a_cell_may_teach_ipython_what_a_later_one_uses(place: Place, where: str) -> None:
    notebook = with_victim("def causal_mask(length):\n    return torch.ones(length, length).tril() > more\n")
    taught = f"import torch\nget_ipython().{where}.append(lambda lines: [line.replace('more', '0') for line in lines])"
    notebook["cells"].insert(0, {**cell_of(notebook, VICTIM), "source": taught})
    found = reports(place(NAME, notebook))
    assert found[VICTIM].status == "passed", told(found)


def test_files_beside_the_notebook_are_found(place: Place) -> None:
    path = place(NAME, with_victim("from helper import causal_mask"))
    (path.parent / "helper.py").write_text(
        "import torch\n\ndef causal_mask(length):\n    return torch.ones(length, length).tril() > 0\n"
    )
    found = reports(path)
    assert found[VICTIM].status == "passed", told(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{ no json", "22_masks.ipynb is not a notebook: it is not JSON"),
        (b"\xff\xfe\x00", "22_masks.ipynb is not a notebook: it is not JSON"),
        (b"", "22_masks.ipynb is not a notebook: it is not JSON"),
        (b"[]", "22_masks.ipynb is not a notebook of version 4: it has no list of cells."),
        (b'{"worksheets": []}', "22_masks.ipynb is not a notebook of version 4: it has no list of cells."),
    ],
)
def test_a_file_that_is_no_notebook(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "22_masks.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookProblem, match="^" + message.replace("(", r"\(")):
        read_cells(path)


def test_odd_metadata_does_no_harm(place: Place) -> None:
    notebook = solved(NAME)
    for cell, metadata in zip(notebook["cells"], [None, {"nbgrader": 3}, {"tags": None}], strict=False):
        cell["metadata"] = metadata
    assert {report.status for report in reports(place(NAME, notebook)).values()} == {"passed"}


def test_a_right_answer_survives_what_is_tried_for_the_diagnosis_alone(
    place: Callable[[str, Notebook], Path], tmp_path: Path
) -> None:
    """Contrasts give a function inputs that no case has; one that ends the process there has answered all cases."""
    notebook = solved("22_masks")
    mark = tmp_path / "calls"
    count = len(KEYS["22_masks"].exercise("causal_mask").cases) + 2  # the cases, and two sizes for the loops
    cell_of(notebook, "causal_mask")["source"] = (
        "import os, pathlib, torch\n"
        "def causal_mask(length):\n"
        f"    with open({str(mark)!r}, 'a') as file: file.write('x')\n"
        f"    if pathlib.Path({str(mark)!r}).stat().st_size > {count}: os._exit(3)\n"
        "    return torch.ones(length, length, dtype=torch.bool).tril()\n"
    )
    key = KEYS["22_masks"]
    path = place("22_masks", notebook)
    answers = run_notebook(path, read_cells(path), [exercise.question for exercise in key.exercises[:3]])
    statuses = [judge(exercise, answers[exercise.name]).status for exercise in key.exercises[:3]]
    assert statuses == ["passed"] * 3
