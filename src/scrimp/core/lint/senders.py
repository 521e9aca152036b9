"""Which functions of a module send requests, themselves or by what they call."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from scrimp.core.lint.code import Code, Function

__all__ = ["Sent", "sent_by"]


@dataclass(frozen=True)
class Sent:
    """Requests, and the functions that send them."""

    nodes: set[ast.expr]
    functions: set[Function]

    def has(self, code: Code, node: ast.AST) -> bool:
        """Whether a node is one of the requests, or stands for one of the functions."""
        named = code.named(node) if isinstance(node, (ast.Name, ast.Attribute)) else []
        return node in self.nodes or not self.functions.isdisjoint(named)


def sent_by(code: Code, requests: Iterable[ast.expr]) -> Sent:
    """These requests with the functions in which they stand, and all that call one of those."""
    nodes = set(requests)
    functions: set[Function] = set()
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        scope = code.scope(waiting.pop())
        if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)) and scope not in functions:
            functions.add(scope)
            waiting.extend(code.callers(scope))
    return Sent(nodes, functions)
