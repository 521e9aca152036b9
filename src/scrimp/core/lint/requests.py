"""Requests to the Messages API in source code: calls of the SDK, their parameters, bodies as dicts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from scrimp.core.lint.code import Code, dotted, last_name
from scrimp.core.lint.fields import fields_of, fields_of_call
from scrimp.core.lint.literals import constant

__all__ = ["Request", "has_marker", "is_marker_key", "requests"]

_METHODS = frozenset({"create", "stream", "parse", "count_tokens", "tool_runner"})
_RAW = frozenset({"with_raw_response", "with_streaming_response"})
_PARAMETERS = ("MessageCreateParams", "MessageCountTokensParams")
_STATIC = ("tools", "system")
_BODY = frozenset({"model", "messages", "max_tokens"})
_OURS = ("claude", "anthropic")


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

    @property
    def automatic(self) -> ast.expr | None:
        """The marker of automatic caching."""
        marker = self.fields.get("cache_control")
        return None if isinstance(marker, ast.Constant) and marker.value is None else marker

    def caches(self, code: Code) -> bool:
        """Whether some marker is in sight, or automatic caching is on."""
        if self.automatic is not None:
            return True
        parts = [*self.static, *(self.fields[name] for name in ("messages",) if name in self.fields)]
        return has_marker(code, *parts)


def requests(code: Code) -> Iterator[Request]:
    """Every request of a module, in the order of the source."""
    ours = any(_names_us(node) for node in code.nodes)
    for node in code.nodes:
        if isinstance(node, ast.Call):
            request = _of_call(code, node)
            if request is not None:
                yield request
        elif isinstance(node, ast.Dict) and not _is_spread(code, node):
            fields = fields_of(code, node)
            if fields.keys() >= _BODY and _is_claude(code, fields["model"], ours=ours):
                yield Request(node, fields, None)


def has_marker(code: Code, *parts: ast.AST) -> bool:
    """Whether a marker can be in what these expressions are made of."""
    return any(is_marker_key(node) and not _is_none(code, node) for node in code.reach(*parts))


def is_marker_key(node: ast.AST) -> bool:
    """Whether a node is where `cache_control` is set: a key, a keyword or a subscript."""
    match node:
        case ast.Constant(value="cache_control") | ast.keyword(arg="cache_control"):
            return True
    return False


def _is_none(code: Code, key: ast.AST) -> bool:
    """Whether `None` is all that is set there."""
    parent = code.parent(key)
    value: ast.expr | None = None
    if isinstance(key, ast.keyword):
        value = key.value
    elif isinstance(parent, ast.Dict):
        value = next((one for name, one in zip(parent.keys, parent.values, strict=True) if name is key), None)
    return isinstance(value, ast.Constant) and value.value is None


def _names_us(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str() as text):
            return any(one in text for one in _OURS)
        case ast.Import(names=names):
            return any(alias.name.startswith(_OURS) for alias in names)
        case ast.ImportFrom(module=str() as module):
            return module.startswith(_OURS)
    return False


def _is_claude(code: Code, model: ast.expr, *, ours: bool) -> bool:
    """Whether a body is meant for Claude: other providers' bodies have the same three keys."""
    name = constant(code, model)
    return ours if name is None else "claude" in name


def _of_call(code: Code, node: ast.Call) -> Request | None:
    method = _method(code, node.func)
    if method is not None:
        fields = fields_of_call(code, node)
        sends = method.attr != "count_tokens"
        return Request(node, fields, _is_stable(code, _receiver(method)), sends)
    name = last_name(node.func)
    if name.startswith(_PARAMETERS):
        return Request(node, fields_of_call(code, node), None, "CountTokens" not in name)
    return None


def _method(code: Code, called: ast.expr) -> ast.Attribute | None:
    """The `….messages.create` that is called, directly or by a name for it."""
    if isinstance(called, ast.Attribute) and _is_of_messages(called):
        return called
    if not isinstance(called, (ast.Name, ast.Attribute)):
        return None
    only = code.only(called)
    return only if isinstance(only, ast.Attribute) and _is_of_messages(only) else None


def _is_of_messages(method: ast.Attribute) -> bool:
    messages = _messages(method)
    if method.attr not in _METHODS or not isinstance(messages, ast.Attribute):
        return False
    return messages.attr == "messages" and last_name(messages.value) not in {"self", "threads"}


def _messages(method: ast.Attribute) -> ast.expr:
    """`client.messages` of `client.messages.create` and of `client.messages.with_raw_response.create`."""
    value = method.value
    return value.value if isinstance(value, ast.Attribute) and value.attr in _RAW else value


def _receiver(method: ast.Attribute) -> ast.expr:
    messages = _messages(method)
    return messages.value if isinstance(messages, ast.Attribute) else messages


def _is_stable(code: Code, receiver: ast.expr) -> bool | None:
    """Whether `betas` has no place there: not so behind `.beta`, unknown where a name speaks of it."""
    at: ast.expr = receiver
    while isinstance(at, (ast.Attribute, ast.Call, ast.Subscript)):
        if isinstance(at, ast.Attribute) and at.attr == "beta":
            return False
        at = at.func if isinstance(at, ast.Call) else at.value
    values = code.values(receiver) if isinstance(receiver, (ast.Name, ast.Attribute)) else []
    if any(isinstance(node, ast.Attribute) and node.attr == "beta" for node in code.reach(*values)):
        return False
    return None if "beta" in (dotted(receiver) or "").lower() else True


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
