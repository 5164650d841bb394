"""What a process gives up before it runs a submission: other processes, files, network, limits, rights.

Only Linux has these calls, and Python 3.11 has no names for them: they are made through libc. Each raises OSError.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.grading.wall import interpreter

NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_USERS, NEW_PIDS, NEW_NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
NO_SUID, NO_DEVICES, NO_EXECUTION, BIND = 2, 4, 8, 4096
SET_DUMPABLE, DROP_BOUND, SET_SUBREAPER, SET_NO_NEW_PRIVILEGES, AMBIENT, CLEAR_ALL = 4, 24, 36, 38, 47, 4
COLLAPSE, HUGE_PAGE = 25, 2**21
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
FIRST_USER = 61_184  # of real users that belong to nobody, one for each cage at work; systemd's dynamic range
MEBIBYTE = 2**20

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Bounds:
    """What one submission may use: seconds in all, bytes of memory in all and of files, processes and threads."""

    seconds: float = 120.0
    memory: int = 2048 * MEBIBYTE
    files: int = 256 * MEBIBYTE
    processes: int = 128
    descriptors: int = 256

    def within(self, seconds: float) -> Bounds:
        """The same with less time."""
        return replace(self, seconds=min(self.seconds, seconds))


def _call(name: str, *arguments: int | bytes | ctypes.c_ulong | None) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def prctl(option: int, value: int = 0, more: int = 0) -> None:
    """The prctl system call."""
    _call("prctl", *(ctypes.c_ulong(argument) for argument in (option, value, more, 0, 0)))


def gather_memory() -> None:
    """Put this process's own memory into huge pages, where the kernel can: a fork copies one entry for each page, and
    in the end takes it away again, which with small ones is a third of what a cage costs."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, _, *name = line.split()
        if rights == "rw-p" and name in ([], ["[heap]"]):
            first, end = (int(address, 16) for address in addresses.split("-"))
            first, end = -(-first // HUGE_PAGE) * HUGE_PAGE, end // HUGE_PAGE * HUGE_PAGE
            if first < end:  # a kernel that refuses leaves the pages as they are
                _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), COLLAPSE)


def own_numbers() -> None:
    """Go on as process 1 of a namespace of this program's own: bubblewrap's belongs to another user namespace than the
    one that it leaves to us, so that `number_children_as_before` could not come back to it."""
    _call("unshare", NEW_PIDS | NEW_MOUNTS)
    process = os.fork()
    if process:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) & 255)
    _mount_processes()


def number_children_anew() -> None:
    """The next child is process 1 of a namespace, and nothing in that survives it."""
    _call("unshare", NEW_PIDS)


def number_children_as_before(namespace: int) -> None:
    """Undo `number_children_anew`; `namespace` is this process's own /proc/self/ns/pid, opened before."""
    _call("setns", namespace, NEW_PIDS)


def leave_namespaces() -> None:
    """Mounts, shared memory, host name and network of this process's own."""
    _call("unshare", NEW_MOUNTS | NEW_IPC | NEW_NAMES | NEW_NETWORK)


def mount_scratch(bounds: Bounds, user: int, group: int) -> None:
    """Scratch folders of this cage's own, and a /proc that knows its processes alone: called by its process 1."""
    options = f"size={bounds.files},nr_inodes=16384,mode=1777,uid={user},gid={group}".encode()
    below = {path: os.open(path, os.O_PATH) for path in interpreter() if Path(path).is_relative_to("/tmp")}
    for folder in (b"/tmp", b"/dev/shm"):
        _call("mount", b"tmpfs", folder, b"tmpfs", NO_SUID | NO_DEVICES, options)
    for path, descriptor in below.items():  # an interpreter that lies below /tmp shows through, read-only as it was
        Path(path).mkdir(parents=True)
        _call("mount", f"/proc/self/fd/{descriptor}".encode(), path.encode(), None, BIND, None)
        os.close(descriptor)
    _mount_processes()


def _mount_processes() -> None:
    _call("mount", b"proc", b"/proc", b"proc", NO_SUID | NO_DEVICES | NO_EXECUTION, None)


def limit(bounds: Bounds, address_space: int) -> None:
    """The kernel's limits, each for one process; `processes` is for all of them together."""
    seconds = int(bounds.seconds) + 1
    limits: Mapping[int, int] = {
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: bounds.files,
        resource.RLIMIT_NOFILE: bounds.descriptors,
        resource.RLIMIT_NPROC: bounds.processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    # where memory runs out after all, the kernel ends this process before any other of the machine
    Path("/proc/self/oom_score_adj").write_text("1000")


def become_nobody(slot: int) -> None:
    """Become a user who owns nothing: a real one where the sandbox was started by root, one in a namespace of its own
    elsewhere. Either way the kernel counts this cage's processes apart from all others'."""
    if os.getuid() == 0:
        _bind_rights()  # while there is still the right to do so
        user = FIRST_USER + slot
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        return
    user, group = os.getuid(), os.getgid()
    _call("unshare", NEW_USERS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _bind_rights() -> None:
    """No capability for any program that is run from now on."""
    for capability in range(int(LAST_CAPABILITY.read_text()) + 1):
        _libc.prctl(DROP_BOUND, capability, 0, 0, 0)


def drop_rights() -> None:
    """No capability, now or ever, and none to be had from a program that is run."""
    _bind_rights()
    _libc.prctl(AMBIENT, CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    if _libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset: the process keeps rights that it should not have")
    prctl(SET_NO_NEW_PRIVILEGES, 1)


def close_descriptors(*kept: int) -> None:
    """Close every open file but standard input and output and those kept."""
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
