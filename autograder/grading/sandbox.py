"""The host's side of the sandbox: starts the server behind the wall, and hands it one submission at a time.

A `Sandbox` is shared by threads. Its server is started when it is first needed and again where it is gone.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from autograder.errors import AutograderError
from autograder.grading import hostile, wall
from autograder.grading.cage import Bounds
from autograder.grading.server import pack_files

PROGRAM = ["-m", "autograder.grading.server"]
PATIENCE = 120.0  # seconds for the server to load torch on a busy machine
Walls = Literal["bubblewrap", "none"]


class SandboxProblem(AutograderError):
    """Submissions cannot be run safely here; the text says why and what helps."""


class ServerGone(SandboxProblem):
    """The sandbox's server ended, which is no submission's doing: what ran in it has to be run again."""


class Sandbox:
    """Runs submissions behind bubblewrap, or, where `walls` is "none", in processes of this machine and user."""

    def __init__(self, walls: Walls = "bubblewrap") -> None:
        self.walls = walls
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._used = time.monotonic()

    def start(self) -> None:
        """Begin to load torch behind the wall, without waiting for it. Raises SandboxProblem."""
        with self._lock:
            self._ensure_running()

    def _ensure_running(self) -> socket.socket:
        if self._process is not None and self._process.poll() is None:
            assert self._control is not None
            return self._control
        self._stop()
        if self.walls == "bubblewrap" and wall.missing():
            raise SandboxProblem(refusal(wall.missing()))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            if self.walls == "bubblewrap":
                line, environment = wall.command([*PROGRAM, str(number), "walled"]), dict(os.environ)
            else:
                line, environment = [sys.executable, *PROGRAM, str(number), "open"], _open_environment()
            self._process = subprocess.Popen(
                line,
                pass_fds=[number],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        self._control = ours
        self._ready = False
        return ours

    def launch(self, files: dict[str, bytes], work: Sequence[bytes], bounds: Bounds, check: hostile.Check) -> Prisoner:
        """Begin one submission. Raises SandboxProblem where the server cannot run."""
        with self._lock:
            self._used = time.monotonic()
            control = self._ensure_running()
            if not self._ready:
                self._wait_until_ready(control)
            ours, theirs = socket.socketpair()
            status, their_status = socket.socketpair()
            with theirs, their_status:
                message = json.dumps(asdict(bounds)).encode()
                try:
                    socket.send_fds(control, [message], [theirs.fileno(), their_status.fileno()])
                except OSError as error:
                    self._stop()
                    raise ServerGone(f"The sandbox's server is gone: {error}.") from error
        return Prisoner(ours, status, [pack_files(files), *work], bounds, check)

    def _wait_until_ready(self, control: socket.socket) -> None:
        control.settimeout(PATIENCE)
        try:
            said = control.recv(64)
        except TimeoutError:
            said = b""
        if said != b"ready":
            assert self._process is not None
            self._process.kill()
            assert self._process.stderr is not None
            reason = self._process.stderr.read().decode(errors="replace").strip()[-2000:]
            self._stop()
            raise SandboxProblem(refusal(f"bubblewrap cannot work here: {reason or 'the server did not start'}."))
        control.settimeout(None)
        self._ready = True

    def prove(self) -> None:
        """Run a submission that has nothing in it. Raises SandboxProblem, with the reason, where that fails."""
        from autograder.values import pack

        task = {"cells": [], "questions": 0, "at_once": False, "cell_seconds": 1.0, "case_seconds": 1.0}
        prisoner = self.launch({}, [pack(task)], Bounds(seconds=30), hostile.Check({}, set()))
        try:
            messages = [*prisoner.receive(30), *prisoner.receive(30)]
        except (EOFError, TimeoutError, ValueError):
            messages = []
        ending = prisoner.end()
        if {"kind": "done"} not in messages:
            raise SandboxProblem(refusal(f"bubblewrap cannot keep submissions apart here: a first try {ending}."))

    def close(self) -> None:
        """End the server and all that runs in it."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stderr is not None
            self._process.stderr.close()
        self._process = self._control = None

    def close_later(self, seconds: float = 300.0) -> None:
        """End the server when nothing has been run for a while: formgrader's process may live for weeks."""

        def close_if_idle() -> None:
            if time.monotonic() - self._used >= seconds:
                self.close()

        timer = threading.Timer(seconds + 1, close_if_idle)
        timer.daemon = True
        timer.start()


class Prisoner:
    """One submission's process, as `runner.Child` has it: what it says is read as hostile."""

    def __init__(
        self,
        channel: socket.socket,
        status: socket.socket,
        first: Sequence[bytes],
        bounds: Bounds,
        check: hostile.Check,
    ) -> None:
        self.channel = channel
        self.status = status
        self.check = check
        self.gone = False
        self.deadline = time.monotonic() + bounds.seconds + 5  # the server ends it before
        channel.settimeout(bounds.seconds)
        for message in first:
            self.send(message)
        self.left = hostile.MOST_BYTES

    def receive(self, seconds: float) -> list[dict[str, Any]]:
        """The next messages. Raises TimeoutError, EOFError at the end, ValueError on what is no message."""
        until = min(time.monotonic() + seconds, self.deadline)
        try:
            data = hostile.receive(self.channel, until, self.left)
        except EOFError:
            self.gone = True
            raise
        self.left -= len(data)
        return self.check.messages(data)

    def send(self, message: bytes) -> None:
        """Tell it something; it may be gone, or not listen."""
        with contextlib.suppress(OSError):
            self.channel.sendall(hostile.frame(message))

    def end(self) -> str:
        """End it, if it has not ended; how it ended, as what follows its name in a sentence. Raises ServerGone."""
        self.channel.close()
        said = self._said(2) if self.gone else b""  # before asking for an end that comes of itself
        if not said:
            with contextlib.suppress(OSError):
                self.status.shutdown(socket.SHUT_WR)
            said = self._said(30)
        self.status.close()
        if not said:
            raise ServerGone("The sandbox's server ended while it ran a submission.")
        return how_it_ended(**json.loads(said))

    def _said(self, seconds: float) -> bytes:
        with contextlib.suppress(OSError):
            self.status.settimeout(seconds)
            return self.status.recv(4096)
        return b""


def how_it_ended(reason: str, ending: int) -> str:
    """What the server says of an end, in words.

    >>> how_it_ended("", 11)
    'was ended by signal SIGSEGV'
    """
    from autograder.runner import how_it_ended as in_words

    return reason or in_words(os.waitstatus_to_exitcode(ending))


def refusal(reason: str) -> str:
    """Why nothing is graded, and what an instructor can do about it."""
    return (
        f"Nothing was graded. {reason}\n"
        "Submissions are run behind bubblewrap (`bwrap`), which needs user namespaces, or root with CAP_SYS_ADMIN: "
        "start a container with `--privileged`; on Ubuntu allow them with `sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0`. To grade people you trust without a sandbox, with your own "
        'rights, put `c.Judge.sandbox = "none"` into nbgrader_config.py.'
    )


@functools.cache
def shared(walls: Walls) -> Sandbox:
    """This process's sandbox: one server serves all that is graded in it."""
    return Sandbox(walls)


def _open_environment() -> dict[str, str]:
    package = str(wall.PACKAGE.parent)
    return {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONPATH": package}
