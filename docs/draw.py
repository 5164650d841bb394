"""Draws the pictures of drawings.md: each block of code there, and below it what it draws.

Run by `make build`. It writes the pictures, their text alternatives, and the plain-text forms that the page shows.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from autograder.drawing import Figure

PAGE = Path(__file__).with_name("drawings.md")
PICTURES = Path(__file__).with_name("drawings")
EXAMPLE = re.compile(
    r"```python\n(?P<code>.*?)```\n\n!\[.*?\]\(drawings/(?P<name>[\w-]+)\.svg\)(?P<text>\n\n```text\n.*?```)?", re.S
)


def figures(page: str) -> dict[str, Figure]:
    """The figures that a page's examples draw, by name. Names that one example defines the next may use."""
    names: dict[str, Any] = {}
    return {found["name"]: run(found["code"], names) for found in EXAMPLE.finditer(page)}


def run(code: str, names: dict[str, Any]) -> Figure:
    """What the last line of code draws."""
    *statements, last = ast.parse(code).body
    assert isinstance(last, ast.Expr), f"an example ends with what it draws; this one ends with {ast.unparse(last)}"
    exec(compile(ast.Module(statements, []), str(PAGE), "exec"), names)
    figure = eval(compile(ast.Expression(last.value), str(PAGE), "eval"), names)
    assert isinstance(figure, Figure)
    return figure


def written(page: str, drawn: dict[str, Figure]) -> str:
    """The page with the text alternatives and plain-text forms of what was drawn."""

    def example(found: re.Match[str]) -> str:
        figure = drawn[found["name"]]
        alternative = figure.description.replace("[", "(").replace("]", ")")
        text = f"\n\n```text\n{figure.text}\n```" if found["text"] else ""
        return f"```python\n{found['code']}```\n\n![{alternative}](drawings/{found['name']}.svg){text}"

    return EXAMPLE.sub(example, page)


def main() -> None:
    """Draw everything."""
    page = PAGE.read_text(encoding="utf-8")
    drawn = figures(page)
    PICTURES.mkdir(exist_ok=True)
    for name, figure in drawn.items():
        (PICTURES / f"{name}.svg").write_text(figure.as_svg(header="") + "\n", encoding="utf-8")
    for stray in set(PICTURES.glob("*.svg")) - {PICTURES / f"{name}.svg" for name in drawn}:
        stray.unlink()
    PAGE.write_text(written(page, drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
