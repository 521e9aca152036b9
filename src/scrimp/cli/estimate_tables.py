"""`scrimp estimate` in a terminal: every line fits 80 columns."""

from __future__ import annotations

from fractions import Fraction

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scrimp.cli.numbers import change, dollars, percent, tokens
from scrimp.cli.text_tables import prose
from scrimp.core import money
from scrimp.core.estimate.amounts import Amounts
from scrimp.core.estimate.estimate import Estimate
from scrimp.core.estimate.offered import sources_of
from scrimp.core.estimate.workload import Workload, shares_of
from scrimp.facts.models import Facts

__all__ = ["about", "print_estimate", "short"]

_WIDTH = 100
_BILLION = 10**9


def print_estimate(out: Console, found: Estimate, facts: Facts) -> None:
    """What is asked, the sums, the same under other settings, what to know, and where prices are from."""
    width = min(out.width, _WIDTH)
    out.print(prose(about(found.work), width), markup=False)
    if found.warnings:
        out.print()
    for warning in found.warnings:
        out.print(prose(warning, width, bullet="! "), markup=False, style="bold yellow")
    out.print()
    out.print(_sums(found))
    out.print()
    out.print(_others(found))
    if found.remarks:
        out.print()
        for remark in found.remarks:
            out.print(prose(remark, width, bullet="• "), markup=False)
    out.print()
    sources = "; ".join(f"{model}: {source}" for model, source in sources_of(found.work, facts).items())
    said = f"Every figure is estimated, by the prices and cache rules of {found.at} ({sources})."
    out.print(prose(said, width), markup=False, style="dim")


def about(work: Workload) -> str:
    """The workload in a sentence or two."""
    shares = shares_of(work.models)
    alone = len(shares) == 1
    mix = ", ".join(model if alone else f"{_share(share)} {model}" for model, share in shares.items())
    branches = f" in {work.fanout} branches" if work.fanout > 1 else ""
    calls = "call" if work.steps == 1 else "calls"
    over = "" if work.hours == 24 else f" over {work.hours} hours"
    sizes = [f"tools and system {tokens(work.prefix)} tokens", f"task {tokens(work.task)}"]
    sizes.append(f"{'answer' if work.steps == 1 else 'answers'} {tokens(work.output)}")
    if work.steps > 1 and work.tool_calls:
        results = "tool result" if work.tool_calls == 1 else "tool results"
        sizes.append(f"{work.tool_calls} {results} of {tokens(work.tool_result)} a call")
    if work.steps > 1 and work.growth:
        sizes.append(f"{tokens(work.growth)} more a call")
    lifetime = "" if work.caching == "none" else f" ({_lifetimes(work)})"
    return (
        f"{work.runs_per_day:,} runs a day{over} of {work.steps} {calls}{branches} on {mix}: "
        f"{', '.join(sizes)}; caching {work.caching}{lifetime}."
    )


def short(model: str) -> str:
    """A model's name where there is little room."""
    return model.removeprefix("claude-")


def _share(share: Fraction) -> str:
    return percent(float(share), 0 if (share * 100).denominator == 1 else 1)


def _count(number: int) -> str:
    """A count in five letters: `950`, `10,000`, `170.5k`, `17.05M`, `2.56B`."""
    if number < 100_000:
        return f"{number:,}"
    return tokens(number) if number < _BILLION else f"{number / _BILLION:,.2f}B"


def _lifetimes(work: Workload) -> str:
    return work.ttl if work.ttl_of_prefix == work.ttl else f"{work.ttl}, tools and system {work.prefix_ttl}"


def _sums(found: Estimate) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("Estimated", no_wrap=True)
    for heading in ("Calls", "Input", "Read", "Output", "USD"):
        table.add_column(heading, justify="right", no_wrap=True)
    if len(found.parts) == 1 and found.work.batch < 100:
        table.add_row(*_cells("first run of a day", found.parts[0].first))
        table.add_row(*_cells("each later run", found.parts[0].later))
    table.add_row(*_cells("run, on average", found.run), style="bold")
    table.add_row(*_cells(f"day, {found.work.runs_per_day:,} runs", found.day))
    table.add_row(*_cells(f"month, {found.work.days_per_month} days", found.month), style="bold")
    for part in found.parts if len(found.parts) > 1 else ():
        name = f"  {short(part.model)}, {_share(part.share)}"
        table.add_row(*_cells(name, part.month))
    return table


def _cells(name: str, amounts: Amounts) -> tuple[str, ...]:
    return (
        escape(name),
        _count(round(amounts.calls)),
        _count(amounts.prompt),
        percent(amounts.read_share, 0),
        _count(round(amounts.output)),
        dollars(money.dollars(amounts.cost)),
    )


def _others(found: Estimate) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("The same, otherwise", no_wrap=True)
    table.add_column("USD a month", justify="right", no_wrap=True)
    table.add_column("Change", justify="right", no_wrap=True)
    asked = money.dollars(found.month.cost)
    for name, month in sorted(found.others.items(), key=lambda other: other[1].cost):
        amount = money.dollars(month.cost)
        style = "green" if amount < asked else ""
        table.add_row(escape(name), dollars(amount), change(asked, amount), style=style)
    return table
