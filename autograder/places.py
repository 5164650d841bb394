"""Where things lie. Imports nothing heavy, for pytest asks it in every run."""

from __future__ import annotations

import os
from pathlib import Path


def keys_folder() -> Path:
    """The folder of keys: the package's own, or the one that AUTOGRADER_KEYS names."""
    return Path(os.environ.get("AUTOGRADER_KEYS") or Path(__file__).parent / "keys")


def key_path(lesson: str) -> Path:
    """Where a lesson's key lies, whether or not it is there."""
    return keys_folder() / f"{lesson}.safetensors"
