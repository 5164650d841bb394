"""`make demo-class`: a simulated class of 20, graded, to look around in with formgrader."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from nbgrader.api import Gradebook
from simulated import SimulatedClass

LESSON = "22_masks"
FOLDER = Path("demo-class")


def main() -> int:
    """Make the class in a folder of its own, grade it, and say where to look."""
    parser = argparse.ArgumentParser(prog="make demo-class", description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--students", type=int, default=20)
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    if folder.exists() and not (folder / ".demo").is_file():
        print(f"{folder} is there already and is no demo class: move it away, or name another with --folder.")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    simulated = SimulatedClass(folder, LESSON)
    simulated.make()
    (folder / ".demo").touch()
    kinds = simulated.hand_in(chosen.students)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "deep-learning-models-explained") as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate="2030-01-01 12:00:00 UTC")
        for number, student in enumerate(kinds):
            gradebook.update_or_create_student(student, first_name=student.capitalize())
            late = "2030-01-02" if number % 7 == 3 else "2029-12-31"
            (folder / "submitted" / student / LESSON / "timestamp.txt").write_text(f"{late} 09:00:00 UTC")
    said, _ = simulated.nbgrader("autograde", LESSON)
    simulated.nbgrader("generate_feedback", LESSON)
    summary = [line.partition("INFO] ")[2] for line in said.splitlines() if "INFO] " in line]
    print("\n".join(summary[summary.index(next(line for line in summary if "submissions graded" in line)) :]))
    print(
        f"\nTo look around in Nbgrader > Formgrader: cd {chosen.folder} && {Path(sys.executable).parent}/jupyter lab\n"
        f"A student's feedback: {chosen.folder}/feedback/{next(iter(kinds))}/{LESSON}/{LESSON}.html"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
