"""The demo's figures as the report that page and terminal are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from scrimp.cli.demo_bills import BILLS, MOATLESS, DemoRun, total
from scrimp.cli.demo_calibration import calibration_summary
from scrimp.cli.html.values import Bar, Basis, CalibrationSummary, Report, RunRow
from scrimp.cli.numbers import change, dollars, percent
from scrimp.core import money
from scrimp.core.summary import Money
from scrimp.traces.exchange_calibration import ExchangeCalibration

if TYPE_CHECKING:
    from scrimp.cli.demo_http import OverHttp  # brings the SDK, which takes a second to import

__all__ = ["BAR_NAMES", "demo_report"]

BAR_NAMES = dict(zip(BILLS, ("No markers", "As billed", "One route", "scrimp", "Floor"), strict=True))
"""Bill → what the report calls it."""

_NOTES = {
    "none": "every call pays for its whole prompt again",
    "billed": "the agents’ own markers, OpenHands spread over two providers of which one cached",
    "recorded": "the agents’ own markers, every call on the route that caches",
    "scrimp": "the same route, markers placed by expected cost",
    "floor": "the least any caching could have paid, in hindsight",
}

_SOURCES = (
    "Recorded runs of OpenHands (December 2024) and moatless-tools (November 2024) on SWE-bench tasks, with "
    "Claude 3.5 Sonnet. Prices and cache rules are those of the day of each call; where no day was recorded "
    "(moatless-tools), the newest."
)


def demo_report(
    runs: Sequence[DemoRun], calibration: ExchangeCalibration, over_http: OverHttp | None = None
) -> Report:
    """Everything the demo says, from its replayed runs, its calibration, and the same runs over HTTP."""
    whole = total(runs)
    summary = calibration_summary(calibration)
    dearest_first = sorted(runs, key=lambda run: -run.bills["billed"].total)
    return Report(
        title="Recorded coding agents: what they paid, and what they had to",
        calibration=summary,
        bars=tuple(Bar(BAR_NAMES[name], _usd(whole[name]), _basis(name), _NOTES[name]) for name in BILLS),
        before=BAR_NAMES["billed"],
        after=BAR_NAMES["scrimp"],
        floor=BAR_NAMES["floor"],
        runs=tuple(map(_row, runs)),
        steps={f"{run.agent} {run.task}": run.steps for run in dearest_first},
        generated_from=_SOURCES,
        scope=(
            f"Input and output. The output, {dollars(money.dollars(whole['billed'].output_cost))}, is the "
            "same in every bar: caching changes what input costs, not what the model answers."
        ),
        remarks=_remarks(runs, whole, summary) + ((over_http.sentence,) if over_http else ()),
    )


def _remarks(
    runs: Sequence[DemoRun], whole: Mapping[str, Money], summary: CalibrationSummary
) -> tuple[str, ...]:
    """Where the difference comes from, and what it does not prove."""
    none, billed, own, scrimp = (_usd(whole[name]) for name in ("none", "billed", "recorded", "scrimp"))
    alone = ", ".join(
        f"{agent} {change(_usd(bills['recorded']), _usd(bills['scrimp']))}" for agent, bills in _agents(runs)
    )
    moatless = next(bills for agent, bills in _agents(runs) if agent == MOATLESS)
    there = change(_usd(moatless["billed"]), _usd(moatless["recorded"]))
    ratios = ", ".join(
        f"{BAR_NAMES[name]} {whole[name].input_cost / whole['floor'].input_cost:.3f}"
        for name in ("recorded", "scrimp")
    )
    reads = f"{percent(whole['billed'].read_share)} to {percent(whole['scrimp'].read_share)}"
    route = (
        f"From As billed to scrimp: {change(billed, scrimp)}. "
        f"{percent((billed - own) / (billed - scrimp), 0)} of that is the route: "
        f"{summary.cache_calls - summary.caching_calls:,} calls went to a provider that caches nothing, and "
        f"keeping every call where the cache is takes off {dollars(billed - own)}."
    )
    markers = (
        f"On that same route, scrimp’s markers against the agents’ own: {alone}. {MOATLESS} was there "
        f"all along, so As billed against One route shows the model’s own error for it: {there}."
    )
    unmarked = (
        f"Against sending no markers at all, scrimp’s bill is {change(none, scrimp)}: {dollars(none)} "
        f"becomes {dollars(scrimp)}."
    )
    return (
        route,
        markers,
        unmarked,
        f"Cache reads go from {reads} of all input tokens. Input alone, in multiples of the floor: {ratios}.",
    )


def _agents(runs: Sequence[DemoRun]) -> list[tuple[str, dict[str, Money]]]:
    return [(agent, total(own)) for agent, own in groupby(runs, key=lambda run: run.agent)]


def _row(run: DemoRun) -> RunRow:
    scrimp = run.bills["scrimp"]
    return RunRow(
        run=run.task,
        calls=run.calls,
        usd={BAR_NAMES[name]: _usd(bill) for name, bill in run.bills.items()},
        read_share=scrimp.read_share,
        input_tokens=sum(scrimp.tokens.values()) - scrimp.tokens["output"],
        group=run.agent,
    )


def _basis(name: str) -> Basis:
    return "measured" if name == "billed" else "estimated"


def _usd(bill: Money) -> Decimal:
    return money.dollars(bill.total)
