"""The picture of an estimate, as a page and as a drawing of its own: calls, then months.

Both are made of the charts and colours of the other reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from scrimp.cli.estimate_tables import about
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.page import bundled, page
from scrimp.cli.html.steps_chart import AXIS, BILLED, TOP, WIDTH, chart, top_of_scale
from scrimp.cli.numbers import change, dollars
from scrimp.cli.text_tables import prose
from scrimp.core import money
from scrimp.core.estimate.amounts import Amounts
from scrimp.core.estimate.estimate import Estimate

__all__ = ["as_page", "as_svg"]

_Stacks = tuple[tuple[int, int, int, int], ...]
_TITLE = "What this agent will cost"
_CALLS = "Tokens per call of a run, late in the day"
_MONTHS = "Dollars a month"
_HEIGHT, _BAR, _HEAD = 200, 30, 34
_LINE = 120
_LEFT, _RIGHT = 300, WIDTH - 150
_DRAWN = """
text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--soft); }
.ground { fill: var(--card); } .title { font-size: 16px; font-weight: 640; fill: var(--ink); }
.head { font-weight: 640; fill: var(--ink); } .grid { stroke: var(--line); } .cursor { fill: none; }
.read { fill: var(--read); } .write { fill: var(--write); } .plain { fill: var(--plain); }
.unknown { fill: var(--neutral); }
"""


def as_page(found: Estimate) -> str:
    """One HTML file that needs nothing beside it."""
    amounts = [
        tag("span", tag("span", name, _chip(), class_="label"), tag("b", _dollars(one)), class_=role)
        for name, one, role in (
            ("A run", found.run, "before"),
            ("A day", found.day, "before"),
            ("A month", found.month, "after"),
        )
    ]
    said = [*(tag("b", warning) for warning in found.warnings), *found.remarks]
    remarks = tag("ul", *(tag("li", remark) for remark in said)) if said else None
    headline = tag("section", tag("p", *amounts, class_="amounts"), remarks, class_="headline")
    legend = tag("ul", *(tag("li", tag("i", class_=css), name) for name, css in _legend(found)))
    figures = [
        tag(
            "figure",
            tag("figcaption", tag("b", models), _chip(), legend),
            tag("div", _steps(stacks, found), class_="scroll"),
        )
        for models, stacks in _pictures(found).items()
    ]
    months = tag("figure", tag("div", _months(found), class_="scroll"))
    body = [
        tag("h1", _TITLE),
        tag("p", about(found.work), class_="lead"),
        headline,
        tag("section", tag("h2", _CALLS), *figures) if figures else Markup(""),
        tag("section", tag("h2", _MONTHS, _chip()), months),
    ]
    heads = ".head { font-weight: 640; fill: var(--ink); }"
    return page(
        _TITLE,
        body,
        styles=[bundled("page.css"), bundled("spending.css"), heads],
        source=tag("p", f"Prices and cache rules of {found.at}."),
        basis=[tag("b", "Estimated"), ": worked out by scrimp’s model; nothing of it was billed."],
    )


def as_svg(found: Estimate) -> str:
    """One drawing; it follows the reader's light or dark setting."""
    parts: list[str] = [tag("text", _TITLE, class_="title", x=16, y=28)]
    below = 56
    for line in prose(" ".join(found.warnings), _LINE).splitlines():
        parts.append(tag("text", line, class_="head", x=16, y=below))
        below += 18
    below += 10 * bool(found.warnings)
    for models, stacks in _pictures(found).items():
        words = f"{models}: {_CALLS[0].lower()}{_CALLS[1:]} (estimated)"
        parts += [tag("text", words, class_="head", x=16, y=below), *_key(found, below + 18)]
        parts.append(_placed(_steps(stacks, found), below + 28, TOP + _HEIGHT + AXIS))
        below += 28 + TOP + _HEIGHT + AXIS + 28
    height = _HEAD + _BAR * (len(found.others) + 1)
    parts.append(tag("text", f"{_MONTHS} (estimated)", class_="head", x=16, y=below))
    parts.append(_placed(_months(found), below + 8, height))
    size = {"width": WIDTH, "height": below + height + 20}
    style = bundled("page.css").split("* {")[0] + _DRAWN  # its colours, and nothing of a page
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size["width"]} {size["height"]}" '
        f'width="{size["width"]}" height="{size["height"]}" role="img">\n'
        + "\n".join([tag("style", Markup(style)), tag("rect", class_="ground", **size), *parts])
        + "\n</svg>\n"
    )


def _pictures(found: Estimate) -> dict[str, _Stacks]:
    """What the calls look like, under the names of the models where they look so."""
    named: dict[_Stacks, list[str]] = defaultdict(list)
    for part in found.parts:
        if part.calls:
            named[tuple(_stack(call.amounts) for call in part.calls)].append(part.model)
    return {", ".join(models): stacks for stacks, models in named.items()}


def _steps(stacks: _Stacks, found: Estimate) -> Markup:
    top = top_of_scale([stack for one in _pictures(found).values() for stack in one])
    return chart(BILLED, stacks, top=top, height=_HEIGHT, label=_CALLS)


def _stack(amounts: Amounts) -> tuple[int, int, int, int]:
    return int(amounts.read), int(amounts.write_5m + amounts.write_1h), int(amounts.plain), 0


def _legend(found: Estimate) -> list[tuple[str, str]]:
    stacks = [stack for one in _pictures(found).values() for stack in one]
    used = [layer for number, layer in enumerate(BILLED) if any(stack[number] for stack in stacks)]
    return [(layer.name, layer.css) for layer in used]


def _key(found: Estimate, y: int) -> Iterator[Markup]:
    x = 16
    for name, css in _legend(found):
        yield tag("rect", class_=css, x=x, y=y - 10, width=10, height=10)
        yield tag("text", name, x=x + 15, y=y)
        x += 30 + 7 * len(name)


def _months(found: Estimate) -> Markup:
    """A bar for each setting, the cheapest first; what was asked for stands out."""
    rows = [("as asked", found.month), *found.others.items()]
    rows.sort(key=lambda named: named[1].cost)
    most = max(month.cost for _, month in rows) or 1
    bars = [
        mark
        for number, (name, month) in enumerate(rows)
        for mark in _bar(number, name, month, most=most, asked=found.month)
    ]
    return tag("svg", *bars, viewBox=f"0 0 {WIDTH} {_BAR * len(rows) + 8}", role="img", aria_label=_MONTHS)


def _bar(number: int, name: str, month: Amounts, *, most: int, asked: Amounts) -> Sequence[Markup]:
    middle = _BAR * number + _BAR // 2 + 4
    width = f"{(_RIGHT - _LEFT) * Decimal(month.cost) / most:.1f}"
    own = name == "as asked"
    moved = "" if own else f"  {change(money.dollars(asked.cost), money.dollars(month.cost))}"
    return (
        tag(
            "text",
            name,
            class_="head" if own else None,
            x=_LEFT - 12,
            y=middle + 4,
            text_anchor="end",
        ),
        tag("rect", class_="read" if own else "unknown", x=_LEFT, y=middle - 9, width=width, height=18),
        tag("text", f"{_dollars(month)}{moved}", x=f"{_LEFT + Decimal(width) + 8:.1f}", y=middle + 4),
    )


def _dollars(amounts: Amounts) -> str:
    return dollars(money.dollars(amounts.cost))


def _chip() -> Markup:
    return tag("span", "estimated", class_="chip estimated")


def _placed(picture: Markup, y: int, height: int) -> Markup:
    """A drawing inside another one: it fills the box it is given."""
    return tag("svg", picture, x=0, y=y, width=WIDTH, height=height)
