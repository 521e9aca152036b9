"""A gateway's settings as commands take them: a file, flags, and every mistake on a line of its own."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from scrimp.alerting.settings import build
from scrimp.core.plan import Mode
from scrimp.errors import InputError, SettingsError
from scrimp.gateway.settings import ANTHROPIC, Settings
from scrimp.gateway.settings_loading import FILE_NAME, Loaded, load
from scrimp.home import scrimp_home
from scrimp.office import Listener
from scrimp.telemetry.building import Told

__all__ = ["listening", "load_settings", "sending_to", "settings_file", "upstream_names", "with_settings"]

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = "SCRIMP_CONFIG"

_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar=_CONFIG,
        metavar="FILE",
        help=f"Settings; by default {FILE_NAME} in scrimp's home folder, if there is one.",
    ),
    click.option("--mode", type=click.Choice(get_args(Mode)), help="observe changes nothing; safe is usual."),
    click.option("--upstream", "base_url", metavar="URL", help="Instead of https://api.anthropic.com."),
    click.option(
        "--set", "assigned", multiple=True, metavar="KEY=VALUE", help="Any setting, as limits.retries=0."
    ),
)


def with_settings(command: F) -> F:
    """Add the options that `load_settings` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_settings(
    *,
    config: Path | None,
    mode: str | None,
    base_url: str | None,
    assigned: tuple[str, ...],
    flags: Mapping[str, tuple[str, str]],
    keys_needed: bool = True,
) -> Loaded:
    """The settings in force; `flags` are those of the command itself. Raises `SettingsError`.

    `keys_needed` as `settings_loading.load` has it.
    """
    given = dict(flags)
    for text in assigned:
        name, equals, value = text.partition("=")
        if not equals or "." not in name:
            raise click.BadParameter(f"--set {text}: expected such as serve.port=9000")
        given[name.strip()] = (value, f"--set {name.strip()}")
    if mode is not None:
        given["serve.mode"] = (mode, "--mode")
    if base_url is not None:
        given.update(sending_to(base_url, "--upstream"))
    return load(settings_file(config), os.environ, given, keys_needed=keys_needed)


def sending_to(base_url: str, said_by: str) -> dict[str, tuple[str, str]]:
    """Flags that send every call there."""
    return {f"upstream.{ANTHROPIC}.base_url": (base_url, said_by), "serve.upstream": (ANTHROPIC, said_by)}


def settings_file(config: Path | None) -> Path | None:
    """The file to read: never one of the working folder, which may be anybody's repository."""
    if config is not None:
        return config
    usual = scrimp_home() / FILE_NAME
    return usual if usual.exists() else None


def upstream_names() -> list[str]:
    """The upstreams that the usual settings name, whatever else is right or wrong with them."""
    given = os.environ.get(_CONFIG)
    file = settings_file(Path(given) if given else None)
    try:
        found = {} if file is None else tomllib.loads(file.read_text(encoding="utf-8")).get("upstream")
    except (OSError, ValueError):  # whoever serves is told
        found = None
    return list(dict.fromkeys([ANTHROPIC, *(found if isinstance(found, dict) else ())]))


@contextmanager
def listening(settings: Settings) -> Iterator[Sequence[Listener]]:
    """Who hears of calls, as settings ask for; at the end what was not yet told is told.

    Raises `SettingsError` where a secret that is named is not there.
    """
    try:
        alerts = build(settings.alerts, os.environ)
    except InputError as error:
        raise SettingsError([str(error)]) from None
    told = Told(settings.telemetry, base_url=settings.upstreams[settings.serve.upstream].base_url)
    try:
        with told.whole():
            try:
                yield [alerts, *told.listeners]
            finally:
                alerts.flush()
    finally:
        told.close()
