"""History cut where it happens to be long: pairs are torn apart, and the cache goes with every cut."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code, dotted
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.requests import Request

__all__ = ["trims"]

_PAIRS = frozenset({"tool_result", "tool_use", "tool_use_id"})
_TOOLS = (
    "a cut may leave a `tool_result` without its `tool_use`, which the API refuses, and every cut writes the "
    "rest of the prompt anew"
)
_CACHE = "every cut moves the beginning of the prompt, and all of it is written anew instead of read"


def trims(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """Old messages dropped by their number alone, in requests with tools or with the cache in use."""
    told: set[ast.AST] = set()
    for request in calls:
        messages = request.fields.get("messages")
        tools = "tools" in request.fields
        if messages is None or not (tools or request.caches(code)):
            continue
        for node in _cuts(code, messages):
            if node not in told and not _knows_pairs(code, node):
                told.add(node)
                yield found("blind-trim", node, _TOOLS if tools else _CACHE)


def _cuts(code: Code, messages: ast.expr) -> Iterator[ast.AST]:
    parts = (node for node in _lists(code, messages) if isinstance(node, ast.expr))
    names = {name for name in map(dotted, parts) if name}
    for node in _lists(code, messages):
        if (_drops_first(node) and not _is_half(code, node)) or _is_bounded(code, node):
            yield node
    yield from (node for node in code.nodes if _takes_from(node, names))


def _takes_from(node: ast.AST, names: set[str]) -> bool:
    """Whether a statement or a call takes the oldest items out of one of these lists."""
    match node:
        case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[first]):
            return _is_early(first) and dotted(value) in names
        case ast.Call(func=ast.Attribute(attr="popleft", value=value)):
            return dotted(value) in names
        case ast.Delete():
            taken = (one for one in node.targets if isinstance(one, ast.Subscript))
            return any(dotted(one.value) in names and _cut_by(one) for one in taken)
    return False


def _lists(code: Code, messages: ast.expr) -> Iterator[ast.AST]:
    """What a list of messages is made of, its messages left aside."""
    return code.reach(messages, skip=lambda node: isinstance(node, (ast.Dict, ast.JoinedStr, ast.Lambda)))


def _drops_first(node: ast.AST) -> bool:
    """Whether a slice leaves out the beginning: `[-10:]`, `[2:]`, but not `[:-1]`."""
    match node:
        case ast.Subscript(slice=ast.Slice(lower=ast.Constant(value=0))):
            return False
        case ast.Subscript(slice=ast.Slice(lower=ast.expr(), upper=None)):
            return True
    return False


def _is_half(code: Code, node: ast.AST) -> bool:
    """Whether `x[n:]` stands beside `x[:n]`: a list is taken apart, and nothing is left out."""
    if (
        not isinstance(node, ast.Subscript)
        or not isinstance(node.slice, ast.Slice)
        or node.slice.lower is None
    ):
        return False
    at, name = ast.dump(node.slice.lower), dotted(node.value)
    return any(
        isinstance(other, ast.Subscript)
        and isinstance(other.slice, ast.Slice)
        and other.slice.upper is not None
        and ast.dump(other.slice.upper) == at
        and dotted(other.value) == name
        for other in ast.walk(code.scope(node))
    )


def _cut_by(target: ast.Subscript) -> bool:
    """Whether `del` of this takes old messages: `del messages[0]`, `[1:5]`, `[:-10]`."""
    if not isinstance(target.slice, ast.Slice):
        return _is_early(target.slice)
    return not isinstance(target.slice.lower, ast.UnaryOp)


def _is_early(place: ast.expr) -> bool:
    return isinstance(place, ast.Constant) and isinstance(place.value, int) and place.value >= 0


def _is_bounded(code: Code, node: ast.AST) -> bool:
    """Whether this is a queue that forgets its oldest items."""
    if not isinstance(node, ast.Call):
        return False
    name = (code.qualified(node.func) or "").rpartition(".")[2]
    return name == "deque" and (len(node.args) > 1 or any(word.arg == "maxlen" for word in node.keywords))


def _knows_pairs(code: Code, node: ast.AST) -> bool:
    """Whether the code around a cut looks at tool uses and their results."""
    scope = code.scope(node)
    return any(isinstance(one, ast.Constant) and one.value in _PAIRS for one in ast.walk(scope)) and not (
        isinstance(scope, ast.Module)
    )
