"""The fields of a request: keywords, keys of a dict, what is spread into it and what is set in it later."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.bindings import Added
from scrimp.core.lint.code import Code, dotted

__all__ = ["fields_of", "fields_of_call"]

_DEPTH = 6
_Fields = dict[str, ast.expr]


def fields_of_call(code: Code, node: ast.Call, depth: int = _DEPTH) -> _Fields:
    """The arguments of a call by name, those of `**params` where the dict can be seen."""
    fields: _Fields = {}
    for word in node.keywords:
        if word.arg is not None:
            fields[word.arg] = word.value
        else:
            fields = _spread(code, word.value, depth) | fields
    return fields


def fields_of(code: Code, node: ast.Dict) -> _Fields:
    """The items of a dict, with what is set in it later by the name it is assigned to."""
    fields = _written(code, node, _DEPTH)
    parent = code.parent(node)
    if isinstance(parent, (ast.Assign, ast.AnnAssign)):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        for target in targets:
            if code.assigned(target) == [node]:
                fields |= _set_later(code, target, _DEPTH)
    return fields


def _written(code: Code, node: ast.Dict, depth: int) -> _Fields:
    fields: _Fields = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            fields |= _spread(code, value, depth - 1)
        elif isinstance(key, ast.Constant) and isinstance(key.value, str):
            fields[key.value] = value
    return fields


def _spread(code: Code, value: ast.expr, depth: int) -> _Fields:
    """What `**value` gives as far as it is in sight: dicts, `dict(…)`, either side of a condition."""
    found: _Fields = {}
    if depth <= 0:
        return found
    match value:
        case ast.Dict():
            found = _written(code, value, depth)
        case ast.Call(func=ast.Name(id="dict")):
            found = fields_of_call(code, value, depth - 1)
        case ast.IfExp():
            found = _spread(code, value.orelse, depth - 1) | _spread(code, value.body, depth - 1)
        case ast.BoolOp():
            found = _merged(_spread(code, one, depth - 1) for one in value.values)
        case ast.Name() | ast.Attribute():
            whole = _merged(_spread(code, one, depth - 1) for one in code.values(value))
            found = _rest(code, value) | whole | _set_later(code, value, depth - 1)
    return found


def _rest(code: Code, name: ast.expr) -> _Fields:
    """What callers give that a function takes as its `**kwargs`."""
    scope = code.parameter_of(name)
    if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)) or not isinstance(name, ast.Name):
        return {}
    if scope.args.kwarg is None or scope.args.kwarg.arg != name.id:
        return {}
    named = {arg.arg for arg in (*scope.args.args, *scope.args.kwonlyargs)}
    words = (word for call in code.callers(scope) for word in call.keywords)
    return {word.arg: word.value for word in words if word.arg is not None and word.arg not in named}


def _set_later(code: Code, name: ast.expr, depth: int) -> _Fields:
    return _merged(_of_addition(code, one, name, depth) for one in code.added(name))


def _of_addition(code: Code, added: Added, name: ast.expr, depth: int) -> _Fields:
    """`name["system"] = …`, `name.update(…)`, `name.setdefault("system", …)`."""
    match added:
        case Added("[]", ast.Subscript(slice=ast.Constant(value=str() as key), value=whole), (value,)):
            return {key: value} if dotted(whole) == dotted(name) else {}
        case Added("setdefault", ast.Call(args=[ast.Constant(value=str() as key), value])):
            return {key: value}
        case Added("update", ast.Call() as call):
            given = _merged(_spread(code, one, depth - 1) for one in call.args)
            return given | fields_of_call(code, call, depth - 1) if depth > 0 else {}
    return {}


def _merged(many: Iterator[_Fields]) -> _Fields:
    merged: _Fields = {}
    for one in many:
        merged |= one
    return merged
