"""The outer wall: what bubblewrap lets the server see, and why it cannot stand where it cannot."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import autograder

PACKAGE = Path(autograder.__file__).parent
LIBRARY = "/autograder-library"  # where the package lies inside
# not /usr as a whole: nbgrader's exchange, with what others handed in, may lie in /usr/local/share
SYSTEM = [
    *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec"),
    *("/usr/local/bin", "/usr/local/lib", "/usr/share/fonts", "/usr/share/terminfo", "/usr/share/zoneinfo"),
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime"),
]
# for the server alone: a submission's process has none of them
CAPABILITIES = ["SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL"]


def command(program: list[str], bubblewrap: str = "bwrap") -> list[str]:
    """The command that runs a Python program behind the wall: `program` is what follows the interpreter's name.

    Inside are the system's libraries, the interpreter, its installed packages and this package without its keys; no
    home, no course, no network. What can be written to is made for each submission, later.
    """
    line = [bubblewrap, "--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if os.getuid() != 0:
        line += ["--unshare-user"]
    line += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    for name in CAPABILITIES:
        line += ["--cap-add", f"CAP_{name}"]
    line += ["--tmpfs", "/tmp"]  # before the interpreter, which may lie below it
    for parent in sorted(
        {str(parent) for path in [*SYSTEM, *interpreter()] for parent in Path(path).parents} - {"/", "/tmp"}
    ):
        line += ["--perms", "0755", "--dir", parent]  # bubblewrap would shut them to other users
    for path in SYSTEM:
        linked = Path(path).is_symlink()
        line += ["--symlink", str(Path(path).readlink()), path] if linked else ["--ro-bind-try", path, path]
    for path in interpreter():
        line += ["--ro-bind", path, path]
    line += ["--dir", LIBRARY, "--ro-bind", str(PACKAGE), f"{LIBRARY}/autograder"]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for path in keys():
        line += ["--tmpfs", path, "--remount-ro", path]
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    for name, value in environment().items():
        line += ["--setenv", name, value]
    return [*line, "--chdir", "/", "--", sys.executable, *program]


def interpreter() -> list[str]:
    """The folders that Python itself and its packages need, none within another or within the system's."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    paths |= {str(Path(sys.executable).resolve().parent.parent)}
    paths -= {"/usr", "/usr/local"}
    paths |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    kept: list[Path] = [Path(path) for path in SYSTEM]
    for path in sorted(map(Path, paths)):
        if path.is_dir() and not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return [str(path) for path in kept[len(SYSTEM) :]]


def keys() -> list[str]:
    """The folders inside that hold expected results for the public seed: they are covered."""
    covered = [f"{LIBRARY}/autograder/keys"]
    if any(PACKAGE.is_relative_to(path) for path in interpreter()):  # installed, not run from a clone
        covered.append(str(PACKAGE / "keys"))
    return covered


def environment() -> dict[str, str]:
    """The environment variables inside: none of the instructor's."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": LIBRARY,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "IPYTHONDIR": "/tmp/ipython",
        "OMP_NUM_THREADS": "1",  # a parallel region in the server before a fork would hang the child
        "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
    }


def missing() -> str:
    """Why there can be no wall here, or ""."""
    if not sys.platform.startswith("linux"):
        return "Submissions are kept apart by bubblewrap, which needs Linux."
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed: `bwrap` is not on PATH. On Debian and Ubuntu: apt install bubblewrap."
    return ""
