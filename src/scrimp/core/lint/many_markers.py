"""More than the four markers that the API takes: written out, one for each item, or one more every turn."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code, dotted, last_name
from scrimp.core.lint.literals import blocks_of, items_of
from scrimp.core.lint.requests import Request, has_marker, is_marker_key

__all__ = ["too_many"]

_MOST = 4
_PARTS = ("tools", "system", "messages")
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_MADE = (ast.ListComp, ast.GeneratorExp)
_TAKES_AWAY = frozenset({"pop", "popitem"})


def too_many(code: Code, request: Request) -> Iterator[ast.AST]:
    """The marker that is one too many."""
    parts = [request.fields[name] for name in _PARTS if name in request.fields]
    marked = [block for part in parts for block in blocks_of(code, part) or () if has_marker(code, block)]
    automatic = request.automatic is not None
    if len(marked) + automatic > _MOST:
        yield marked[_MOST - automatic]
        return
    keys = dict.fromkeys(node for node in code.reach(*parts) if is_marker_key(node))
    yield from (key for key in keys if _is_repeated(code, key))


def _is_repeated(code: Code, key: ast.AST) -> bool:
    """Whether a marker is set for each item of a list, or added in a loop that takes none away."""
    if not has_marker(code, key) or any(map(_takes_marker_away, code.nodes)):
        return False
    parent = code.parent(key)
    if isinstance(parent, ast.Subscript):
        return _is_set_on_each(code, parent)
    for around in code.within(key):
        if isinstance(around, _MADE) and not _chooses(around):
            return all(_is_long(code, one.iter) for one in around.generators)
        if isinstance(around, ast.stmt) or _is_request(around):
            break
    return _piles_up(code, key)


def _is_set_on_each(code: Code, target: ast.Subscript) -> bool:
    """Whether `item["content"][-1]["cache_control"] = …` is done to every item of a list."""
    if not isinstance(target.ctx, ast.Store):
        return False
    whole: ast.expr = target
    while isinstance(whole, ast.Subscript):
        whole = whole.value
    for around in code.within(target):
        if isinstance(around, (ast.If, ast.Try)):
            return False
        if isinstance(around, (ast.For, ast.AsyncFor)):
            same = isinstance(around.target, ast.Name) and around.target.id == dotted(whole)
            return same and _is_long(code, around.iter)
    return False


def _is_long(code: Code, listed: ast.expr) -> bool:
    """Whether a list may have more than four items for all the source says."""
    match listed:
        case ast.Subscript(slice=ast.Slice(upper=ast.Constant(value=int() as end))):
            return not 0 <= end <= _MOST
        case ast.Subscript(
            slice=ast.Slice(lower=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(n))))
        ):
            return n > _MOST
        case ast.Call(args=[ast.Constant(value=int() as count)]) if last_name(listed.func) == "range":
            return count > _MOST
        case ast.Call(args=[inner, *_]) if last_name(listed.func) in {
            "enumerate",
            "reversed",
            "sorted",
            "list",
        }:
            return _is_long(code, inner)
    items = items_of(code, listed)
    return items is None or len(items) > _MOST or any(isinstance(one, ast.Starred) for one in items)


def _is_request(node: ast.AST) -> bool:
    """Whether this is a whole request: what is around it makes more requests, not more markers of one."""
    if isinstance(node, ast.Call):
        return any(word.arg == "messages" for word in node.keywords)
    return isinstance(node, ast.Dict) and any(
        isinstance(key, ast.Constant) and key.value == "messages" for key in node.keys
    )


def _chooses(made: ast.ListComp | ast.GeneratorExp) -> bool:
    """Whether only some items can get the marker."""
    return any(isinstance(node, ast.IfExp) for node in ast.walk(made.elt)) or any(
        one.ifs for one in made.generators
    )


def _piles_up(code: Code, key: ast.AST) -> bool:
    """Whether a marker is appended, once every turn, to a list that outlives the turn."""
    append: ast.Call | None = None
    for around in code.within(key):
        if isinstance(around, (ast.IfExp, ast.If)) or _is_request(around):
            return False
        if append is None and isinstance(around, ast.Call) and last_name(around.func) == "append":
            append = around
        if isinstance(around, _LOOPS):
            return append is not None and not _is_fresh(code, append, around) and _goes_on(code, around)
    return append is not None and _is_called_in_loop(code, append)


def _is_fresh(code: Code, append: ast.Call, loop: ast.AST) -> bool:
    """Whether the list is made anew each turn."""
    listed = append.func.value if isinstance(append.func, ast.Attribute) else append.func
    return any(loop in code.above(value) for value in code.assigned(listed))


def _goes_on(code: Code, loop: ast.AST) -> bool:
    return not isinstance(loop, (ast.For, ast.AsyncFor)) or _is_long(code, loop.iter)


def _is_called_in_loop(code: Code, append: ast.Call) -> bool:
    """Whether a method that appends to its object's list is called every turn of a loop."""
    function = code.scope(append)
    listed = append.func.value if isinstance(append.func, ast.Attribute) else append.func
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or not isinstance(
        listed, ast.Attribute
    ):
        return False
    return any(
        isinstance(around, _LOOPS) and not any(isinstance(one, ast.If) for one in code.within(call))
        for call in code.callers(function)
        for around in code.within(call)
    )


def _takes_marker_away(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=attr), args=[ast.Constant(value="cache_control"), *_]):
            return attr in _TAKES_AWAY
        case ast.Delete():
            return any(is_marker_key(one) for target in node.targets for one in ast.walk(target))
        case ast.Compare(left=ast.Constant(value="cache_control"), ops=[ast.NotEq()]):
            return True
    return False
