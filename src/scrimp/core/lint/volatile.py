"""Clocks, random ids and unordered collections in what every call sends first: no two prefixes are alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import chain

from scrimp.core.lint.code import Code, last_name
from scrimp.core.lint.days import is_daily
from scrimp.core.lint.finding import Finding, Rule, found
from scrimp.core.lint.literals import blocks_of
from scrimp.core.lint.orders import has_any_order, is_ordered, is_set, shows_order
from scrimp.core.lint.requests import Request, has_marker, is_marker_key
from scrimp.core.lint.senders import Sent, sent_by

__all__ = ["volatile"]

_CLOCKS = frozenset(
    {
        "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
        "time.time", "time.time_ns", "time.ctime", "time.asctime", "time.strftime", "time.localtime",
        "time.gmtime", "time.monotonic", "time.perf_counter", "django.utils.timezone.now", "pendulum.now",
        "arrow.now", "arrow.utcnow", "pandas.Timestamp.now",
    }
)  # fmt: skip
_IDS = re.compile(
    r"uuid\.uuid[1-8]|random\.\w+|secrets\.\w+|os\.(urandom|getpid)|numpy\.random\.\w+|ulid\.\w+"
)
_SEEDED = frozenset({"random.Random", "random.seed", "numpy.random.default_rng", "numpy.random.seed"})
_SEEDS = frozenset({"random.seed", "numpy.random.seed"})
_FOLDERS = frozenset({"os.listdir", "os.scandir", "glob.glob", "glob.iglob"})
_LISTS = frozenset({"iterdir", "glob", "rglob"})
_EFFECT: dict[str, str] = {
    "clock-in-prefix": "it is another prompt each time, and nothing behind it is ever read from the cache",
    "unordered-prefix": "the order may differ from one process or call to the next, and with it the prefix",
}


def volatile(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """What changes from call to call in tools, system, or before a marker of the messages."""
    told: set[ast.AST] = set()
    fixed = _is_fixed(code, sent_by(code, (one.node for one in calls if one.sends)))
    seeded = any(isinstance(node, ast.Call) and code.qualified(node.func) in _SEEDS for node in code.nodes)
    for part, where in chain.from_iterable(_prefix(code, request) for request in calls):
        for rule, node, what in _changing(code, part, fixed):
            chance = isinstance(node, ast.Call) and _is_chance(code, node)
            if node not in told and not (seeded and chance):
                told.add(node)
                yield found(rule, node, f"{what} in {where}: {_EFFECT[rule]}")


def _prefix(code: Code, request: Request) -> Iterator[tuple[ast.expr, str]]:
    """The expressions that stand before a marker, or would if there were one, and what they are part of."""
    messages = request.fields.get("messages")
    later = request.automatic is not None or (messages is not None and has_marker(code, messages))
    for name, where in (("tools", "the tools"), ("system", "the system prompt")):
        part = request.fields.get(name)
        if part is not None:
            whole = later or name == "tools"
            yield from ((one, where) for one in _before_last_marker(code, part, whole=whole))
    if messages is not None:
        for one in _before_last_marker(code, messages, whole=False, marked=True):
            yield one, "a message before its marker"


def _before_last_marker(
    code: Code, part: ast.expr, *, whole: bool, marked: bool = False
) -> Iterator[ast.expr]:
    """The blocks of a list up to its last marker: all of them without one, or none where one is needed."""
    listed = blocks_of(code, part)
    if listed is None:
        if not marked:
            yield part
        return
    last = max((place for place, block in enumerate(listed) if has_marker(code, block)), default=None)
    if last is None and marked:
        return
    yield from listed if whole or last is None else listed[: last + 1]


def _changing(
    code: Code, part: ast.expr, fixed: Callable[[ast.AST], bool]
) -> Iterator[tuple[Rule, ast.AST, str]]:
    for node in code.reach(part, skip=fixed):
        if is_set(code, node) and shows_order(code, node):
            yield "unordered-prefix", node, "a set"
        if not isinstance(node, ast.Call):
            continue
        name = code.qualified(node.func) or ""
        if name in _CLOCKS:
            yield "clock-in-prefix", node, "the time"
        elif _IDS.fullmatch(name) and not (node.args and name in _SEEDED):
            yield "clock-in-prefix", node, f"`{name}`, new each time,"
        elif name in _FOLDERS or last_name(node.func) in _LISTS:
            yield "unordered-prefix", node, f"`{last_name(node.func)}` without `sorted`"
        elif has_any_order(code, node):
            yield "unordered-prefix", node, f"`{name}` without `sort_keys=True`"


def _is_chance(code: Code, call: ast.Call) -> bool:
    return (code.qualified(call.func) or "").startswith(("random.", "numpy.random."))


def _is_fixed(code: Code, sent: Sent) -> Callable[[ast.AST], bool]:
    """Where nothing changes more than once a day, an order is made, or a value goes no further.

    What somebody else answers is not made of what was asked: what was `sent`, what is awaited elsewhere.
    """

    def is_answer(node: ast.AST) -> bool:
        match node:
            case ast.Await(value=ast.Call(func=called)) if not code.named(called):
                return True
            case ast.Call(func=called):
                return node in sent.nodes or sent.has(code, called)
        return False

    def fixed(node: ast.AST) -> bool:
        if isinstance(node, ast.Compare) or (isinstance(node, ast.Lambda) and not _is_factory(code, node)):
            return True
        if is_answer(node) or _is_marker(code, node):
            return True
        if is_daily(node) or is_ordered(code, node):
            return True
        return _holds_sets(code, node) and not shows_order(code, node)

    return fixed


def _is_marker(code: Code, node: ast.AST) -> bool:
    """Whether a node is a marker, which is no part of the prompt."""
    parent = code.parent(node)
    if isinstance(parent, ast.Dict):
        pairs = zip(parent.keys, parent.values, strict=True)
        return any(value is node and key is not None and is_marker_key(key) for key, value in pairs)
    return isinstance(node, ast.keyword) and is_marker_key(node)


def _is_factory(code: Code, node: ast.AST) -> bool:
    parent = code.parent(node)
    return isinstance(parent, ast.keyword) and parent.arg == "default_factory"


def _holds_sets(code: Code, node: ast.AST) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute)) and any(
        is_set(code, value) for value in code.assigned(node)
    )
