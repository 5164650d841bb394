"""The process inside the wall: has torch loaded, holds no secret, and forks a cage for each submission.

    host --(control socket: bounds, and two descriptors)--> server --fork--> submission, process 1 of its cage

The submission's process talks to the host through the first descriptor. Through the second the server tells the host
how the submission ended, and the host tells the server to end it, by closing its side. With process 1 the kernel ends
all others of its cage.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from autograder.grading import cage, syscalls
from autograder.grading.cage import Bounds

ADDRESS_SPACE = 8 * 2**30  # bytes; torch alone maps several GiB that it never touches
WATCH = 0.1  # seconds between two looks at a cage's memory and time
SCRATCH = "/tmp/work"


def main() -> int:
    """Serve on the socket whose number is the first argument; the second is "walled", or "open" without a sandbox."""
    walled = sys.argv[2] == "walled"
    if walled:
        cage.own_numbers()
    else:
        cage.prctl(cage.SET_SUBREAPER, 1)
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    from autograder import worker

    worker._shell()  # what every submission needs is made before the processes part
    gc.collect()
    gc.freeze()
    cage.gather_memory()
    control.send(b"ready")
    Server(control, walled).serve()
    return 0


@dataclass
class Cage:
    """One submission at work: its process, the socket to the host, and what it may use."""

    process: int
    status: socket.socket
    bounds: Bounds
    slot: int
    scratch: str
    deadline: float
    shared: int = 0  # bytes of the server's own memory, which each process maps and none uses up
    reason: str = ""
    watched: int = field(default=-1)


class Server:
    """Waits for work, for ends and for the host; looks after the cages in between."""

    def __init__(self, control: socket.socket, walled: bool) -> None:
        self.control = control
        self.walled = walled
        self.cages: list[Cage] = []
        self.own = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the host closes the control socket."""
        look = 0.0
        while True:
            for event, _ in self.selector.select(WATCH if self.cages else None):
                if event.fileobj is self.control:
                    if not self.accept():
                        return
                elif isinstance(event.data, Cage) and event.data in self.cages:
                    if event.fileobj is event.data.status:  # the host speaks only by going away
                        self.end(event.data, "was ended by the grader")
                    else:
                        self.ended(event.data)
            if time.monotonic() >= look:  # a look costs a millisecond: not at each event
                look = time.monotonic() + WATCH
                for one in list(self.cages):
                    self.look_after(one)

    def accept(self) -> bool:
        """Begin one submission; False where the host is gone."""
        message, descriptors, _, _ = socket.recv_fds(self.control, 65_536, 2)
        if not message:
            return False
        connection, status = descriptors
        bounds = Bounds(**json.loads(message))
        taken = {one.slot for one in self.cages}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        # without walls nothing ends with the cage: its folder is removed by name
        scratch = SCRATCH if self.walled else tempfile.mkdtemp(prefix="submission-")
        process = self.fork(connection, bounds, slot, scratch)
        os.close(connection)
        socket_to_host = socket.socket(fileno=status)
        one = Cage(process, socket_to_host, bounds, slot, scratch, time.monotonic() + bounds.seconds)
        one.shared = _private(os.getpid())
        one.watched = os.pidfd_open(process)
        self.selector.register(one.watched, selectors.EVENT_READ, one)
        self.selector.register(one.status, selectors.EVENT_READ, one)
        self.cages.append(one)
        return True

    def fork(self, connection: int, bounds: Bounds, slot: int, scratch: str) -> int:
        """A submission's process, in a cage of its own."""
        if self.walled:
            cage.number_children_anew()
        process = os.fork()
        if process == 0:
            try:
                cage.close_descriptors(connection)
                if self.walled:
                    _shut_in(bounds, slot)
                _run(connection, bounds, Path(scratch), self.walled)
            finally:
                os._exit(255)
        if self.walled:
            cage.number_children_as_before(self.own)
        return process

    def look_after(self, one: Cage) -> None:
        """End a cage that has used up its time or its memory."""
        if time.monotonic() > one.deadline:
            self.end(one, f"did not finish within {one.bounds.seconds:g} s")
            return
        used = sum(max(0, _private(process) - one.shared) for process in _descendants(one.process))
        if used > one.bounds.memory:
            self.end(one, f"used more than {one.bounds.memory // cage.MEBIBYTE:,} MB of memory")

    def end(self, one: Cage, reason: str) -> None:
        """End a cage from outside."""
        one.reason = one.reason or reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.process, signal.SIGKILL)

    def ended(self, one: Cage) -> None:
        """Tell the host how a cage ended, when nothing of it is left."""
        self.cages.remove(one)
        self.selector.unregister(one.watched)
        self.selector.unregister(one.status)
        os.close(one.watched)
        _, ending = os.waitpid(one.process, 0)
        if not self.walled:
            self.end_survivors()
            shutil.rmtree(one.scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            one.status.send(json.dumps({"reason": one.reason, "ending": ending}).encode())
        one.status.close()

    def end_survivors(self) -> None:
        """Without walls what a submission started can outlive it, and is this process's child from then on. So is what
        broke away from a submission that is still at work: it ends too."""
        while survivors := set(_children(os.getpid())) - {one.process for one in self.cages}:
            for process in survivors:
                os.kill(process, signal.SIGKILL)  # also one that has ended and waits for the next line
                os.waitpid(process, 0)


def _shut_in(bounds: Bounds, slot: int) -> None:
    """Give up other processes, files, network and rights."""
    cage.leave_namespaces()
    user, group = (cage.FIRST_USER + slot,) * 2 if os.getuid() == 0 else (os.getuid(), os.getgid())
    cage.mount_scratch(bounds, user, group)
    cage.become_nobody(slot)
    cage.drop_rights()
    syscalls.refuse()


def _run(connection: int, bounds: Bounds, home: Path, walled: bool) -> None:
    if walled:
        cage.prctl(cage.SET_DUMPABLE, 1)
        home.mkdir()
    cage.limit(bounds, ADDRESS_SPACE)
    from autograder.worker import run

    channel = Connection(connection)
    files = unpack_files(channel.recv_bytes())
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.environ["HOME"] = str(home)
    run(channel, str(home))


def pack_files(files: dict[str, bytes]) -> bytes:
    """Files by their relative names as one message."""
    header = json.dumps({name: len(content) for name, content in files.items()}).encode()
    return b"\n".join([header, b"".join(files.values())])


def unpack_files(message: bytes) -> dict[str, bytes]:
    """The inverse of `pack_files`."""
    header, _, content = message.partition(b"\n")
    files, at = {}, 0
    for name, size in json.loads(header).items():
        files[name] = content[at : at + size]
        at += size
    return files


def _private(process: int) -> int:
    """Bytes of memory that belong to a process and to no file."""
    with contextlib.suppress(OSError):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in fields) * 1024
    return 0


def _descendants(process: int) -> list[int]:
    """A process and all that came from it. An orphan belongs to process 1 of its cage."""
    found = [process]
    for parent in found:
        found += _children(parent)
    return found


def _children(process: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


if __name__ == "__main__":
    sys.exit(main())
