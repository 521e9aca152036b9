"""Models that are no longer served, or soon will not be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date, timedelta

from scrimp.core.lint.code import Code, dotted, last_name
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.requests import Request
from scrimp.facts.models import Facts

__all__ = ["models"]

_SOON = timedelta(days=90)
_NAME = re.compile(r"(.*[^a-z])?model([-_]?(name|id))?", re.IGNORECASE)
_CAMEL = re.compile(r".*[a-z]Model([-_]?(Name|Id|ID))?")
_DEFAULTS = frozenset(
    {"get", "getenv", "getattr", "setdefault", "pop", "Field", "field", "Option", "Argument"}
)
_KEEPS = _DEFAULTS | {"str", "strip", "lower", "cast"}
_ANSWERS = re.compile(
    r"(.*_)?(message|msg|response|resp|answer|result|completion|chunk|event|data)", re.IGNORECASE
)
_OF_ANSWERS = frozenset({"role", "usage", "id", "stop_reason"})


def models(code: Code, calls: list[Request], facts: Facts, day: date) -> Iterator[Finding]:
    """Model ids that a request would name, retired on `day` or within 90 days of it."""
    for node in dict.fromkeys((*_asked_for(code, calls), *_named(code))):
        name = node.value
        if not isinstance(name, str) or "claude" not in name:
            continue
        model = facts.resolve(name)
        if not model.known or model.provider != "anthropic" or model.retired is None:
            continue
        if model.retired <= day:
            yield found("retired-model", node, f"'{name}' is not served since {model.retired}")
        elif model.retired <= day + _SOON:
            yield found("retired-model", node, f"'{name}' will not be served from {model.retired} on")


def _asked_for(code: Code, calls: list[Request]) -> Iterator[ast.Constant]:
    """The texts that may end up as a request's model."""
    given = [request.fields["model"] for request in calls if "model" in request.fields]
    sent = {request.node for request in calls}
    for node in code.reach(*given, skip=lambda node: node in sent or _is_asked(code, node)):
        if isinstance(node, ast.Constant):
            yield node


def _is_asked(code: Code, node: ast.AST) -> bool:
    """Whether a value only decides which model it is: a test, a key, an argument of something unknown."""
    parent = code.parent(node)
    match parent:
        case ast.Dict():
            return node in parent.keys
        case ast.Subscript():
            return node is parent.slice
        case ast.IfExp():
            return node is parent.test
        case ast.Call():
            return node is not parent.func and last_name(parent.func) not in _KEEPS and not (
                code.named(parent.func)
            )  # fmt: skip
    return isinstance(node, (ast.Compare, ast.keyword)) and not _is_default(code, node)


def _is_default(code: Code, node: ast.AST) -> bool:
    parent = code.parent(node)
    if not isinstance(node, ast.keyword) or not isinstance(parent, ast.Call):
        return False
    return node.arg == "default" or bool(code.named(parent.func))


def _named(code: Code) -> Iterator[ast.Constant]:
    """The texts given to a parameter, a key or a variable that is named for a model."""
    texts = (node for node in code.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    for node in texts:
        if "claude" in str(node.value) and any(name and _is_name(name) for name in _given_to(code, node)):
            yield node


def _is_name(name: str) -> bool:
    last = name.rpartition(".")[2]
    return bool(_NAME.fullmatch(last) or _CAMEL.fullmatch(last))


def _given_to(code: Code, node: ast.expr) -> Iterator[str | None]:
    """The names of parameters, keys and variables that a text is given to."""
    parent = code.parent(node)
    match parent:
        case ast.keyword():
            yield from _of_keyword(code, parent)
        case ast.Dict() if not _is_answer(_keys(parent)):
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
        case ast.Call() if last_name(parent.func) in _DEFAULTS and node in parent.args:
            if not _is_read_off_answer(parent.func):
                yield from _given_to(code, parent)


def _of_keyword(code: Code, word: ast.keyword) -> Iterator[str | None]:
    """A parameter's name; of a `default=` the option or variable it is the default of."""
    call = code.parent(word)
    if not isinstance(call, ast.Call):
        return
    if word.arg != "default":
        if not _is_answer({other.arg for other in call.keywords}):
            yield word.arg
    elif last_name(call.func) in _DEFAULTS:
        yield from _given_to(code, call)
    else:  # `add_argument("--model", default=…)`, `click.option("--model", default=…)`
        texts = (one.value for one in call.args if isinstance(one, ast.Constant))
        yield from (text.lstrip("-") for text in texts if isinstance(text, str))


def _keys(node: ast.Dict) -> set[str | None]:
    return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}


def _is_read_off_answer(called: ast.expr) -> bool:
    """Whether this is the `get` of what a call brought, `message.get("model", …)`."""
    return isinstance(called, ast.Attribute) and bool(_ANSWERS.fullmatch(last_name(called.value)))


def _is_answer(names: set[str | None]) -> bool:
    """Whether what has these fields is an answer, whose model says what was, and no request."""
    return bool(names & _OF_ANSWERS)


def _with_default(args: ast.arguments, default: ast.expr) -> Iterator[ast.arg]:
    positional = [*args.posonlyargs, *args.args]
    last = positional[len(positional) - len(args.defaults) :]
    yield from (arg for arg, value in zip(last, args.defaults, strict=True) if value is default)
    yield from (arg for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value is default)
