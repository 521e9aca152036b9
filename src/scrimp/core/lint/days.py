"""Times of which only the day is used: a prefix that changes at midnight is read all day long."""

from __future__ import annotations

import ast
import re

from scrimp.core.lint.code import dotted, last_name

__all__ = ["is_daily"]

_DAILY = frozenset({"date", "year", "month", "day", "weekday", "isoweekday", "isocalendar", "toordinal"})
_FINER_THAN_A_DAY = re.compile(r"%[-#]?[HIMSfpcXTrRs+]")
_DAY_LETTERS = len("2026-11-21")
_TEXTS = frozenset({"isoformat", "str", "ctime"})
_OF_THE_DAY = frozenset({"hour", "minute", "second", "microsecond"})


def is_daily(node: ast.AST) -> bool:
    """Whether only the day of a value is used: `now.date()`, `f"{now:%Y-%m-%d}"`, `now.isoformat()[:10]`."""
    match node:
        case ast.FormattedValue(format_spec=ast.JoinedStr(values=formats)):
            return _is_coarse(formats)
        case ast.Attribute(attr=attr) if attr in _DAILY:
            return dotted(node) != "datetime.date"
        case ast.Subscript(value=ast.Call() as text):
            return _is_beginning(text, node.slice)
        case ast.Call():
            return _makes_day(node)
    return False


def _is_beginning(text: ast.Call, part: ast.expr) -> bool:
    """Whether a part of a written time is its day: `[:10]`, or the first of `.split(…)`."""
    match part:
        case ast.Slice(lower=None, upper=ast.Constant(value=int() as end)):
            return last_name(text.func) in _TEXTS and 0 <= end <= _DAY_LETTERS
        case ast.Constant(value=0):
            return last_name(text.func) == "split"
    return False


def _makes_day(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="replace"):
            return {word.arg for word in call.keywords} >= _OF_THE_DAY
        case ast.Attribute(attr="strftime") | ast.Name(id="strftime"):
            return _is_coarse(call.args[:1])
    return False


def _is_coarse(formats: list[ast.expr]) -> bool:
    """Whether a format names no more than the day."""
    texts = [one.value for one in formats if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return len(texts) == len(formats) == 1 and not _FINER_THAN_A_DAY.search(texts[0])
