"""Two shapes lined up: which axes of one have no partner in the other."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from autograder.report import Shapes

Sizes = tuple[int, ...]


def line_up(expected: Sizes, yours: Sizes, names: Sequence[str] | None, swapped: tuple[int, int] | None) -> Shapes:
    """The two shapes with their axes lined up: an axis that has no partner of its size is at fault.

    `swapped` are two axes that are known to be exchanged.

    >>> line_up((2, 5, 7), (2, 7), ["batch", "tgt", "src"], None).at_fault
    ([1], [])
    """
    known = list(names or [""] * len(expected))
    if swapped is not None:
        i, j = swapped
        partners = {k: k for k in range(len(expected))} | {i: j, j: i}
        at_fault = ([i, j], [i, j])
    elif len(expected) == len(yours):
        partners = {k: k for k in range(len(expected)) if expected[k] == yours[k]}
        wrong = [k for k in range(len(expected)) if k not in partners]
        at_fault = (wrong, wrong)
    else:
        blocks = SequenceMatcher(None, expected, yours, autojunk=False).get_matching_blocks()
        partners = {block.b + k: block.a + k for block in blocks for k in range(block.size)}
        missing = [k for k in range(len(expected)) if k not in partners.values()]
        at_fault = (missing, [k for k in range(len(yours)) if k not in partners])
    came = [(known[partners[k]] if k in partners else "", size) for k, size in enumerate(yours)]
    return Shapes(list(zip(known, expected, strict=True)), came, at_fault)
