"""A module, and where a value in it comes from.

Nothing is run, so that a name may stand for several expressions: all that are assigned to it in the scope it
is seen from, what local functions return, and what callers pass for a parameter.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from scrimp.core.lint.bindings import Bindings
from scrimp.core.lint.tree import Function, dotted, last_name

__all__ = ["Code", "Function", "dotted", "last_name"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_PROPERTIES = frozenset({"property", "cached_property"})


class Code(Bindings):
    """One module. Raises SyntaxError where the source is no Python."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.functions: dict[str, list[Function]] = defaultdict(list)
        self._returned: dict[ast.AST, list[ast.expr]] = defaultdict(list)
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, _FUNCTIONS):
                self.functions[node.name].append(node)
            elif isinstance(node, ast.Return) and node.value is not None:
                self._returned[self.scope(node)].append(node.value)
            elif isinstance(node, ast.Call):
                self._calls[last_name(node.func)].append(node)

    def named(self, node: ast.expr) -> list[Function]:
        """The functions and methods of this module that a name or attribute stands for."""
        match node:
            case ast.Name() if node.id in self.classes:
                return self._methods(self.classes[node.id], "__init__")
            case ast.Name():
                return [one for one in self.functions.get(node.id, ()) if not self.method_of(one)]
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
                around = filter(None, map(self.method_of, self.scopes(node)))
                bases = (base for owner in around for base in self.bases(owner))
                return [one for base in bases for one in self._methods(base, node.attr)]
            case ast.Attribute():
                owners = self.classes_of(node.value)
                return [one for owner in owners for one in self._methods(owner, node.attr)]
        return []

    def callers(self, function: Function) -> list[ast.Call]:
        """The calls of a function in this module, as far as they can be told from others of its name."""
        owner = self.method_of(function)
        made = self._calls.get(owner.name, []) if owner and function.name == "__init__" else []
        return [call for call in (*self._calls.get(function.name, ()), *made)
                if function in self.named(call.func)]  # fmt: skip

    def values(self, name: ast.expr) -> list[ast.expr]:
        """The expressions a name or attribute may stand for; empty where it is not known."""
        scope = self.parameter_of(name)
        passed = self._passed(scope, name.id) if scope is not None and isinstance(name, ast.Name) else []
        return [one for one in (*self.assigned(name), *passed) if one is not name]

    def only(self, name: ast.expr) -> ast.expr | None:
        """What a name or attribute stands for where it can be but one thing to which nothing is added."""
        values = self.values(name)
        return values[0] if len(values) == 1 and not self.added(name) else None

    def item(self, node: ast.Subscript) -> list[ast.expr] | None:
        """What is under a key written out, `settings["model"]`; None where that cannot be told."""
        key, whole = node.slice, node.value
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        found = [value for one in (whole, *self.values(whole)) for name, value in _pairs(one)
                 if name == key.value]  # fmt: skip
        for one in self.added(whole):
            match one.at:
                case ast.Subscript(slice=ast.Constant(value=name), value=under) if name == key.value:
                    found += one.values if dotted(under) == dotted(whole) else ()
                case ast.Call(keywords=words):
                    found += [word.value for word in words if word.arg == key.value]
        return found or None

    def reach(self, *starts: ast.AST, skip: Callable[[ast.AST], bool] = lambda _: False) -> Iterator[ast.AST]:
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
            waiting.extend(self._parts(node))
            waiting.extend(self.behind(node))

    def _parts(self, node: ast.AST) -> Iterable[ast.AST]:
        """The nodes below one, but only the item where a key is written out, and no argument of a local
        function: what that makes of it is in what it returns."""
        if isinstance(node, ast.Subscript):
            under = self.item(node)
            if under is not None:
                return under
        if isinstance(node, ast.Call) and any(True for _ in self.behind(node)):
            return (node.func,)
        return ast.iter_child_nodes(node)

    def behind(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a name stands for and is added to it, what a property or a local function returns."""
        if isinstance(node, ast.Call):
            yield from (value for one in self.named(node.func) for value in self.returned(one))
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            yield from self.values(node)
            for one in self.added(node):
                yield from one.values
                yield from _keys(one.at)
            if isinstance(node, ast.Attribute):
                getters = (one for one in self.named(node) if _is_property(one))
                yield from (value for one in getters for value in self.returned(one))

    def returned(self, function: Function) -> list[ast.expr]:
        """What a function returns."""
        return self._returned.get(function, [])

    def _methods(self, owner: ast.ClassDef, name: str) -> list[Function]:
        family = self.family(owner)
        return [one for one in self.functions.get(name, ()) if self.method_of(one) in family]

    def _passed(self, scope: ast.AST, name: str) -> list[ast.expr]:
        """What callers in this module pass for a parameter, and its default."""
        if not isinstance(scope, _FUNCTIONS):
            return []
        args = scope.args
        names = [arg.arg for arg in (*args.posonlyargs, *args.args)]
        place = names.index(name) if name in names else None
        if place is not None and names[0] in {"self", "cls"}:
            place -= 1
        calls = self.callers(scope)
        given = [word.value for call in calls for word in call.keywords if word.arg == name]
        if place is not None:
            given += [call.args[place] for call in calls if 0 <= place < len(call.args)]
        return [*(one for one in given if not isinstance(one, ast.Starred)), *_defaults(args, name)]


def _keys(at: ast.AST) -> Iterator[ast.expr]:
    """The keys on the way to an item that is set: `cache_control` of `blocks[-1]["cache_control"] = …`."""
    while isinstance(at, ast.Subscript):
        yield at.slice
        at = at.value


def _pairs(node: ast.expr) -> Iterator[tuple[object, ast.expr]]:
    match node:
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield key.value, value
        case ast.Call(func=ast.Name(id="dict")):
            yield from ((word.arg, word.value) for word in node.keywords)


def _is_property(function: Function) -> bool:
    return any(last_name(one) in _PROPERTIES for one in function.decorator_list)


def _defaults(args: ast.arguments, name: str) -> list[ast.expr]:
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    pairs = zip((*positional, *args.kwonlyargs), (*defaults, *args.defaults, *args.kw_defaults), strict=True)
    return [default for arg, default in pairs if arg.arg == name and default is not None]
