"""`make bench-grading`: a class of 100 graded by stock nbgrader (a sample) and by this course (all), in one run.

The limits are those that docs/grading.md names. Ends with exit code 1 where one is not kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from simulated import SimulatedClass

from autograder.grading import sandbox
from autograder.grading.course import Asked
from autograder.grading.pool import cores, default_workers
from autograder.grading.submission import Submission
from autograder.grading.verdict import Task, reach
from autograder.keyfile import read_key
from autograder.notebook import Cell
from autograder.places import key_path

LESSON = "22_masks"
STOCK = """
import os, sys
from pathlib import Path
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
c = get_config()
c.CourseDirectory.root = str(Path(__file__).parent)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "checks.py", "[0-9][0-9]_*.py"]
"""


def graded(folder: Path, size: int, configuration: str = "") -> tuple[dict[str, float], float, int]:
    """A class's scores, the seconds that `nbgrader autograde` took, and the most memory it had, in kilobytes."""
    simulated = SimulatedClass(folder, LESSON)
    simulated.make(configuration)
    simulated.hand_in(size)
    began = time.perf_counter()
    _, memory = simulated.nbgrader("autograde", LESSON)
    return simulated.scores(), time.perf_counter() - began, memory


def judged_each_second(folder: Path, size: int) -> float:
    """Submissions that are run and judged in a second, without nbgrader."""
    simulated = SimulatedClass(folder, LESSON)
    simulated.make()
    key = read_key(key_path(LESSON))
    asked = {f"check_{each.name}": Asked(each, float(each.points), frozenset(), "bench") for each in key.exercises}
    tasks = []
    for _, kind, notebook in simulated.submissions(size):
        if kind != "hanging":
            code = (cell for cell in notebook.cells if cell.cell_type == "code" and "check(" not in cell.source)
            cells = [
                Cell(number, cell.source) for number, cell in enumerate(code, 1) if "demonstration" not in cell.source
            ]
            tasks.append(Task(Submission(cells, {}), asked))
    sandbox.shared("bubblewrap").prove()
    began = time.perf_counter()
    with ThreadPoolExecutor(default_workers()) as pool:
        assert sum(verdict.score > 0 for verdict in pool.map(reach, tasks)) > size / 2
    return len(tasks) / (time.perf_counter() - began)


def main() -> int:
    """Measure and print; 0 where every limit is kept."""
    parser = argparse.ArgumentParser(prog="make bench-grading", description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, default=100)
    parser.add_argument("--sample", type=int, default=33, help="students that stock nbgrader grades")
    parser.add_argument("--no-limits", action="store_true", help="measure alone")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate = judged_each_second(folder / "alone", chosen.students)
        sandbox.shared("bubblewrap").close()
        stock_scores, stock, _ = graded(folder / "stock", chosen.sample, STOCK)
        scores, ours, memory = graded(folder / "ours", chosen.students)
        _, _, small = graded(folder / "small", max(1, chosen.students // 4))
    same = all(scores[student] == score for student, score in stock_scores.items())
    times = (stock / chosen.sample) / (ours / chosen.students)
    print(f"stock nbgrader: {stock / chosen.sample:.2f} s a submission ({chosen.sample} students)")
    print(
        f"this course: {ours / chosen.students:.3f} s a submission ({chosen.students} students, {cores()} processors)"
    )
    rows = [
        ("times faster", times >= 20, f"{times:.1f} (at least 20)"),
        ("submissions judged in a second, without nbgrader", rate >= 25, f"{rate:.1f} (at least 25)"),
        (
            "megabytes more for four times the class",
            memory - small < 30_000,
            f"{(memory - small) / 1000:.0f} (below 30)",
        ),
        ("the same scores for the sample", same, "yes" if same else "no"),
    ]
    for what, kept, value in rows:
        print(f"{'ok' if kept else 'NOT KEPT':10}{what}: {value}")
    return 0 if chosen.no_limits or all(kept for _, kept, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
