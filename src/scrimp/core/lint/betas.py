"""Betas that switch nothing on, and `betas` where the SDK does not take it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.requests import Request
from scrimp.facts.betas import no_op_betas

__all__ = ["betas"]

_HEADER = "anthropic-beta"


def betas(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """No-op betas in `betas=` and in headers, and `betas=` of calls that do not take it."""
    given = [request.fields["betas"] for request in calls if "betas" in request.fields]
    for request in calls:
        if request.stable and "betas" in request.fields and not _may_be_left_out(code, request):
            says = "`client.messages` takes no `betas`: this call raises TypeError"
            yield found("betas-on-stable", request.fields["betas"], says)
    headers = (value for node in code.nodes for value in _headers(node))
    for part in code.reach(*given, *headers, skip=lambda node: isinstance(node, ast.Compare)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from _no_ops(part, part.value)


def _may_be_left_out(code: Code, request: Request) -> bool:
    """Whether `betas` is set before the call on a condition, which may be that of another call."""
    given = request.fields["betas"]
    apart = request.node not in code.above(given)
    return apart and any(isinstance(one, (ast.If, ast.Match)) for one in code.within(given))


def _no_ops(node: ast.Constant, text: str) -> Iterator[Finding]:
    for name in text.split(","):
        beta = no_op_betas().get(name.strip())
        if beta is not None:
            yield found("no-op-beta", node, f"'{name.strip()}' switches nothing on: {beta}")


def _headers(node: ast.AST) -> Iterator[ast.expr]:
    """What is given as an `anthropic-beta` header."""
    match node:
        case ast.Dict():
            yield from (value for key, value in zip(node.keys, node.values, strict=True) if _is_name(key))
        case ast.Assign():
            if any(isinstance(one, ast.Subscript) and _is_name(one.slice) for one in node.targets):
                yield node.value


def _is_name(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.lower() == _HEADER
