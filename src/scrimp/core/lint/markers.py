"""Markers that the API refuses or that cache nothing: too many, in the wrong order, below the minimum."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.literals import UnknownError, blocks_of, value_of
from scrimp.core.lint.requests import Request, constant, has_marker, is_marker_key
from scrimp.core.tokens.estimator import Estimator, read_settings
from scrimp.errors import RequestError
from scrimp.facts.models import Facts
from scrimp.wire.request import blocks

__all__ = ["markers"]

_MOST = 4
_PARTS = ("tools", "system", "messages")
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_TAKES_AWAY = frozenset({"pop", "popitem"})
_FULL = "the API takes four markers and refuses the request"


def markers(code: Code, calls: list[Request], facts: Facts) -> Iterator[Finding]:
    """What is wrong with the markers that are in sight."""
    told: set[ast.AST] = set()
    for request in calls:
        for finding, node in _of(code, request, facts):
            if node not in told:
                told.add(node)
                yield finding


def _of(code: Code, request: Request, facts: Facts) -> Iterator[tuple[Finding, ast.AST]]:
    for node in _too_many(code, request):
        yield found("too-many-markers", node, _FULL), node
    for node in _out_of_order(code, request):
        yield found("ttl-order", node, "a 1h marker behind one of 5m: the API refuses the request"), node
    if request.sends:
        for node, says in _too_short(code, request, facts):
            yield found("below-minimum", node, says), node


def _too_many(code: Code, request: Request) -> Iterator[ast.AST]:
    marked = [block for name in _PARTS for block in _listed(code, request, name) if has_marker(code, block)]
    automatic = "cache_control" in request.fields
    if len(marked) + automatic > _MOST:
        yield marked[_MOST - automatic]
        return
    for name in _PARTS:
        part = request.fields.get(name)
        if part is not None:
            yield from _repeated(code, part)


def _repeated(code: Code, part: ast.expr) -> Iterator[ast.AST]:
    """Markers set once for each item of a list, or added in a loop that takes none away."""
    for node in code.reach(part):
        if not is_marker_key(node):
            continue
        for around in code.above(node):
            if isinstance(around, (ast.ListComp, ast.GeneratorExp)) and not _chooses(around):
                yield node
            if isinstance(around, ast.stmt) or _is_request(around):
                break
        if _piles_up(code, node):
            yield node


def _is_request(node: ast.AST) -> bool:
    """Whether this is a whole request: what is around it makes more requests, not more markers of one."""
    return isinstance(node, ast.Dict) and any(
        isinstance(key, ast.Constant) and key.value == "messages" for key in node.keys
    )


def _chooses(made: ast.ListComp | ast.GeneratorExp) -> bool:
    """Whether only some items can get the marker."""
    return any(isinstance(node, ast.IfExp) for node in ast.walk(made.elt)) or any(
        one.ifs for one in made.generators
    )


def _piles_up(code: Code, node: ast.AST) -> bool:
    appends = loops = False
    for around in code.above(node):
        if isinstance(around, ast.Call) and isinstance(around.func, ast.Attribute):
            appends = appends or around.func.attr == "append"
        if isinstance(around, (ast.IfExp, ast.If)):
            return False
        loops = loops or isinstance(around, _LOOPS)
    return appends and loops and not any(map(_takes_marker_away, code.nodes))


def _takes_marker_away(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=attr), args=[ast.Constant(value="cache_control"), *_]):
            return attr in _TAKES_AWAY
        case ast.Delete():
            return any(is_marker_key(one) for target in node.targets for one in ast.walk(target))
        case ast.Compare(left=ast.Constant(value="cache_control"), ops=[ast.NotEq()]):
            return True
    return False


def _out_of_order(code: Code, request: Request) -> Iterator[ast.AST]:
    short = False
    listed = (block for name in _PARTS for block in _listed(code, request, name))
    for ttl, node in chain.from_iterable(_ttls(code, block) for block in listed):
        if ttl == "1h" and short:
            yield node
        short = short or ttl == "5m"


def _ttls(code: Code, block: ast.expr) -> Iterator[tuple[str | None, ast.AST]]:
    for node in code.reach(block):
        match node:
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                yield from ((_ttl(code, value), value) for key, value in pairs if key and is_marker_key(key))
            case ast.keyword(arg="cache_control"):
                yield _ttl(code, node.value), node.value


def _ttl(code: Code, marker: ast.expr) -> str | None:
    """The lifetime of a marker, None where it cannot be told."""
    try:
        value = value_of(code, marker)
    except UnknownError:
        return None
    return str(value.get("ttl") or "5m") if isinstance(value, dict) else None


def _listed(code: Code, request: Request, name: str) -> Sequence[ast.expr]:
    part = request.fields.get(name)
    return () if part is None else blocks_of(code, part) or ()


def _too_short(code: Code, request: Request, facts: Facts) -> Iterator[tuple[ast.AST, str]]:
    """Markers of tools and system whose whole prefix is written out and surely too short to be cached."""
    name = constant(code, request.fields.get("model"))
    known = [facts.resolve(name)] if name else [one for one in facts.models if one.retired is None]
    caching = [one for one in known if one.features.caching]
    if not caching:
        return
    model = min(caching, key=lambda one: one.cache_minimum)
    body: dict[str, Any] = {"messages": []}
    for part in ("tools", "system"):
        expression = request.fields.get(part)
        if expression is None:
            continue
        try:
            body[part] = value_of(code, expression)
            tokens = _at_most(body, Estimator(model))
        except (UnknownError, RequestError):
            return
        marked = [block for block in _listed(code, request, part) if has_marker(code, block)]
        if marked and tokens < model.cache_minimum:
            whose = f"{model.name}'s" if name else "any model's"
            says = f"at most about {tokens:,} tokens end at this marker, {whose} minimum is "
            yield marked[-1], f"{says}{model.cache_minimum:,}: nothing is cached"


def _at_most(body: dict[str, Any], estimator: Estimator) -> int:
    return estimator.estimate(list(blocks(body)), read_settings(body)).high
