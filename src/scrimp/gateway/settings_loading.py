"""A gateway's settings at start: found, merged (file < environment < flags), read and checked."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from scrimp.errors import InputError, SettingsError
from scrimp.gateway.settings import ANTHROPIC, ANTHROPIC_URL, Settings, Upstream
from scrimp.gateway.settings_reading import Reader, bare, hints_of, struct_of
from scrimp.gateway.settings_sources import Leaf, Table, dotted, file_table, put

__all__ = ["ENV_PREFIX", "FILE_NAME", "Loaded", "env_name", "env_names", "load"]

FILE_NAME = "scrimp.toml"
"""In scrimp's home folder; never taken from the working folder, which may be anybody's repository."""

ENV_PREFIX = "SCRIMP_"

_USUAL_KEY = "ANTHROPIC_API_KEY"


class Loaded(msgspec.Struct, frozen=True):
    """Settings that hold, the key of each upstream that has one, and where each setting came from.

    `origins` has dotted names (`serve.port`) of what was given; the rest are defaults.
    """

    settings: Settings
    upstream_keys: Mapping[str, str]
    origins: Mapping[str, str]
    file: Path | None = None

    def __repr__(self) -> str:
        return f"Loaded(settings={self.settings!r}, file={self.file!r})"  # the keys are nobody's to see


def load(
    file: Path | None,
    env: Mapping[str, str],
    flags: Mapping[str, tuple[str, str]],
    *,
    keys_needed: bool = True,
) -> Loaded:
    """Read everything. `flags` has dotted names with the value and the flag that gave it.

    Without `keys_needed` an upstream may lack the key that the settings name: its callers show their own.

    Raises `SettingsError` with every mistake there is, or an OSError where `file` cannot be read.
    """
    table = Table("", {}) if file is None else _read(file)
    reader = Reader(file.parent if file else Path())
    _ensure_upstream(table)
    reader.mistakes += _from_env(table, env)
    for name, (value, flag) in flags.items():
        put(table, tuple(name.split(".")), Leaf(value, flag, is_text=True))
    settings: Settings | None = reader.struct(Settings, table)
    keys: dict[str, str] = {}
    if settings is not None:
        reader.mistakes += _unfit(settings, reader.origins)
        keys = _keys(settings, reader, env, needed=keys_needed)
    if settings is None or reader.mistakes:
        raise SettingsError(_in_order(reader.mistakes, file.name if file else ""))
    return Loaded(settings, keys, reader.origins, file)


def _in_order(mistakes: Sequence[str], name: str) -> list[str]:
    """Those of the file by line, then the rest as it came."""
    line = re.compile(rf"{re.escape(name)}:(\d+): ")
    places = {one: found for one in mistakes if (found := line.match(one))}
    return sorted(mistakes, key=lambda one: int(places[one][1]) if one in places else sys.maxsize)


def env_name(path: tuple[str, ...]) -> str:
    """The environment variable of a setting: `serve.port` is `SCRIMP_SERVE_PORT`."""
    return ENV_PREFIX + "_".join(path).upper().replace("-", "_")


def env_names(upstreams: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Every environment variable that is read, and the setting it gives."""
    hints = hints_of(Settings)
    tables: list[tuple[tuple[str, ...], type[Any]]] = []
    for field in msgspec.structs.fields(Settings):
        plain = bare(hints[field.name])
        inner = struct_of(plain)
        if inner is not None and inner is plain:
            tables.append(((field.encode_name,), inner))
    tables += [(("upstream", name), Upstream) for name in upstreams]
    paths = [(*path, leaf) for path, kind in tables for leaf in _leaves(kind)]
    return {env_name(path): path for path in paths}


def _leaves(kind: Any) -> Iterator[str]:
    """The settings of a table that are single values."""
    hints = hints_of(kind)
    for field in msgspec.structs.fields(kind):
        if struct_of(bare(hints[field.name])) is None:
            yield field.encode_name


def _read(file: Path) -> Table:
    try:
        return file_table(file.read_text(encoding="utf-8"), file.name)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{file.name}: no TOML: {error}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{file.name}: no text in UTF-8"]) from None


def _ensure_upstream(table: Table) -> None:
    """The provider's own API is an upstream that needs no naming."""
    given = table.items.setdefault("upstream", Table("default", {}))
    if isinstance(given, Table):
        usual = given.items.setdefault(ANTHROPIC, Table("default", {}))
        if isinstance(usual, Table):
            usual.items.setdefault("base_url", Leaf(ANTHROPIC_URL, "default"))


def _from_env(table: Table, env: Mapping[str, str]) -> list[str]:
    """Put what the environment gives into `table`; a line for each variable that names no setting.

    Only those of a known table: Kubernetes sets SCRIMP_SERVICE_HOST and more beside a service called scrimp.
    """
    upstreams = table.items["upstream"]
    known = env_names(upstreams.items if isinstance(upstreams, Table) else ())
    tables = {name.split("_")[1] for name in known}
    unknown = []
    for name, value in env.items():
        if name in known:
            put(table, known[name], Leaf(value, name, is_text=True))
        elif name.startswith(ENV_PREFIX) and name.split("_")[1] in tables:
            near = get_close_matches(name, known, n=1)
            unknown.append(f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    return sorted(unknown)


def _unfit(settings: Settings, origins: Mapping[str, str]) -> Iterator[str]:
    """What only several settings together show."""
    named = settings.serve.upstream
    if named not in settings.upstreams:
        known = ", ".join(settings.upstreams)
        yield f"{origins.get('serve.upstream', '')}: serve.upstream: no upstream {named!r}; there is {known}"
    budgets = [budget.limit(0.0).id for budget in settings.budgets]
    for at, name in enumerate(budgets):
        if name in budgets[:at]:
            place = origins[dotted(("budget", at, "scope"))]
            yield f"{place}: budget[{at + 1}]: a second limit of {name.replace('/', ' for the ')}"


def _keys(settings: Settings, reader: Reader, env: Mapping[str, str], *, needed: bool) -> dict[str, str]:
    """The key of each upstream that has one; what is named must be there if it is `needed`."""
    found = {}
    for name, upstream in settings.upstreams.items():
        try:
            key = _key(name, upstream, env)
        except InputError as error:
            if not needed:
                continue
            path = f"upstream.{name}.key_{'env' if upstream.key_env else 'file'}"
            place = f"{reader.origins[path]}: {path}: " if path in reader.origins else ""
            reader.mistakes.append(f"{place}{error}")
        else:
            found.update({name: key} if key else {})
    return found


def _key(name: str, upstream: Upstream, env: Mapping[str, str]) -> str | None:
    if upstream.key_env and upstream.key_file:
        raise InputError("give key_env or key_file, not both")
    if upstream.key_env:
        if not env.get(upstream.key_env, "").strip():
            raise InputError(f"the environment variable {upstream.key_env} is not set")
        return _fit(env[upstream.key_env], upstream.key_env)
    if upstream.key_file is None:
        usual = env.get(_USUAL_KEY) if name == ANTHROPIC else None
        return _fit(usual, _USUAL_KEY) if usual and usual.strip() else None
    try:  # what was written for a path may be the key itself, so it is not repeated
        return _fit(upstream.key_file.read_text(encoding="utf-8"), "the file")
    except UnicodeDecodeError:
        raise InputError("the file holds no text") from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}") from None


def _fit(text: str, where: str) -> str:
    """A key goes into a header: one line of visible ASCII."""
    key = text.strip()
    if not key or not all("!" <= char <= "~" for char in key):
        raise InputError(f"{where} holds no key: one line of letters, digits and signs")
    return key
