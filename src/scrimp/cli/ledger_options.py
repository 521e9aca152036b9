"""What commands that read the ledger share: which file, which of its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from scrimp.cli.moments import MOMENT, moment
from scrimp.errors import InputError
from scrimp.home import scrimp_home
from scrimp.stores.ledger import Ledger, Query
from scrimp.stores.opening import LEDGER_FILE, home_ledger
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["FILTERS", "LEDGER", "filters_of", "kept_ledger", "ledger_path", "query_of", "query_options"]

F = TypeVar("F", bound=Callable[..., Any])

FILTERS: Mapping[str, str] = {
    "user": "Of one user.",
    "team": "Of one team.",
    "key": "Of one key of the gateway, by its name.",
    "run": "Of one run, by id or by name; `nightly/reviewer` is a run inside another.",
    "task": "Of one task type.",
    "agent": "Of one agent.",
    "model": "Of one model.",
}
"""Option → what it says; each keeps the records that say the same."""

LEDGER = click.option(
    "--ledger",
    "ledger_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Another ledger than the one in scrimp's home folder.",
)


def query_options(since: str) -> Callable[[F], F]:
    """Options for a time, from `since` unless asked otherwise, and for the labels of records."""

    def add(command: F) -> F:
        for name, said in reversed(list(FILTERS.items())):
            command = click.option(f"--{name}", help=said)(command)
        command = click.option("--until", type=MOMENT, default="all", help="Before this time.")(command)
        words = "From when on: 7d, 24h, 2026-11-01 or all (UTC)."
        return click.option("--since", type=MOMENT, default=since, show_default=True, help=words)(command)

    return add


def query_of(options: Mapping[str, Any], ledger: Ledger, now: float) -> Query:
    """The records that the options ask for. Raises InputError for a time that ends before it begins."""
    since, until = (moment(options[name], now) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise InputError(f"--since {options['since']} is not before --until {options['until']}")
    run = options["run"]
    is_id = bool(run) and ledger.totals((), Query(run_id=run))[0].attempts > 0
    return Query(
        since=since,
        until=until,
        run_id=run if is_id else None,
        run=tuple(run.split("/")) if run and not is_id else (),
        user=options["user"],
        team=options["team"],
        key=options["key"],
        task_type=options["task"],
        agent=options["agent"],
        model=options["model"],
    )


def filters_of(options: Mapping[str, Any]) -> str:
    """The filters that were given, as they were written: `--team core --user u_42`."""
    return " ".join(f"--{name} {options[name]}" for name in FILTERS if options[name])


def ledger_path(chosen: Path | None) -> Path:
    """The file that is read. Raises InputError where one was named that is not there."""
    if chosen is not None and not chosen.exists():
        raise InputError(f"{chosen}: there is no such ledger")
    return chosen or scrimp_home() / LEDGER_FILE


def kept_ledger(chosen: Path | None) -> Ledger | None:
    """The ledger to read; None where nothing was ever kept, and nothing is made."""
    path = ledger_path(chosen)
    if not path.exists():
        return None
    return home_ledger(_tell) if chosen is None else SqliteLedger(path, warn=_tell)


def _tell(reason: str) -> None:
    click.echo(f"scrimp: {reason}", err=True)
