"""Beyond one machine and one file: a Dask cluster that loses a worker, PostgreSQL as gradebook, an ordinary user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import LESSON, POINTS, RIGHT, WRONG, Classroom
from learner import ROOT

WHOLE = sum(POINTS.values())
STUDENTS = [f"s{number:02}" for number in range(14)]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path / "keys"))
    room = Classroom.made(tmp_path, seed=5)
    for number, student in enumerate(STUDENTS):
        room.hand_in(student, [RIGHT, WRONG, {"double": RIGHT["double"]}][number % 3], f"seat = {number}")
    return room


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def ended(*command: str, environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{Path(command[-1]).name[:20]}.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on {port}")


def test_a_cluster_that_loses_a_worker_half_way_ends_with_the_same_gradebook(room: Classroom, tmp_path: Path) -> None:
    room.autograde()
    here = {student: room.grades(student) for student in STUDENTS}
    verdicts = room.root / "gradebook.judge/verdicts"
    shutil.rmtree(verdicts)
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = [*dask, "worker", "--no-dashboard", "--no-nanny", "--nthreads", "2", "--memory-limit", "0", address]
    with contextlib.ExitStack() as stack:
        stack.enter_context(ended(*scheduler, environment=room.environment, folder=tmp_path))
        wait_for(port)
        first, _ = (stack.enter_context(ended(*worker, environment=room.environment, folder=tmp_path)) for _ in "12")
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)

        def lose_one() -> None:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and len(list(verdicts.glob("[0-9a-f]*"))) < 3:
                time.sleep(0.005)
            os.killpg(first.pid, signal.SIGKILL)

        losing = threading.Thread(target=lose_one)
        losing.start()
        said = room.autograde(scheduler=address)
        losing.join()
        assert first.poll() is not None or first.wait(5) is not None
    assert f"{len(STUDENTS)} of {len(STUDENTS)} submissions graded" in said, said
    assert {student: room.grades(student) for student in STUDENTS} == here
    assert len(list(verdicts.glob("[0-9a-f]*"))) == len(STUDENTS)


def test_a_scheduler_that_is_not_there_is_named(room: Classroom) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    said = room.autograde(scheduler=address)
    assert f"The Dask scheduler {address} (c.Judge.scheduler) does not answer" in said
    assert not (room.root / "autograded").exists()


def postgres_program(name: str) -> str:
    """Where Debian keeps a program of PostgreSQL's."""
    found = shutil.which(name) or next(iter(sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))), None)
    assert found, f"PostgreSQL is missing: apt install postgresql ({name})"
    return found


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty database on a server of its own."""
    folder = Path("/tmp") / f"grading-postgres-{os.getpid()}"  # a socket's path is short
    folder.mkdir()
    port = free_port()
    # PostgreSQL refuses to run as root
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    if account:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    options = ["--auth=trust", "--no-sync", "--username=teacher", "--encoding=UTF8", "--locale=C"]
    server = None
    try:
        subprocess.run(
            [postgres_program("initdb"), *options, "--pgdata", str(data)],
            check=True, capture_output=True, cwd=folder, **account,  # type: ignore[call-overload]
        )  # fmt: skip
        server = subprocess.Popen(
            [postgres_program("postgres"), "-D", str(data), "-p", str(port), "-k", str(folder), "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **account,  # type: ignore[call-overload]
        )  # fmt: skip
        wait_for(port)
        import psycopg

        for _ in range(100):
            try:
                with psycopg.connect(
                    host="127.0.0.1", port=port, user="teacher", dbname="postgres", autocommit=True
                ) as c:
                    c.execute("create database gradebook")
                break
            except psycopg.OperationalError:  # it is starting up
                time.sleep(0.1)
        yield f"postgresql+psycopg://teacher@127.0.0.1:{port}/gradebook"
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_postgresql_as_gradebook_holds_the_same_scores(room: Classroom, postgres: str) -> None:
    room.autograde()
    here = {student: room.grades(student) for student in STUDENTS}
    with (room.root / "nbgrader_config.py").open("a") as config:
        config.write(f"c.CourseDirectory.db_url = {postgres!r}\n")
    assert room.api().generate_assignment(LESSON)["success"]
    said = room.autograde()
    assert f"{len(STUDENTS)} of {len(STUDENTS)} submissions graded, {len(STUDENTS)} of them judged before" in said, said
    assert {student: room.grades(student) for student in STUDENTS} == here
    with room.gradebook() as gradebook:
        assert gradebook.engine.dialect.name == "postgresql"
        assert gradebook.find_submission(LESSON, STUDENTS[0]).score == WHOLE


ESCAPES = """
import os, sys
from pathlib import Path
from autograder.grading import hostile
from autograder.grading.cage import Bounds
from autograder.grading.sandbox import Sandbox
from autograder.values import pack

assert os.getuid() != 0
walls = Sandbox()
walls.prove()
cell = '''
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
kept = [line for line in open("/proc/self/status") if line.startswith("Cap") and line.split()[1].strip("0")]
written = [path for path in ("/", "/dev", "/usr", "/autograder-library", "/proc/sys") if os.access(path, os.W_OK)]
tried = [libc.unshare(0x10000000), libc.mount(b"x", b"/tmp", b"tmpfs", 0, 0), libc.ptrace(16, 1, 0, 0)]
processes = [name for name in os.listdir("/proc") if name.isdigit()]
children = 0
while True:
    try:
        if os.fork() == 0:
            os.pause() if hasattr(os, "pause") else __import__("time").sleep(60)
        children += 1
    except OSError:
        break
raise RuntimeError((kept, written, tried, children < 60, processes))
'''
cells = [{"number": 1, "source": cell}]
task = {"cells": cells, "questions": 0, "at_once": True, "cell_seconds": 20.0, "case_seconds": 1.0}
prisoner = walls.launch({}, [pack(task)], Bounds(seconds=30, processes=48), hostile.Check({}, {1}))
prisoner.receive(30)
print(prisoner.receive(30)[0]["problem"])
prisoner.end()
walls.close()
"""


def as_ordinary_user(program: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as one who is not root, who can read the interpreter even where it lies in root's home."""
    if os.getuid() == 0:
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
        homes = {path for path in map(Path, (sys.base_prefix, sys.prefix, str(ROOT))) if path.is_relative_to("/root")}
        aside = {f"/tmp/kept-{number}": home for number, home in enumerate(sorted(map(str, homes)))}
        lines = [f"mkdir -p {kept} && mount --bind {home} {kept}" for kept, home in aside.items()]
        lines += ["mount -t tmpfs tmpfs /root", "chmod 755 /root"]
        lines += [f"mkdir -p {home} && mount --bind {kept} {home}" for kept, home in aside.items()]
        program = ["unshare", "-m", "sh", "-c", " && ".join([*lines, 'exec "$@"']), "sh", *user, *program]
    return subprocess.run(
        program, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_sandbox_holds_for_an_ordinary_user_too(tmp_path: Path) -> None:
    """A developer runs it so; where the tests run as root, this one gives that up."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": "/tmp"}
    done = as_ordinary_user([sys.executable, "-c", ESCAPES], environment, Path("/tmp"))
    assert done.stdout.strip() == "raised RuntimeError: ([], [], [-1, -1, -1], True, ['1'])", done.stdout + done.stderr
