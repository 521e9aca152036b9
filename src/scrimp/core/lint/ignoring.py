"""`# scrimp: ignore[rule]`: a line's own word that a finding is meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import RULES

__all__ = ["ignored"]

_COMMENT = re.compile(r"#\s*scrimp:\s*ignore(?:\[([^\]]*)\])?")


def ignored(source: str, code: Code) -> dict[int, Collection[str]]:
    """Line → the rules it ignores: those in brackets, or all.

    A comment holds for its own line; behind the end of a statement, for all lines of the statement.
    """
    found: dict[int, Collection[str]] = {}
    for number, line in enumerate(source.splitlines(), start=1):
        comment = _COMMENT.search(line)
        if comment:
            found[number] = {name.strip() for name in comment[1].split(",")} if comment[1] else RULES
    for node in code.nodes:
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.end_lineno in found:
            found.update(dict.fromkeys(range(node.lineno, node.end_lineno), found[node.end_lineno]))
    return found
