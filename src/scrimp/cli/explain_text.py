"""`scrimp explain` for people: prices, blocks, what was read and written, decisions, and why it missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrimp.cli.explain_model import BlockRow, Explained, PriceList
from scrimp.cli.explain_place import place_name
from scrimp.cli.numbers import dollars
from scrimp.core import money
from scrimp.core.plan import Plan
from scrimp.core.record import Record
from scrimp.core.replay import input_cost
from scrimp.facts.prices import Rates

__all__ = ["print_explained"]

_HEAD, _TAIL = 14, 16
"""Blocks shown of a long prompt: its beginning, which is shared, and its end, which is new."""

_COLUMNS = {"block": 18, "kind": 23, "tokens": 7, "up to": 9, "digest": 6, "marker": 6, "paid": 5}
"""Heading → width: 80 with the spaces between them."""

_SPOKEN = {"tool_use": "call", "tool_result": "result of"}
_KINDS = ("plain", "write_5m", "write_1h", "read")
_WORDS = {"plain": "plain", "write_5m": "5m write", "write_1h": "1h write", "read": "read"}


def print_explained(out: Console, told: Explained, counted: int | None, *, whole: bool) -> None:
    """Print what there is to say; `whole` lists every block."""
    for line in _heading(told):
        out.print(line, markup=False, soft_wrap=True)
    if told.blocks:
        out.print()
        out.print(_blocks_table(told.blocks, whole=whole))
    for part in (_tokens(told, counted), _record(told.record), _finding(told), _decisions(told)):
        lines = list(part)
        if lines:
            out.print()
        for line in lines:
            out.print(line, markup=False, soft_wrap=True)
    for reason in told.missing:
        out.print(f"\nNote: {reason}.", markup=False, soft_wrap=True)


def _heading(told: Explained) -> Iterator[str]:
    if told.usage is None:
        yield "All figures are estimated: nothing was sent, no bill was seen."
    yield place_name(told.where)
    said = []
    if told.run:
        said.append(f"run {told.run}" + ("" if told.seq is None else f", call {told.seq}"))
    if told.at is not None:
        said.append(f"{datetime.fromtimestamp(told.at, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if said:
        yield " · ".join(said)
    yield from _prices(told.prices)


def _prices(prices: PriceList) -> Iterator[str]:
    rates = prices.rates
    named = (
        ("in", rates.input),
        ("5m write", rates.write_5m),
        ("1h write", rates.write_1h),
        ("read", rates.read),
        ("out", rates.output),
    )
    said = ", ".join(f"${money.usd_per_million(rate)} {name}" for name, rate in named)
    alias = f" (asked for as {prices.asked})" if prices.asked not in ("", prices.model) else ""
    yield f"{prices.model}{alias}, per million tokens:"
    yield f"  {said}"
    since = f"in force since {prices.since}, " if prices.since else ""
    yield f"  {since}as published on {prices.as_of}: {prices.source}"
    if prices.reason:
        yield f"  estimated: {prices.reason}"


def _tokens(told: Explained, counted: int | None) -> Iterator[str]:
    if told.tokens is not None:
        mid = "" if told.usage is None else f"; {told.usage.total_input:,} billed"
        low, high = told.tokens.low, told.tokens.high
        yield f"tokens   {told.tokens.mid:,} in by our estimate, between {low:,} and {high:,}{mid}"
    if counted is not None:
        yield f"         {counted:,} by the API's own count (count_tokens)"
    if told.usage is not None:
        yield from _split(told)
    elif told.plan is not None:
        yield from _foreseen(told.plan)


def _foreseen(plan: Plan) -> Iterator[str]:
    cost, outcome = plan.input_cost, plan.chosen.outcome
    low, mid, high = (dollars(money.dollars(amount)) for amount in (cost.low, cost.mid, cost.high))
    own = dollars(money.dollars(plan.own.input_cost))
    yield (
        f"divides  {outcome.read:,} read, {outcome.write_5m:,} written for 5m, "
        f"{outcome.write_1h:,} for 1h, {outcome.plain:,} plain"
    )
    yield f"input    {mid}, between {low} and {high}; the request as it is: {own}"


def _split(told: Explained) -> Iterator[str]:
    """Predicted beside billed, kind by kind."""
    usage, rates, outcome = told.usage, told.prices.rates, told.expected
    if usage is None:
        return
    billed = (usage.input_tokens, usage.write_5m, usage.write_1h, usage.cache_read_input_tokens)
    foreseen = (
        (None,) * len(_KINDS)
        if outcome is None
        else (outcome.plain, outcome.write_5m, outcome.write_1h, outcome.read)
    )
    yield f"{'':10}{'predicted':>12}{'billed':>12}{'dollars':>12}"
    for kind, expected, found in zip(_KINDS, foreseen, billed, strict=True):
        if not expected and not found:
            continue
        shown = "" if expected is None else f"{expected:,}"
        yield f"{_WORDS[kind]:10}{shown:>12}{found:>12,}{_cost(found, _rate(rates, kind)):>12}"
    yield f"{'output':10}{'':12}{usage.output_tokens:>12,}{_cost(usage.output_tokens, rates.output):>12}"
    if told.bill is not None:
        predicted = "" if outcome is None else dollars(money.dollars(input_cost(outcome, rates)))
        yield f"{'in all':10}{'':24}{dollars(told.bill.usd):>12}"
        if predicted:
            yield f"  predicted for the input: {predicted}"
        for note in told.bill.notes:
            yield f"  estimated: {note}"


def _rate(rates: Rates, kind: str) -> int:
    return {
        "plain": rates.input,
        "write_5m": rates.write_5m,
        "write_1h": rates.write_1h,
        "read": rates.read,
    }[kind]


def _cost(tokens: int, rate: int) -> str:
    return dollars(money.dollars(tokens * rate))


def _record(record: Record | None) -> Iterator[str]:
    if record is None:
        return
    basis = "measured" if record.measured else "estimated"
    yield f"recorded {dollars(money.dollars(record.cost))} ({basis}), {record.outcome}, mode {record.mode}"
    if record.predicted_read is not None:
        yield (
            f"  predicted {record.predicted_read:,} read and {record.predicted_write or 0:,} written; "
            f"billed {record.usage.cache_read_input_tokens:,} and "
            f"{record.usage.cache_creation_input_tokens:,}"
        )
    if record.saved is not None and record.own_cost is not None:
        own = dollars(money.dollars(record.own_cost))
        yield f"  saved {dollars(money.dollars(record.saved))} against the caller's own request, {own} (est.)"
    if record.miss is not None:
        lost = "" if record.lost is None else f", {dollars(money.dollars(record.lost))} lost"
        yield f"  missed: {record.miss}{lost}"
    if record.fault is not None:
        yield f"  left untouched: {record.fault}"


def _finding(told: Explained) -> Iterator[str]:
    if told.finding is None:
        return
    first, *rest = told.finding.diagnosis.describe(excerpts=True).splitlines()
    yield f"missed   {first}" if told.finding.diagnosis.bust else f"no miss  {first}"
    yield from (f"       {line}" for line in rest)


def _decisions(told: Explained) -> Iterator[str]:
    if told.plan is None:
        return
    if told.usage is not None:
        yield "What scrimp would have done, had it watched the calls before (estimated):"
    for number, decision in enumerate(told.plan.decisions):
        if number:
            yield ""
        yield f"{decision.action} ({decision.mode})"
        yield f"  what   {decision.what}"
        yield f"  why    {decision.why}"
        yield f"  saves  {dollars(money.dollars(decision.saves))}, later steps included"


def _blocks_table(rows: Sequence[BlockRow], *, whole: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, width in _COLUMNS.items():
        figures = heading in ("tokens", "up to")
        table.add_column(
            heading,
            justify="right" if figures else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if heading in ("block", "kind") else width,
            max_width=width,
        )
    left_out = 0 if whole else max(len(rows) - _HEAD - _TAIL, 0)
    head = rows if left_out < 2 else rows[:_HEAD]
    for row in head:
        table.add_row(*_cells(row))
    if left_out >= 2:
        middle = rows[_HEAD:-_TAIL]
        between = f"… {len(middle):,} blocks"
        table.add_row(between, "--all", f"{sum(row.tokens for row in middle):,}", "", "", "", "")
        for row in rows[-_TAIL:]:
            table.add_row(*_cells(row))
    return table


def _cells(row: BlockRow) -> tuple[Text, ...]:
    kind = f"{_SPOKEN.get(row.kind, row.kind)} {row.name}" if row.name else row.kind
    marks = [row.marker] if row.marker else []
    if row.planned and row.planned != row.marker:
        marks.append(f"+{row.planned}")
    elif row.marker and not row.planned:
        marks.append("\N{RIGHTWARDS ARROW}\N{MULTIPLICATION SIGN}")
    path = ".".join(str(part) for part in row.path if part != "content")
    digest = row.digest[: _COLUMNS["digest"]]
    cells = (path, kind, f"{row.tokens:,}", f"{row.upto:,}", digest, " ".join(marks), row.paid)
    return tuple(map(Text, cells))
