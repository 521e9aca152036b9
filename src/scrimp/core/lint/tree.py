"""A module's syntax tree with the way up: what holds a node, which function and class it stands in."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["Function", "Tree", "dotted", "last_name", "parameters"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.Module)
_ITSELF = frozenset({"self", "cls"})


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` of names and attributes; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else None


def last_name(node: ast.expr) -> str:
    """The last part of what is called: `c` of `a.b.c` and of `f().c`; empty where it has no name."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
    return ""


def parameters(scope: ast.AST) -> list[str]:
    """The names of the parameters of a function, `*args` and `**kwargs` among them."""
    if not isinstance(scope, (*_FUNCTIONS, ast.Lambda)):
        return []
    args = scope.args
    rest = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, *rest)]


class Tree:
    """One module. Raises SyntaxError where the source is no Python."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.nodes: list[ast.AST] = list(ast.walk(self.tree))
        self._parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self._imports: dict[str, str] = {}
        for node in self.nodes:
            self._import(node)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds this one."""
        return self._parents.get(node)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around this one, the nearest first."""
        at = self._parents.get(node)
        while at is not None:
            yield at
            at = self._parents.get(at)

    def within(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around this one inside its function, the nearest first."""
        scope = self.scope(node)
        for around in self.above(node):
            if around is scope:
                return
            yield around

    def scopes(self, node: ast.AST) -> Iterator[ast.AST]:
        """The functions around a node and the module, the nearest first."""
        return (one for one in self.above(node) if isinstance(one, _SCOPES))

    def scope(self, node: ast.AST) -> ast.AST:
        """The function around a node, or the module."""
        return next(self.scopes(node), self.tree)

    def method_of(self, function: ast.AST) -> ast.ClassDef | None:
        """The class that a function is a method of."""
        parent = self._parents.get(function)
        return parent if isinstance(parent, ast.ClassDef) else None

    def itself(self, node: ast.expr) -> ast.ClassDef | None:
        """The class of a `self` or `cls`."""
        if not isinstance(node, ast.Name) or node.id not in _ITSELF:
            return None
        return next(filter(None, map(self.method_of, self.scopes(node))), None)

    def qualified(self, node: ast.expr) -> str | None:
        """The dotted name as the modules imported call it: `dt.now` is `datetime.datetime.now`."""
        name = dotted(node)
        if name is None:
            return None
        first, _, rest = name.partition(".")
        return ".".join(filter(None, (self._imports.get(first, first), rest)))

    def _import(self, node: ast.AST) -> None:
        match node:
            case ast.Import():
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    self._imports[alias.asname or first] = alias.name if alias.asname else first
            case ast.ImportFrom():
                for alias in node.names:
                    self._imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
