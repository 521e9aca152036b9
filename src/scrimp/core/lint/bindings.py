"""What is assigned to the names and attributes of a module, and what is added to it afterwards."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from scrimp.core.lint.tree import Tree, dotted, last_name, parameters

__all__ = ["Added", "Bindings", "Place"]

_GROWS = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "appendleft"})
_WALKS = frozenset({"enumerate", "reversed", "list", "iter"})
Place = tuple[ast.AST, str]


@dataclass(frozen=True)
class Added:
    """One change: by which method, `+=`, `[]` for an item set, `each` for a part of what is gone through.

    `at` is the call or the target; `values` what is added.
    """

    how: str
    at: ast.AST
    values: tuple[ast.expr, ...]


class Bindings(Tree):
    """A module with its assignments: names belong to their function, attributes to their class."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.classes = {node.name: node for node in self.nodes if isinstance(node, ast.ClassDef)}
        self._families: dict[ast.ClassDef, list[ast.ClassDef]] = {}
        self._assigned: dict[Place, list[ast.expr]] = defaultdict(list)
        self._added: dict[Place, list[Added]] = defaultdict(list)
        self._scoped = {node: set(parameters(node)) for node in self.nodes if parameters(node)}
        self._later: list[tuple[ast.expr, Added | ast.expr]] = []  # once it is known what names stand for
        for node in self.nodes:
            self._index(node)
        for target, value in self._later:
            home = self._home(target)
            if home is not None and isinstance(value, Added):
                self._added[home].append(value)
            elif home is not None and isinstance(value, ast.expr):
                self._assigned[home].append(value)
        for target, value in self._later:
            if isinstance(value, Added) and value.how == "[]":
                self._set_in_whole(target, value)

    def assigned(self, name: ast.expr) -> list[ast.expr]:
        """The expressions assigned to a name or attribute; empty where there are none in sight."""
        return [value for place in self.places(name) for value in self._assigned.get(place, ())]

    def added(self, name: ast.expr) -> list[Added]:
        """What is added to the value of a name or attribute."""
        return [one for place in self.places(name) for one in self._added.get(place, ())]

    def parameter_of(self, name: ast.expr) -> ast.AST | None:
        """The function or lambda that a name is a parameter of."""
        if not isinstance(name, ast.Name):
            return None
        for scope in self.scopes(name):
            if name.id in self._scoped.get(scope, ()):
                return scope
            if (scope, name.id) in self._assigned or (scope, name.id) in self._added:
                return None
        return None

    def family(self, owner: ast.ClassDef) -> list[ast.ClassDef]:
        """A class with its bases and heirs in this module, the class first."""
        if owner not in self._families:
            found = [owner]
            for one in found:
                heirs = [heir for heir in self.classes.values() if one in self.bases(heir)]
                found += [other for other in (*self.bases(one), *heirs) if other not in found]
            self._families[owner] = found
        return self._families[owner]

    def bases(self, owner: ast.ClassDef) -> list[ast.ClassDef]:
        """The bases of a class that stand in this module."""
        return [self.classes[last_name(base)] for base in owner.bases if last_name(base) in self.classes]

    def classes_of(self, node: ast.expr) -> list[ast.ClassDef]:
        """The classes of this module that a value is of, or is: `self`, `Agent`, `agent = Agent()`."""
        own = self.itself(node)
        if own is not None:
            return [own]
        match node:
            case ast.Name() if node.id in self.classes:
                return [self.classes[node.id]]
            case ast.Call():
                return self._made_by(node)
            case ast.Name() | ast.Attribute(value=ast.Name()):
                made = (one for value in self.assigned(node) for one in self._made_by(value))
                return [*made, *self._annotated(node)]
        return []

    def _made_by(self, value: ast.expr) -> list[ast.ClassDef]:
        named = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
        name = last_name(value.func) if named and isinstance(value, ast.Call) else ""
        return [self.classes[name]] if name in self.classes else []

    def _annotated(self, name: ast.expr) -> Iterator[ast.ClassDef]:
        scope = self.parameter_of(name)
        if isinstance(name, ast.Name) and isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
            args = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
            for arg in args:
                if arg.arg == name.id and arg.annotation and last_name(arg.annotation) in self.classes:
                    yield self.classes[last_name(arg.annotation)]

    def places(self, name: ast.expr) -> list[Place]:
        """Where what is assigned to a name or attribute is kept, as seen from where it stands."""
        key = dotted(name)
        if key is None:
            return []
        if isinstance(name, ast.Attribute):
            owners = self.classes_of(name.value)
            if owners:
                return [(one, name.attr) for owner in owners for one in self.family(owner)]
        first = key.partition(".")[0]
        for scope in self.scopes(name):
            here = (scope, key)
            if here in self._assigned or here in self._added or first in self._scoped.get(scope, ()):
                return [here]
        return []

    def _home(self, target: ast.expr) -> Place | None:
        """Where an assignment to this target is kept."""
        match target:
            case ast.Name(ctx=ast.Store()):
                return self._stored(target)
            case ast.Name():
                return self._visible(target, target.id), target.id
            case ast.Attribute():
                for owner in self.classes_of(target.value):
                    return owner, target.attr
                key = dotted(target)
                return None if key is None else (self._visible(target, key.partition(".")[0]), key)
        return None

    def _stored(self, target: ast.Name) -> Place:
        """A name assigned belongs to its function; in the body of a class it is the class's attribute."""
        statement = next((one for one in self.above(target) if isinstance(one, ast.stmt)), self.tree)
        owner = self.parent(statement)
        return (owner if isinstance(owner, ast.ClassDef) else self.scope(target)), target.id

    def _visible(self, target: ast.expr, name: str) -> ast.AST:
        """The nearest scope around that knows a name."""
        for scope in self.scopes(target):
            if (scope, name) in self._assigned or name in self._scoped.get(scope, ()):
                return scope
        return self.scope(target)

    def _index(self, node: ast.AST) -> None:
        match node:
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value)
            case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
                self._assign(node.target, value)
            case ast.withitem(context_expr=value, optional_vars=ast.Name() as target):
                self._assign(target, value)
            case ast.AugAssign(op=ast.Add()):
                self._add(node.target, Added("+=", node, (node.value,)))
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._unpack(node.target, node.iter)
            case ast.Call(func=ast.Attribute(attr="sort", value=listed)):
                self._add(listed, Added("sort", node, ()))
            case ast.Call(func=ast.Attribute(attr=attr, value=grown)) if attr in _GROWS:
                values = (*node.args, *(word.value for word in node.keywords))
                self._add(grown, Added(attr, node, values))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name():
                self._assigned[self._stored(target)].append(value)
            case ast.Attribute():
                self._later.append((target, value))
            case ast.Subscript():
                self._add(target.value, Added("[]", target, (value,)))
            case ast.Tuple() | ast.List():
                values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
                if len(values) != len(target.elts):
                    self._unpack(target, value)
                    return
                for part, one in zip(target.elts, values, strict=True):
                    self._assign(part, one)

    def _set_in_whole(self, item: ast.expr, added: Added) -> None:
        """What is set in the items that a loop goes through is set in what it goes through."""
        for each in [one for one in self.added(item) if one.how == "each"]:
            whole = _gone_through(each.values[0])
            home = self._home(whole)
            if home is not None and added not in self._added[home]:
                self._added[home].append(added)

    def _unpack(self, target: ast.expr, value: ast.expr) -> None:
        """A value of which a target gets some part."""
        for name in ast.walk(target):
            if isinstance(name, (ast.Name, ast.Attribute)) and isinstance(name.ctx, ast.Store):
                self._add(name, Added("each", target, (value,)))

    def _add(self, target: ast.expr, added: Added) -> None:
        while isinstance(target, ast.Subscript):
            target = target.value
        self._later.append((target, added))


def _gone_through(listed: ast.expr) -> ast.expr:
    """The list itself in `enumerate(messages)`, `messages[-3:]`, `message["content"]`."""
    while True:
        match listed:
            case ast.Subscript():
                listed = listed.value
            case ast.Call(args=[inner, *_]) if last_name(listed.func) in _WALKS:
                listed = inner
            case _:
                return listed
