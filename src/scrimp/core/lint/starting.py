"""Calls that start several others side by side: a gather, a pool's map, tasks and threads in a loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from scrimp.core.lint.code import Code, last_name

__all__ = ["LOOPS", "started_by"]

LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
_GATHERS = frozenset({"gather", "as_completed", "wait", "as_completed_async", "gather_with_concurrency"})
_MAPS = frozenset({"map", "imap", "imap_unordered", "starmap", "map_async"})
_TASKS = frozenset({"submit", "create_task", "ensure_future", "start_soon", "run_in_executor", "Thread"})
_POOL = re.compile(r"(.*[_.])?(pool|executor|ex|tp|workers)\d*|.*(Pool|Executor)", re.IGNORECASE)
_ENDS = frozenset({"join", "result"})


def started_by(code: Code, node: ast.Call) -> Iterator[ast.expr]:
    """What a call starts side by side; nothing where it starts at most one at a time.

    Each is an expression in which the started calls, or the functions that are called, can be found. One
    that is given once counts once: `gather(ask(a), log())` has two, each of them one.
    """
    name = last_name(node.func)
    if name in _GATHERS:
        yield from node.args
    elif name in _MAPS and _is_pool(code, node.func):
        yield from (ast.Starred(one) for one in node.args[:1])
    elif name in _TASKS and _is_in_loop(code, node) and not _is_awaited(code, node):
        yield from (ast.Starred(one) for one in (*node.args, *(word.value for word in node.keywords)))
    elif name == "Parallel" or _is_parallel(node.func):
        yield from (ast.Starred(one) for one in node.args)


def _is_parallel(called: ast.expr) -> bool:
    return isinstance(called, ast.Call) and last_name(called.func) == "Parallel"


def _is_pool(code: Code, called: ast.expr) -> bool:
    """Whether `x.map` is of a pool by the name or the making of `x`; the builtin runs one after the other."""
    if not isinstance(called, ast.Attribute):
        return False
    made = [
        last_name(one.func) for one in (called.value, *code.values(called.value)) if isinstance(one, ast.Call)
    ]
    return any(_POOL.fullmatch(name) for name in (*made, last_name(called.value)))


def _is_in_loop(code: Code, node: ast.Call) -> bool:
    return any(isinstance(one, LOOPS) for one in code.within(node))


def _is_awaited(code: Code, node: ast.Call) -> bool:
    """Whether the loop waits for it before it goes on: `await create_task(…)`, `submit(…).result()`."""
    parent = code.parent(node)
    if isinstance(parent, ast.Await) or (isinstance(parent, ast.Attribute) and parent.attr in _ENDS):
        return True
    if not isinstance(parent, (ast.Assign, ast.AnnAssign)):
        return False
    targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
    names = {one.id for one in targets if isinstance(one, ast.Name)}
    loop = next(one for one in code.within(node) if isinstance(one, LOOPS))
    return any(_waits_for(one, names) for one in ast.walk(loop))


def _waits_for(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Await(value=ast.Name(id=name)):
            return name in names
        case ast.Attribute(attr=attr, value=ast.Name(id=name)):
            return attr in _ENDS and name in names
    return False
