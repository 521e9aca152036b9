"""`scrimp report` in a terminal: every line fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scrimp.cli.numbers import dollars, percent, tokens
from scrimp.cli.report_words import (
    NOBODY,
    PLURAL,
    jump_text,
    line_name,
    notes,
    period,
    saved,
    sentences,
    spent,
    standout_text,
)
from scrimp.cli.text_tables import prose
from scrimp.core import money
from scrimp.core.causes import FIXES
from scrimp.core.report import Dimension, Line, Report, added

__all__ = ["print_report"]

_CELLS = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"
_MOST_DAYS = 31
_NAME_WIDTH = 26
_JUMPS_SHOWN = 3
_FIXES = {str(cause): fix for cause, fix in FIXES.items()}


def print_report(out: Console, report: Report, by: Sequence[Dimension], *, top: int, now: float) -> None:
    """Print sentences, who stands out, a table for each dimension, misses, sizes, notes."""
    width = min(out.width, 100)
    out.print(f"[bold]{escape(period(report, now))}[/bold]")
    for sentence in sentences(report):
        out.print(prose(sentence, width), markup=False)
    if report.standouts:
        out.print("\n[bold]Far above their peers[/bold]")
        for one in report.standouts[:top]:
            out.print(prose(standout_text(one), width, bullet="  "), markup=False)
        _print_more(out, len(report.standouts) - top)
    for dimension in by:
        out.print()
        if dimension == "day":
            _print_days(out, report)
        else:
            _print_lines(out, report, dimension, top)
    _print_misses(out, report, width)
    _print_sizes(out, report, top)
    said = notes(report, by)
    if said:
        out.print()
    for note in said:
        out.print(prose(note, width), markup=False, style="dim")


def _print_lines(out: Console, report: Report, dimension: Dimension, top: int) -> None:
    lines = report.by(dimension)
    table = _table(PLURAL[dimension], "calls", "spent", "share", "reads", "saved (est.)")
    for line in lines[:top]:
        total = line.total
        table.add_row(
            escape(_short(line_name(line, dimension))),
            f"{total.attempts:,}",
            spent(total),
            percent(total.cost / report.whole.cost) if report.whole.cost else "",
            percent(total.read / total.prompt_tokens) if total.prompt_tokens else "",
            saved(total),
        )
    out.print(table)
    rest = sum(line.total.cost for line in lines[top:])
    _print_more(out, len(lines) - top, f", {dollars(money.dollars(rest))} together")


def _print_days(out: Console, report: Report) -> None:
    """Days as bars; months where there are many."""
    days = report.by("day")
    unit = "day"
    if len(days) > _MOST_DAYS:
        unit, days = "month", [_month(name, list(own)) for name, own in groupby(days, _month_of)]
    table = _table(unit, "calls", "spent", "")
    widest = max(line.total.cost for line in days) or 1
    for line in days:
        blocks = _blocks(line.total.cost / widest)
        table.add_row(line_name(line), f"{line.total.attempts:,}", spent(line.total), blocks)
    table.columns[-1].justify = "left"
    out.print(table)


def _month_of(line: Line) -> str:
    return str(line.name)[:7]


def _month(name: str, days: Sequence[Line]) -> Line:
    [whole] = added([line.total for line in days], lambda _: ())
    return Line(name, whole)


def _print_misses(out: Console, report: Report, width: int) -> None:
    misses = report.misses()
    if not misses:
        return
    out.print()
    table = _table("cache misses by cause", "misses", "lost (est.)")
    for line in misses:
        table.add_row(line_name(line), f"{line.total.attempts:,}", dollars(money.dollars(line.total.lost)))
    out.print(table)
    dearest = misses[0].name
    if dearest in _FIXES and misses[0].total.lost:
        out.print(prose(f"{dearest}: {_FIXES[dearest]}", width, bullet="  "), markup=False)


def _print_sizes(out: Console, report: Report, top: int) -> None:
    if not report.sizes:
        return
    out.print()
    table = _table("tools + system", "model", "calls", "tokens (est.)")
    table.columns[1].justify = "left"
    for size in report.sizes[:top]:
        name, model = _short(size.label or NOBODY), size.model.removeprefix("claude-")
        table.add_row(escape(name), escape(model), f"{size.calls:,}", tokens(size.tokens))
    out.print(table)
    for size in report.sizes[:top]:
        for jump in size.jumps[-_JUMPS_SHOWN:]:
            out.print(f"  {size.label or NOBODY} jumped on {jump_text(jump)}", markup=False, soft_wrap=True)
    _print_more(out, len(report.sizes) - top)


def _print_more(out: Console, more: int, rest: str = "") -> None:
    if more > 0:
        out.print(f"  and {more:,} more{rest}: --top shows them", markup=False, style="dim")


def _blocks(share: float) -> str:
    """A bar of block characters, to an eighth of a cell."""
    whole, part = divmod(round(share * _CELLS * 8), 8)
    return "█" * whole + _EIGHTHS[part].strip()


def _short(name: str) -> str:
    """A name that leaves the figures their room: its beginning and its end."""
    half = _NAME_WIDTH // 2
    return name if len(name) <= _NAME_WIDTH else f"{name[: half - 1]}…{name[-half:]}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True, overflow="ellipsis")
    return table
