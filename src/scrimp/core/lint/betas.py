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
    listed: set[ast.AST] = set()
    for request in calls:
        given = request.fields.get("betas")
        if given is None:
            continue
        if request.stable:
            says = "`client.messages` takes no `betas`: this call raises TypeError"
            yield found("betas-on-stable", given, says)
        listed.update(code.reach(given))
    for node in code.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _no_ops(node, node.value, listed=node in listed or _is_header(code, node))


def _no_ops(node: ast.Constant, text: str, *, listed: bool) -> Iterator[Finding]:
    if not listed:
        return
    for name in text.split(","):
        beta = no_op_betas().get(name.strip())
        if beta is not None:
            yield found("no-op-beta", node, f"'{name.strip()}' switches nothing on: {beta}")


def _is_header(code: Code, node: ast.Constant) -> bool:
    """Whether a text is the value of an `anthropic-beta` header."""
    parent = code.parent(node)
    if isinstance(parent, ast.Dict):
        return any(
            value is node and _is_name(key) for key, value in zip(parent.keys, parent.values, strict=True)
        )
    return isinstance(parent, ast.Assign) and any(
        isinstance(target, ast.Subscript) and _is_name(target.slice) for target in parent.targets
    )


def _is_name(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.lower() == _HEADER
