"""Calls that may go wrong, and changes of them.

A change's clause follows "what comes out": "when {what} is left out". `{what}` stands for the call, `{first}` and
`{second}` for its operands; a sentence puts their names in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call that may be changed: the function's plain `name`, and what it was called with."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The call with other arguments in front, or other keywords."""
        return self.function(*args, *self.args[len(args) :], **{**self.kwargs, **kwargs})

    def argument(self, name: str, index: int, default: Any = None) -> Any:
        """An argument that was given by name or at an index."""
        return self.kwargs.get(name, self.args[index] if len(self.args) > index else default)

    def keywords(self, *names: str) -> dict[str, Any]:
        """Of its keywords those of these names."""
        return {name: value for name, value in self.kwargs.items() if name in names}


@dataclass(frozen=True)
class Change:
    """One way to get a call wrong: the `clause` says so, `run` runs the call so. `narrow` ones are tried at single
    calls too; the others where a function is meant as a whole."""

    clause: str
    run: Callable[[Call], Any]
    narrow: bool = False


Changes = Iterator[Change]


def ordinal(index: int, count: int) -> str:
    """The place of something in a row in words.

    >>> ordinal(0, 3), ordinal(2, 3), ordinal(7, 9)
    ('first', 'last', '8th')
    """
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    if index == count - 1 and count > 2:
        return "last"
    return words[index] if index < len(words) else f"{index + 1}th"
