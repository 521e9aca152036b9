"""`scrimp serve`: the gateway, until it is told to stop."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from scrimp.alerting.alerts import Alerts
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.gateway_settings import listening, load_settings, with_settings
from scrimp.cli.output import console, print_json
from scrimp.errors import InputError, SettingsError
from scrimp.facts.models import default
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings
from scrimp.gateway.settings_loading import Loaded
from scrimp.gateway.settings_shown import oddities, rows
from scrimp.gateway.warm_requests import read_warm
from scrimp.gateway.workers.fleet import Fleet
from scrimp.office import Listener
from scrimp.stores.keys import Key, KeyStore, home_keys

__all__ = ["serve"]


@click.command("serve")
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option("--port", help="Port to listen on; 8378 by default, 0 takes any free one.")
@click.option("--workers", help="Processes that serve; 1 by default, 0 is one for each processor.")
@with_settings
@click.option("--check", is_flag=True, help="Say what would be in force and where it comes from, then exit.")
@click.option("--json", "as_json", is_flag=True, help="The address, or with --check the settings, as JSON.")
def serve(
    *, host: str | None, port: str | None, workers: str | None, check: bool, as_json: bool, **options: Any
) -> int | None:
    """Serve a gateway that speaks the Messages API: one base URL, and calls are planned, metered, limited.

    Settings come from a file, then the environment (SCRIMP_SERVE_PORT and so on), then flags: the later
    wins. SIGTERM and Ctrl-C let calls under way finish; a second one cuts them off.

    \b
      scrimp serve
      scrimp serve --workers 4
      scrimp serve --config scrimp.toml --check
    """
    given = {
        "serve.host": (host, "--host"),
        "serve.port": (port, "--port"),
        "serve.workers": (workers, "--workers"),
    }
    flags = {name: (value, flag) for name, (value, flag) in given.items() if value is not None}
    try:
        loaded = load_settings(flags=flags, **options)
        keys = home_keys(_tell)
        if check:
            _set_up(loaded)
            return _check(loaded, _in_force(keys), as_json=as_json)
        _serve(loaded, keys, as_json=as_json)
    except SettingsError as error:
        return _refuse(error, as_json=check and as_json)
    return None


def _set_up(loaded: Loaded) -> None:
    """What cannot be set up is a mistake too."""
    with listening(loaded.settings):
        try:
            read_warm(loaded.settings, loaded.upstream_keys, default(), time.time())
        except InputError as error:
            raise SettingsError([str(error)]) from None


def _serve(loaded: Loaded, keys: KeyStore, *, as_json: bool) -> None:
    settings = loaded.settings
    workers = settings.serve.workers or _processors()
    for line in oddities(loaded, _in_force(keys)):
        _tell(f"warning: {line}")
    with listening(settings if workers == 1 else _without_calls(settings)) as listeners:
        try:
            gateway = _gateway(loaded, keys, listeners, workers)
        except (OSError, UnicodeError) as error:
            raise OSError(_not_listening(settings.serve, error)) from error
        gateway.serve(lambda: _announce(gateway.url, workers, as_json=as_json))
    if not as_json:
        console().print("Stopped; every call is written down.")


def _gateway(loaded: Loaded, keys: KeyStore, listeners: Sequence[Listener], workers: int) -> Gateway | Fleet:
    settings, secrets = loaded.settings, loaded.upstream_keys
    if workers == 1:
        return Gateway(settings, upstream_keys=secrets, stores=Stores(keys=keys), listeners=listeners)
    alerts = [one for one in listeners if isinstance(one, Alerts)]
    return Fleet(settings, upstream_keys=secrets, listeners=alerts, workers=workers)


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _without_calls(settings: Settings) -> Settings:
    """Of the calls it is the workers that log them and export them."""
    quiet = msgspec.structs.replace(settings.telemetry, otel=False)
    return msgspec.structs.replace(settings, telemetry=quiet)


def _not_listening(said: Serve, error: OSError | UnicodeError) -> str:
    """Why there is no gateway at the address that is set, and what to set instead."""
    number = error.errno if isinstance(error, OSError) else None
    unknown = isinstance(error.__context__, socket.gaierror)  # `create_server` raises in its own words
    if unknown or number is None or number == errno.EADDRNOTAVAIL:
        return (
            f"{said.host!r} is no address of this machine: set serve.host or --host to such as 127.0.0.1, "
            "or 0.0.0.0 for every network"
        )
    why = "is taken" if number == errno.EADDRINUSE else f"cannot be had ({os.strerror(number)})"
    return (
        f"port {said.port} of {said.host} {why}: choose another with serve.port or --port; "
        "0 takes any free one"
    )


def _announce(url: str, workers: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"url": url, "workers": workers})
        return
    out = console()
    several = f", {workers} workers" if workers > 1 else ""
    out.print(f"Gateway at {url}{several}", soft_wrap=True)
    out.print(f"  ANTHROPIC_BASE_URL={url}", soft_wrap=True)
    out.print("Ctrl-C stops it once the calls under way are done.")


def _in_force(keys: KeyStore) -> list[Key]:
    return [key for key in keys.all() if key.revoked_at is None]


def _check(loaded: Loaded, keys: Sequence[Key], *, as_json: bool) -> ExitCode:
    found, odd = rows(loaded), list(oddities(loaded, keys))
    if as_json:
        print_json(
            {
                "holds": True,
                "file": loaded.file,
                "settings": [{"key": row.key, "value": row.value, "from": row.origin} for row in found],
                "keys": len(keys),
                "warnings": odd,
            }
        )
        return ExitCode.OK
    out = console()
    out.print(f"Settings hold. File: {loaded.file or 'none'}. Virtual keys: {len(keys):,}.", soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for row in found:
        style = "dim" if row.origin == "default" else None
        table.add_row(*map(escape, (row.key, row.value, row.origin)), style=style)
    out.print(table)
    for line in odd:
        out.print(f"warning: {line}", markup=False, soft_wrap=True)
    return ExitCode.OK


def _refuse(error: SettingsError, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json({"holds": False, "mistakes": list(error.mistakes)})
        return ExitCode.INPUT
    for mistake in error.mistakes:
        click.echo(f"scrimp: error: {mistake}", err=True)
    return ExitCode.INPUT


def _tell(reason: str) -> None:
    click.echo(f"scrimp: {reason}", err=True)
