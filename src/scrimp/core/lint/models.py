"""Models that are no longer served, or soon will not be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import date, timedelta

from scrimp.core.lint.code import Code, dotted
from scrimp.core.lint.finding import Finding, found
from scrimp.facts.models import Facts

__all__ = ["models"]

_SOON = timedelta(days=90)


def models(code: Code, facts: Facts, day: date) -> Iterator[Finding]:
    """Model ids that a request would name, retired on `day` or within 90 days of it."""
    for node in code.nodes:
        if (
            not isinstance(node, ast.Constant)
            or not isinstance(node.value, str)
            or "claude" not in node.value
        ):
            continue
        if not _is_named(code, node):
            continue
        model = facts.resolve(node.value)
        if not model.known or model.provider != "anthropic" or model.retired is None:
            continue
        if model.retired <= day:
            yield found("retired-model", node, f"'{node.value}' is not served since {model.retired}")
        elif model.retired <= day + _SOON:
            yield found("retired-model", node, f"'{node.value}' will not be served from {model.retired} on")


def _is_named(code: Code, node: ast.Constant) -> bool:
    """Whether a text is given as a model: to a parameter, a key or a variable of such a name."""
    return any(map(_is_model, _given_to(code, node)))


def _given_to(code: Code, node: ast.expr) -> Iterator[str | None]:
    """The names of parameters, keys and variables that a text is given to."""
    parent = code.parent(node)
    match parent:
        case ast.keyword():
            yield parent.arg
        case ast.Dict():
            pairs = zip(parent.keys, parent.values, strict=True)
            yield from (
                str(key.value) for key, value in pairs if value is node and isinstance(key, ast.Constant)
            )
        case ast.Assign():
            yield from map(dotted, parent.targets)
        case ast.AnnAssign():
            yield dotted(parent.target)
        case ast.arguments():
            yield from (arg.arg for arg in _with_default(parent, node))
        case ast.BoolOp() | ast.IfExp():
            yield from _given_to(code, parent)


def _is_model(name: str | None) -> bool:
    return name is not None and name.rpartition(".")[2].lower().endswith("model")


def _with_default(args: ast.arguments, default: ast.expr) -> Iterator[ast.arg]:
    positional = [*args.posonlyargs, *args.args]
    last = positional[len(positional) - len(args.defaults) :]
    yield from (arg for arg, value in zip(last, args.defaults, strict=True) if value is default)
    yield from (arg for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value is default)
