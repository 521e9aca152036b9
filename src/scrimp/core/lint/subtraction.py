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
_OTHERS = frozenset(
    {"prompt_tokens", "cached_tokens", "input_tokens_details", "prompt_tokens_details", "input_token_details"}
)
_CASTS = frozenset({"int", "float"})
_DEPTH = 4
_SAYS = "`input_tokens` holds nothing that was read or written by the cache: this bills too little"


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
        input_of = set(_input(code, whole, _DEPTH))
        cached_of = {of for one in taken for of in _cached(code, one, _DEPTH)}
        if _are_of_one(input_of, cached_of) and not _is_of_others(code, node):
            yield found("cached-subtracted", node, _SAYS)


def _are_of_one(input_of: set[str], cached_of: set[str]) -> bool:
    """Whether both counts may come from one usage; the empty text stands for one that cannot be told."""
    return bool(input_of and cached_of) and bool(input_of & cached_of or "" in input_of or "" in cached_of)


def _is_of_others(code: Code, node: ast.AST) -> bool:
    """Whether the code around speaks of another provider's count, which does hold what was cached."""
    scopes = [one for one in code.above(node) if not isinstance(one, ast.Module)]
    around = scopes[-1] if scopes else node
    return any(_word(one) in _OTHERS for one in ast.walk(around))


def _word(node: ast.AST) -> str | None:
    match node:
        case ast.Attribute(attr=word) | ast.arg(arg=word) | ast.Constant(value=str(word)):
            return word
    return None


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


def _input(code: Code, node: ast.expr, depth: int) -> Iterator[str]:
    """Whose `input_tokens` a value is, itself and no sum of it."""
    behind = _behind(code, node) if depth else []
    for one in behind:
        yield from _input(code, one, depth - 1)
    if not behind:
        field, of = _read(code, node)
        yield from (of,) if field == _INPUT else ()


def _cached(code: Code, node: ast.expr, depth: int) -> Iterator[str]:
    """Whose cached tokens a value is, or a sum with some."""
    field, of = _read(code, node)
    if field in _CACHED:
        yield of
    parts = _behind(code, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = node.args
    if depth > 0:
        for one in parts:
            yield from _cached(code, one, depth - 1)


def _behind(code: Code, node: ast.expr) -> list[ast.expr]:
    """What a name stands for, the sides of `a or b`, the number in `int(…)`, what is summed up in `self`."""
    match node:
        case ast.Name():
            return code.values(node)
        case ast.Attribute(value=ast.Name(id="self")):
            return [value for one in code.added(node) if one.how == "+=" for value in one.values]
        case ast.BoolOp():
            return node.values
        case ast.Call(func=ast.Name(id=name), args=[value]) if name in _CASTS:
            return [value]
    return []


def _read(code: Code, node: ast.expr) -> tuple[str | None, str]:
    """The name a value is read by, and of what: an attribute, a key, `.get(key)` or `getattr(…, key)`."""
    match node:
        case ast.Name(id=name):
            return name, ""
        case ast.Attribute(attr=name, value=of):
            return name, _whose(code, of)
        case ast.Subscript(slice=ast.Constant(value=str() as name), value=of):
            return name, _whose(code, of)
        case ast.Call(func=ast.Attribute(attr="get", value=of), args=[ast.Constant(value=str() as name), *_]):
            return name, _whose(code, of)
        case ast.Call(func=ast.Name(id="getattr"), args=[of, ast.Constant(value=str() as name), *_]):
            return name, _whose(code, of)
    return None, ""


def _whose(code: Code, of: ast.expr) -> str:
    """One text for one object, through a name that stands for it."""
    only = code.only(of) if isinstance(of, ast.Name) else None
    return ast.unparse(only if isinstance(only, (ast.Name, ast.Attribute, ast.Subscript)) else of)
