"""Calls with one prefix that start together: each writes it, none reads it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.requests import Request
from scrimp.core.lint.senders import Sent, sent_by
from scrimp.core.lint.sharing import shares_prefix
from scrimp.core.lint.starting import LOOPS, started_by

__all__ = ["fanout"]

_SAYS = (
    "calls that start together each write the same prefix: an entry can be read only once the first answer "
    "begins"
)


def fanout(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """Requests with a marked prefix in common, sent side by side with none of them sent before."""
    every = sent_by(code, (one.node for one in calls if one.sends))
    caching = (one for one in calls if one.sends and one.caches(code))
    cached = sent_by(code, (one.node for one in caching if shares_prefix(code, one, every)))
    told: set[ast.AST] = set()
    for node in code.nodes if cached.nodes else ():
        if not isinstance(node, ast.Call):
            continue
        started = [part for part in started_by(code, node) if _starts(code, node, part, every, cached)]
        many = len(started) > 1 or any(_is_many(code, part) for part in started)
        if many and node not in told and not _one_went_before(code, node, every):
            told.update(code.reach(*started))
            yield found("cold-fan-out", node, _SAYS)


def _starts(code: Code, node: ast.Call, part: ast.expr, every: Sent, cached: Sent) -> bool:
    """Whether a part of a call starts cached requests, or sends bodies given beside it that are."""
    if any(cached.has(code, one) for one in code.reach(part)):
        return True
    bodies = any(isinstance(one, ast.Dict) and one in cached.nodes for one in code.reach(*node.args))
    return bodies and any(every.has(code, one) for one in code.reach(part))


def _is_many(code: Code, part: ast.expr) -> bool:
    """Whether an expression stands for several calls: spread, made in a comprehension, appended in a loop."""
    if isinstance(part, ast.Starred):
        return True
    if isinstance(part, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
        return True
    return isinstance(part, (ast.Name, ast.Attribute)) and (
        any(
            _is_many(code, one) for one in code.values(part) if not isinstance(one, (ast.Name, ast.Attribute))
        )
        or any(isinstance(loop, LOOPS) for one in code.added(part) for loop in code.within(one.at))
    )


def _one_went_before(code: Code, node: ast.Call, sent: Sent) -> bool:
    """Whether a request is sent and waited for earlier in the same function."""
    scope = code.scope(node)
    return any(
        isinstance(other, ast.Call)
        and other.lineno < node.lineno
        and code.scope(other) is scope
        and _is_waited_for(code, other, sent)
        for other in code.nodes
    )


def _is_waited_for(code: Code, call: ast.Call, sent: Sent) -> bool:
    called = [one for one in code.named(call.func) if one in sent.functions]
    if not called and call not in sent.nodes:
        return False
    if any(isinstance(one, LOOPS) for one in code.within(call)):
        return False
    if isinstance(code.parent(call), (ast.Await, ast.withitem)):
        return True
    return not any(isinstance(one, ast.AsyncFunctionDef) for one in called)
