"""`scrimp budget list`: every limit, and how it stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import click
from rich.markup import escape
from rich.table import Table

from scrimp.cli.budget_options import AS_JSON, kept_ledger, spoken
from scrimp.cli.budget_views import duration, limit_json, time_json, usd
from scrimp.cli.output import console, print_json
from scrimp.core.budget import Limit, Standing
from scrimp.core.budget_words import per_window

__all__ = ["list_limits"]

_CELLS = 10
_MOST_USED = 9.995
_MOST_MEMBERS = 10


@click.command("list")
@click.option(
    "--all", "everyone", is_flag=True, help="Every member of a limit for each, not the dearest ten."
)
@AS_JSON
def list_limits(*, everyone: bool, as_json: bool) -> None:
    """Show every limit: what is spent, held by calls under way, and left."""
    kept, now = kept_ledger(), time.time()
    limits = kept.budgets.limits() if kept else ()
    standings = kept.budgets.standings(now) if kept and limits else ()
    if as_json:
        found = [limit_json(limit, _of(limit, standings)) for limit in limits]
        print_json({"at": time_json(now), "limits": found})
        return
    out = console()
    if not limits:
        out.print("No limits are set. `scrimp budget set organisation 100 --window month` sets one.")
        return
    out.print(_table(limits, standings, now, _MOST_MEMBERS if not everyone else len(standings)))
    for note in _notes(standings):
        out.print(note, soft_wrap=True)


def _of(limit: Limit, standings: Sequence[Standing]) -> list[Standing]:
    return [one for one in standings if one.limit.id == limit.id]


def _table(limits: Sequence[Limit], standings: Sequence[Standing], now: float, most: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("limit", overflow="fold", min_width=12)
    for heading in ("used", "spent", "held", "left", "resets"):
        justify: Literal["left", "right"] = "left" if heading in ("used", "resets") else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for limit in limits:
        found = _of(limit, standings)
        amount = f"{usd(limit.amount)} {per_window(limit)}"
        name = escape(spoken(limit.scope))
        if [one.scope for one in found] == [limit.scope]:
            table.add_row(f"{name}\n  {amount}", *_cells(found[0], now), style=_style(found[0]))
            continue
        table.add_row(f"{name}\n  {amount}", *([""] * 5))
        for standing in found[:most]:
            table.add_row(
                f"  {escape(spoken(standing.scope))}", *_cells(standing, now), style=_style(standing)
            )
        if len(found) > most:
            table.add_row(f"  … and {len(found) - most:,} more: --all", *([""] * 5))
    return table


def _cells(standing: Standing, now: float) -> tuple[str, ...]:
    marks = ("~" if standing.unsettled else "") + ("!" if standing.overrun else "")
    used = _used(standing)
    filled = min(_CELLS, int(used * _CELLS))
    resets = "never" if standing.resets_at is None else f"in {duration(standing.resets_at - now)}"
    return (
        f"{_share(used):>6} " + "█" * filled + "░" * (_CELLS - filled),
        f"{marks}{usd(standing.spent)}",
        usd(standing.held) if standing.held else "",
        usd(standing.left),
        resets,
    )


def _share(used: float) -> str:
    return f"{used:.0%}".replace("%", " %") if used < _MOST_USED else ">999 %"


def _used(standing: Standing) -> float:
    taken = standing.spent + standing.held
    return taken / standing.limit.amount if standing.limit.amount else 1.0


def _style(standing: Standing) -> str:
    limit = standing.limit
    if standing.left <= 0:
        return "bold red"
    first_alert = min(limit.alert_at, default=100)
    return "yellow" if standing.spent * 100 >= first_alert * limit.amount else ""


def _notes(standings: Sequence[Standing]) -> list[str]:
    notes = []
    if any(one.unsettled for one in standings):
        notes.append("\n~ Part of it is no bill: calls whose end was not seen count in full.")
    if any(one.overrun for one in standings):
        notes.append("\n! A bill came out above what was held for it: `scrimp budget why` names it.")
    return notes
