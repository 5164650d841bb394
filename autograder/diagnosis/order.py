"""The order of recognisers: the first that says something is heard, so the most specific stands first."""

from __future__ import annotations

from collections.abc import Callable

from autograder.diagnosis.evidence import Evidence, Finding
from autograder.diagnosis.masks import mask_finding

Recogniser = Callable[[Evidence], Finding | None]

RECOGNISERS: tuple[Recogniser, ...] = (
    mask_finding,
)
