"""A run of `nbgrader autograde`: killed and run again, with what is known, on a terminal, with a broken sandbox."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from classroom import LESSON, POINTS, RIGHT, WRONG, Classroom

from autograder.grading import sandbox, server

WHOLE = sum(POINTS.values())


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path / "keys"))
    return Classroom.made(tmp_path, seed=5)


def gradebook_of(room: Classroom, students: list[str]) -> dict[str, dict[str, float | None]]:
    return {student: room.grades(student) for student in students}


def test_a_run_that_is_killed_at_any_moment_is_taken_up_and_ends_with_the_same_gradebook(room: Classroom) -> None:
    students = [f"s{number:02}" for number in range(12)]
    for number, student in enumerate(students):
        room.hand_in(student, [RIGHT, WRONG, {"double": RIGHT["double"]}][number % 3], f"seat = {number}")
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
    verdicts = room.root / "gradebook.judge" / "verdicts"
    kills = 0
    for share in (0, 3, 7):
        with (room.root.parent / "log").open("w") as log:
            running = subprocess.Popen(command, cwd=room.root, env=room.environment, stdout=log, stderr=log)
            deadline = time.monotonic() + 60
            while running.poll() is None and time.monotonic() < deadline:
                if len(list((room.root / "autograded").glob(f"*/{LESSON}/*.ipynb"))) > share:
                    break
                time.sleep(0.002)
            kills += running.poll() is None
            running.kill()
            running.wait()
    assert kills >= 2
    known = {path.name: path.stat().st_mtime_ns for path in verdicts.iterdir() if not path.name.startswith(".")}
    assert known
    said = room.nbgrader("autograde", LESSON)
    assert "judged before" in said
    after = {path.name: path.stat().st_mtime_ns for path in verdicts.iterdir() if not path.name.startswith(".")}
    assert {name: after[name] for name in known} == known
    assert len(after) == len(students)
    interrupted = gradebook_of(room, students)
    assert list((room.root / "gradebook.judge/open").iterdir()) == []
    assert all(os.access(path, os.R_OK) for path in (room.root / "autograded").rglob("*.ipynb"))
    for path in verdicts.iterdir():
        path.unlink()
    room.autograde(force=True)
    assert gradebook_of(room, students) == interrupted
    assert [sum(filter(None, interrupted[student].values())) for student in students[:3]] == [WHOLE, 0, 2]


def test_only_what_changed_is_judged_again(room: Classroom) -> None:
    room.hand_in("a", RIGHT)
    room.hand_in("b", WRONG)
    assert "judged before" not in room.autograde()
    assert "2 of 2 submissions graded, 2 of them judged before" in room.autograde()
    room.hand_in("b", RIGHT, "# mended")
    assert "2 of 2 submissions graded, 1 of them judged before" in room.autograde()
    assert room.scores() == {"a": WHOLE, "b": WHOLE}
    checks = room.root / "solutions" / LESSON / "checks.py"
    checks.write_text(checks.read_text() + "\n# another word\n")
    assert "judged before" not in room.autograde()
    assert "judged before" not in room.autograde(seed=6)


def test_what_hung_is_judged_again_when_asked_for_and_kept_otherwise(room: Classroom) -> None:
    room.hand_in("slow", {**RIGHT, "double": "def double(x):\n    while True: pass"})
    assert "Slow: slow (" not in room.autograde(case_seconds=1.0)
    assert "judged before" not in room.autograde(case_seconds=1.0)
    import shutil

    shutil.rmtree(room.root / "autograded")
    assert "1 of them judged before" in room.autograde(force=False, case_seconds=1.0)


def test_a_sandbox_that_breaks_down_costs_nobody_anything(room: Classroom) -> None:
    students = [f"s{number}" for number in range(8)]
    for number, student in enumerate(students):
        room.hand_in(student, RIGHT, f"import time\ntime.sleep(0.3)  # {number}")
    walls = sandbox.shared("bubblewrap")
    walls.start()
    stop = threading.Event()

    def break_it() -> None:
        time.sleep(0.5)
        while not stop.is_set():
            if list((room.root / "gradebook.judge/verdicts").glob("[0-9a-f]*")) and walls._process is not None:
                walls._process.kill()
                return
            time.sleep(0.01)

    breaker = threading.Thread(target=break_it)
    breaker.start()
    room.autograde()
    stop.set()
    breaker.join()
    assert room.scores() == dict.fromkeys(students, WHOLE)


def test_one_run_at_a_time(room: Classroom) -> None:
    import fcntl

    room.hand_in("x", RIGHT)
    room.autograde()
    with (room.root / "gradebook.judge/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another `nbgrader autograde` is at work on this gradebook" in room.autograde()


def test_on_a_terminal_there_is_a_bar_with_the_names_of_what_is_slow_and_the_table(room: Classroom) -> None:
    room.hand_in("a", RIGHT)
    room.hand_in("b", RIGHT, "import time\ntime.sleep(5)")
    room.hand_in("c", RIGHT)
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
    environment = {**room.environment, "TERM": "xterm", "COLUMNS": "100"}
    running = subprocess.Popen(command, cwd=room.root, env=environment, stdout=child, stderr=child)
    os.close(child)
    said = b""
    while True:
        try:
            part = os.read(parent, 65_536)
        except OSError:
            break
        if not part:
            break
        said += part
    assert running.wait() == 0, said.decode()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode())
    assert "3/3" in shown
    assert "slow: b" in shown
    assert "3 of 3 submissions graded" in shown
    assert "Slow: b (5 s)" in shown
    assert "Sanitizing" not in shown


def test_memory_does_not_grow_with_the_class(room: Classroom) -> None:
    """What is known of a submission is on disk; in memory are a name and a number."""
    for number in range(3):
        room.hand_in(f"s{number}", RIGHT, f"x = {number}")
    from autograder.grading.pool import Ahead

    kept: list[Ahead] = []
    original = Ahead.stop

    def stop(self: Ahead) -> None:
        kept.append(self)
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ahead, "stop", stop)
        room.autograde()
    (ahead,) = kept
    assert len(ahead.outcomes) == 3
    assert all(len(repr(outcome)) < 300 for outcome in ahead.outcomes.values())


def test_nothing_of_a_run_is_left_behind(room: Classroom) -> None:
    room.hand_in("x", RIGHT, "import subprocess\nsubprocess.Popen(['sleep', '4711'])")
    room.nbgrader("autograde", LESSON)
    time.sleep(0.2)
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 4711" not in lines
    assert json.loads(room.autograded("x"))["cells"]


def test_files_come_through_as_they_are() -> None:
    files = {"a.txt": b"one\ntwo", "b/c.bin": bytes(range(256)), "empty": b"", 'odd"name\n': b"x"}
    assert server.unpack_files(server.pack_files(files)) == files
