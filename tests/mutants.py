"""Mutants: a function or class with one thing changed, as a slip of the pen would change it."""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq, ast.LtE, ast.GtE),
    ast.NotEq: (ast.Eq, ast.Lt, ast.Gt),
}
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr, ast.BitXor),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.MatMult: (),
}


# functions that are taken for each other
NAMES = {
    "mean": ("sum", "amax"),
    "sum": ("mean", "amax", "prod"),
    "var": ("std",),
    "sqrt": ("square", "exp"),
    "square": ("abs", "sqrt"),
    "float": ("double", "long", "half"),
    "zeros": ("ones",),
    "ones": ("zeros",),
    "min": ("max", "tiny"),
    "cumsum": ("cumprod",),
    "expand": ("view",),
}
# what is done to a result once too often
ENDINGS = (
    "[None]",
    "[:1]",
    "[::-1]",
    " + 1",
    ".flip(-1)",
    ".flip(0)",
    ".transpose(-1, -2)",
    ".roll(1, -1)",
    ".roll(1, 0)",
)


@dataclass(frozen=True)
class Mutant:
    """One change, as "before → after" and the line it is made in, and the whole source with it."""

    change: str
    source: str


def mutants(source: str) -> list[Mutant]:
    """All mutants of a function's or class's source, each change once."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        node.number = number  # type: ignore[attr-defined]
    arguments = sorted(
        {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    )
    original = ast.unparse(tree)
    lines = source.splitlines()
    found: dict[str, Mutant] = {}
    for node in _body_of(tree):
        for replacement in _replacements(node, arguments):
            changed = _Replace(node, replacement).visit(copy.deepcopy(tree))
            text = ast.unparse(ast.fix_missing_locations(changed))
            if not _compiles(text):
                continue
            if text != original:
                after = ast.unparse(replacement) if not isinstance(replacement, ast.Pass) else "(left out)"
                found.setdefault(text, Mutant(f"{ast.unparse(node)} → {after}{_place(node, lines)}", text))
    return list(found.values())


def _compiles(text: str) -> bool:
    with warnings.catch_warnings():  # what is odd on purpose need not be told
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            compile(text, "mutant", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


def _place(node: ast.AST, lines: list[str]) -> str:
    """The line that a node stands on, where it is more than the node: `0 → 1` says little."""
    line = lines[getattr(node, "lineno", 1) - 1].strip()
    return f" in {line}" if len(ast.unparse(node)) < 20 and line != ast.unparse(node) else ""


class _Replace(ast.NodeTransformer):
    """Puts another node in the place of the one with the same number."""

    def __init__(self, node: ast.AST, replacement: ast.AST) -> None:
        self.number = node.number  # type: ignore[attr-defined]
        self.replacement = replacement

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return self.replacement if getattr(node, "number", None) == self.number else super().generic_visit(node)


def _body_of(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are run: no docstrings, annotations, names of parameters or messages of exceptions."""
    if isinstance(tree, ast.Raise | ast.arg):
        return
    if isinstance(tree, ast.FunctionDef | ast.ClassDef):
        body = tree.body
        documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        defaults = tree.args.defaults if isinstance(tree, ast.FunctionDef) else []
        for child in [*defaults, *(body[1:] if documented else body)]:
            yield from _body_of(child)
        return
    if not isinstance(tree, ast.Module):
        yield tree
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(tree, ast.AnnAssign) and child is tree.annotation):
            yield from _body_of(child)


def _replacements(node: ast.AST, arguments: list[str]) -> Iterator[ast.AST]:
    """What a slip of the pen makes of one node."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for other in COMPARISONS.get(type(op), ()):
                yield ast.Compare(left, [other()], [right])
        case ast.BinOp(left=left, op=op, right=right):
            for operator in OPERATORS.get(type(op), ()):
                yield ast.BinOp(left, operator(), right)
            if isinstance(op, ast.Sub | ast.Div | ast.FloorDiv | ast.Pow | ast.MatMult):
                yield ast.BinOp(right, op, left)
            yield from (left, right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            yield from values
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from (body, orelse, ast.IfExp(test, orelse, body))
        case ast.Constant(value=value):
            yield from (ast.Constant(each) for each in _constants(value))
        case ast.Call():
            yield from _calls(node)
        case ast.Subscript(value=value, slice=index):
            yield value
            if isinstance(index, ast.Tuple):
                yield from (ast.Subscript(value, other, node.ctx) for other in _tuples(index))
        case ast.Slice(lower=lower, upper=upper, step=step):
            yield from (ast.Slice(None, upper, step), ast.Slice(lower, None, step))
        case ast.Tuple() if isinstance(node.ctx, ast.Load):
            yield from _tuples(node)
        case ast.Name(id=name) if isinstance(node.ctx, ast.Load) and name in arguments:
            yield from (ast.Name(other, ast.Load()) for other in arguments if other not in (name, "self"))
        case ast.Dict(keys=keys, values=values):
            yield from (ast.Dict(keys[:i] + keys[i + 1 :], values[:i] + values[i + 1 :]) for i in range(len(keys)))
        case ast.Attribute(value=value, attr=name) if name in NAMES:
            yield from (ast.Attribute(value, other, ast.Load()) for other in NAMES[name])
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Dict):
            yield from (ast.Return(ast.parse(f"({ast.unparse(value)}){end}", mode="eval").body) for end in ENDINGS)
            yield from (ast.Return(ast.UnaryOp(sign, value)) for sign in (ast.USub(), ast.Invert()))
        case ast.Assign() | ast.AugAssign() | ast.Expr() | ast.If() | ast.For():
            yield ast.Pass()


def _constants(value: object) -> list[bool | int | float]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    return [value * 2, 0.0] if isinstance(value, float) else []


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    """A call left out, with two arguments exchanged, or with one of them left out."""
    if isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "F", "nn")
    ):
        yield node.func.value
    elif len(node.args) == 1:
        yield node.args[0]
    for i, j in combinations(range(len(node.args)), 2):
        arguments = list(node.args)
        arguments[i], arguments[j] = arguments[j], arguments[i]
        yield ast.Call(node.func, arguments, node.keywords)
    for i in range(len(node.args)):
        yield ast.Call(node.func, node.args[:i] + node.args[i + 1 :], node.keywords)
    for i in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])


def _tuples(node: ast.Tuple) -> Iterator[ast.Tuple]:
    """A tuple with two neighbours exchanged, or one entry left out."""
    items = node.elts
    for i in range(len(items) - 1):
        yield ast.Tuple([*items[:i], items[i + 1], items[i], *items[i + 2 :]], ast.Load())
    for i in range(len(items)):
        yield ast.Tuple(items[:i] + items[i + 1 :], ast.Load())
