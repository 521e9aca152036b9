"""What of a request is written out in the source: the blocks of a list, constant texts, whole values."""

from __future__ import annotations

import ast
from typing import Any

from scrimp.core.lint.code import Code, dotted

__all__ = ["UnknownError", "blocks_of", "value_of"]

_DEPTH = 30
_LONGEST = 2_000_000
_DEDENTS = frozenset({"dedent", "cleandoc"})


class UnknownError(Exception):
    """A value that the source does not show."""


def blocks_of(code: Code, node: ast.expr) -> list[ast.expr] | None:
    """The blocks of a part in order, messages' contents laid out; None where it is no list in sight."""
    match node:
        case ast.Name() | ast.Attribute():
            values = code.values(node)
            return blocks_of(code, values[0]) if len(values) == 1 else None
        case ast.List() | ast.Tuple():
            return [block for one in node.elts for block in _contents(code, one)]
    return None


def value_of(code: Code, node: ast.expr, depth: int = _DEPTH) -> Any:
    """The value of an expression that is written out in the source. Raises `UnknownError` for any other."""
    if depth == 0:
        raise UnknownError
    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [value_of(code, one, depth - 1) for one in node.elts]
        case ast.Dict():
            return _dict_of(code, node, depth)
        case ast.BinOp():
            sides = (value_of(code, one, depth - 1) for one in (node.left, node.right))
            return _operated(node.op, *sides)
    return value_of(code, _same(code, node), depth - 1)


def _same(code: Code, node: ast.expr) -> ast.expr:
    """Another expression of the same value, or of a text about as long: `"…".strip()`, `dedent("…")`."""
    match node:
        case ast.Name() | ast.Attribute():
            values = code.values(node)
            if len(values) == 1:
                return values[0]
        case ast.NamedExpr():
            return node.value
        case ast.Call(func=ast.Attribute(attr="strip" | "lstrip" | "rstrip", value=text), args=[]):
            return text
        case ast.Call(args=[text]) if (dotted(node.func) or "").rpartition(".")[2] in _DEDENTS:
            return text
    raise UnknownError


def _contents(code: Code, node: ast.expr) -> list[ast.expr]:
    """The content blocks of a message, or the block itself."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "content":
                return blocks_of(code, value) or [node]
    return [node]


def _dict_of(code: Code, node: ast.Dict, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            found |= value_of(code, value, depth - 1)
        else:
            found[str(value_of(code, key, depth - 1))] = value_of(code, value, depth - 1)
    return found


def _operated(op: ast.operator, left: Any, right: Any) -> Any:
    match op, left, right:
        case ast.Add(), str(), str():
            return left + right
        case ast.Add(), list(), list():
            return left + right
        case (ast.Mult(), str() as text, int() as times) | (ast.Mult(), int() as times, str() as text):
            if len(text) * times <= _LONGEST:
                return text * times
    raise UnknownError
