"""The page of `scrimp report`: one file, no network, light and dark, fit to print."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.page import MEASURED, bundled, page
from scrimp.cli.html.spending_chart import days_chart, layers_of, pareto_chart
from scrimp.cli.numbers import dollars, percent, tokens
from scrimp.cli.report_words import (
    PLURAL,
    basis,
    jump_text,
    line_name,
    notes,
    period,
    saved,
    sentences,
    spent,
    standout_text,
)
from scrimp.core import money
from scrimp.core.causes import FIXES
from scrimp.core.report import Dimension, Line, Report
from scrimp.core.totals import Total

__all__ = ["render_spending"]

_MOST_LINES = 100
_TITLE = "What your agents cost"
_FIXES = {str(cause): fix for cause, fix in FIXES.items()}


def render_spending(report: Report, by: Sequence[Dimension], *, now: float) -> str:
    """The whole page; every text of the report is escaped."""
    parts: list[Markup | None] = [
        tag("h1", _TITLE),
        tag("p", period(report, now), class_="lead"),
        _headline(report),
        _standouts(report),
        _days(report),
        _pareto(report),
        *(_lines(report, name) for name in by if name != "day"),
        _misses(report),
        _sizes(report),
    ]
    said = tag("ul", *(tag("li", note) for note in notes(report, by)))
    return page(
        _TITLE,
        parts,
        styles=[bundled(name) for name in ("page.css", "plot.css", "spending.css")],
        source=said,
        basis=[*MEASURED, ": worked out by scrimp. Days are UTC."],
    )


def _headline(report: Report) -> Markup:
    whole = report.whole
    amounts = [_amount("Spent", spent(whole), basis(whole), "before")]
    if saved(whole):
        amounts.append(_amount("Saved", saved(whole), "estimated", "after"))
    if whole.lost:
        amounts.append(_amount("Lost to misses", dollars(money.dollars(whole.lost)), "estimated", "lost"))
    said = tag("ul", *(tag("li", sentence) for sentence in sentences(report)))
    return tag("section", tag("p", *amounts, class_="amounts"), said, class_="headline")


def _amount(name: str, amount: str, said: str, role: str) -> Markup:
    label = tag("span", name, _chip(said), class_="label")
    return tag("span", label, tag("b", amount), class_=role)


def _chip(said: str) -> Markup:
    return tag("span", said, class_=f"chip {said.rsplit(maxsplit=1)[-1]}")


def _standouts(report: Report) -> Markup | None:
    if not report.standouts:
        return None
    items = [tag("li", standout_text(one)) for one in report.standouts]
    lead = "More than 4 times what is typical, and far outside the usual spread."
    return tag(
        "section", tag("h2", "Far above their peers"), tag("p", lead, class_="lead"), tag("ul", *items)
    )


def _days(report: Report) -> Markup | None:
    if not report.days:
        return None
    layers = layers_of(report.days)
    key = tag("ul", *(tag("li", tag("i", class_=css), name) for name, css in layers.items()))
    caption = tag("figcaption", tag("b", "Dollars by day and model", _chip(basis(report.whole))), key)
    figure = tag("figure", caption, days_chart(report.days, layers))
    return tag("section", tag("h2", "Day by day"), figure, class_="spending")


def _pareto(report: Report) -> Markup | None:
    lines = [line for line in report.by("task") if line.name is not None]
    if len(lines) < 3:
        return None
    caption = tag("figcaption", tag("b", "Dollars by task type, and their share of all"))
    figure = tag("figure", caption, pareto_chart(lines))
    return tag("section", tag("h2", "Which few make the bill"), figure, class_="spending")


def _lines(report: Report, dimension: Dimension) -> Markup | None:
    lines = report.by(dimension)
    if not lines:
        return None
    rows = [_row(line, dimension, report.whole) for line in lines[:_MOST_LINES]]
    more = len(lines) - _MOST_LINES
    rest = tag("p", f"And {more:,} more: --csv FILE has all.", class_="lead") if more > 0 else None
    head = ("", "Calls", "Spent", "Share", "Cache reads", "Saved (est.)", "Lost (est.)")
    return tag("section", tag("h2", PLURAL[dimension].capitalize()), _table(head, rows), rest)


def _row(line: Line, dimension: Dimension, whole: Total) -> Markup:
    total = line.total
    cells = (
        f"{total.attempts:,}",
        spent(total),
        percent(total.cost / whole.cost) if whole.cost else "",
        percent(total.read / total.prompt_tokens) if total.prompt_tokens else "",
        saved(total),
        dollars(money.dollars(total.lost)) if total.lost else "",
    )
    return tag("tr", tag("th", line_name(line, dimension), scope="row"), *(tag("td", cell) for cell in cells))


def _misses(report: Report) -> Markup | None:
    misses = report.misses()
    if not misses:
        return None
    rows = [
        tag(
            "tr",
            tag("th", line_name(line), tag("small", _FIXES.get(line.name or "")), scope="row"),
            tag("td", f"{line.total.attempts:,}"),
            tag("td", dollars(money.dollars(line.total.lost))),
        )
        for line in misses
    ]
    return tag("section", tag("h2", "Cache misses"), _table(("Cause", "Misses", "Lost (est.)"), rows))


def _sizes(report: Report) -> Markup | None:
    if not report.sizes:
        return None
    rows = [
        tag(
            "tr",
            tag("th", size.label or "(not said)", tag("small", size.model), scope="row"),
            tag("td", f"{size.calls:,}"),
            tag("td", tokens(size.tokens)),
            tag("td", *(tag("div", text) for text in map(jump_text, size.jumps))),
        )
        for size in report.sizes[:_MOST_LINES]
    ]
    lead = "Every call carries them. Medians by day, in estimated tokens; a jump is a change that stayed."
    return tag(
        "section",
        tag("h2", "Tools and system over time"),
        tag("p", lead, class_="lead"),
        _table(("Agent", "Calls", "Tokens", "Jumps"), rows),
    )


def _table(headings: Sequence[str], rows: Sequence[Markup]) -> Markup:
    head = tag("tr", *(tag("th", text, scope="col") for text in headings))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")
