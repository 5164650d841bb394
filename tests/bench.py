"""`make bench`: how long the course lets a learner wait, as ratios measured in this run.

The limits are those that the README names. Ends with exit code 1 where one is not kept.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
LESSON = "22_masks"
ROUNDS = 7


def seconds(*command: str) -> float:
    """How long a command takes; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def python(code: str) -> Callable[[], float]:
    """The time of a fresh process that runs `code`."""
    return lambda: seconds(sys.executable, "-c", code)


def seconds_added() -> float:
    """What `from autograder import check` takes in a process that has torch already."""
    timed = "start = time.perf_counter(); from autograder import check; print(time.perf_counter() - start)"
    code = f"import time, torch; {timed}"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def medians(*measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns so that a busy moment falls on all of them."""
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def solved_notebook(folder: Path) -> Path:
    """A notebook with everything right in it, where pytest looks for a learner's."""
    path = folder / "exercises" / LESSON
    path.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / LESSON / f"{LESSON}.ipynb", path)
    return path


def slowest_check() -> float:
    """The median milliseconds of check(...) in a warm kernel, of the exercise that takes longest."""
    from jupyter_client.manager import start_new_kernel

    notebook = json.loads((ROOT / "solutions" / LESSON / f"{LESSON}.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = "\n".join(cell for cell in cells if "demonstration" not in cell.splitlines()[0])
    timing = """
import time
for name in [name for name in dir() if callable(globals()[name])]:
    try:
        check(name)
    except Exception:
        continue
    times = []
    for _ in range(21):
        start = time.perf_counter()
        check(name)
        times.append(time.perf_counter() - start)
    print(f"MEDIAN {1000 * sorted(times)[10]}")
"""
    manager, client = start_new_kernel(cwd=str(ROOT))
    lines: list[str] = []
    try:
        client.execute_interactive(
            code + timing,
            output_hook=lambda message: lines.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    found = [float(line.split()[1]) for line in "".join(lines).splitlines() if line.startswith("MEDIAN")]
    assert found, "no check was timed"
    return max(found)


def main() -> int:
    """Measure and print; 0 where every limit is kept."""
    os.environ["JUPYTER_PLATFORM_DIRS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        lesson = str(solved_notebook(Path(folder)))
        pytest = lambda: seconds(sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), lesson)  # noqa: E731
        torch, added, whole = medians(python("import torch"), seconds_added, pytest)
    rows = [
        (f"pytest exercises/{LESSON}, solved, against `import torch`", whole / torch, 2.0, "times"),
        ("check(...) in a warm kernel, the slowest exercise's median", slowest_check(), 30.0, "ms"),
        ("import autograder, on top of `import torch`", added, 0.3, "s"),
    ]
    print(f"import torch: {torch:.2f} s, pytest: {whole:.2f} s (medians of {ROUNDS})")
    for what, value, limit, unit in rows:
        print(f"{'ok' if value <= limit else 'TOO SLOW':10}{what}: {value:.2f} {unit} (at most {limit:g})")
    return 0 if all(value <= limit for _, value, limit, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
