"""JSON: its shape, some of its items, and what the rest of them hold.

Every field of an object stays by name. Of a long list the first items and the last one stay, and those that
say what is looked for; of long texts the beginning. What there is room for decides how many and how long.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from scrimp.core.offload.as_table import column
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.source import Hints, Source

__all__ = ["parsed", "reduced"]

_WORD = re.compile(r"[a-z_][a-z0-9_]{2,}|\d{3,}")
_LEAST_LINES = 3
_INLINE = 100
_LEAST_STATISTICS = 4
_MOST_FIELDS = 60
_MOST_DEPTH = 40


class _Level(msgspec.Struct, frozen=True):
    """How much is shown: first and looked-for items of a list, characters of a text, levels of depth."""

    items: int
    found: int
    text: int
    depth: int
    statistics: bool = True


_LEVELS = (
    *(_Level(items, found, text, 12) for items, found, text in ((60, 40, 400), (40, 30, 240), (25, 20, 160))),
    *(
        _Level(items, found, text, 8)
        for items, found, text in ((16, 12, 120), (10, 8, 80), (6, 6, 60), (4, 4, 40))
    ),
    _Level(3, 2, 40, 6),
    _Level(2, 1, 24, 5),
    _Level(1, 1, 20, 4),
    _Level(1, 0, 16, 3, statistics=False),
    _Level(1, 0, 12, 2, statistics=False),
)


def parsed(text: str) -> Any:
    """The JSON value, or the list of values where each line is one; None for anything else."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(stripped)
    except ValueError:
        pass
    lines = [line for line in stripped.split("\n") if line.strip()]
    if len(lines) < _LEAST_LINES:
        return None
    try:
        return [orjson.loads(line) for line in lines]
    except ValueError:
        return None


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """JSON in some `budget` tokens."""
    value = parsed(source.plain)
    text = ""
    for level in _LEVELS:
        text = "\n".join(_Renderer(level, hints).lines(value, "", 0))
        if tokens_of(text) <= budget:
            return text
    return text[: int(budget * source.width)]


class _Renderer:
    def __init__(self, level: _Level, hints: Hints) -> None:
        self._level = level
        self._hints = hints

    def lines(self, value: Any, before: str, depth: int) -> Iterator[str]:
        """`value` behind what stands before it, each level indented by one blank."""
        indent = " " * depth
        short = self._short(value)
        if short is not None:
            yield f"{indent}{before}{short}"
        elif depth >= min(self._level.depth, _MOST_DEPTH):
            yield f"{indent}{before}{_outline(value)}"
        elif isinstance(value, Mapping):
            yield f"{indent}{before}{{"
            for key, item in list(value.items())[:_MOST_FIELDS]:
                yield from self.lines(item, f"{key}: ", depth + 1)
            if len(value) > _MOST_FIELDS:
                yield f"{indent} … {len(value) - _MOST_FIELDS:,} more fields"
            yield f"{indent}}}"
        else:
            yield from self._list(value, before, depth)

    def _list(self, items: Sequence[Any], before: str, depth: int) -> Iterator[str]:
        indent = " " * depth
        shown = self._chosen(items)
        yield f"{indent}{before}[ {len(items):,} items"
        last = -1
        for at in shown:
            if at > last + 1:
                yield f"{indent} …"
            yield from self.lines(items[at], f"{at}: ", depth + 1)
            last = at
        if last < len(items) - 1:
            yield f"{indent} …"
        if len(shown) < len(items) and self._level.statistics:
            yield from (f"{indent} {line}" for line in _statistics(items))
        yield f"{indent}]"

    def _chosen(self, items: Sequence[Any]) -> list[int]:
        """The places of the items that are shown."""
        if len(items) <= self._level.items + 1:
            return list(range(len(items)))
        chosen = {*range(self._level.items), len(items) - 1}
        scored = [(self._says(item), -at) for at, item in enumerate(items)] if self._hints.words else []
        best = sorted((pair for pair in scored if pair[0]), reverse=True)[: self._level.found]
        # What nearly all of them say tells none of them apart.
        if len([pair for pair in scored if pair[0]]) <= max(self._level.found, len(items) // 4):
            chosen |= {-at for _, at in best}
        return sorted(chosen)

    def _says(self, item: Any) -> int:
        text = orjson.dumps(item, default=str).decode().lower()
        return len({word for word in _WORD.findall(text) if word in self._hints.words})

    def _short(self, value: Any) -> str | None:
        """A value on one line, where it is short or a scalar."""
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, (Mapping, list)):
            return orjson.dumps(value, default=str).decode()
        if not value:
            return "{}" if isinstance(value, Mapping) else "[]"
        if len(value) > _INLINE or (isinstance(value, list) and len(value) > self._level.items + 1):
            return None
        line = orjson.dumps(value, default=str).decode() if _is_flat(value) else ""
        return line if 0 < len(line) <= max(_INLINE, self._level.text) else None

    def _text(self, value: str) -> str:
        if len(value) <= self._level.text + 12:
            return orjson.dumps(value.encode("utf-8", "replace").decode()).decode()
        kept = value[: self._level.text].encode("utf-8", "replace").decode()
        return f"{orjson.dumps(kept).decode()}… [+{len(value) - self._level.text:,} chars]"


def _is_flat(value: Any) -> bool:
    items = value.values() if isinstance(value, Mapping) else value
    return not any(isinstance(item, (Mapping, list)) and item for item in items)


def _outline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(list(value)[:8]) + (", …" if len(value) > 8 else "") + "}"
    return f"[{len(value):,} items]"


def _statistics(items: Sequence[Any]) -> list[str]:
    """What the fields of many objects hold, all items counted; of plain values, what those are."""
    if len(items) < _LEAST_STATISTICS:
        return []
    objects = [item for item in items if isinstance(item, Mapping)]
    if not objects:
        plain = [_scalar(item) for item in items if not isinstance(item, (Mapping, list))]
        return [f"all: {column(plain)}"] if plain else []
    keys = Counter(key for item in objects for key in item)
    lines = []
    for key, times in list(keys.items())[:_MOST_FIELDS]:
        values = [
            _scalar(item[key])
            for item in objects
            if key in item and not isinstance(item[key], (Mapping, list))
        ]
        told = column(values) if values else "nested"
        lines.append(f"all {key}: {told}" + (f", in {times:,}" if times < len(items) else ""))
    return lines


def _scalar(value: Any) -> str:
    return (
        ""
        if value is None
        else value
        if isinstance(value, str)
        else orjson.dumps(value, default=str).decode()
    )
