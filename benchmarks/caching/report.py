"""The rows as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.caching.suite import STRATEGIES, Paid, Row
from benchmarks.caching.verdict import Verdict
from scrimp.core.money import usd

__all__ = ["as_json", "print_report"]

_LEAST_WIDTH = 140


def as_json(rows: Sequence[Row], verdicts: Sequence[Verdict], *, seed: int) -> dict[str, Any]:
    """Plain values; money as exact decimal strings in US dollars."""
    return {
        "seed": seed,
        "scenarios": {row.name: _row_json(row) for row in rows},
        "criteria": [{**msgspec.to_builtins(verdict), "passed": verdict.passed} for verdict in verdicts],
    }


def print_report(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> None:
    """Two tables, learned and cold, and a line for each criterion."""
    console = Console(highlight=False, emoji=False)
    console.width = max(console.width, _LEAST_WIDTH)
    for title, pick in (("learned", 0), ("cold", 1)):
        console.print()
        console.print(
            f"[bold]Input bill, {title}[/bold]  as a multiple of the floor; * the cheapest strategy"
        )
        console.print(_table(rows, [(row.learned, row.cold)[pick] for row in rows]))
    for name, reason in sorted({item for row in rows for item in row.skipped.items()}):
        console.print(f"left out: {name}: {reason}")
    for row in rows:
        if row.unplanned:
            console.print(
                f"{row.name}: scrimp had no safe plan for {row.unplanned} calls and sent them as they were"
            )
    console.print()
    for verdict in verdicts:
        word = "[green]PASS[/green]" if verdict.passed else "[red]FAIL[/red]"
        console.print(f"{word}  {verdict.criterion}: {verdict.figure}")
        for failure in verdict.failures:
            console.print(f"        {failure}")


def _table(rows: Sequence[Row], paid: Sequence[Mapping[str, Paid]]) -> Table:
    names = [name for name in STRATEGIES if any(name in one for one in paid)]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    table.add_column("scenario", no_wrap=True)
    for title in ("runs", "calls", "floor, $", *names):
        table.add_column(title, justify="right", no_wrap=True)
    for row, one in zip(rows, paid, strict=True):
        best = min((found.input_cost for found in one.values()), default=0)
        cells = [_ratio(one.get(name), row.floor, best) for name in names]
        table.add_row(row.name, str(row.runs), str(row.calls), f"{row.floor / 1e12:.3f}", *cells)
    return table


def _ratio(paid: Paid | None, floor: int, best: int) -> str:
    if paid is None:
        return "–"
    star = "*" if paid.input_cost == best else " "
    return f"{paid.input_cost / floor:.3f}{star}"


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "about": row.about,
        "runs": row.runs,
        "calls": row.calls,
        "floor_usd": usd(row.floor),
        "learned": {name: _paid_json(paid, row.floor) for name, paid in row.learned.items()},
        "cold": {name: _paid_json(paid, row.floor) for name, paid in row.cold.items()},
        "skipped": row.skipped,
        "unplanned": row.unplanned,
        "seconds": round(row.seconds, 2),
    }


def _paid_json(paid: Paid, floor: int) -> dict[str, Any]:
    return {
        "input_usd": usd(paid.input_cost),
        "total_usd": usd(paid.total_cost),
        "floors": round(paid.input_cost / floor, 4),
        "plain": paid.plain,
        "write_5m": paid.write_5m,
        "write_1h": paid.write_1h,
        "read": paid.read,
    }
