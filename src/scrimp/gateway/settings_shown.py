"""Settings in force, each with where it came from, and what is odd about them: `scrimp serve --check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from scrimp.gateway.levers import levers_of
from scrimp.gateway.settings import Settings
from scrimp.gateway.settings_loading import Loaded
from scrimp.gateway.settings_reading import bare, extra_of, hints_of, struct_of
from scrimp.gateway.settings_sources import Path, dotted
from scrimp.stores.keys import Key

__all__ = ["Row", "oddities", "rows"]

_HERE = ("127.0.0.1", "::1", "localhost")


class Row(msgspec.Struct, frozen=True):
    """One setting: `origin` is a file and line, a variable, a flag, or `default`."""

    key: str
    value: str
    origin: str


def rows(loaded: Loaded) -> list[Row]:
    """Every setting in force, in the order of the tables."""
    found = [
        Row(dotted(path), value, loaded.origins.get(dotted(path), "default"))
        for path, value in _struct(Settings, loaded.settings, ())
    ]
    keys = [
        Row(f"upstream.{name}: its key", "set" if name in loaded.upstream_keys else "none", "")
        for name in loaded.settings.upstreams
    ]
    return found + keys


def oddities(loaded: Loaded, keys: Sequence[Key]) -> Iterator[str]:
    """What may not be meant, a line each. `keys` are the virtual keys in force."""
    settings, paid = loaded.settings, loaded.upstream_keys
    serve = settings.serve
    if settings.listens_beyond_loopback and not keys:
        yield (
            f"listening on {serve.host} without virtual keys: anybody may call with a key of their own; "
            'create keys with `scrimp key create` and set serve.auth to "keys"'
        )
    if settings.listens_beyond_loopback:
        yield "scrimp speaks plain HTTP: let something that speaks TLS stand in front of it"
    if serve.auth == "keys" and not keys:
        yield 'serve.auth is "keys" and there are none: nobody can call; create one with `scrimp key create`'
    for name, upstream in settings.upstreams.items():
        parts = urlsplit(upstream.base_url)
        if parts.scheme == "http" and parts.hostname not in _HERE:
            yield f"upstream {name} is plain HTTP: keys and prompts can be read on the way"
    for key in keys:
        name = key.upstream or serve.upstream
        if name not in settings.upstreams:
            yield f"key {key.name}: there is no upstream {name!r}, its calls are refused"
        elif name not in paid:
            yield f"key {key.name}: upstream {name} has no key_env or key_file, its calls are refused"
    saving = [lever.name for lever in levers_of(settings, "") if lever.mode == "save"]
    if saving and "save" not in (serve.mode, *(key.mode for key in keys)):
        some = ", ".join(dict.fromkeys(saving))
        yield (
            f"{some}: only for calls in mode save, and none are; set serve.mode, "
            "or create keys with `scrimp key create NAME --mode save`"
        )
    if serve.capture:
        yield "serve.capture keeps whole prompts and answers on this machine's disk"


def _struct(kind: Any, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    hints = hints_of(kind)
    for field in msgspec.structs.fields(kind):
        yield from _shown(hints[field.name], getattr(value, field.name), (*path, field.encode_name))


def _shown(kind: Any, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    inner, extra = struct_of(bare(kind)), extra_of(kind)
    if value is None:
        yield path, "none"
    elif "shows" in extra:
        yield path, extra["shows"](value)
    elif "secret" in extra:
        yield path, "set"
    elif inner is None or "read" in extra:
        yield path, _text(value)
    elif isinstance(value, tuple):
        for at, one in enumerate(value):
            yield from _struct(inner, one, (*path, at))
    elif isinstance(value, inner):
        yield from _struct(inner, value, path)
    else:
        for name, one in value.items():
            yield from _struct(inner, one, (*path, name))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
