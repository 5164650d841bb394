"""Axis names by size: which of the named axes, or which product of them, an axis of a certain size is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

JOINT = "·"  # between the names of a product


class AxisNames:
    """Names axes by their sizes, and says nothing where two names fit.

    >>> names = AxisNames({"batch": 2, "heads": 3, "tgt": 5, "d_head": 11})
    >>> names.of((2, 5, 33))
    ('batch', 'tgt', 'heads·d_head')
    >>> names.of((1, 4))
    ('', '')

    A size is named where it is one axis's size, or the product of one set of axes, each taken once. A size that can be
    made in two ways has no name, and neither has 1, which every broadcast axis has.

    >>> AxisNames({"seq": 6, "heads": 2, "d_head": 3}).of((6, 2))
    ('', 'heads')
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        self._known: dict[int, str] = {}
        self._unsure: set[int] = set()

    def of(self, shape: Sequence[int]) -> tuple[str, ...]:
        """A name for each axis of a shape, "" where there is none or more than one."""
        return tuple(self.name(size) for size in shape)

    def name(self, size: int) -> str:
        """The name of a size, or ""."""
        if size not in self._known:
            ways = self.ways(size)
            self._known[size] = JOINT.join(ways[0]) if len(ways) == 1 else ""
        return "" if size in self._unsure else self._known[size]

    def doubt(self, size: int) -> None:
        """From now on `size` has no name: the values of a tensor decided it, so that it may be any axis's by chance."""
        self._unsure.add(size)

    def ways(self, size: int) -> list[tuple[str, ...]]:
        """The ways to make a size, at most two of them.

        >>> AxisNames({"a": 2, "b": 3, "c": 6}).ways(6)
        [('a', 'b'), ('c',)]
        """
        found = []
        if size > 1:
            factors = [(name, own) for name, own in self.sizes.items() if own > 1 and size % own == 0]
            for way in _factorings(size, factors):
                found.append(way)
                if len(found) == 2:
                    break
        return found

    def notes(self) -> list[str]:
        """What is wrong with the choice of sizes: names that are never shown, and why.

        >>> AxisNames({"height": 8, "width": 8, "batch": 1}).notes()
        ['height and width both have size 8: an axis of 8 is shown as its number', 'batch has size 1: it is shown as 1']
        """
        notes = []
        told: set[int] = set()
        for name, size in self.sizes.items():
            if size == 1:
                notes.append(f"{name} has size 1: it is shown as 1")
            elif size > 1 and size not in told and len(ways := self.ways(size)) > 1:
                told.add(size)
                same = [other for other, own in self.sizes.items() if own == size]
                both = " and ".join(same) if len(same) > 1 else " and ".join(JOINT.join(way) for way in ways)
                verb = f"both have size {size}" if len(same) == 2 else f"all have size {size}"
                verb = verb if len(same) > 1 else f"are both {size}"
                notes.append(f"{both} {verb}: an axis of {size} is shown as its number")
        return notes


def _factorings(size: int, factors: Sequence[tuple[str, int]]) -> Iterator[tuple[str, ...]]:
    """The sets of names whose sizes multiply to `size`, each in the given order."""
    if size == 1:
        yield ()
        return
    for place, (name, own) in enumerate(factors):
        if size % own == 0:
            for rest in _factorings(size // own, factors[place + 1 :]):
                yield (name, *rest)
