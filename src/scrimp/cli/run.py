"""`scrimp run`: one command through a gateway of its own, and a receipt at its end."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.gateway_settings import listening, load_settings, sending_to, with_settings
from scrimp.cli.output import json_text
from scrimp.cli.run_child import BASE_URL, child_environment, run_child
from scrimp.cli.run_receipt import Receipt, Tally, receipt_json, receipt_lines
from scrimp.cli.run_upstream import writes_our_ledger
from scrimp.core.money import picodollars
from scrimp.errors import CacheMissWarning, ScrimpWarning, SettingsError
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Settings
from scrimp.gateway.settings_loading import Loaded
from scrimp.runs import Run
from scrimp.stores.memory import MemoryLedger

__all__ = ["run"]

_FILE = click.Path(dir_okay=False, path_type=Path)

_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
@click.option(
    "--budget", metavar="USD", help="The most it may spend; a call that could go beyond is refused."
)
@click.option("--max-context", type=click.IntRange(min=1), metavar="TOKENS", help="Refuse longer prompts.")
@click.option("--name", help="What the ledger calls the run; by default the name of the program.")
@click.option("--user", help="Whose calls these are.")
@click.option("--team", help="The team that pays.")
@click.option("--task-type", help="What they are for.")
@with_settings
@click.option("--receipt", "receipt_file", type=_FILE, metavar="FILE", help="Write it there, not to stderr.")
@click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
def run(
    command: tuple[str, ...],
    *,
    budget: str | None,
    max_context: int | None,
    name: str | None,
    receipt_file: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Run COMMAND with its Claude calls going through a gateway, and print a receipt when it ends.

    The gateway listens on a free port of this machine and ends with the command, whose exit status is
    passed on. The command needs to know ANTHROPIC_BASE_URL, as Claude Code and the official SDKs do.

    \b
      scrimp run -- claude
      scrimp run --budget 2.00 --user u_42 -- python agent.py
    """
    tags = {key: options.pop(key) for key in ("user", "team", "task_type")}
    made = Run(name or Path(command[0]).name, budget=budget, max_context=max_context, **tags)
    try:
        loaded = _settings(**options)
        status, receipt = _run(command, loaded, made)
    except SettingsError as error:
        for mistake in error.mistakes:
            click.echo(f"scrimp: error: {mistake}", err=True)
        return ExitCode.INPUT
    text = json_text(receipt_json(receipt)) if as_json else "\n".join(receipt_lines(receipt))
    if receipt_file is None:
        click.echo(text, err=True)
    else:
        receipt_file.write_text(f"{text}\n", encoding="utf-8")
    return status


def _settings(**options: Any) -> Loaded:
    """Those of the machine's gateway, but on a port of its own and quiet: the terminal is the command's.

    The command shows its own key, so that none of the settings' need be there: what one would keep warm is
    then left out.
    """
    own = {
        "serve.host": ("127.0.0.1", "scrimp run"),
        "serve.port": ("0", "scrimp run"),
        "serve.auth": ("passthrough", "scrimp run"),
        "telemetry.log": ("off", "scrimp run"),
        "alerts.log": ("false", "scrimp run"),
    }
    if os.environ.get(BASE_URL):
        own.update(sending_to(os.environ[BASE_URL], BASE_URL))
    loaded = load_settings(flags=own, keys_needed=False, **options)
    usual, keys = loaded.settings.serve.upstream, loaded.upstream_keys
    warm = tuple(one for one in loaded.settings.warm if (one.upstream or usual) in keys)
    return msgspec.structs.replace(loaded, settings=msgspec.structs.replace(loaded.settings, warm=warm))


def _run(command: tuple[str, ...], loaded: Loaded, made: Run) -> tuple[int, Receipt]:
    for cloud in _CLOUDS:
        if os.environ.get(cloud, "0") not in ("", "0", "false"):
            _tell(f"warning: {cloud} is set: calls to that cloud do not pass through the gateway")
    tally, began = Tally(), time.monotonic()
    budget = None if made.budget is None else picodollars(made.budget)
    settings, stores = _kept_once(loaded.settings)
    with listening(settings) as listeners, _quiet():
        gateway = Gateway(
            settings,
            upstream_keys=loaded.upstream_keys,
            stores=stores,
            listeners=[tally, *listeners],
            run=made,
        )
        with made, gateway:
            status = run_child(command, child_environment(gateway.url, os.environ))
    lasted = time.monotonic() - began
    return status, tally.receipt(made, lasted, budget=budget, errors=gateway.errors)


def _kept_once(settings: Settings) -> tuple[Settings, Stores]:
    """Where the upstream writes to the same ledger, the calls are kept there alone: none counts twice."""
    base_url = settings.upstreams[settings.serve.upstream].base_url
    if not writes_our_ledger(base_url):
        return settings, Stores()
    _tell(f"{base_url} writes to this ledger: calls are kept there once, without the name of this run")
    serve = msgspec.structs.replace(settings.serve, capture=False)
    return msgspec.structs.replace(settings, serve=serve), Stores(ledger=MemoryLedger(), learned=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """While the command has the terminal nothing is written there; afterwards what it should know is."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", CacheMissWarning)  # the receipt tells of them
        try:
            yield
        finally:
            lines = dict.fromkeys(str(one.message) for one in told if issubclass(one.category, ScrimpWarning))
    for line in lines:
        click.echo(line, err=True)


def _tell(reason: str) -> None:
    click.echo(f"scrimp: {reason}", err=True)
