"""The rows of `scrimp replay --what-if` for people: the bill of each, what it saves, how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrimp.cli.numbers import change, dollars, percent
from scrimp.core import money
from scrimp.core.summary import RowBill, RunBill, SourceBill, rows_in_all

__all__ = ["print_what_if"]

_SOURCES_SHOWN = 12
_NAME_WIDTH = 24
_LABEL_WIDTH = 22


def print_what_if(out: Console, sources: Sequence[SourceBill]) -> None:
    """Print every row against the recorded markers, all sources together and then each."""
    runs = list(chain.from_iterable(source.runs for source in sources))
    rows = rows_in_all(sources)
    out.print()
    labels = {bill.row.name: _label(number, bill.row.name) for number, bill in enumerate(rows, 1)}
    out.print(_table("what if", _with_recorded(rows, runs, labels)))
    if len(sources) > 1:
        ordered = sorted(sources, key=lambda source: -source.foreseen.billed)
        for source in ordered[:_SOURCES_SHOWN]:
            out.print()
            out.print(_table(_short(source.source), _with_recorded(source.rows, source.runs, labels)))
        if len(ordered) > _SOURCES_SHOWN:
            out.print(f"\n{len(ordered) - _SOURCES_SHOWN:,} more sources: --json has each.")
    out.print(
        "\nAll levers of a row are replayed together. In all: with output; beside: neither input nor output; "
        "between: the model's own error on each source's bills and, in batches, what the cache may give."
    )
    for number, bill in enumerate(rows, 1):
        out.print()
        out.print(f"[{number}] {bill.row.name}", markup=False, soft_wrap=True)
        for line in _told(bill):
            out.print(line, markup=False, soft_wrap=True)


def _label(number: int, name: str) -> str:
    """A name that leaves the figures their room: its whole stands below, with the same number."""
    return f"[{number}] {name if len(name) <= _LABEL_WIDTH else name[: _LABEL_WIDTH - 1] + '…'}"


def _with_recorded(
    rows: Sequence[RowBill], runs: Sequence[RunBill], labels: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    recorded = [run.policies["recorded"] for run in runs]
    before = sum(found.total for found in recorded)
    yield "recorded", _dollars(sum(found.input_cost for found in recorded)), "", _dollars(before), "", ""
    for bill in rows:
        found = bill.money
        yield (
            labels[bill.row.name],
            _dollars(found.input_cost),
            _dollars(found.extra) if found.extra else "",
            _dollars(found.total),
            change(money.dollars(before), money.dollars(found.total)),
            f"{_dollars(bill.low)} – {_dollars(bill.high)}",
        )


def _table(title: str, rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate((title, "input", "beside", "in all", "", "between")):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number > 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _told(bill: RowBill) -> Iterator[str]:
    """What a row does, what it took away, and what to know about it."""
    for line in bill.row.describe():
        yield f"  {line}"
    if bill.touched == 0:
        yield "  it is for none of these calls: see the model, or the name behind @"
    elif bill.touched is not None:
        yield f"  calls it is for: {bill.touched:,}"
    removed = bill.removed
    if removed is not None:
        yield (
            f"  removed {removed.taken:,} tokens, which {removed.calls:,} calls no longer carry "
            f"({removed.tokens:,} tokens of input)"
        )
        yield (
            f"  regret: what was removed was used {removed.uses:,} times later, {percent(removed.share)} of "
            f"its tokens; fetching it again is charged {_dollars(removed.charged)}"
        )
    for note in bill.notes:
        yield f"  {note}"


def _dollars(amount: int) -> str:
    return dollars(money.dollars(amount))


def _short(source: str) -> str:
    return source if len(source) <= _NAME_WIDTH else f"{source[:7]}…{source[8 - _NAME_WIDTH :]}"
