"""Whether calls of one request have a prefix in common: all that stands before its first marker."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code
from scrimp.core.lint.literals import blocks_of
from scrimp.core.lint.requests import Request, has_marker
from scrimp.core.lint.senders import Sent

__all__ = ["shares_prefix"]

_ITSELF = frozenset({"self", "cls"})


def shares_prefix(code: Code, request: Request, sent: Sent) -> bool:
    """Whether what is cached first is the same for every call, as far as the source shows it.

    Under automatic caching that is tools and system; what each call has for itself follows behind them.
    """
    before = list(_before_first_marker(code, request))
    return bool(before) and not any(_varies(code, one, sent) for one in before)


def _before_first_marker(code: Code, request: Request) -> Iterator[ast.expr]:
    for name in ("tools", "system", "messages"):
        part = request.fields.get(name)
        if part is None or (name == "messages" and not has_marker(code, part)):
            continue
        for block in blocks_of(code, part) or [part]:
            yield block
            if has_marker(code, block):
                return


def _varies(code: Code, part: ast.expr, sent: Sent) -> bool:
    """Whether a part holds what a loop goes through, or a parameter of which nothing is known."""
    names = (node for node in code.reach(part) if isinstance(node, ast.Name) and node.id not in _ITSELF)
    return any(_is_each(code, name, sent) or _is_open(code, name) for name in names)


def _is_each(code: Code, name: ast.Name, sent: Sent) -> bool:
    loops = (one.at for one in code.added(name) if one.how == "each")
    return any(not _is_within(code, target, sent) for target in loops)


def _is_within(code: Code, target: ast.AST, sent: Sent) -> bool:
    """Whether a loop sends nothing itself: `", ".join(one for one in RULES)` is one text for all calls."""
    loop = next(code.above(target))
    made = code.parent(loop) if isinstance(loop, ast.comprehension) else None
    return made is not None and not any(sent.has(code, node) for node in ast.walk(made))


def _is_open(code: Code, name: ast.Name) -> bool:
    return code.parameter_of(name) is not None and not code.values(name)
