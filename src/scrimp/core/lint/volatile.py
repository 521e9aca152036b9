"""Clocks, random ids and unordered collections in what every call sends first: no two prefixes are alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import chain

from scrimp.core.lint.code import Code, dotted
from scrimp.core.lint.finding import Finding, Rule, found
from scrimp.core.lint.literals import blocks_of
from scrimp.core.lint.requests import Request, has_marker

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
_DAILY = frozenset({"date", "year", "month", "day", "weekday", "isoweekday", "isocalendar", "toordinal"})
_FINER_THAN_A_DAY = re.compile(r"%[-#]?[HIMSfpcXTrRs+]")
_JSON = frozenset({"json.dumps", "ujson.dumps", "simplejson.dumps"})
_ORDERS = frozenset({"sorted", "len", "min", "max", "sum", "any", "all", "bool", "isinstance"})
_FIXED = frozenset({"loads", "load", "model_json_schema", "schema", "asdict", "vars", "model_dump", "fields"})
_WRITTEN_OUT = (ast.Constant, ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp)


def volatile(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """What changes from call to call in tools, system, or before a marker of the messages."""
    told: set[ast.AST] = set()
    for part, where in chain.from_iterable(_prefix(code, request) for request in calls):
        for rule, node, what in _changing(code, part):
            if node not in told:
                told.add(node)
                yield found(rule, node, f"{what} in {where}: {_EFFECT[rule]}")


_EFFECT: dict[str, str] = {
    "clock-in-prefix": "it is another prompt each time, and nothing behind it is ever read from the cache",
    "unordered-prefix": "the order may differ from one process or call to the next, and with it the prefix",
}


def _prefix(code: Code, request: Request) -> Iterator[tuple[ast.expr, str]]:
    """The expressions that stand before a marker, or would if there were one, and what they are part of."""
    messages = request.fields.get("messages")
    later = "cache_control" in request.fields or (messages is not None and has_marker(code, messages))
    for name in ("tools", "system"):
        part = request.fields.get(name)
        if part is not None:
            whole = later or name == "tools"
            yield from ((one, f"the {name}" if name == "tools" else "the system prompt")
                        for one in _before_last_marker(code, part, whole=whole))  # fmt: skip
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


def _changing(code: Code, part: ast.expr) -> Iterator[tuple[Rule, ast.AST, str]]:
    for node in code.reach(part, skip=_unless_fixed(code)):
        if isinstance(node, (ast.Set, ast.SetComp)):
            yield "unordered-prefix", node, "a set"
        if not isinstance(node, ast.Call):
            continue
        name = code.qualified(node.func) or ""
        if name in _CLOCKS:
            yield "clock-in-prefix", node, "the time"
        elif _IDS.fullmatch(name) and not _is_seeded(name, node):
            yield "clock-in-prefix", node, f"`{name}`, new each time,"
        elif name in {"set", "frozenset"} and node.args:
            yield "unordered-prefix", node, "a set"
        elif name in _JSON and _any_order(code, node):
            yield "unordered-prefix", node, f"`{name}` without `sort_keys=True`"


def _is_seeded(name: str, node: ast.Call) -> bool:
    return bool(node.args) and name in _SEEDED


def _unless_fixed(code: Code) -> Callable[[ast.AST], bool]:
    """Where nothing changes more than once a day, or an order is made."""

    def fixed(node: ast.AST) -> bool:
        if isinstance(node, ast.Compare) or _is_daily(code, node):
            return True
        name = code.qualified(node.func) if isinstance(node, ast.Call) else None
        return name in _ORDERS or (
            name == "time.strftime" and isinstance(node, ast.Call) and _coarse(node.args[:1])
        )

    return fixed


def _is_daily(code: Code, node: ast.AST) -> bool:
    """Whether only the day of a value is used: `now.date()`, `f"{now:%Y-%m-%d}"`."""
    parent = code.parent(node)
    if isinstance(parent, ast.FormattedValue) and parent.value is node:
        spec = parent.format_spec
        return isinstance(spec, ast.JoinedStr) and _coarse(spec.values)
    if not isinstance(parent, ast.Attribute):
        return False
    if parent.attr == "strftime":
        call = code.parent(parent)
        return isinstance(call, ast.Call) and _coarse(call.args[:1])
    return parent.attr in _DAILY and dotted(parent) != "datetime.date"


def _coarse(formats: list[ast.expr]) -> bool:
    """Whether a format names no more than the day."""
    texts = [one.value for one in formats if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return len(texts) == len(formats) == 1 and not _FINER_THAN_A_DAY.search(texts[0])


def _any_order(code: Code, call: ast.Call) -> bool:
    """Whether the keys of what is dumped may come in any order."""
    given = {word.arg for word in call.keywords}
    if None in given or not call.args:
        return False
    if "sort_keys" in given:
        return any(
            word.arg == "sort_keys" and isinstance(word.value, ast.Constant) and not word.value.value
            for word in call.keywords
        )
    return not _is_fixed(code, call.args[0], depth=4)


def _is_fixed(code: Code, node: ast.expr, depth: int) -> bool:
    """Whether a value is written in the source in one order, or read in the order of a file."""
    match node:
        case ast.Dict():
            return None not in node.keys
        case ast.Call():
            return (dotted(node.func) or "").rpartition(".")[2] in _FIXED
        case ast.Name() | ast.Attribute() if depth:
            values = code.values(node)
            return bool(values) and all(_is_fixed(code, value, depth - 1) for value in values)
    return isinstance(node, _WRITTEN_OUT)
