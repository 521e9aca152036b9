"""A module's syntax tree, and where a value in it comes from.

Nothing is run, so that a name may stand for several expressions: all that are assigned to it in the scopes it
can be seen from, what local functions return, and what callers pass for a parameter.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain

__all__ = ["Code", "Function", "dotted"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)
_GROWS = frozenset({"append", "extend", "insert", "add", "update", "setdefault"})
_Scope = ast.AST


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` of names and attributes; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None


class Code:
    """One module. Raises SyntaxError where the source is no Python."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.nodes: list[ast.AST] = list(ast.walk(self.tree))
        self.functions: dict[str, list[Function]] = defaultdict(list)
        self._parents: dict[ast.AST, ast.AST] = {}
        self._imports: dict[str, str] = {}
        self._values: dict[tuple[_Scope, str], list[ast.expr]] = defaultdict(list)
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        for node in self.nodes:
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
        for node in self.nodes:
            self._index(node)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds this one."""
        return self._parents.get(node)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around this one, the nearest first."""
        at = self._parents.get(node)
        while at is not None:
            yield at
            at = self._parents.get(at)

    def scope(self, node: ast.AST) -> _Scope:
        """The function around a node, or the module. A function's own name and defaults belong outside."""
        return next((one for one in self.above(node) if isinstance(one, _SCOPES)), self.tree)

    def qualified(self, node: ast.expr) -> str | None:
        """The dotted name as the modules imported call it: `dt.now` is `datetime.datetime.now`."""
        name = dotted(node)
        if name is None:
            return None
        first, _, rest = name.partition(".")
        return ".".join(filter(None, (self._imports.get(first, first), rest)))

    def calls_of(self, name: str) -> list[ast.Call]:
        """The calls of a function or method of this name in the module."""
        return self._calls.get(name, [])

    def values(self, name: ast.expr) -> list[ast.expr]:
        """The expressions a name or attribute of this module may stand for; empty where it is not known."""
        key = dotted(name)
        if key is None:
            return []
        if isinstance(name, ast.Attribute):  # an attribute is the same wherever in the module it is set
            return self._values.get((self.tree, f".{name.attr}"), [])
        scopes = (one for one in self.above(name) if isinstance(one, _SCOPES))
        for scope in scopes:
            known = self._values.get((scope, key)) or self._passed(scope, key)
            if known:
                return known
        return []

    def reach(
        self, *starts: ast.expr, skip: Callable[[ast.AST], bool] = lambda _: False
    ) -> Iterator[ast.AST]:
        """Every node an expression is made of, through names, parameters and local functions, each once.

        `skip` says where not to look further.
        """
        seen: set[ast.AST] = set()
        waiting: list[ast.AST] = list(starts)
        while waiting:
            node = waiting.pop()
            if node in seen or skip(node):
                continue
            seen.add(node)
            yield node
            waiting.extend(ast.iter_child_nodes(node))
            waiting.extend(self._behind(node))

    def returned(self, name: str) -> Iterator[ast.expr]:
        """What local functions of this name return."""
        for function in self.functions.get(name, []):
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None and self.scope(node) is function:
                    yield node.value

    def _behind(self, node: ast.AST) -> Iterator[ast.expr]:
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            yield from self.values(node)
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            if name is not None:
                yield from self.returned(name.rpartition(".")[2])

    def _passed(self, scope: _Scope, name: str) -> list[ast.expr]:
        """What callers in this module pass for a parameter, and its default."""
        if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return []
        args = scope.args
        names = [arg.arg for arg in (*args.posonlyargs, *args.args)]
        if name not in names and name not in {arg.arg for arg in args.kwonlyargs}:
            return []
        place = names.index(name) if name in names else None
        if place is not None and names[0] in {"self", "cls"}:
            place -= 1
        calls = self.calls_of(scope.name)
        given = [word.value for call in calls for word in call.keywords if word.arg == name]
        if place is not None:
            given += [call.args[place] for call in calls if 0 <= place < len(call.args)]
        return given + _defaults(args, name)

    def _index(self, node: ast.AST) -> None:
        match node:
            case ast.Import():
                for alias in node.names:
                    self._imports[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            case ast.ImportFrom():
                for alias in node.names:
                    self._imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value)
            case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr() if node.value is not None:
                self._assign(node.target, node.value)
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._assign(node.target, node.iter)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.functions[node.name].append(node)
            case ast.Call():
                self._index_call(node)

    def _index_call(self, node: ast.Call) -> None:
        name = dotted(node.func)
        if name is None:
            return
        before, _, last = name.rpartition(".")
        self._calls[last].append(node)
        if last in _GROWS and before and isinstance(node.func, ast.Attribute):
            for value in chain(node.args, (word.value for word in node.keywords)):
                self._assign(node.func.value, value)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name():
                self._values[self.scope(target), target.id].append(value)
            case ast.Attribute():
                self._values[self.tree, f".{target.attr}"].append(value)
            case ast.Subscript():
                self._assign(target.value, value)
            case ast.Tuple() | ast.List():
                values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
                whole = values is not None and len(values) == len(target.elts)
                for place, part in enumerate(target.elts):
                    self._assign(part, values[place] if whole and values is not None else value)


def _defaults(args: ast.arguments, name: str) -> list[ast.expr]:
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    pairs = zip((*positional, *args.kwonlyargs), (*defaults, *args.defaults, *args.kw_defaults), strict=True)
    return [default for arg, default in pairs if arg.arg == name and default is not None]
