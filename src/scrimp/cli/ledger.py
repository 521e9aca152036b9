"""`scrimp ledger`: the file behind reports – what is in it, exporting it, pruning it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import click

from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.ledger_options import LEDGER, kept_ledger, ledger_path, query_of, query_options
from scrimp.cli.moments import MOMENT, moment, moment_text
from scrimp.cli.numbers import dollars
from scrimp.cli.output import console, print_json, progress
from scrimp.core import money
from scrimp.core.totals import Group, Total
from scrimp.errors import InputError
from scrimp.stores.exporting import (
    FORMATS,
    RECORD_COLUMNS,
    Format,
    format_of,
    record_row,
    total_columns,
    total_row,
    write_rows,
)
from scrimp.stores.ledger import Ledger, Query

__all__ = ["ledger"]

T = TypeVar("T")

_DAY, _HOUR = 86_400, 3_600
_GROUPS = {"sub_agent": "run", "task": "task_type", "cause": "miss"}
_AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="The result as JSON, money as strings in USD."
)


@click.group("ledger")
def ledger() -> None:
    """The file behind reports: what is in it, export it, prune old records."""


@ledger.command("show", short_help="Where it is, how large, and what time it covers.")
@LEDGER
@_AS_JSON
def show(*, ledger_file: Path | None, as_json: bool) -> None:
    """Show where the ledger is, how large, and what time it covers."""
    path, kept = ledger_path(ledger_file), kept_ledger(ledger_file)
    days = kept.totals(["day"]) if kept else []
    since = kept.kept_since() if kept else None
    calls, spent = sum(day.attempts for day in days), sum(day.cost for day in days)
    size = path.stat().st_size if path.exists() else 0
    found = {
        "path": path,
        "bytes": size,
        "calls": calls,
        "usd": money.dollars(spent),
        "first_day": str(days[0].key[0]) if days else None,
        "last_day": str(days[-1].key[0]) if days else None,
        "records_since": None if since is None else _iso(since),
    }
    if as_json:
        print_json(found)
        return
    out = console()
    out.print(f"{path}: {calls:,} calls, {dollars(money.dollars(spent))}", markup=False, soft_wrap=True)
    if days:
        out.print(f"{days[0].key[0]} to {days[-1].key[0]}, {size / 1e6:,.1f} MB on disk")
    if since is not None:
        out.print(f"Records before {moment_text(since)} UTC were pruned; their sums are kept.")


@ledger.command("export", short_help="Records or totals as CSV, JSON lines or Parquet.")
@click.argument("target", metavar="FILE")
@query_options("all")
@click.option("--totals", "by", metavar="GROUPS", help="Totals by day,model,user,… instead of records.")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="Where the file's name does not say it."
)
@LEDGER
@_AS_JSON
def export(*, target: str, by: str | None, format_: Format | None, as_json: bool, **options: Any) -> None:
    """Write records, or totals, to FILE: .csv, .jsonl or .parquet; - is stdout.

    Money is exact: decimal text in US dollars, DECIMAL(38, 12) in Parquet, which needs DuckDB (pip install
    'scrimp[analytics]'). Parts of keys and prompts are never in a ledger, so they are in no export.
    """
    kept = kept_ledger(options["ledger_file"])
    if kept is None:
        raise InputError("the ledger is empty: there is nothing to export")
    query = query_of(options, kept, time.time())
    file: Path | IO[str] = sys.stdout if target == "-" else Path(target)
    chosen = format_ or (format_of(file) if isinstance(file, Path) else "csv")
    if isinstance(file, Path) and file.is_dir():
        raise InputError(f"{file} is a folder: name a file in it")
    rows = _write_totals(kept, query, by, file, chosen) if by else _write_records(kept, query, file, chosen)
    since = kept.kept_since()
    if as_json and target != "-":
        print_json({"path": target, "rows": rows, "records_since": None if since is None else _iso(since)})
    elif target != "-":
        click.echo(f"wrote {rows:,} {'totals' if by else 'records'} to {target}", err=True)
    if not by and since is not None and (query.since is None or query.since < since):
        click.echo(
            f"scrimp: records before {moment_text(since)} UTC were pruned: --totals day,model exports what "
            "they add up to",
            err=True,
        )


@ledger.command("prune", short_help="Delete old records; every sum stays exact.")
@click.option("--before", type=MOMENT, help="A time: 2026-01-01, or 90d for so long ago.")
@click.option("--keep-days", type=click.IntRange(1), help="Keep the records of so many days.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@LEDGER
@_AS_JSON
def prune(
    *, before: str | None, keep_days: int | None, yes: bool, ledger_file: Path | None, as_json: bool
) -> ExitCode:
    """Delete the records of whole hours before a time; every sum stays exact.

    Reports go on counting them, by model, user, run, task type and hour. They cannot be listed or exported
    one by one any more. The file keeps its size: what becomes free in it is used again.
    """
    if (before is None) == (keep_days is None):
        raise click.UsageError("say --before TIME or --keep-days N")
    now = time.time()
    at = now - keep_days * _DAY if keep_days is not None else moment(str(before), now)
    if at is None or at > now:
        raise click.UsageError("--before takes a time that has passed")
    at = at // _HOUR * _HOUR
    kept = kept_ledger(ledger_file)
    calls = _records_before(kept, at) if kept else 0
    if calls and not yes:
        if as_json or not sys.stdin.isatty():
            raise click.UsageError(f"this deletes {calls:,} records: say --yes")
        click.confirm(f"Delete {calls:,} records before {moment_text(at)} UTC?", abort=True, err=True)
    deleted = 0
    if kept is not None and calls:
        with progress("pruning", calls) as advance:
            deleted = kept.prune(at, advance)
    since = kept.kept_since() if kept else None
    if as_json:
        print_json({"deleted": deleted, "records_since": None if since is None else _iso(since)})
    else:
        console().print(f"Deleted {deleted:,} records; every sum is as it was.")
    return ExitCode.OK


def _records_before(kept: Ledger, at: float) -> int:
    """How many records are still there of the time before."""
    return kept.totals((), Query(since=kept.kept_since(), until=at))[0].attempts


def _write_records(kept: Ledger, query: Query, file: Path | IO[str], format_: Format) -> int:
    since = kept.kept_since()
    first = query.since if since is None else max(since, query.since or since)
    left = Query(**{**{name: getattr(query, name) for name in query.__struct_fields__}, "since": first})
    counted = _Counted(kept.records(query), kept.totals((), left)[0].attempts)
    write_rows(map(record_row, counted), RECORD_COLUMNS, file, format_=format_)
    return counted.count


def _write_totals(kept: Ledger, query: Query, by: str, file: Path | IO[str], format_: Format) -> int:
    names = [name.strip().replace("-", "_") for name in by.split(",") if name.strip()]
    groups = cast("list[Group]", [_GROUPS.get(name, name) for name in names])  # totals checks them
    totals: list[Total] = kept.totals(groups, query)
    rows = (total_row(total, groups) for total in totals)
    write_rows(rows, total_columns(groups), file, format_=format_)
    return len(totals)


class _Counted(Iterable[T]):
    """Items counted as they are read, with a bar on a terminal."""

    def __init__(self, items: Iterable[T], expected: int) -> None:
        self._items = items
        self._expected = expected
        self.count = 0

    def __iter__(self) -> Iterator[T]:
        with progress("exporting", self._expected) as advance:
            for item in self._items:
                self.count += 1
                advance(1)
                yield item


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
