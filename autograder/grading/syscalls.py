"""The system calls that no exercise needs, refused to a submission's process and all that it starts.

They would make namespaces and mounts of its own, memory that nobody counts, or look into other processes. Written as
the kernel's filter program (seccomp, in the bytes of classic BPF); on other processors there is none.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from autograder.grading import cage

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # operations, on 32-bit words
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets into what the kernel tells of a call
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
SET_SECCOMP, FILTER = 22, 2
NAMESPACES = 0x7E020000 | 0x00000080  # the flags of clone that make any namespace
OTHER_WORLD = 0x40000000  # x86's calls with 32-bit pointers begin here

# name: number on x86_64, number on aarch64
REFUSED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "open_by_handle_at": (304, 265),
    "seccomp": (317, 277),
}
# processor: its name for the kernel, its column above, and the numbers of clone and clone3
PROCESSORS = {"x86_64": (0xC000003E, 0, 56, 435), "aarch64": (0xC00000B7, 1, 220, 435)}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def refuse() -> None:
    """Refuse the calls above from now on. The process can gain no rights any more; see `cage.drop_rights`."""
    program = compiled(os.uname().machine)
    if program:
        pointer = ctypes.pointer(_Program(len(program) // 8, program))
        cage.prctl(SET_SECCOMP, FILTER, ctypes.cast(pointer, ctypes.c_void_p).value or 0)


def compiled(processor: str) -> bytes:
    """The filter program for a processor; nothing for one that is not known here."""
    if processor not in PROCESSORS:
        return b""
    architecture, column, clone, clone3 = PROCESSORS[processor]
    lines = [_line(LOAD, ARCHITECTURE), _line(EQUAL, architecture, 1, 0), _line(RETURN, KILL), _line(LOAD, NUMBER)]
    if processor == "x86_64":
        lines += [_line(AT_LEAST, OTHER_WORLD, 0, 1), _line(RETURN, REFUSE | errno.EPERM)]
    for numbers in REFUSED.values():
        lines += [_line(EQUAL, numbers[column], 0, 1), _line(RETURN, REFUSE | errno.EPERM)]
    # its flags lie in memory, where no filter sees them: without it, libc takes clone
    lines += [_line(EQUAL, clone3, 0, 1), _line(RETURN, REFUSE | errno.ENOSYS)]
    lines += [_line(EQUAL, clone, 0, 3), _line(LOAD, FIRST_ARGUMENT)]
    lines += [_line(ANY_BIT, NAMESPACES, 0, 1), _line(RETURN, REFUSE | errno.EPERM), _line(RETURN, ALLOW)]
    return b"".join(lines)


def _line(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", operation, if_true, if_false, value)
