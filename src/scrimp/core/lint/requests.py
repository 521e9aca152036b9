"""Requests to the Messages API in source code: calls of the SDK, their parameters, bodies as dicts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from scrimp.core.lint.code import Code, dotted

__all__ = ["Request", "constant", "has_marker", "is_marker_key", "requests"]

_METHODS = frozenset({"create", "stream", "parse", "count_tokens", "tool_runner"})
_PARAMETERS = ("MessageCreateParams", "MessageCountTokensParams")
_STATIC = ("tools", "system")


@dataclass(frozen=True)
class Request:
    """One request as far as the source shows it.

    `fields` maps a parameter to its expression. `stable` says that it goes through `client.messages`, False
    through `client.beta.messages`, None where neither can be told. `sends` is False where it only counts.
    """

    node: ast.expr
    fields: Mapping[str, ast.expr]
    stable: bool | None
    sends: bool = True

    @cached_property
    def static(self) -> list[ast.expr]:
        """Tools and system, in the order in which they are rendered."""
        return [self.fields[name] for name in _STATIC if name in self.fields]

    def caches(self, code: Code) -> bool:
        """Whether some marker is in sight, or automatic caching is on."""
        if "cache_control" in self.fields:
            return True
        parts = [*self.static, *(self.fields[name] for name in ("messages",) if name in self.fields)]
        return has_marker(code, *parts)


def requests(code: Code) -> Iterator[Request]:
    """Every request of a module, in the order of the source."""
    for node in code.nodes:
        if isinstance(node, ast.Call):
            request = _of_call(code, node)
            if request is not None:
                yield request
        elif isinstance(node, ast.Dict) and not _is_spread(code, node):
            fields = _fields_of(node)
            if {"model", "messages"} <= fields.keys() and "max_tokens" in fields:
                yield Request(node, fields, None)


def constant(code: Code, node: ast.expr | None) -> str | None:
    """The text of an expression where it can be but one; None where it is not known."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, (ast.Name, ast.Attribute)):
        values = code.values(node)
        return constant(code, values[0]) if len(values) == 1 and values[0] is not node else None
    return None


def has_marker(code: Code, *parts: ast.expr) -> bool:
    """Whether a marker can be in what these expressions are made of."""
    return any(is_marker_key(node) for node in code.reach(*parts))


def is_marker_key(node: ast.AST) -> bool:
    """Whether a node is where `cache_control` is set: a key, a keyword or a subscript."""
    match node:
        case ast.Constant(value="cache_control") | ast.keyword(arg="cache_control"):
            return True
    return False


def _of_call(code: Code, node: ast.Call) -> Request | None:
    name = dotted(node.func)
    if name is None:
        return None
    path = name.split(".")
    if path[-1] in _METHODS and len(path) > 2 and path[-2] == "messages":
        return Request(node, _given(code, node), "beta" not in path[:-2], path[-1] != "count_tokens")
    if path[-1].startswith(_PARAMETERS):
        return Request(node, _given(code, node), None, "CountTokens" not in path[-1])
    return None


def _given(code: Code, node: ast.Call) -> dict[str, ast.expr]:
    """The arguments of a call by name, those of `**params` where the dict can be seen."""
    fields: dict[str, ast.expr] = {}
    for word in node.keywords:
        if word.arg is not None:
            fields[word.arg] = word.value
            continue
        for value in (word.value, *code.values(word.value)):
            fields |= {name: one for name, one in _given_by(code, value).items() if name not in fields}
    return fields


def _given_by(code: Code, value: ast.expr) -> dict[str, ast.expr]:
    if isinstance(value, ast.Dict):
        return _fields_of(value)
    return _given(code, value) if isinstance(value, ast.Call) and dotted(value.func) == "dict" else {}


def _fields_of(node: ast.Dict) -> dict[str, ast.expr]:
    return {
        key.value: value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def _is_spread(code: Code, node: ast.Dict) -> bool:
    """Whether a dict is the `**params` of a call, directly or by the one name it is assigned to."""
    parent = code.parent(node)
    if isinstance(parent, ast.keyword):
        return parent.arg is None
    if not isinstance(parent, (ast.Assign, ast.AnnAssign)):
        return False
    targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
    names = {one.id for one in targets if isinstance(one, ast.Name)}
    return any(
        isinstance(other, ast.keyword) and other.arg is None and dotted(other.value) in names
        for other in code.nodes
    )
