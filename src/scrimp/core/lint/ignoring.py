"""`# scrimp: ignore[rule]`: a line's own word that a finding is meant."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Collection, Iterator
from io import StringIO

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import RULES

__all__ = ["ignored"]

_SIGN = "scrimp:"
_COMMENT = re.compile(r"#\s*scrimp:\s*ignore(?:\[([^\]]*)\])?")
_Rules = dict[int, Collection[str]]


def ignored(source: str, code: Code) -> _Rules:
    """Line → the rules it ignores: those in brackets, or all without brackets.

    A comment holds for its own line; behind the end of a statement, or of the line that opens a block, for
    all lines of that.
    """
    if _SIGN not in source:
        return {}
    said: _Rules = {line: rules for line, rules in _comments(source) if rules}
    found = dict(said)
    for node in code.nodes:
        last = _end(node, said) if isinstance(node, ast.stmt) else None
        if last is not None and isinstance(node, ast.stmt):
            found |= {line: {*found.get(line, ()), *said[last]} for line in range(node.lineno, last + 1)}
    return found


def _comments(source: str) -> Iterator[tuple[int, Collection[str]]]:
    """The line and the rules of each comment behind code."""
    for token in tokenize.generate_tokens(StringIO(source).readline):
        comment = _COMMENT.search(token.string) if token.type == tokenize.COMMENT else None
        if comment is not None and token.line[: token.start[1]].strip():
            names = comment[1]
            yield token.start[0], RULES if names is None else {one.strip() for one in names.split(",")} - {""}


def _end(node: ast.stmt, said: _Rules) -> int | None:
    """The line with a comment that ends a statement, or what opens the block of one."""
    body: list[ast.stmt | ast.match_case] = getattr(node, "body", None) or getattr(node, "cases", [])
    if not body:
        return node.end_lineno if node.end_lineno in said else None
    first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
    return max((line for line in range(node.lineno, first.lineno) if line in said), default=None)
