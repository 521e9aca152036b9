"""Which lists a list of messages comes from, item by item: cuts of these cut the history."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.bindings import Added
from scrimp.core.lint.code import Code, last_name

__all__ = ["lists_of"]

_COPIES = frozenset({"list", "tuple", "copy", "deepcopy", "islice", "reversed", "cast"})
_EXTENDS = frozenset({"extend", "+="})


def lists_of(code: Code, messages: ast.expr) -> Iterator[ast.expr]:
    """The expressions whose items become messages themselves, each once; what is inside a message is not."""
    seen: set[ast.expr] = set()
    waiting = [messages]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            yield node
            waiting.extend(_behind(code, node))


def _behind(code: Code, node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Name() | ast.Attribute():
            yield from code.values(node)
            yield from (value for one in code.added(node) if _adds_many(one) for value in one.values)
        case ast.Subscript(slice=ast.Slice()) | ast.Await() | ast.Starred() | ast.NamedExpr():
            yield node.value
        case ast.Subscript():
            yield from code.item(node) or ()
        case ast.BinOp(op=ast.Add()):
            yield from (node.left, node.right)
        case ast.List() | ast.Tuple():
            yield from (one for one in node.elts if isinstance(one, ast.Starred))
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.BoolOp():
            yield from node.values
        case ast.ListComp(generators=[one]) if _passes_on(node.elt, one.target):
            yield one.iter
        case ast.Call():
            yield from _of_call(code, node)


def _adds_many(added: Added) -> bool:
    """`.extend(…)`, `+= …` and `messages[:] = …`."""
    into = added.at.slice if isinstance(added.at, ast.Subscript) else None
    return added.how in _EXTENDS or (added.how == "[]" and isinstance(into, ast.Slice))


def _of_call(code: Code, node: ast.Call) -> Iterator[ast.expr]:
    yield from (value for one in code.named(node.func) for value in code.returned(one))
    name = last_name(node.func)
    if name in _COPIES and node.args:
        yield node.args[-1] if name == "cast" else node.args[0]
    elif name == "copy" and isinstance(node.func, ast.Attribute):
        yield node.func.value


def _passes_on(made: ast.expr, item: ast.expr) -> bool:
    """Whether each item becomes one message: itself, or a dict with its role."""
    if not isinstance(item, ast.Name):
        return False
    if isinstance(made, ast.Name):
        return made.id == item.id
    return isinstance(made, ast.Dict) and any(_is_role_of(one, item.id) for one in ast.walk(made))


def _is_role_of(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=of), attr="role"):
            return of == name
        case ast.Subscript(value=ast.Name(id=of), slice=ast.Constant(value="role")):
            return of == name
    return False
