"""The report in a terminal: calibration first, then the bills; every line fits 80 columns."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from scrimp.cli.figures import calibration_figures
from scrimp.cli.numbers import change, dollar_places, dollars, percent
from scrimp.cli.run_sums import amount_cell, sum_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrimp.cli.html.values import CalibrationSummary, Report, RunRow

__all__ = ["bills_table", "blocks", "calibration_panel", "prose", "runs_table"]

BAR_CELLS = 22
EIGHTHS = " ▏▎▍▌▋▊▉"


def blocks(share: float | Decimal, cells: int) -> str:
    """A bar of block characters, `share` of so many cells long, to an eighth of a cell."""
    eighths = round(share * cells * 8)
    whole, part = divmod(eighths, 8)
    return "█" * whole + EIGHTHS[part].strip()


def calibration_panel(summary: CalibrationSummary) -> Panel:
    """How well the model reproduces what was billed: each figure with its meaning and where it comes from."""
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right", style="bold")
    grid.add_column(ratio=1, style="dim")
    for figure in calibration_figures(summary):
        grid.add_row(figure.name, figure.value, Text(f"{figure.meaning} ({figure.basis})"))
    title = f"Calibration: {summary.calls:,} billed calls in {summary.runs:,} runs"
    return Panel(grid, title=title, title_align="left", box=box.ROUNDED, padding=(0, 1))


def bills_table(report: Report) -> Table:
    """The bill under each policy: dollars, change against the row above, measured or estimated."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("Bill", overflow="fold")
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=BAR_CELLS)
    table.add_column("Change", justify="right", no_wrap=True)
    table.add_column("Basis", no_wrap=True, style="dim")
    widest = max(bar.usd for bar in report.bars) or Decimal(1)
    for bar, above in zip(report.bars, (None, *report.bars), strict=False):
        style = "bold green" if bar.name == report.after else "bold" if bar.name == report.before else ""
        moved = change(above.usd, bar.usd) if above else ""
        drawn = blocks(bar.usd / widest, BAR_CELLS)
        table.add_row(escape(bar.name), dollars(bar.usd), drawn, moved, bar.basis, style=style)
    return table


def runs_table(report: Report) -> Table:
    """Every run: its calls, its bill in USD under each policy, and its cache-read share with scrimp."""
    names = [bar.name for bar in report.bars]
    known = [amount for row in report.runs for amount in row.usd.values() if amount is not None]
    places = dollar_places(known)
    total = _run_cells(sum_of(report.runs, "All runs"), names, places)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, show_footer=True)
    table.add_column("Run", overflow="fold", footer=total[0], min_width=12)
    headings = (
        "Calls",
        *("\n".join(escape(word) for word in name.split()) for name in names),
        "Cache\nreads",
    )
    for heading, footer in zip(headings, total[1:], strict=True):
        table.add_column(heading, justify="right", no_wrap=True, footer=footer)
    for group, rows in groupby(report.runs, key=lambda row: row.group):
        own = list(rows)
        if group:
            table.add_row(*_run_cells(sum_of(own, group), names, places), style="bold")
        for row in own:
            name, *cells = _run_cells(row, names, places)
            table.add_row(f"  {name}" if group else name, *cells)
        table.add_section()
    return table


def prose(text: str, width: int, *, bullet: str = "") -> str:
    """Wrap a paragraph, never between a number and its percent sign; lines after the first are indented."""
    held = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = wrap(held, width, initial_indent=bullet, subsequent_indent=" " * len(bullet))
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def _run_cells(row: RunRow, names: Sequence[str], places: int) -> list[str]:
    """The cells of one line; a sum of runs whose tokens are not known has no read share."""
    share = percent(row.read_share, 0) if row.input_tokens or row.read_share else ""
    return [escape(row.run), f"{row.calls:,}", *(amount_cell(row.usd[name], places) for name in names), share]
