"""Spending by day as stacked columns, and the Pareto curve: drawn as SVG, read without a script.

The dearest models have a colour of their own, all others share one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate

from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.numbers import dollars, percent
from scrimp.core import money
from scrimp.core.report import Line
from scrimp.core.totals import Total

__all__ = ["COLOURS", "OTHERS", "days_chart", "layers_of", "pareto_chart"]

WIDTH, HEIGHT = 960, 240
LEFT, RIGHT, TOP, AXIS = 64, 952, 10, 26
COLOURS = ("results", "new", "read", "messages", "write", "plain")
OTHERS = "other models"
_OTHERS_COLOUR = "unknown"
_GAP = 0.16
_LABELS = 12
_MOST_COLUMNS = 24
_WEEK = 7
_MANY_DAYS = 120


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
    highest = max((sum(stack.values()) for stack in stacks.values()), default=0)
    top = _top_of_scale(highest)
    columns = [
        _column(day, stack, place=(at, len(stacks)), layers=layers, top=top, unit=unit)
        for at, (day, stack) in enumerate(stacks.items())
    ]
    return tag(
        "svg",
        *(_gridline(top * part // 2, top) for part in range(3)),
        *columns,
        *_day_labels(list(stacks)),
        viewBox=f"0 0 {WIDTH} {TOP + HEIGHT + AXIS}",
        role="img",
        aria_label=f"Dollars spent by {unit} and model",
    )


def pareto_chart(lines: Sequence[Line]) -> Markup:
    """Each line's share of the bill, and their share together; those that make most of it stand out."""
    whole = sum(line.total.cost for line in lines) or 1
    shown = sorted(lines, key=lambda line: -line.total.cost)[:_MOST_COLUMNS]
    together = list(accumulate(line.total.cost for line in shown))
    columns = [
        tag(
            "rect",
            tag("title", f"{line.name or '(not said)'}: {dollars(money.dollars(line.total.cost))}"),
            class_="results" if before < 0.8 * whole else "system",
            **_box(at, len(shown), 0, line.total.cost / whole),
        )
        for at, (line, before) in enumerate(zip(shown, [0, *together], strict=False))
    ]
    points = " ".join(
        f"{_middle(at, len(shown)):.1f},{_y(share / whole):.1f}" for at, share in enumerate(together)
    )
    names = [
        _under(at, len(shown), _short(line.name or "(not said)"))
        for at, line in enumerate(shown if len(shown) <= _LABELS else ())
    ]
    return tag(
        "svg",
        *(_share_line(share) for share in (0.0, 0.5, 0.8, 1.0)),
        *columns,
        tag("polyline", class_="curve", points=points),
        *names,
        viewBox=f"0 0 {WIDTH} {TOP + HEIGHT + AXIS}",
        role="img",
        aria_label="The bill by task type, dearest first, and the share they make together",
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


def _column(
    day: date,
    stack: Mapping[str, int],
    *,
    place: tuple[int, int],
    layers: Mapping[str, str],
    top: int,
    unit: str,
) -> Markup:
    """The column at its place among so many."""
    parts = [(name, stack[name]) for name in layers if stack.get(name)]
    edges = list(accumulate((cost for _, cost in parts), initial=0))
    said = "\n".join(f"{name}: {dollars(money.dollars(cost))}" for name, cost in reversed(parts))
    title = f"{'Week of ' if unit == 'week' else ''}{day}: {dollars(money.dollars(edges[-1]))}\n{said}"
    boxes = [
        tag("rect", class_=layers[name], **_box(*place, low / top, (low + cost) / top))
        for (name, cost), low in zip(parts, edges, strict=False)
    ]
    return tag("g", tag("title", title), *boxes)


def _box(at: int, count: int, low: float, high: float) -> dict[str, str]:
    """Place and size of a column's part; shares of the full height."""
    whole = (RIGHT - LEFT) / max(count, 1)
    return {
        "x": f"{LEFT + whole * (at + _GAP / 2):.2f}",
        "y": f"{_y(high):.2f}",
        "width": f"{whole * (1 - _GAP):.2f}",
        "height": f"{max(_y(low) - _y(high), 0):.2f}",
    }


def _middle(at: int, count: int) -> float:
    return LEFT + (RIGHT - LEFT) * (at + 0.5) / max(count, 1)


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)


def _top_of_scale(highest: int) -> int:
    """A round amount that no column exceeds: 1, 1.5, 2, 3, 4, 5, 6 or 8 and zeros."""
    unit = int("1" + "0" * max(len(str(highest)) - 2, 0))
    return next(unit * tenths for tenths in (10, 15, 20, 30, 40, 50, 60, 80, 100) if unit * tenths >= highest)


def _gridline(value: int, top: int) -> Markup:
    return _line(value / top, _axis_dollars(money.dollars(value)))


def _share_line(share: float) -> Markup:
    return _line(share, percent(share, 0))


def _line(share: float, text: str) -> Markup:
    y = f"{_y(share):.1f}"
    line = tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y, y2=y)
    return tag("g", line, tag("text", text, x=LEFT - 8, y=y, dy="0.32em", text_anchor="end"))


def _axis_dollars(amount: Decimal) -> str:
    return f"${amount:,.0f}" if amount >= 10 or amount == 0 else f"${amount.normalize():f}"


def _day_labels(days: Sequence[date]) -> list[Markup]:
    stride = next(
        size for size in (1, 2, 3, 7, 14, 30, 60, 90, 365, len(days)) if len(days) <= _LABELS * size
    )
    return [
        _under(at, len(days), f"{day:%d %b}".lstrip("0")) for at, day in enumerate(days) if at % stride == 0
    ]


def _under(at: int, count: int, text: str) -> Markup:
    return tag("text", text, x=f"{_middle(at, count):.1f}", y=TOP + HEIGHT + 16, text_anchor="middle")


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"
