"""History cut where it happens to be long: pairs are torn apart, and the cache goes with every cut."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.bindings import Place
from scrimp.core.lint.code import Code, dotted
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.histories import lists_of
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
    lists = list(lists_of(code, messages))
    for node in lists:
        if (_drops_first(node) and not _is_meant(code, node)) or _is_bounded(code, node):
            yield node
    names = {place for node in lists if dotted(node) for place in _places(code, node)}
    yield from (_what_is(node) for node in code.nodes if _takes_from(code, node, names))


def _places(code: Code, name: ast.expr) -> list[Place]:
    return code.places(name) or [(code.tree, dotted(name) or "")]


def _what_is(statement: ast.AST) -> ast.AST:
    return statement.value if isinstance(statement, ast.Expr) else statement


def _takes_from(code: Code, node: ast.AST, names: set[Place]) -> bool:
    """Whether a statement or a call takes the oldest items out of one of these lists, and drops them."""

    def listed(value: ast.expr) -> bool:
        return not names.isdisjoint(_places(code, value))

    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="pop", value=value), args=[first])):
            return _is_early(first) and listed(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="popleft", value=value))):
            return listed(value)
        case ast.Delete():
            taken = (one for one in node.targets if isinstance(one, ast.Subscript))
            return any(listed(one.value) and _cut_by(one) for one in taken)
    return False


def _drops_first(node: ast.AST) -> bool:
    """Whether a slice leaves out the beginning: `[-10:]`, `[2:]`, `islice(x, 2, None)`, but not `[:-1]`."""
    match node:
        case ast.Subscript(slice=ast.Slice(lower=ast.Constant(value=0))):
            return False
        case ast.Subscript(slice=ast.Slice(lower=ast.expr(), upper=None)):
            return True
        case ast.Call(func=ast.Name(id="islice") | ast.Attribute(attr="islice"), args=[_, _, _, *_]):
            return True
    return False


def _is_meant(code: Code, node: ast.AST) -> bool:
    """Whether no blind cut is made: `x[n:]` beside `x[:n]`, `x[1:]` where `x[0]` is read, a place sought."""
    match node:
        case ast.Subscript(slice=ast.Slice(lower=ast.Name() as sought)) if _is_sought(code, sought):
            return True
        case ast.Subscript(value=value, slice=ast.Slice(lower=ast.expr() as lower)):
            beside = (one for one in ast.walk(code.scope(node)) if isinstance(one, ast.Subscript))
            at, name = ast.dump(lower), dotted(value)
            return any(dotted(one.value) == name and _is_half(one, at) for one in beside)
    return False


def _is_sought(code: Code, place: ast.Name) -> bool:
    """Whether the place of a cut is moved on, `cut += 1`, until it is a good one."""
    return any(one.how == "+=" for one in code.added(place))


def _is_half(other: ast.Subscript, at: str) -> bool:
    match other.slice:
        case ast.Slice(upper=ast.expr() as upper):
            return ast.dump(upper) == at
        case ast.Constant(value=0):
            return at == ast.dump(ast.Constant(value=1))
    return False


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
