"""Cached tokens taken off `input_tokens`, which does not hold them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found

__all__ = ["subtraction"]

_INPUT = "input_tokens"
_CACHED = frozenset(
    {
        "cache_read_input_tokens", "cache_creation_input_tokens", "cache_read_tokens",
        "cache_creation_tokens", "cache_write_tokens",
    }
)  # fmt: skip
_DEPTH = 4


def subtraction(code: Code) -> Iterator[Finding]:
    """`usage.input_tokens - usage.cache_read_input_tokens`, in one expression or by names."""
    for node in code.nodes:
        match node:
            case ast.BinOp(op=ast.Sub()) if not _goes_on(code, node):
                whole, taken = _terms(node)
            case ast.AugAssign(op=ast.Sub()):
                whole, taken = node.target, [node.value]
            case _:
                continue
        if _is_input(code, whole, _DEPTH) and any(_is_cached(code, one, _DEPTH) for one in taken):
            says = "`input_tokens` holds nothing that was read or written by the cache: this bills too little"
            yield found("cached-subtracted", node, says)


def _goes_on(code: Code, node: ast.BinOp) -> bool:
    """Whether the subtraction is the left part of a longer one, which is looked at as a whole."""
    parent = code.parent(node)
    return isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Sub) and parent.left is node


def _terms(node: ast.BinOp) -> tuple[ast.expr, list[ast.expr]]:
    """What it is taken off, and all that is."""
    taken: list[ast.expr] = []
    at: ast.expr = node
    while isinstance(at, ast.BinOp) and isinstance(at.op, ast.Sub):
        taken.append(at.right)
        at = at.left
    return at, taken


def _is_input(code: Code, node: ast.expr, depth: int) -> bool:
    """Whether a value is `input_tokens` itself, and no sum of it."""
    behind = _behind(code, node) if depth else []
    return any(_is_input(code, one, depth - 1) for one in behind) or (not behind and _field(node) == _INPUT)


def _is_cached(code: Code, node: ast.expr, depth: int) -> bool:
    """Whether a value is a count of cached tokens, or a sum with one."""
    if _field(node) in _CACHED:
        return True
    parts = _behind(code, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = node.args
    return depth > 0 and any(_is_cached(code, one, depth - 1) for one in parts)


def _behind(code: Code, node: ast.expr) -> list[ast.expr]:
    """What a name stands for, and the sides of `a or b`."""
    if isinstance(node, ast.Name):
        return [one for one in code.values(node) if one is not node]
    return node.values if isinstance(node, ast.BoolOp) else []


def _field(node: ast.expr) -> str | None:
    """The name a value is read by: a variable, an attribute, a key, `.get(key)` or `getattr(…, key)`."""
    key: ast.expr | None = None
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Subscript():
            key = node.slice
        case ast.Call(func=ast.Attribute(attr="get"), args=[first, *_]):
            key = first
        case ast.Call(func=ast.Name(id="getattr"), args=[_, second, *_]):
            key = second
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
