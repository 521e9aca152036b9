"""What of a request is written out in the source: the blocks of a list, constant texts, whole values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from scrimp.core.lint.bindings import Added
from scrimp.core.lint.code import Code, last_name

__all__ = ["UnknownError", "blocks_of", "constant", "items_of", "value_of"]

_DEPTH = 30
_HOP = 3  # what following a name takes of the depth: `a = a + a` ends soon
_LONGEST = 2_000_000
_DEDENTS = frozenset({"dedent", "cleandoc"})
_COPIES = frozenset({"list", "tuple", "copy", "deepcopy"})


class UnknownError(Exception):
    """A value that the source does not show."""


def constant(code: Code, node: ast.expr | None) -> str | None:
    """The text of an expression where it can be but one; None where it is not known."""
    if node is None:
        return None
    try:
        value = value_of(code, node)
    except UnknownError:
        return None
    return value if isinstance(value, str) else None


def blocks_of(code: Code, node: ast.expr) -> list[ast.expr] | None:
    """The blocks of a part in order, messages' contents laid out; None where it is no list in sight."""
    listed = items_of(code, node)
    return None if listed is None else [block for one in listed for block in _contents(code, one)]


def items_of(code: Code, node: ast.expr, depth: int = _DEPTH) -> list[ast.expr] | None:
    """The items of a list in order, through `+`, `*`, copies and what is appended; None for any other.

    What cannot be seen of it stands as one item: its own expression.
    """
    items: list[ast.expr] | None = None
    if depth == 0:
        return items
    match node:
        case ast.Name() | ast.Attribute():
            items = _named_items(code, node, max(0, depth - _HOP))
        case ast.List() | ast.Tuple():
            items = [item for one in node.elts for item in _spread(code, one, depth - 1)]
        case ast.BinOp(op=ast.Add()):
            items = _joined(code, node.left, node.right, depth - 1)
        case ast.Call(args=[listed]) if last_name(node.func) in _COPIES:
            items = items_of(code, listed, depth - 1)
        case ast.Call(func=ast.Attribute(attr="copy", value=listed), args=[]):
            items = items_of(code, listed, depth - 1)
    return items


def value_of(code: Code, node: ast.expr, depth: int = _DEPTH) -> Any:
    """The value of an expression that is written out in the source. Raises `UnknownError` for any other."""
    if depth == 0:
        raise UnknownError
    value: Any
    match node:
        case ast.Constant():
            value = node.value
        case ast.List() | ast.Tuple():
            value = [value_of(code, one, depth - 1) for one in node.elts]
        case ast.Dict():
            value = _dict_of(code, node, depth)
        case ast.JoinedStr():
            value = "".join(str(value_of(code, one, depth - 1)) for one in node.values)
        case ast.FormattedValue(conversion=-1, format_spec=None):
            value = value_of(code, node.value, depth - 1)
        case ast.BinOp():
            sides = (value_of(code, one, depth - 1) for one in (node.left, node.right))
            value = _operated(node.op, *sides)
        case _:
            value = value_of(code, _same(code, node), max(0, depth - _HOP))
    return value


def _same(code: Code, node: ast.expr) -> ast.expr:
    """Another expression of the same value, or of a text about as long: `"…".strip()`, `dedent("…")`."""
    match node:
        case ast.Name() | ast.Attribute():
            only = code.only(node)
            if only is not None:
                return only
        case ast.NamedExpr():
            return node.value
        case ast.Call(func=ast.Attribute(attr="strip" | "lstrip" | "rstrip", value=text), args=[]):
            return text
        case ast.Call(args=[text]) if last_name(node.func) in _DEDENTS:
            return text
    raise UnknownError


def _named_items(code: Code, node: ast.expr, depth: int) -> list[ast.expr] | None:
    values = code.values(node)
    items = items_of(code, values[0], depth) if len(values) == 1 else None
    if items is None:
        return None
    for one in code.added(node):
        more = _grown(code, one, depth)
        if more is None:
            return None
        items = more(items)
    return items


def _grown(code: Code, added: Added, depth: int) -> Callable[[list[ast.expr]], list[ast.expr]] | None:
    """What an addition makes of the items before it; None where it cannot be said, as in a loop."""
    if any(isinstance(one, (ast.For, ast.AsyncFor, ast.While)) for one in code.within(added.at)):
        return None
    match added:
        case Added("append", _, (value,)):
            return lambda items: [*items, value]
        case Added("extend" | "+=", _, (value,)):
            more = items_of(code, value, depth) or [value]
            return lambda items: [*items, *more]
        case Added("[]", ast.Subscript(value=ast.Subscript(slice=place)), _):
            return lambda items: _with_set(items, place, added)
    return None


def _with_set(items: list[ast.expr], place: ast.expr, added: Added) -> list[ast.expr]:
    """The items once `items[place]["cache_control"] = …`: what is set stands with the item it is set in."""
    at = _index(place)
    if at is None or not -len(items) <= at < len(items) or not isinstance(added.at, ast.Subscript):
        return items
    changed = list(items)
    item = changed[at]
    marked = ast.Dict(keys=[None, added.at.slice], values=[item, added.values[0]])
    changed[at] = ast.copy_location(marked, item)
    return changed


def _index(place: ast.expr) -> int | None:
    match place:
        case ast.Constant(value=int() as at):
            return at
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as at)):
            return -at
    return None


def _spread(code: Code, node: ast.expr, depth: int) -> list[ast.expr]:
    if not isinstance(node, ast.Starred):
        return [node]
    return items_of(code, node.value, depth) or [node.value]


def _joined(code: Code, left: ast.expr, right: ast.expr, depth: int) -> list[ast.expr] | None:
    """The items of both sides; a side that is no list in sight stands as one item."""
    sides = [(side, items_of(code, side, depth)) for side in (left, right)]
    if all(items is None for _, items in sides):
        return None
    return [item for side, items in sides for item in ([side] if items is None else items)]


def _contents(code: Code, node: ast.expr) -> list[ast.expr]:
    """The content blocks of a message, or the block itself."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "content":
                return items_of(code, value) or [node]
    return [node]


def _dict_of(code: Code, node: ast.Dict, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            spread = value_of(code, value, depth - 1)
            if not isinstance(spread, dict):
                raise UnknownError
            found |= spread
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
