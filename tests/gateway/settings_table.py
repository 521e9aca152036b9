"""The tables of settings that a page must show, made from the structs alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec

from scrimp.gateway.settings import Settings
from scrimp.gateway.settings_loading import env_names
from scrimp.gateway.settings_reading import bare, extra_of, metas, struct_of

__all__ = ["page_tables"]


def page_tables() -> str:
    """Markdown: a table for each table of the file, a row for each key."""
    names = {path: name for name, path in env_names(["NAME"]).items()}
    return "\n\n".join("\n".join(_table(kind, path, names)) for path, kind in _tables(Settings, ()))


def _tables(kind: type[Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[Any]]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        inner = struct_of(bare(hints[field.name]))
        if inner is not None and "read" not in extra_of(hints[field.name]):
            place = (*path, field.encode_name)
            yield place, inner
            yield from _tables(inner, place)


def _table(kind: type[Any], path: tuple[str, ...], names: dict[tuple[str, ...], str]) -> Iterator[str]:
    hints = get_type_hints(kind, include_extras=True)
    single = (*path, msgspec.structs.fields(kind)[0].encode_name) in names
    title, place = f"[{'.'.join(path)}]", path
    if path == ("upstream",):
        title, place, single = "[upstream.NAME]", ("upstream", "NAME"), True
    elif path == ("output", "of"):
        title = "[output.of.NAME]"
    elif not single:
        title = f"[{title}]"
    yield f"| `{title}` | {'environment | ' if single else ''}default | |"
    yield f"|---|{'---|' if single else ''}---|---|"
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        if struct_of(bare(hint)) is not None and "read" not in extra_of(hint):
            continue
        env = f"`{names[(*place, field.encode_name)]}` | " if single else ""
        yield f"| `{field.encode_name}` | {env}{_default(field, hint)} | {_purpose(hint)} |"


def _purpose(hint: Any) -> str:
    return next((meta.description for meta in metas(hint) if meta.description), "")


def _default(field: Any, hint: Any) -> str:
    if field.required:
        return "–"
    value = field.default
    if value is None or value == ():
        return "none"
    if "shows" in extra_of(hint):
        return f'`"{extra_of(hint)["shows"](value)}"`'
    if isinstance(value, tuple):
        return f"`[{', '.join(map(_written, value))}]`"
    return f"`{_written(value)}`"


def _written(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
