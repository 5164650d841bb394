"""Files: read as hostile where a student handed them in, kept private where they must not be seen."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from autograder.errors import NotebookProblem

LARGEST_NOTEBOOK = 32 * 2**20  # bytes
LARGEST_FILES = 64 * 2**20  # bytes, of all files beside the notebook together


def read_bytes(path: Path, largest: int) -> bytes:
    """A regular file's content. Raises NotebookProblem on a link, a device, or more than `largest` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = "is a link; hand in the file itself" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise NotebookProblem(f"{path.name} {reason}.") from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise NotebookProblem(f"{path.name} is no regular file.")
        if about.st_size > largest:
            raise NotebookProblem(f"{path.name} has {about.st_size:,} bytes; at most {largest:,} are read.")
        return file.read(largest)


def private(folder: Path, group: bool = False) -> Path:
    """The folder, made where it is missing, for its owner alone, or for the owner's group too."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if group:
        folder.chmod(0o770)
    return folder


def write(path: Path, content: bytes, new: bool = False) -> None:
    """Write a file that is there as a whole or not at all, for those who may see its folder. With `new`, one that is
    there stays."""
    part = path.with_name(f".{path.name[:80]}.{os.getpid()}.{secrets.token_hex(4)}")
    mode = 0o660 if path.parent.stat().st_mode & 0o070 else 0o600
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    if not new:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)
    except FileExistsError:
        pass
    finally:
        part.unlink()
