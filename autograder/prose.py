"""Prose: sentences for learners, written with two of Markdown's marks, *emphasis* and `code`, on each surface."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter


def as_html(sentence: str) -> str:
    """A sentence as HTML, everything else in it escaped.

    >>> as_html("Each *row* of `a * b` is x < 2 * 3, in __init__ too.")
    'Each <em>row</em> of <code>a * b</code> is x &lt; 2 * 3, in __init__ too.'
    """
    return str(_MARKDOWN.renderInline(sentence))


def as_text(sentence: str) -> str:
    """A sentence as plain text: what is code keeps its backquotes, what is emphasised loses its stars.

    >>> as_text("Each *row* of `f(*args)` is f(*args), times 2 * 3.")
    'Each row of `f(*args)` is f(*args), times 2 * 3.'
    """
    [line] = _MARKDOWN.parseInline(sentence)
    marks = [token.markup if token.tag == "code" else "" for token in line.children or []]
    return "".join(f"{mark}{token.content}{mark}" for mark, token in zip(marks, line.children or [], strict=True))


def _stars(state: StateInline, silent: bool) -> bool:
    """Markdown's emphasis, but by stars alone and never within a word: `__init__` and `a*b*c` are names and sums."""
    if silent or state.src[state.pos] != "*":
        return False
    run = state.scanDelims(state.pos, canSplitWord=False)
    for _ in range(run.length):
        state.push("text", "", 0).content = "*"
        state.delimiters.append(
            Delimiter(ord("*"), run.length, len(state.tokens) - 1, end=-1, open=run.can_open, close=run.can_close)
        )
    state.pos += run.length
    return True


_MARKDOWN = MarkdownIt("zero").enable(["backticks", "emphasis"])
_MARKDOWN.inline.ruler.at("emphasis", _stars)
