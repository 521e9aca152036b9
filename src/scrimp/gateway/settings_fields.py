"""How single settings are written: dollars, scopes, time zones, addresses; and what each of them is for.

A type says with `Meta(extra={"read": …, "expects": …})` how what was written is read, and what it may be.
`read` raises ValueError; without `expects` that says it all. `shows` writes a value as people write it. With
`secret` what was written is never shown where it is wrong, nor the value without `shows`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from scrimp.core.budget import Scope
from scrimp.core.budget_words import amount_of, scope_of
from scrimp.core.money import usd

__all__ = ["EnvName", "FilePath", "ScopeName", "Size", "UpstreamUrl", "Usd", "Zone", "says"]

_SIZE = re.compile(r"(\d+)\s*(|B|[KMG]i?B)")
_FACTORS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def says(what: str) -> Meta:
    """One line for people: what a setting is for."""
    return Meta(description=what)


def _usd(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("a number may have lost digits")
    return amount_of(value)


def _size(value: object) -> int:
    found = _SIZE.fullmatch(str(value)) if isinstance(value, int | str) and value is not True else None
    if found is None:
        raise ValueError("no size")
    return int(found[1]) * _FACTORS[found[2]]


def _in_units(size: int) -> str:
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if size and size % _FACTORS[unit] == 0), "")
    return f"{size // _FACTORS[unit]}{unit}"


def _scope(value: object) -> Scope:
    return scope_of(value if isinstance(value, str) else "")


def _zone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError("no time zone") from None


def _url(value: object) -> str:
    parts = urlsplit(value if isinstance(value, str) else "")
    if parts.username or parts.password:
        raise ValueError("no password stands in an address: give a key by key_env or key_file")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f'{value!r} is no address: write such as "https://api.anthropic.com"')
    return parts.geturl().rstrip("/")


def _upstream_url(value: object) -> str:
    url = _url(value)
    if url.endswith("/v1"):
        raise ValueError(f"{value!r}: write it without /v1, which every path of the API begins with")
    return url


def _env_name(value: object) -> str:
    if not isinstance(value, str) or not _ENV_NAME.fullmatch(value):
        raise ValueError("no name of a variable")
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("no path")
    return Path(value).expanduser()


Usd = Annotated[
    int,
    Meta(
        extra={
            "read": _usd,
            "expects": 'dollars in quotes, with cents after a point and no comma, such as "5.00"',
            "shows": usd,
        }
    ),
]
"""Picodollars, written as dollars."""

Size = Annotated[
    int, Meta(extra={"read": _size, "expects": 'bytes, such as 65536 or "32MiB"', "shows": _in_units})
]
"""Bytes."""

ScopeName = Annotated[Scope, Meta(extra={"read": _scope})]
"""Whose money."""

Zone = Annotated[str, Meta(extra={"read": _zone, "expects": 'a time zone such as "Europe/Berlin"'})]
"""A time zone of the IANA database."""

UpstreamUrl = Annotated[str, Meta(extra={"read": _upstream_url})]
"""An http or https address without a slash at its end, and without `/v1`, which paths have."""

EnvName = Annotated[
    str,
    Meta(
        extra={
            "read": _env_name,
            "expects": "the name of an environment variable",
            "secret": True,
            "shows": str,
        }
    ),
]
"""The name of an environment variable; what was written there instead may be a key, so it is never shown."""

FilePath = Annotated[Path, Meta(extra={"read": _path, "expects": "the path of a file"})]
"""A file; `~` is the user's own folder."""
