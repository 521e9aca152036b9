"""Markers that the API refuses or that cache nothing: too many, in the wrong order, below the minimum."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.literals import UnknownError, blocks_of, constant, value_of
from scrimp.core.lint.many_markers import too_many
from scrimp.core.lint.requests import Request, has_marker, is_marker_key
from scrimp.core.tokens.estimator import Estimator, read_settings
from scrimp.errors import RequestError
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.wire.request import blocks

__all__ = ["markers"]

_PARTS = ("tools", "system", "messages")
_FULL = "the API takes four markers and refuses the request"
_LATE = "a 1h marker behind one of 5m: the API refuses the request"


def markers(code: Code, calls: list[Request], facts: Facts) -> Iterator[Finding]:
    """What is wrong with the markers that are in sight."""
    told: set[ast.AST] = set()
    for request in calls:
        for finding, node in _of(code, request, facts):
            if node not in told:
                told.add(node)
                yield finding


def _of(code: Code, request: Request, facts: Facts) -> Iterator[tuple[Finding, ast.AST]]:
    for node in too_many(code, request):
        yield found("too-many-markers", node, _FULL), node
    for node in _out_of_order(code, request):
        yield found("ttl-order", node, _LATE), node
    if request.sends:
        for node, says in _too_short(code, request, facts):
            yield found("below-minimum", node, says), node


def _out_of_order(code: Code, request: Request) -> Iterator[ast.AST]:
    """Markers of an hour behind one of five minutes: of a later block, a later part, or the automatic one."""
    short = False
    for ttls in _steps(code, request):
        if short:
            yield from (node for ttl, node in ttls if ttl == "1h")
        short = short or any(ttl == "5m" for ttl, _ in ttls)
    if short and request.automatic is not None and _ttl(code, request.automatic) == "1h":
        yield request.automatic


def _steps(code: Code, request: Request) -> Iterator[list[tuple[str | None, ast.AST]]]:
    """The lifetimes of each block in order, of a whole part where its blocks are not in sight."""
    for name in _PARTS:
        part = request.fields.get(name)
        if part is not None:
            yield from (list(_ttls(code, one)) for one in blocks_of(code, part) or [part])


def _ttls(code: Code, block: ast.expr) -> Iterator[tuple[str | None, ast.AST]]:
    """The lifetimes in what a block is made of, and where they are said."""
    for node in code.reach(block):
        for key, value in _set_in(code, node):
            if key is not None and is_marker_key(key):
                yield _ttl(code, value), value


def _set_in(code: Code, node: ast.AST) -> Iterator[tuple[ast.AST | None, ast.expr]]:
    """What is set under which key: in a dict, by a keyword, in what a name stands for."""
    match node:
        case ast.Dict():
            yield from zip(node.keys, node.values, strict=True)
        case ast.keyword():
            yield node, node.value
        case ast.Name() | ast.Attribute():
            targets = ((one.at, value) for one in code.added(node) for value in one.values)
            yield from ((at.slice, value) for at, value in targets if isinstance(at, ast.Subscript))


def _ttl(code: Code, marker: ast.expr) -> str | None:
    """The lifetime of a marker, None where it cannot be told."""
    try:
        value = value_of(code, marker)
    except UnknownError:
        return None
    return str(value.get("ttl") or "5m") if isinstance(value, dict) else None


def _too_short(code: Code, request: Request, facts: Facts) -> Iterator[tuple[ast.AST, str]]:
    """Markers whose whole prefix is written out and surely too short to be cached."""
    name = constant(code, request.fields.get("model"))
    model = _least(facts, name)
    if model is None:
        return
    body: dict[str, Any] = {"messages": []}
    for part, expression in ((one, request.fields[one]) for one in _PARTS if one in request.fields):
        try:
            body[part] = value_of(code, expression)
            tokens = _at_most(body, Estimator(model))
        except (UnknownError, RequestError):
            return
        if tokens >= model.cache_minimum:
            return
        marked = [block for block in blocks_of(code, expression) or () if has_marker(code, block)]
        if marked:
            yield marked[-1], _short(model, name, tokens)
    if request.automatic is not None and "messages" in request.fields:
        yield request.automatic, _short(model, name, _at_most(body, Estimator(model)))


def _least(facts: Facts, name: str | None) -> Model | None:
    """The model of this name, or the one that caches the shortest prefix."""
    known = [facts.resolve(name)] if name else [one for one in facts.models if one.retired is None]
    caching = [one for one in known if one.features.caching]
    return min(caching, key=lambda one: one.cache_minimum) if caching else None


def _short(model: Model, name: str | None, tokens: int) -> str:
    whose = f"{model.name}'s" if name else "any model's"
    says = f"at most about {tokens:,} tokens end at this marker, {whose} minimum is {model.cache_minimum:,}"
    return f"{says}: nothing is cached"


def _at_most(body: dict[str, Any], estimator: Estimator) -> int:
    return estimator.estimate(list(blocks(body)), read_settings(body)).high
