"""The terminal's side, as a learner types it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import COURSE, LESSONS, Notebook, cell_of, released, solved

NAME = "22_masks"
VICTIM = "causal_mask"
Place = Callable[[str, Notebook], Path]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Runs pytest on arguments, in this process, so that torch is loaded once."""

    def run(*arguments: str | Path) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *map(str, arguments))

    return run


def with_wrong_victim() -> Notebook:
    notebook = solved(NAME)
    cell_of(notebook, VICTIM)["source"] = (
        f"def {VICTIM}(length):\n    return torch.ones(length, length, dtype=torch.bool).triu()\n"
    )
    return notebook


def test_every_case_of_a_solved_notebook_passes(run: Callable[..., pytest.RunResult], place: Place) -> None:
    cases = sum(len(exercise.cases) for exercise in LESSONS[NAME].exercises)
    points = sum(exercise.points for exercise in LESSONS[NAME].exercises)
    count = len(LESSONS[NAME].exercises)
    result = run(place(NAME, solved(NAME)).parent)
    result.assert_outcomes(passed=cases)
    result.stdout.fnmatch_lines(
        [f"{NAME}  ####################  {count} of {count} exercises, {points} of {points} points"]
    )


def test_every_case_of_a_released_notebook_is_skipped_as_not_attempted(run: Callable[..., pytest.RunResult]) -> None:
    for name, lesson in LESSONS.items():
        result = run("-rs", COURSE.released(name).parent)
        result.assert_outcomes(skipped=sum(len(exercise.cases) for exercise in lesson.exercises))
        result.stdout.fnmatch_lines(["SKIPPED * not attempted yet"])
        result.stdout.fnmatch_lines([f"{name}  ....................  0 of *"])


def test_a_failure_shows_the_report_and_no_internals(run: Callable[..., pytest.RunResult], place: Place) -> None:
    result = run(place(NAME, with_wrong_victim()).parent)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    sentence = LESSONS[NAME].exercises[1].misconceptions[0].sentence
    shown = " ".join(result.stdout.str().split())
    assert sentence in shown
    assert shown.count(sentence) == 1
    result.stdout.fnmatch_lines(
        [
            "*_ causal_mask: five positions _*",
            "  20 of 25 values of the result differ, the first at [[]row length=0, column length=1[]].",
            "    expected: [[]row length=0, column length=1[]] False",
            "    yours:    [[]row length=0, column length=1[]] True",
            "    expected    yours       difference",
            "    # . . . .   # # # # #   . x x x x",
            "    rows: length, columns: length; # True, . False, x differs",
        ]
    )
    for internal in ("Traceback", "autograder/", "NotRight", "def runtest"):
        assert internal not in shown


def test_cases_are_chosen_by_name_and_the_rest_is_not_run(run: Callable[..., pytest.RunResult], place: Place) -> None:
    path = place(NAME, with_wrong_victim())
    run("-k", VICTIM, path.parent).assert_outcomes(passed=1, failed=3)
    run("-k", "causal_mask and five", path.parent).assert_outcomes(failed=1)
    run(f"{path}::{VICTIM}::a single position").assert_outcomes(passed=1)
    run(f"{path}::{VICTIM}").assert_outcomes(passed=1, failed=3)


def test_a_notebook_that_is_no_json_is_one_clear_failure(run: Callable[..., pytest.RunResult], place: Place) -> None:
    path = place(NAME, solved(NAME))
    path.write_text("{ broken")
    result = run(path.parent)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["22_masks.ipynb is not a notebook: it is not JSON*"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda key: key.unlink(),
            "The key * is missing. Restore it with `git checkout*`*or make it*with `make build`.",
        ),
        (lambda key: key.write_bytes(key.read_bytes()[:1000]), "The key * is damaged or cut short. Restore it*"),
        (lambda key: key.write_bytes(b""), "The key * is damaged or cut short. Restore it*"),
    ],
    ids=["missing", "truncated", "empty"],
)
def test_a_key_that_cannot_be_used_is_one_clear_failure(
    run: Callable[..., pytest.RunResult],
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    shutil.copy(COURSE.key(NAME), keys)
    spoil(keys / f"{NAME}.safetensors")
    monkeypatch.setenv("AUTOGRADER_KEYS", str(keys))
    result = run(place(NAME, solved(NAME)).parent)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])


def test_two_lessons_are_judged_in_one_run(run: Callable[..., pytest.RunResult], place: Place) -> None:
    paths = [place(name, solved(name)) for name in LESSONS]
    result = run(paths[0].parent.parent)
    result.assert_outcomes(passed=sum(len(e.cases) for lesson in LESSONS.values() for e in lesson.exercises))
    for name in LESSONS:
        result.stdout.fnmatch_lines([f"{name}  ####################  *"])


def test_in_other_peoples_runs_the_plugin_is_silent_and_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "analysis.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "analysis.ipynb").write_text("not even JSON")
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n\ndef test_theirs():\n"
        "    assert 'autograder.pytest_plugin' in sys.modules\n"
        "    assert not {'torch', 'numpy', 'IPython', 'autograder.key'} & set(sys.modules)\n"
    )
    # jaxtyping's own plugin loads numpy
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:jaxtyping", "-c", "/dev/null", "--rootdir=."]
    long = " or ".join(["theirs"] * 60)  # longer than the name of a file may be
    command = [sys.executable, "-m", "pytest", *options, ".", "-k", long]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 passed")
    assert "lessons" not in done.stdout
    assert "22_masks" not in done.stdout


def test_the_time_limit_is_a_setting(
    run: Callable[..., pytest.RunResult], place: Place, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nautograder_timeout = 0.5\n")
    notebook = released(NAME)
    cell_of(notebook, VICTIM)["source"] = f"def {VICTIM}(length):\n    while True: pass\n"
    result = run(
        "-k", VICTIM, "--rootdir", pytester.path, "-c", pytester.path / "tox.ini", place(NAME, notebook).parent
    )
    result.stdout.fnmatch_lines(["*Your function did not finish: still running after 0.5 s.*"])
