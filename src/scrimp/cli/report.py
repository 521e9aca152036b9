"""`scrimp report`: what the ledger's calls cost, by anything they say."""

from __future__ import annotations

import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.ledger_options import LEDGER, filters_of, kept_ledger, query_of, query_options
from scrimp.cli.output import console, print_json
from scrimp.cli.report_data import report_json, write_report_csv
from scrimp.cli.report_empty import nothing_found, nothing_kept
from scrimp.cli.report_tables import print_report
from scrimp.core.report import DIMENSIONS, Dimension, Report
from scrimp.core.totals import Total
from scrimp.reporting import read_report

__all__ = ["report"]

_ALSO = {"task_type": "task", "tasks": "task", "subagent": "sub_agent", "days": "day", "date": "day"}
_TOP = 8
_DEFAULT: tuple[Dimension, ...] = (
    "model", "team", "user", "key", "run", "sub_agent", "task", "agent", "day"
)  # fmt: skip


class _By(click.ParamType[Any]):
    """Dimensions with commas between them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        names = [name.strip().lower().replace("-", "_") for name in value.split(",") if name.strip()]
        names = [_ALSO.get(name, name.removesuffix("s") if name.endswith("s") else name) for name in names]
        for name in names:
            if name not in DIMENSIONS:
                near = get_close_matches(name, DIMENSIONS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DIMENSIONS)}"
                self.fail(f"nothing is told apart by {name!r}: {hint}", param, ctx)
        return tuple(dict.fromkeys(names))


@click.command("report")
@query_options("30d")
@click.option("--by", type=_By(), default=(), help="Only these tables: model,user,team,key,run,task,agent,…")
@click.option("--top", type=click.IntRange(1), default=_TOP, show_default=True, help="Lines of a table.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write them all.")
@click.option("--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page.")
@LEDGER
@click.option("--json", "as_json", is_flag=True, help="The result as JSON, money as decimal strings in USD.")
def report(*, by: tuple[Dimension, ...], as_json: bool, **options: Any) -> ExitCode:
    """Show where the money went: by model, user, team, key, run, task type, agent and day.

    Names who spends far above their peers, the few task types that make most of the bill, what cache misses
    cost and why, and the days on which tools and system prompts grew. Amounts are measured, from billed
    usage; those with a ~ have a part that is estimated. Days are UTC.
    """
    now = time.time()
    ledger = kept_ledger(options["ledger_file"])
    if ledger is None:
        found = Report(since=None, until=None, whole=Total(), finest=(), days=())
    else:
        found = read_report(ledger, query_of(options, ledger, now), now=now)
    dimensions = by or tuple(name for name in _DEFAULT if _says_something(found, name))
    _write_files(found, dimensions, options, now=now)
    if as_json:
        print_json(report_json(found, by or DIMENSIONS))
    elif ledger is None:
        nothing_kept(console())
    elif not found.whole.attempts:
        nothing_found(console(), ledger, query_of(options, ledger, now), filters_of(options))
    elif options["csv_file"] is None and options["html_file"] is None:
        print_report(console(), found, dimensions, top=options["top"], now=now)
    return ExitCode.OK


def _write_files(found: Report, by: tuple[Dimension, ...], options: dict[str, Any], *, now: float) -> None:
    if options["csv_file"] is not None:
        write_report_csv(options["csv_file"], found, by)
        click.echo(f"wrote {options['csv_file']}", err=True)
    if options["html_file"] is not None:
        from scrimp.cli.html.spending import render_spending  # the page alone needs it  # noqa: PLC0415

        options["html_file"].write_text(render_spending(found, by, now=now), encoding="utf-8")
        click.echo(f"wrote {options['html_file']}", err=True)


def _says_something(found: Report, dimension: Dimension) -> bool:
    lines = found.by(dimension)
    return dimension in ("model", "day") or (len(lines) > 1 and any(line.name is not None for line in lines))
