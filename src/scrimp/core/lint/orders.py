"""Collections whose order is not fixed, where the order shows, and what fixes it."""

from __future__ import annotations

import ast

from scrimp.core.lint.code import Code, last_name

__all__ = ["has_any_order", "is_ordered", "is_set", "shows_order"]

_DEPTH = 4
_JSON = frozenset({"json.dumps", "ujson.dumps", "simplejson.dumps"})
_ORDERS = frozenset({"sorted", "len", "min", "max", "sum", "any", "all", "bool", "isinstance"})
_FIXED = frozenset(
    {
        "loads", "load", "model_json_schema", "schema", "asdict", "vars", "model_dump", "fields", "to_dict",
        "_asdict", "as_dict", "json", "dict", "sorted", "list", "tuple", "items", "str", "int", "len",
    }
)  # fmt: skip
_KEEPS = frozenset(
    {
        "join", "list", "tuple", "str", "repr", "format", "enumerate", "reversed", "map", "filter", "iter",
        "zip", "dumps", "dict", "extend", "chain",
    }
)  # fmt: skip
_PARTS = frozenset({"tools", "system", "messages", "content", "text"})
_FLAT = frozenset({"str", "int", "float", "bool", "list", "tuple", "List", "Tuple", "Sequence", "Literal"})
_WRITTEN_OUT = (ast.Constant, ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp, ast.JoinedStr)


def is_set(code: Code, node: ast.AST) -> bool:
    """Whether an expression makes a set with something in it."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset"), args=[_]):
            return not code.named(node.func)
    return False


def is_ordered(code: Code, node: ast.AST) -> bool:
    """Whether an order is made here, by `sorted(…)` or `.sort()`, or none is needed."""
    match node:
        case ast.Call(func=called):
            return code.qualified(called) in _ORDERS
        case ast.Name() | ast.Attribute():
            return any(one.how == "sort" for one in code.added(node))
    return False


def shows_order(code: Code, node: ast.AST) -> bool:
    """Whether the order of a collection can be seen in what is made of it here.

    It cannot where it is only asked (`in`), or given to something that is not in sight.
    """
    below: ast.AST = node
    for around in code.above(node):
        if _is_whole(code, around, below):
            return True
        if _hides_order(around, below):
            return False
        below = around
    return True


def _is_whole(code: Code, around: ast.AST, below: ast.AST) -> bool:
    """Whether a value ends here: what a local function does with its arguments is followed in there."""
    match around:
        case ast.stmt() | ast.Lambda() | ast.Dict():
            return True
        case ast.keyword(arg=arg):
            return arg in _PARTS
        case ast.Call(func=called):
            return below is not called and bool(code.named(called))
    return False


def _hides_order(around: ast.AST, below: ast.AST) -> bool:
    """Whether nothing of an order is left: in a test, a sum of sets, a method, what is not in sight."""
    match around:
        case ast.Compare() | ast.Attribute():
            return True
        case ast.BinOp(op=ast.Sub() | ast.BitAnd() | ast.BitOr() | ast.BitXor()):
            return True
        case ast.Call(func=called):
            return below is not called and last_name(called) not in _KEEPS
        case ast.comprehension(ifs=tests):
            return below in tests
    return False


def has_any_order(code: Code, call: ast.Call) -> bool:
    """Whether this makes JSON whose keys may come in any order."""
    given = {word.arg for word in call.keywords}
    if code.qualified(call.func) not in _JSON or None in given or not call.args:
        return False
    if "sort_keys" in given:
        return any(
            word.arg == "sort_keys" and isinstance(word.value, ast.Constant) and not word.value.value
            for word in call.keywords
        )
    return not _is_written(code, call.args[0], _DEPTH)


def _is_written(code: Code, node: ast.expr, depth: int) -> bool:
    """Whether a value is put together in the source in one order, or read in the order of a file."""
    parts: list[ast.expr] = []
    known = isinstance(node, _WRITTEN_OUT)
    match node:
        case ast.Dict():
            known = None not in node.keys
            parts = [value for key, value in zip(node.keys, node.values, strict=True) if key is None]
        case ast.DictComp():
            parts = [one.iter for one in node.generators]
        case ast.Call():
            known = last_name(node.func) in _FIXED
            parts = [value for one in code.named(node.func) for value in code.returned(one)]
        case ast.Subscript():
            parts = [node.value]
        case ast.Name() | ast.Attribute():
            known = _is_flat(code, node)
            parts = code.values(node)
    if known or depth == 0:
        return known
    return bool(parts) and all(_is_written(code, one, depth - 1) for one in parts)


def _is_flat(code: Code, name: ast.expr) -> bool:
    """Whether a parameter is said to be a text, a number or a list."""
    scope = code.parameter_of(name)
    if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)) or not isinstance(name, ast.Name):
        return False
    args = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
    said = next((arg.annotation for arg in args if arg.arg == name.id), None)
    whole = said.value if isinstance(said, ast.Subscript) else said
    return whole is not None and last_name(whole) in _FLAT
