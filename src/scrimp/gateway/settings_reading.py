"""Values from file, environment and flags as structs; every mistake is found, each in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, reduce
from operator import or_
from pathlib import Path as FilePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from scrimp.gateway.settings_sources import Array, Leaf, Node, Path, Table, dotted

__all__ = ["Reader", "bare", "expected", "extra_of", "hints_of", "metas", "struct_of"]

_SHOWN = 40
_KEYS_OUTSIDE = frozenset({"key", "api_key", "secret", "token", "auth_token", "password"})


class Reader:
    """Reads nodes as types. `mistakes` has a line each, `origins` where every value given came from."""

    def __init__(self, folder: FilePath) -> None:
        self.mistakes: list[str] = []
        self.origins: dict[str, str] = {}
        self._folder = folder

    def struct(self, kind: Any, node: Node, path: Path = ()) -> Any:
        """A struct of `kind`, or None where something is wrong."""
        if not isinstance(node, Table):
            return self._wrong(node, path, f"a table, [{dotted(path)}]")
        hints = hints_of(kind)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        for name in [name for name in node.items if name not in fields]:
            self._unknown(node.items[name], (*path, name), list(fields))
        before, found = len(self.mistakes), {}
        for name, field in fields.items():
            inner = node.items.get(name)
            if inner is not None:
                found[field.name] = self.value(hints[field.name], inner, (*path, name))
            elif field.required:
                self._say(node.place, f"{dotted((*path, name))} is missing{_purpose(hints[field.name])}")
        return None if len(self.mistakes) > before else self._made(kind, found, node, path)

    def value(self, kind: Any, node: Node, path: Path) -> Any:
        """A value of any type that settings have."""
        plain = bare(kind)
        inner = struct_of(plain)
        if inner is None or "read" in extra_of(kind):
            return self._leaf(kind, node, path)
        if plain is inner:
            return self.struct(inner, node, path)
        if get_origin(plain) is tuple:
            if not isinstance(node, Array):
                empty = isinstance(node, Leaf) and node.value == []
                return () if empty else self._wrong(node, path, f"tables, each [[{dotted(path)}]]")
            return tuple(self.struct(inner, one, (*path, at)) for at, one in enumerate(node.items))
        if not isinstance(node, Table):
            return self._wrong(node, path, f"a table for each name, [{dotted(path)}.NAME]")
        return {name: self.struct(inner, one, (*path, name)) for name, one in node.items.items()}

    def _made(self, kind: type[Any], found: dict[str, Any], node: Table, path: Path) -> Any:
        try:
            return kind(**found)
        except ValueError as error:  # what only the fields together can tell
            self._say(node.place, f"{dotted(path)}: {error}")
            return None

    def _leaf(self, kind: Any, node: Node, path: Path) -> Any:
        if not isinstance(node, Leaf):
            return self._wrong(node, path, expected(kind))
        self.origins[dotted(path)] = node.place
        value = node.value
        if node.is_text and isinstance(value, str) and get_origin(bare(kind)) is tuple:
            value = [part.strip() for part in value.split(",") if part.strip()]
        extra = extra_of(kind)
        try:
            if "read" not in extra:
                return msgspec.convert(value, kind, strict=not node.is_text)
            found = extra["read"](value)
        except (ValueError, msgspec.ValidationError) as error:
            if "read" in extra and "expects" not in extra:  # it says all there is to say
                return self._say(node.place, f"{dotted(path)}: {error}")
            return self._wrong(node, path, expected(kind), hidden="secret" in extra)
        return self._folder / found if isinstance(found, FilePath) and not node.is_text else found

    def _unknown(self, node: Node, path: Path, known: list[str]) -> None:
        name = str(path[-1])
        if name in _KEYS_OUTSIDE and "key_env" in known:
            self._say(
                node.place,
                f"{dotted(path)}: a key never stands in settings; name a variable as key_env or a file as "
                "key_file",
            )
            return
        near = get_close_matches(name, known, n=1)
        others = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
        self._say(node.place, f"{dotted(path)}: no such setting; {others}")

    def _wrong(self, node: Node, path: Path, wanted: str, *, hidden: bool = False) -> None:
        found = "tables" if isinstance(node, Array) else "a table"
        if isinstance(node, Leaf):
            found = "something else" if hidden else _shown(node.value)
        self._say(node.place, f"{dotted(path)}: found {found}, expected {wanted}")

    def _say(self, place: str, what: str) -> None:
        self.mistakes.append(f"{place}: {what}")


@cache
def hints_of(kind: type[Any]) -> Mapping[str, Any]:
    """The types of a struct's fields, with what is annotated."""
    return get_type_hints(kind, include_extras=True)


def bare(kind: Any) -> Any:
    """A type without what is annotated, and without None."""
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return bare(reduce(or_, (one for one in get_args(kind) if one is not NoneType)))
    return kind


def struct_of(plain: Any) -> type[Any] | None:
    """The struct that a bare type is, or holds several of."""
    held = get_args(plain) if get_origin(plain) in (tuple, dict, Mapping) else (plain,)
    structs = (one for one in map(bare, held) if isinstance(one, type) and issubclass(one, msgspec.Struct))
    return next(structs, None)


def expected(kind: Any) -> str:
    """In words, what a setting of this type may be."""
    told = extra_of(kind).get("expects")
    return told or _in_words(bare(kind)) + _within(metas(kind))


def metas(kind: Any) -> list[msgspec.Meta]:
    """Everything annotated to a type, and to what it holds besides None."""
    if get_origin(kind) is Annotated:
        inner, *found = get_args(kind)
        return [*metas(inner), *(one for one in found if isinstance(one, msgspec.Meta))]
    if get_origin(kind) in (Union, UnionType):
        return [meta for one in get_args(kind) for meta in metas(one)]
    return []


def extra_of(kind: Any) -> dict[str, Any]:
    """What a type says of itself: see `settings_fields`."""
    return {name: value for meta in metas(kind) for name, value in (meta.extra or {}).items()}


def _purpose(kind: Any) -> str:
    said = next((meta.description for meta in metas(kind) if meta.description), None)
    return f": {said}" if said else ""


def _in_words(plain: Any) -> str:
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(f'"{one}"' for one in get_args(plain))
    if get_origin(plain) is tuple:
        inner = get_args(plain)[0]
        return f"a list, each {expected(inner)}"
    return _WORDS.get(plain, "something else")


def _within(found: list[msgspec.Meta]) -> str:
    least = next((meta.ge for meta in found if meta.ge is not None), None)
    most = next((meta.le for meta in found if meta.le is not None), None)
    above = next((meta.gt for meta in found if meta.gt is not None), None)
    if above is not None:
        return f" above {above:g}" + ("" if most is None else f" and up to {most:g}")
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    return "" if least is None else f" of {least:g} or more"


_WORDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _shown(value: object) -> str:
    """A value as TOML writes it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
