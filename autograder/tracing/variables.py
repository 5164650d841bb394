"""The variable that a result is assigned to, read from the instruction that comes after the call.

`scores = q @ k.mT` calls `@` and then stores `scores`; what stands between a call and a store in the compiled code is
exact, so that a name is known or not, and never guessed.
"""

from __future__ import annotations

import ast
import dis
import linecache
from bisect import bisect_right
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn

from autograder.tracing.leaves import tensors

OWN = (str(Path(torch.__file__).parent), str(Path(__file__).parent))  # code that no reader wrote
BOUNDARY = nn.Module._call_impl.__code__  # a module's call: what lies beyond is the module's result, not this call's
STORES = {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
OPERATORS = ("BINARY_", "COMPARE_OP", "UNARY_", "LOAD_ATTR", "UNPACK_SEQUENCE")
RETURNS = "return"

Targets = tuple[str, ...] | str  # the names of an unpacked result, the name of a whole one, or ""


def reader_frame(frame: FrameType | None, through_module: bool = False) -> FrameType | None:
    """The frame of the code that a reader wrote, from a frame of torch's upwards; None where a module's call comes
    first. `through_module` is for the module's own call: one boundary is passed."""
    while frame is not None:
        if frame.f_code is BOUNDARY:
            if not through_module:
                return None
            through_module = False
        elif not is_own(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    return None


@cache
def is_own(filename: str) -> bool:
    """Whether a file is torch's or part of the tracing."""
    return filename.startswith(OWN)


Called = str | nn.Module | CodeType  # a torch function by its name, a module, or a function by its code


def of_result(frame: FrameType | None, called: Called) -> Targets:
    """What the call of `called` that `frame` is making is assigned to, where need be by the functions that return it.

    A call from within another, as of `>` from within `max`, is not the code's own, and its result has no name there.
    """
    while frame is not None:
        if not _makes(frame, called):
            return ""
        found = _targets(frame.f_code, frame.f_lasti)
        if found != RETURNS:
            return found or ""
        called, frame = frame.f_code, frame.f_back
        if frame is not None and is_own(frame.f_code.co_filename):
            return ""
    return ""


def names_of_parts(targets: Targets, result: Any) -> list[str]:
    """A name for each tensor in a result that is assigned to `targets`; none where they do not fit."""
    if isinstance(targets, str):
        return [name for name, _ in tensors(result, targets)] if targets else []
    if isinstance(result, tuple | list) and len(result) == len(targets):
        return [name for part, target in zip(result, targets, strict=True) for name, _ in tensors(part, target)]
    return []


def of_tensor(tensor: Tensor, frame: FrameType | None) -> str:
    """The name that a tensor has where it is used: a local, an enclosing or a global variable; "" for none."""
    if frame is None:
        return ""
    for space in (frame.f_locals, frame.f_globals):
        for name, value in list(space.items()):
            if value is tensor and not name.startswith("_"):
                return name
    return ""


@lru_cache(maxsize=10_000)
def _targets(code: CodeType, offset: int) -> Targets | None:
    """Names stored right after the instruction at `offset`, RETURNS where it is returned, None where it is used up."""
    instructions, place = _instructions(code)[0], _place(code, offset)
    if instructions[place].opname != "UNPACK_SEQUENCE":  # `a, b = tensor` calls from within the unpacking itself
        place += 1
    while place < len(instructions) and instructions[place].opname in ("COPY", "NOP"):  # `(a := ...)`, `a = b = ...`
        place += 1
    if place >= len(instructions):
        return None
    first = instructions[place]
    if first.opname == "RETURN_VALUE":
        return RETURNS
    if first.opname == "UNPACK_SEQUENCE":
        names = _stored(instructions[place + 1 : place + 1 + first.arg], first.arg) if first.arg else []
        return tuple(names) if len(names) == first.arg else None
    names = _stored([first], 1)
    return names[0] if names else None


def _stored(instructions: list[dis.Instruction], count: int) -> list[str]:
    """The names that successive instructions store, at most `count`."""
    names: list[str] = []
    for instruction in instructions:
        if instruction.opname in STORES:
            names.append(str(instruction.argval))
        elif instruction.opname == "STORE_FAST_STORE_FAST":
            names += map(str, instruction.argval)
        elif instruction.opname == "STORE_FAST_LOAD_FAST":
            names.append(str(instruction.argval[0]))
        else:
            break
    return ["" if name == "_" else name for name in names[:count]]


@lru_cache(maxsize=256)
def _instructions(code: CodeType) -> tuple[list[dis.Instruction], list[int]]:
    instructions = list(dis.get_instructions(code))
    return instructions, [instruction.offset for instruction in instructions]


def _place(code: CodeType, offset: int) -> int:
    """Which instruction is under way: while it is, a call stands behind it, in the place of its cache."""
    return bisect_right(_instructions(code)[1], offset) - 1


def _makes(frame: FrameType, called: Called) -> bool:
    """Whether what `frame` is doing is itself the call: an operator, or an expression that calls it."""
    instruction = _instructions(frame.f_code)[0][_place(frame.f_code, frame.f_lasti)]
    if not instruction.opname.startswith("CALL"):
        return isinstance(called, str) and instruction.opname.startswith(OPERATORS)
    expression = _expression(frame.f_code, frame.f_lasti)
    if not isinstance(expression, ast.Call):
        return False
    function = expression.func
    if isinstance(called, str):
        return called == (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
    if isinstance(called, nn.Module) and isinstance(function, ast.Call):  # `nn.Dropout(0.1)(x)`
        return True
    found = _value(function, frame)
    if isinstance(called, nn.Module):
        return found is called or (isinstance(function, ast.Subscript) and any(part is called for part in found or ()))
    return getattr(getattr(found, "__func__", found), "__code__", None) is called


def _value(expression: ast.expr, frame: FrameType) -> Any:
    """What a name, an attribute or (all of) what an index is taken of stands for; None where that is not plain."""
    match expression:
        case ast.Name(name):
            return frame.f_locals.get(name, frame.f_globals.get(name))
        case ast.Attribute(owner, attribute):
            value = _value(owner, frame)
            inside = getattr(value, "_modules", None) or getattr(value, "__dict__", {})
            return inside[attribute] if attribute in inside else getattr(type(value), attribute, None)
        case ast.Subscript(owner, _):
            value = _value(owner, frame)
            return value.values() if isinstance(value, dict | nn.ModuleDict) else value
    return None


@lru_cache(maxsize=1024)
def _expression(code: CodeType, offset: int) -> ast.expr | None:
    """The expression whose call is at `offset`; None where the source is not to be had."""
    first, last, start, end = list(code.co_positions())[offset // 2]
    if first is None or last is None or start is None or end is None:
        return None
    lines = [linecache.getline(code.co_filename, line).encode() for line in range(first, last + 1)]
    lines[-1] = lines[-1][:end]  # columns count bytes
    lines[0] = lines[0][start:]
    try:
        return ast.parse(f"({b''.join(lines).decode()})", mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return None
