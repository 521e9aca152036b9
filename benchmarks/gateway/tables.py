"""The figures as tables for people and as JSON for programs."""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.gateway.books import Books
from benchmarks.gateway.contenders import DIRECT, SCRIMP
from benchmarks.gateway.rounds import CELLS, Cell, Figures, quantile
from benchmarks.gateway.stolen import MOST
from benchmarks.gateway.verdict import Promise, added, beyond, promises
from benchmarks.report import machine

__all__ = ["Report", "as_json", "print_report"]

_LEAST_WIDTH = 150


class Report(NamedTuple):
    """All of a run: cell → contender → figures; contender → seconds to start; bytes idle and loaded."""

    table: Mapping[str, Mapping[str, Figures]]
    started: Mapping[str, float]
    memory: Mapping[str, tuple[int, int]]
    books: Mapping[str, Books]

    def joined(self, other: Report) -> Report:
        """Of both."""
        table = {cell: {**figures, **other.table[cell]} for cell, figures in self.table.items()}
        started, memory = {**self.started, **other.started}, {**self.memory, **other.memory}
        return Report(table, started, memory, {**self.books, **other.books})


def print_report(report: Report) -> None:
    """One table a kind of load, then what starting and memory take, the books, and the promises."""
    console = Console(highlight=False, emoji=False)
    console.width = max(console.width, _LEAST_WIDTH)
    console.print("  ".join([*machine().values(), _build()]), style="dim")
    for cell in CELLS:
        console.print()
        console.print(f"[bold]{cell.name}[/bold]")
        console.print(_cell_table(report, cell))
    console.print()
    console.print(_place_table(report))
    taken = [part for figures in report.table.values() for one in figures.values() for part in one.taken]
    if taken and max(taken) > MOST:
        many = sum(part > MOST for part in taken)
        console.print(
            f"[yellow]the host took up to {max(taken):.0%} of a core away in {many} of {len(taken)} windows, "
            "however often they were measured: there the figures are worse than they would be[/yellow]"
        )
    for name, books in report.books.items():
        _print_books(console, name, books)
    for promise in promises(report.table):
        console.print(_promised(promise))


def as_json(report: Report) -> dict[str, Any]:
    """Plain values; latencies and delays in milliseconds."""
    return {
        "machine": {**machine(), "build": _build()},
        "cells": {
            cell.name: {name: _figures_json(figures) for name, figures in report.table[cell.name].items()}
            for cell in CELLS
        },
        "start_seconds": dict(report.started),
        "memory_bytes": {
            name: {"idle": idle, "loaded": most} for name, (idle, most) in report.memory.items()
        },
        "books": {name: {**books._asdict(), "faults": books.faults} for name, books in report.books.items()},
        "promises": [{**promise._asdict(), "kept": promise.kept} for promise in promises(report.table)],
    }


def _promised(promise: Promise) -> str:
    figure = f"{promise.what}: {promise.figure:.2f} {promise.unit}"
    if not promise.judged:
        return f"[dim]----  {figure} (not judged: no core for the load alone)[/dim]"
    word = "[green]PASS[/green]" if promise.kept else "[red]FAIL[/red]"
    return f"{word}  {figure} ({'at most' if promise.at_most else 'at least'} {promise.bound:g})"


def _build() -> str:
    """How the interpreter was built: worth a third of speed or more, and not every distribution says it."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return (
        "built with PGO" if "--enable-optimizations" in arguments else "built without PGO, as far as it says"
    )


def _cell_table(report: Report, cell: Cell) -> Table:
    table = _table(
        "", "requests/s", "lowest – highest", "× scrimp's", "CPU", "load's CPU", *_columns(cell), ""
    )
    figures = report.table[cell.name]
    for name, one in figures.items():
        style = "dim" if name == DIRECT else ""
        ratio = (
            f"{one.rate / max(figures[SCRIMP].rate, 1e-9):.3f}"
            if name != DIRECT and SCRIMP in figures
            else ""
        )
        fault = ", ".join(f"{times} × {text[:60]}" for text, times in one.faults.items())
        span = f"{min(one.rates):,.0f} – {max(one.rates):,.0f}"
        table.add_row(
            name,
            f"{one.rate:,.0f}",
            span,
            ratio,
            f"{one.cost * 1e3:.2f} ms",
            f"{median(one.beside) * 1e3:.2f} ms" if one.beside else "",
            *_latencies(report, cell, name),
            fault,
            style=style,
        )
    return table


def _columns(cell: Cell) -> tuple[str, ...]:
    if cell.paced:
        return "later p50", "later p99", "whole p99", "events"
    return ("added p50", "added p99", "whole p50", "whole p99") if cell.connections < 32 else ()


def _latencies(report: Report, cell: Cell, name: str) -> tuple[str, ...]:
    one = report.table[cell.name][name]
    if cell.paced:
        later = [f"{beyond(report.table, name, part):.2f} ms" for part in (0.5, 0.99)]
        return *later, f"{quantile(one.delays, 0.99) / 1e3:.2f} ms", f"{len(one.delays):,}"
    if cell.connections >= 32:
        return ()
    more = [f"{added(report.table, cell.name, name, part):.2f} ms" for part in (0.5, 0.99)]
    return *more, *(f"{quantile(one.latencies, part) / 1e3:.2f} ms" for part in (0.5, 0.99))


def _place_table(report: Report) -> Table:
    table = _table("", "starts in", "memory idle", "after the load")
    for name, seconds in report.started.items():
        idle, most = report.memory[name]
        table.add_row(name, f"{seconds:.1f} s", f"{idle / 1e6:,.0f} MB", f"{most / 1e6:,.0f} MB")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right" if name else "left", no_wrap=bool(name))
    return table


def _print_books(console: Console, name: str, books: Books) -> None:
    console.print()
    word = "[red]FAIL[/red]" if books.faults else "[green]PASS[/green]"
    console.print(
        f"{word}  books of {name}: {books.counted['requests']:,} requests answered by the upstream, "
        f"{books.kept['requests']:,} in the ledger, {books.cost:,} p$ of {books.billed:,} p$ billed, "
        f"{sum(books.held.values()):,} p$ held"
    )
    for fault in books.faults:
        console.print(f"      {fault}")


def _figures_json(figures: Figures) -> dict[str, Any]:
    def parts(values: list[int]) -> dict[str, float] | None:
        if not values:
            return None
        return {name: quantile(values, part) / 1e3 for name, part in (("p50", 0.5), ("p99", 0.99))}

    return {
        "requests_per_second": figures.rate,
        "rounds": figures.rates,
        "cpu_ms_per_request": figures.cost * 1e3,
        "load_cpu_ms_per_request": median(figures.beside) * 1e3 if figures.beside else None,
        "latency_ms": parts(figures.latencies),
        "event_delay_ms": parts(figures.delays),
        "faults": figures.faults,
        "taken_by_the_host": figures.taken,
    }
