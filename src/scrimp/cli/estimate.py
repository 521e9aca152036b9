"""`scrimp estimate`: what an agent will cost before it exists."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from scrimp.cli.estimate_classics import print_classics
from scrimp.cli.estimate_json import classics_json, estimate_json
from scrimp.cli.estimate_options import day_of, naming, workload_of, workload_options
from scrimp.cli.estimate_tables import print_estimate
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.output import console, print_json
from scrimp.core.estimate.classics import CLASSICS, classics
from scrimp.core.estimate.estimate import Estimate
from scrimp.core.estimate.estimate import estimate as estimated
from scrimp.facts.models import default

__all__ = ["estimate"]

_ALL = "all"


@click.command("estimate")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@workload_options
@click.option("--at", metavar="DATE", help="Prices and rules of that day, as YYYY-MM-DD (default: today).")
@click.option(
    "--classics",
    "classic",
    is_flag=False,
    flag_value=_ALL,
    default=None,
    metavar="[NAME]",
    help="Recompute worked examples that are told everywhere: what was said, what follows, what is true.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw it: one self-contained .svg or .html file.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON, money as decimal strings in USD.")
def estimate(
    file: Path | None,
    *,
    at: str | None,
    classic: str | None,
    plot: Path | None,
    as_json: bool,
    **flags: Any,
) -> ExitCode:
    """Estimate what an agent will cost: per run, day and month.

    FILE is a workload in TOML or JSON; options stand above what it says, and what neither says has a default.
    A made-up run is sent through the same cache, rules and prices as a real one, so that gaps, lifetimes,
    minimums and shared prefixes count as they will. Tokens may be written 20K or 1.5M. Every figure is
    estimated.
    """
    day = day_of(at)
    if classic is not None:
        if file is not None or plot is not None or any(value not in (None, ()) for value in flags.values()):
            raise click.UsageError("--classics: these have inputs of their own; --at and --json go with it")
        return _classics(classic, day, as_json=as_json)
    work, places = workload_of(file, flags)
    with naming({"models": "--model", **places}):
        found = estimated(work, default(), day, set(places))
    if plot is not None:
        _draw(plot, found)
    if as_json:
        print_json(estimate_json(found, default()))
    else:
        print_estimate(console(), found, default())
    return ExitCode.OK


def _classics(name: str, day: date, *, as_json: bool) -> ExitCode:
    if name != _ALL and name not in CLASSICS:
        raise click.BadParameter(
            f"no worked example {name!r}; there are {', '.join(CLASSICS)}", param_hint="--classics"
        )
    with naming({"models": "--at"}):
        found = classics(default(), day, list(CLASSICS) if name == _ALL else [name])
    if as_json:
        print_json(classics_json(found, day))
    else:
        print_classics(console(), found, day)
    return ExitCode.OK


def _draw(path: Path, found: Estimate) -> None:
    from scrimp.cli.estimate_plot import as_page, as_svg  # only a plot needs it  # noqa: PLC0415

    kinds = {".svg": as_svg, ".html": as_page}
    draw = kinds.get(path.suffix.lower())
    if draw is None:
        raise click.BadParameter(f"{path.name}: end it in .svg or .html", param_hint="--plot")
    path.write_text(draw(found), encoding="utf-8")
    click.echo(f"wrote {path}", err=True)
