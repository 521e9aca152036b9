"""Where settings come from, merged: file < environment < flags. Every value knows its place for people."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

__all__ = ["Array", "Leaf", "Node", "Path", "Table", "dotted", "file_table", "put"]

Path: TypeAlias = tuple[str | int, ...]
"""From the outermost table inwards; numbers count the tables of an array."""


class Leaf(msgspec.Struct, frozen=True):
    """One value. `is_text` says that it came as text: from the environment or a flag."""

    value: object
    place: str
    is_text: bool = False


class Table(msgspec.Struct):
    """Keys and what they hold."""

    place: str
    items: dict[str, Node] = {}


class Array(msgspec.Struct):
    """Tables in a row."""

    place: str
    items: list[Node] = []


Node: TypeAlias = Leaf | Table | Array


def dotted(path: Path) -> str:
    """A path as people write it: `budget[2].amount`, the first of an array being 1."""
    found = ""
    for part in path:
        found += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if found else part
    return found


def file_table(text: str, name: str) -> Table:
    """The tables of a TOML file called `name`. Raises `tomllib.TOMLDecodeError`."""
    values = tomllib.loads(text)
    lines = dict(_lines(text))

    def place(path: Path) -> str:
        while path and path not in lines:
            path = path[:-1]
        return f"{name}:{lines[path]}" if path else name

    def node(value: Any, path: Path) -> Node:
        if isinstance(value, dict):
            return Table(place(path), {key: node(one, (*path, key)) for key, one in value.items()})
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return Array(place(path), [node(one, (*path, number)) for number, one in enumerate(value)])
        return Leaf(value, place(path))

    return Table(name, {key: node(value, (key,)) for key, value in values.items()})


def put(table: Table, path: tuple[str, ...], leaf: Leaf) -> None:
    """Set one value below `table`, instead of whatever is there."""
    *outer, last = path
    for name in outer:
        inner = table.items.get(name)
        if not isinstance(inner, Table):
            inner = table.items[name] = Table(leaf.place, {})
        table = inner
    table.items[last] = leaf


_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?")
_ASSIGNED = re.compile(r"""\s*([A-Za-z0-9_"'-][^=#\[\]{}]*?)\s*=""")


def _lines(text: str) -> Iterator[tuple[Path, int]]:
    """Where each table and key stands, for messages. Text over several lines may look like keys: no harm."""
    table: Path = ()
    counts: dict[Path, int] = {}
    seen: set[Path] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        header, assigned = _HEADER.fullmatch(line), _ASSIGNED.match(line)
        if header is not None:
            table = _numbered(_names(f"[{header[2]}]"), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            path = table
        elif assigned is not None:
            path = (*table, *_names(f"{assigned[1]} = 0"))
        else:
            continue
        outer = (path[:upto] for upto in range(1, len(path) + 1))
        for part in [part for part in outer if part not in seen]:
            seen.add(part)
            yield part, number


def _names(line: str) -> tuple[str, ...]:
    """The names in a header or before an equals sign, unquoted."""
    try:
        inner: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    names = []
    while isinstance(inner, Mapping) and inner:
        [(name, inner)] = inner.items()
        names.append(name)
    return tuple(names)


def _numbered(names: tuple[str, ...], counts: Mapping[Path, int]) -> Path:
    """A header's path: a table inside an array is one of its latest member."""
    path: Path = ()
    for place, name in enumerate(names):
        path = (*path, name)
        if path in counts and place < len(names) - 1:
            path = (*path, counts[path])
    return path
