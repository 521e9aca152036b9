"""Calls with one prefix that start together: each writes it, none reads it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code, dotted
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.requests import Request, has_marker

__all__ = ["fanout"]

_GATHERS = frozenset({"gather", "as_completed", "wait", "map", "submit", "create_task", "start_soon", "imap"})
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
_SAYS = (
    "calls that start together each write the same prefix: an entry can be read only once the first answer "
    "begins"
)


def fanout(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """Requests with markers of their own, sent side by side with none of them sent before."""
    sending = {request.node for request in calls if request.sends}
    cached = {request.node for request in calls if request.sends and request.caches(code)}
    told: set[ast.AST] = set()
    for node in code.nodes:
        if not isinstance(node, ast.Call) or not _starts_many(code, node):
            continue
        given = (*node.args, *(word.value for word in node.keywords))
        sent = _sends(code, node, sending if has_marker(code, *given) else cached)
        nested = any(one in told for one in code.above(node))
        if sent and not nested and not _one_went_before(code, node, sent, sending):
            told.add(node)
            yield found("cold-fan-out", node, _SAYS)


def _starts_many(code: Code, node: ast.Call) -> bool:
    """Whether a call starts several others at once: a gather of many, or a task started in a loop."""
    last = (dotted(node.func) or "").rpartition(".")[2]
    if isinstance(node.func, ast.Attribute):
        last = node.func.attr
    if last not in _GATHERS:
        return False
    if last in {"submit", "create_task", "start_soon"}:
        return any(isinstance(one, _LOOPS) for one in _within_function(code, node))
    return last in {"map", "imap", "as_completed", "wait"} or len(node.args) > 1 or _is_spread(node)


def _is_spread(node: ast.Call) -> bool:
    return any(isinstance(one, ast.Starred) for one in node.args)


def _within_function(code: Code, node: ast.AST) -> Iterator[ast.AST]:
    scope = code.scope(node)
    for around in code.above(node):
        if around is scope:
            return
        yield around


def _sends(code: Code, node: ast.Call, cached: set[ast.expr]) -> set[str]:
    """The names of the local functions through which a call sends, `""` for requests in it itself."""
    found: set[str] = set()
    for part in ast.walk(node):
        if part in cached:
            found.add("")
        name = dotted(part) if isinstance(part, (ast.Name, ast.Attribute)) else None
        last = (name or "").rpartition(".")[2]
        if any(_function_sends(function, cached) for function in code.functions.get(last, [])):
            found.add(last)
    return found


def _function_sends(function: ast.AST, cached: set[ast.expr]) -> bool:
    return any(node in cached for node in ast.walk(function))


def _one_went_before(code: Code, node: ast.Call, through: set[str], sending: set[ast.expr]) -> bool:
    """Whether one of the same calls is awaited earlier in the same function."""
    scope = code.scope(node)
    return any(
        isinstance(other, ast.Call)
        and other.lineno < node.lineno
        and code.scope(other) is scope
        and ((dotted(other.func) or "").rpartition(".")[2] in through or ("" in through and other in sending))
        and not any(isinstance(one, _LOOPS) for one in _within_function(code, other))
        for other in code.nodes
    )
