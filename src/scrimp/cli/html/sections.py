"""The sections of the report, top to bottom."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from scrimp.cli.figures import calibration_figures
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.numbers import change, dollar_places, dollars, percent
from scrimp.cli.run_sums import amount_cell, sum_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrimp.cli.figures import Figure
    from scrimp.cli.html.values import Bar, Basis, CalibrationSummary, Report, RunRow

__all__ = ["bars", "calibration", "chip", "headline", "run_table"]


def calibration(summary: CalibrationSummary) -> Markup:
    """How far the numbers below can be trusted; comes before any of them."""
    heading = tag("h2", "First: how well the model reproduces what was billed")
    scope = tag(
        "p",
        f"Checked against the usage the provider reported for {summary.calls:,} recorded calls "
        f"in {summary.runs:,} runs.",
        f" {summary.left_out}" if summary.left_out else None,
        class_="lead",
    )
    figures = [_figure(figure) for figure in calibration_figures(summary)]
    return tag("section", heading, scope, tag("dl", *figures, class_="strip"), class_="calibration")


def headline(report: Report) -> Markup:
    """The bill before and after, and how far the least possible bill is."""
    before, after = report.bar(report.before), report.bar(report.after)
    amounts = tag(
        "p",
        _amount(before, "before"),
        tag("span", "\N{RIGHTWARDS ARROW}", class_="arrow", aria_label="becomes"),
        _amount(after, "after"),
        tag(
            "strong",
            change(before.usd, after.usd),
            class_="change up" if after.usd > before.usd else "change",
        ),
        class_="amounts",
    )
    floor = report.bar(report.floor) if report.floor else None
    distance = None
    if floor and floor.usd > 0:
        distance = tag(
            "p",
            f"The least any caching could have paid in hindsight is {dollars(floor.usd)}; "
            f"{after.name} comes to {after.usd / floor.usd:.3f} times that.",
            class_="lead",
        )
    remarks = tag("ul", *(tag("li", remark) for remark in report.remarks)) if report.remarks else None
    return tag("section", amounts, distance, remarks, class_="headline")


def bars(report: Report) -> Markup:
    """The bill under each policy, bar by bar; what fell off against the bar above stays visible, pale."""
    widest = max(bar.usd for bar in report.bars) or Decimal(1)
    rows = [
        _bar_row(bar, above, widest=widest, role=_role(report, bar))
        for bar, above in zip(report.bars, (None, *report.bars), strict=False)
    ]
    scope = f"{report.scope} " if report.scope else ""
    lead = f"{scope}Pale: what fell away against the bar above. Hatched: estimated, not billed."
    return tag(
        "section", tag("h2", "The bill, bar by bar"), tag("p", lead, class_="lead"), *rows, class_="bars"
    )


def run_table(report: Report) -> Markup:
    """Every run with its bill under each policy."""
    names = [bar.name for bar in report.bars]
    known = [amount for row in report.runs for amount in row.usd.values() if amount is not None]
    places = dollar_places(known)
    head = tag("tr", *(tag("th", text, scope="col") for text in ("Run", "Calls", *names, "Cache reads")))
    groups = [(name, list(rows)) for name, rows in groupby(report.runs, key=lambda row: row.group)]
    bodies = [
        tag(
            "tbody",
            _sum_row(name, rows, names, places=places) if name else None,
            *(_table_row(row, names, places) for row in rows),
            class_="group" if name else None,
        )
        for name, rows in groups
    ]
    total = _sum_row("All runs", report.runs, names, places=places)
    table = tag("table", tag("thead", head), *bodies, tag("tfoot", total))
    lead = f"Dollars. Cache reads: the share of input tokens read from the cache under {report.after}."
    if report.floor:
        lead += f" {report.floor}: a run’s share of the least that all runs together could have paid."
    return tag(
        "section",
        tag("h2", "Run by run"),
        tag("p", lead, class_="lead"),
        tag("div", table, class_="scroll"),
        class_="runs",
    )


def _figure(figure: Figure) -> Markup:
    name = tag("dt", figure.name, chip(figure.basis))
    return tag(
        "div", name, tag("dd", figure.value, class_="value"), tag("dd", figure.meaning), class_="figure"
    )


def chip(basis: Basis) -> Markup:
    """The small word beside a figure that says where it comes from."""
    return tag("span", basis, class_=f"chip {basis}")


def _amount(bar: Bar, role: str) -> Markup:
    label = tag("span", bar.name, chip(bar.basis), class_="label")
    return tag("span", label, tag("b", dollars(bar.usd)), class_=role)


def _role(report: Report, bar: Bar) -> str:
    roles = {report.floor: "floor", report.before: "before", report.after: "after"}
    return roles.get(bar.name, "other")


def _bar_row(bar: Bar, above: Bar | None, *, widest: Decimal, role: str) -> Markup:
    fallen = max(above.usd - bar.usd, Decimal(0)) if above else Decimal(0)
    track = tag(
        "div",
        tag("span", class_=f"fill {role} {bar.basis}", style=f"width:{bar.usd / widest * 100:.2f}%"),
        tag("span", class_="fallen", style=f"width:{fallen / widest * 100:.2f}%") if fallen else None,
        class_="track",
    )
    name = tag("div", tag("b", bar.name), chip(bar.basis), tag("small", bar.note), class_="name")
    value = tag(
        "div",
        tag("b", dollars(bar.usd)),
        tag("small", change(above.usd, bar.usd) if above else ""),
        class_="usd",
    )
    return tag("div", name, track, value, class_="bar")


def _table_row(row: RunRow, names: Sequence[str], places: int) -> Markup:
    amounts = [row.usd[name] for name in names]
    return tag(
        "tr",
        tag("th", row.run, scope="row"),
        tag("td", f"{row.calls:,}"),
        *(tag("td", amount_cell(amount, places)) for amount in amounts),
        tag("td", percent(row.read_share)),
    )


def _sum_row(name: str, rows: Sequence[RunRow], names: Sequence[str], *, places: int) -> Markup:
    whole = sum_of(rows, name)
    share = percent(whole.read_share) if whole.input_tokens else ""
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", f"{whole.calls:,}"),
        *(tag("td", amount_cell(whole.usd[name], places)) for name in names),
        tag("td", share),
    )
