"""What was spent: day by day, by kind of token, and who spent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from scrimp.cli.audit_html.shared import bar_row, figure, section
from scrimp.cli.audit_words import count, usd
from scrimp.cli.html.axes import day_labels, dollar_labels
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import columns, legend, plot, round_top
from scrimp.cli.numbers import percent, tokens
from scrimp.core.spend import KINDS, Dimension, Line, Spend, Sums

__all__ = ["spend_section"]

_LAYERS: Mapping[str, tuple[str, str]] = {
    "read": ("cache reads", "read"),
    "write_5m": ("writes for 5m", "write"),
    "write_1h": ("writes for 1h", "hour"),
    "input": ("plain input", "plain"),
    "output": ("output", "output"),
    "web_search": ("web searches", "unknown"),
}
"""Kind → what it is called and its colour, bottom to top."""

_SPOKEN: Mapping[Dimension, str] = {
    "model": "model",
    "project": "project",
    "session": "session",
    "agent": "agent",
    "user": "user",
    "task": "task type",
    "source": "kind of recording",
    "month": "month",
}
UNKNOWN = "not recorded"
_ROWS = 8
_MANY_DAYS = 92
_WEEK = 7


def spend_section(spend: Spend, by: Sequence[Dimension]) -> Markup:
    """Money by day and kind, then a table for each dimension in `by`."""
    whole = spend.whole
    said = tag(
        "p",
        f"{usd(whole.cost)} for {tokens(whole.tokens)} tokens in {count(whole.calls, 'call')}. ",
        "Dollars of Claude Code sessions are what the API would bill, not a plan's price."
        if spend.api_equivalent
        else None,
        f" {usd(whole.uncertain)} of it is estimated." if whole.uncertain else None,
    )
    tables = [_lines(spend, name) for name in by if name in _SPOKEN]
    return section("spend", "Spend", "measured", said, _days(spend), *tables, _guesses(spend))


def _days(spend: Spend) -> Markup | None:
    lines = {date.fromisoformat(line.name): line.sums for line in spend.by("day") if line.name is not None}
    if not lines:
        return None
    begun, stacks, unit = _stacked(lines)
    kinds = [kind for kind in _LAYERS if any(stack[_place(kind)] for stack in stacks)]
    shown = [[stack[_place(kind)] for kind in kinds] for stack in stacks]
    top = round_top(max(map(sum, shown)) or 1)
    titles = [_title(day, stack, kinds, unit) for day, stack in zip(begun, shown, strict=True)]
    colours = [_LAYERS[kind][1] for kind in kinds]
    picture = plot(
        columns(shown, colours, top, titles),
        label=f"Dollars by {unit} and kind of token",
        across=day_labels(begun),
        up=dollar_labels(top),
        height=230,
    )
    key = legend(dict(_LAYERS[kind] for kind in reversed(kinds)))
    return figure(f"Dollars by {unit}", "measured", key, picture)


def _stacked(lines: Mapping[date, Sums]) -> tuple[list[date], list[list[int]], str]:
    """Amounts by kind of each day, empty days too; of each week (by its first day) where there are many."""
    first = min(lines)
    count = (max(lines) - first).days + 1
    step = _WEEK if count > _MANY_DAYS else 1
    begun = [first + timedelta(days=at) for at in range(0, count, step)]
    stacks = [[0] * len(KINDS) for _ in begun]
    for day, sums in lines.items():
        stack = stacks[(day - first).days // step]
        for at, amount in enumerate(sums.amounts):
            stack[at] += amount
    return begun, stacks, "day" if step == 1 else "week"


def _place(kind: str) -> int:
    return KINDS.index(kind)


def _title(day: date, stack: Sequence[int], kinds: Sequence[str], unit: str) -> str:
    parts = [
        f"{_LAYERS[kind][0]}: {usd(amount)}" for kind, amount in zip(kinds, stack, strict=True) if amount
    ]
    return "\n".join([f"{'Week of ' if unit == 'week' else ''}{day}: {usd(sum(stack))}", *reversed(parts)])


def _lines(spend: Spend, dimension: Dimension) -> Markup | None:
    lines = [line for line in spend.by(dimension) if line.sums.calls]
    if len(lines) < 2:
        return None
    most, whole = max(line.sums.cost for line in lines) or 1, spend.whole.cost or 1
    shown = lines if len(lines) <= _ROWS + 1 else lines[:_ROWS]
    more = lines[len(shown) :]
    rest = f"And {len(more):,} more, {usd(sum(line.sums.cost for line in more))}: --json has all."
    return tag(
        "div",
        tag("h3", f"By {_SPOKEN[dimension]}"),
        *(_row(line, most, whole) for line in shown),
        tag("p", rest, class_="lead") if more else None,
    )


def _row(line: Line, most: int, whole: int) -> Markup:
    sums = line.sums
    return bar_row(
        line.name or UNKNOWN,
        f"{count(sums.calls, 'call')}, {tokens(sums.tokens)} tokens",
        value=usd(sums.cost),
        below=percent(sums.cost / whole),
        share=sums.cost / most,
        css="output",
    )


def _guesses(spend: Spend) -> Markup | None:
    if not spend.guesses:
        return None
    items = [tag("li", f"{model}: {why}") for model, why in sorted(spend.guesses.items())]
    return tag("div", tag("h3", "Prices that are estimated"), tag("ul", *items, class_="rest"))
