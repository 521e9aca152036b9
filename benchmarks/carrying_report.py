"""What carrying less pays, as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from scrimp.cli.numbers import change, dollars, percent
from scrimp.core.money import dollars as exact
from scrimp.core.money import usd

if TYPE_CHECKING:
    from benchmarks.carrying import Carried

__all__ = ["as_json", "print_report"]

_LEAST_WIDTH = 140
_WORST_SHOWN = 20
"""Characters of a run's name."""


def as_json(rows: Sequence[Carried]) -> list[dict[str, Any]]:
    """Plain values; money as exact decimal strings in US dollars."""
    return [
        {
            "source": row.source,
            "lever": row.lever,
            "runs": len(row.runs),
            "calls": sum(run.calls for run in row.runs),
            "input_alone_usd": usd(row.alone),
            "input_usd": usd(row.paid),
            "beside_usd": usd(row.beside),
            "regret_usd": usd(row.removed.charged if row.removed else 0),
            "regret_share": row.removed.share if row.removed else 0.0,
            "regret_uses": row.removed.uses if row.removed else 0,
            "runs_changed": row.changed,
            "runs_over_1_percent_dearer": row.too_dear,
            "worst_run": row.worst.run,
            "worst_run_dearer": row.worst.dearer,
        }
        for row in rows
    ]


def print_report(rows: Sequence[Carried], *, policy: str, least: int) -> None:
    """A table for each source."""
    console = Console(highlight=False, emoji=False)
    console.width = max(console.width, _LEAST_WIDTH)
    if not rows:
        console.print(f"no run of {least:,} calls or more")
        return
    for source, group in groupby(rows, key=lambda row: row.source):
        found = list(group)
        calls = sum(run.calls for run in found[0].runs)
        console.print()
        console.print(
            f"[bold]{source}[/bold]  {len(found[0].runs):,} runs, {calls:,} calls, markers: {policy}"
        )
        console.print(_table(found))
    console.print()
    console.print(
        "In all: input with what is charged beside it (summaries written, what was needed fetched again)."
        " Regret: of the tokens\nremoved those used later. Dearer: runs that cost over 1 % more than under"
        " caching alone. Costs are the model's estimates."
    )


def _table(rows: Sequence[Carried]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in ("in all", "", "beside", "regret", "uses", "charged", "changed", "dearer", "worst run"):
        table.add_column(title, justify="right", no_wrap=True, min_width=len(title))
    for row in rows:
        table.add_row(row.lever, *_cells(row), style="dim" if row.removed is None else "")
    return table


def _cells(row: Carried) -> list[str]:
    paid = dollars(exact(row.paid))
    if row.removed is None:
        return [paid]
    removed, worst = row.removed, row.worst
    moved = change(exact(worst.alone), exact(worst.paid))
    return [
        paid,
        change(exact(row.alone), exact(row.paid)),
        dollars(exact(row.beside)),
        percent(removed.share),
        f"{removed.uses:,}",
        dollars(exact(removed.charged)),
        f"{row.changed} of {len(row.runs)}",
        str(row.too_dear) if row.too_dear else "none",
        f"{moved}  {worst.run[:_WORST_SHOWN]}" if worst.paid != worst.alone else "as alone",
    ]
