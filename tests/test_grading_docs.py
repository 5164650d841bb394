"""docs/grading.md: its commands run as written, its settings exist, its tests too; and the small versions of what make
runs for long."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from learner import ROOT, isolated
from traitlets.config import Config

from autograder.grading.preprocessor import Judge

PAGE = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)


def test_the_commands_take_a_newcomer_from_a_clone_to_grades(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("autograder", "exercises", "solutions"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "nbgrader_config.py", clone)
    (clone / ".venv").symlink_to(sys.prefix)
    (tmp_path / "home").mkdir()
    environment = {**isolated(tmp_path / "home"), "PYTHONPATH": str(clone), "PATH": "/usr/bin:/bin"}
    commands = "\n".join(blocks("sh"))
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    (shown,) = blocks("text")
    plain = "\n".join(line.partition("INFO] ")[2] for line in said.splitlines() if "INFO] " in line)
    assert shown in plain + "\n", plain
    assert "ada" in (clone / "grades.csv").read_text()
    assert (clone / "feedback/alan/22_masks/22_masks.html").is_file()


def test_settings_are_those_that_there_are() -> None:
    table = PAGE.partition("| setting |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(?:c\.Judge\.)?([a-z_]+)`", "".join(re.findall(r"^\| (.*?) \|", table, flags=re.M))))
    assert named == set(Judge.class_own_traits(config=True))


def test_configurations_can_be_loaded() -> None:
    for block in blocks("python"):
        config = Config()
        exec(block, {"c": config})
        for setting, value in config.get("Judge", {}).items():
            Judge(**{setting: value})


def test_every_test_of_the_threat_table_is_there() -> None:
    named = re.findall(r"\| `(test_\w+)` \|", PAGE)
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").glob("test_grading*.py"))
    assert len(named) >= 10
    assert [name for name in named if f"def {name}(" not in tests] == []


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        (
            "bench_grading.py",
            ["--students", "4", "--sample", "1", "--no-limits"],
            "the same scores for the sample: yes",
        ),
        ("demo_class.py", ["--students", "4", "--folder", "demo"], "4 of 4 submissions graded"),
    ],
)
def test_what_make_runs_for_long_runs_small(tmp_path: Path, program: str, arguments: list[str], said: str) -> None:
    environment = {**isolated(tmp_path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests" / program), *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
