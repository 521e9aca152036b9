"""Spending by day as stacked columns, and the Pareto curve: drawn as SVG, read without a script.

The dearest models have a colour of their own, all others share one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate

from scrimp.cli.html.axes import day_labels, dollar_labels
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import UNIT, columns, plot, round_top
from scrimp.cli.numbers import dollars, percent
from scrimp.core import money
from scrimp.core.report import Line
from scrimp.core.totals import Total

__all__ = ["COLOURS", "OTHERS", "days_chart", "layers_of", "pareto_chart"]

COLOURS = ("results", "new", "read", "messages", "write", "plain")
OTHERS = "other models"
_OTHERS_COLOUR = "unknown"
_MOST_COLUMNS = 24
_NAMED = 7
_WEEK = 7
_MANY_DAYS = 120
_MOST_OF_IT = 0.8


def layers_of(days: Sequence[Total]) -> dict[str, str]:
    """Model → its colour, the dearest first; `OTHERS` where there are more than colours."""
    spent: dict[str, int] = defaultdict(int)
    for total in days:
        spent[str(total.key[1])] += total.cost
    models = sorted(spent, key=lambda model: (-spent[model], model))
    layers = dict(zip(models, COLOURS, strict=False))
    return layers | {OTHERS: _OTHERS_COLOUR} if len(models) > len(COLOURS) else layers


def days_chart(days: Sequence[Total], layers: Mapping[str, str]) -> Markup:
    """A column for each day, weeks where there are many; hovering one says its parts."""
    stacks, unit = _stacks(days, layers)
    shown = [[stack.get(name, 0) for name in layers] for stack in stacks.values()]
    top = round_top(max(map(sum, shown), default=0))
    titles = [_title(day, stack, layers, unit) for day, stack in stacks.items()]
    return plot(
        columns(shown, list(layers.values()), top, titles),
        label=f"Dollars spent by {unit} and model",
        across=day_labels(list(stacks)),
        up=dollar_labels(top),
        height=240,
    )


def pareto_chart(lines: Sequence[Line]) -> Markup:
    """Each line's share of the bill, and their share together; those that make most of it stand out."""
    whole = sum(line.total.cost for line in lines) or 1
    shown = sorted(lines, key=lambda line: -line.total.cost)[:_MOST_COLUMNS]
    together = list(accumulate(line.total.cost for line in shown))
    stacks = [
        [line.total.cost, 0] if before < _MOST_OF_IT * whole else [0, line.total.cost]
        for line, before in zip(shown, [0, *together], strict=False)
    ]
    titles = [f"{_name(line)}: {dollars(money.dollars(line.total.cost))}" for line in shown]
    points = " ".join(
        f"{UNIT * (at + 0.5) / len(shown):.1f},{UNIT * (1 - share / whole):.1f}"
        for at, share in enumerate(together)
    )
    named = shown if len(shown) <= _NAMED else ()
    return plot(
        [
            *columns(stacks, ("results", "system"), whole, titles),
            tag("polyline", class_="curve", points=points),
        ],
        label="The bill by task type, dearest first, and the share they make together",
        across=[((at + 0.5) / len(shown), _name(line)) for at, line in enumerate(named)],
        up=[(share, percent(share, 0)) for share in (0.0, 0.5, _MOST_OF_IT, 1.0)],
        height=240,
        named=True,
    )


def _stacks(days: Sequence[Total], layers: Mapping[str, str]) -> tuple[dict[date, dict[str, int]], str]:
    """Cost by day and layer, empty days too; by week (of its first day) where there are many days."""
    known = [day for total in days if isinstance(day := total.key[0], date)]
    if not known:
        return {}, "day"
    first, count = min(known), (max(known) - min(known)).days + 1
    step = _WEEK if count > _MANY_DAYS else 1
    stacks: dict[date, dict[str, int]] = {
        first + timedelta(days=at): defaultdict(int) for at in range(0, count, step)
    }
    for total in days:
        day, model = total.key
        if isinstance(day, date):
            begin = first + timedelta(days=(day - first).days // step * step)
            stacks[begin][str(model) if str(model) in layers else OTHERS] += total.cost
    return stacks, "day" if step == 1 else "week"


def _title(day: date, stack: Mapping[str, int], layers: Mapping[str, str], unit: str) -> str:
    parts = [f"{name}: {dollars(money.dollars(stack[name]))}" for name in layers if stack.get(name)]
    whole = dollars(money.dollars(sum(stack.values())))
    return "\n".join([f"{'Week of ' if unit == 'week' else ''}{day}: {whole}", *reversed(parts)])


def _name(line: Line) -> str:
    return line.name or "(not said)"
