"""What a report says in sentences, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.cli.moments import moment_text
from scrimp.cli.numbers import dollars, percent, tokens
from scrimp.core import money
from scrimp.core.report import Dimension, Line, Report, Standout, few_that_make
from scrimp.core.sizes import Jump
from scrimp.core.totals import Total

__all__ = [
    "INFERRED",
    "NOBODY",
    "PLURAL",
    "basis",
    "jump_text",
    "line_name",
    "notes",
    "period",
    "saved",
    "sentences",
    "spent",
    "standout_text",
]

NOBODY = "(not said)"
INFERRED = "*"
_ESTIMATED = "~"
_DAY = 86_400
_TYPES_WORTH_TELLING = 4

PLURAL: dict[Dimension, str] = {
    "model": "models",
    "user": "users",
    "team": "teams",
    "key": "keys",
    "run": "runs",
    "sub_agent": "sub-agents",
    "task": "task types",
    "agent": "agents",
    "day": "days",
    "provider": "providers",
    "mode": "modes",
    "outcome": "outcomes",
}


def period(report: Report, now: float) -> str:
    """The time of a report: `The 30 days to 2026-11-21 17:00 UTC`."""
    until = now if report.until is None else report.until
    if report.since is None:
        return f"Everything until {moment_text(until)} UTC"
    days = (until - report.since) / _DAY
    if abs(days - round(days)) < 1e-3 and days >= 1:
        return f"The {'day' if round(days) == 1 else f'{round(days):,} days'} to {moment_text(until)} UTC"
    return f"{moment_text(report.since)} to {moment_text(until)} UTC"


def spent(total: Total) -> str:
    """What was spent, with a ~ where a part of it is estimated."""
    return f"{_ESTIMATED if total.estimated_cost else ''}{dollars(money.dollars(total.cost))}"


def saved(total: Total) -> str:
    """What was saved against the callers' own requests; nothing where none was compared."""
    return dollars(money.dollars(total.saved)) if total.compared_cost or total.own_cost else ""


def sentences(report: Report) -> list[str]:
    """The whole in a few sentences: spent, saved, lost, and the few that make most of it."""
    whole = report.whole
    said = [_spent_sentence(whole)]
    if whole.compared_cost or whole.own_cost:
        own, less = dollars(money.dollars(whole.own_cost)), whole.saved >= 0
        said.append(
            f"{'Saved' if less else 'Dearer by'} {dollars(money.dollars(abs(whole.saved)))} (estimated): "
            f"the callers' own requests would have cost {own}."
        )
    missed = sum(line.total.attempts for line in report.misses())
    if missed:
        said.append(
            f"Lost {dollars(money.dollars(whole.lost))} (estimated) to {missed:,} cache "
            f"{'miss' if missed == 1 else 'misses'}."
        )
    few = few_that_make([line for line in report.by("task") if line.name is not None])
    if few is not None and len(few.names) < few.lines and few.lines >= _TYPES_WORTH_TELLING:
        names = ", ".join(str(name) for name in few.names)
        said.append(
            f"{len(few.names)} of {few.lines} task types {'makes' if len(few.names) == 1 else 'make'} "
            f"{percent(few.share, 0)} of their bill: {names}."
        )
    return said


def _spent_sentence(whole: Total) -> str:
    reads = percent(whole.read / whole.prompt_tokens) if whole.prompt_tokens else "0 %"
    how = "measured"
    if whole.estimated_cost:
        estimated = dollars(money.dollars(whole.estimated_cost))
        how = f"measured, but for {estimated} estimated where no bill was seen"
    calls = "1 call" if whole.attempts == 1 else f"{whole.attempts:,} calls"
    amount = dollars(money.dollars(whole.cost))
    return f"Spent {amount} on {calls} ({how}); {reads} of all input was read from the cache."


def standout_text(one: Standout) -> str:
    """Who stands out, and how far."""
    found = one.outlier
    peers = f"{found.peers:,} runs of {one.among}" if one.kind == "run" else f"{found.peers:,} users"
    return (
        f"{one.kind} {found.name}: {dollars(money.dollars(found.amount))}, {found.times:,.1f} × what is "
        f"typical of {peers} ({dollars(money.dollars(found.typical))})"
    )


def basis(total: Total) -> str:
    """How much of an amount is measured: `measured`, `99 % measured`, `estimated`."""
    if not total.estimated_cost:
        return "measured"
    share = 1 - total.estimated_cost / total.cost if total.cost else 0.0
    return f"{percent(share, 0)} measured" if share > 0 else "estimated"


def line_name(line: Line, dimension: Dimension | None = None) -> str:
    """A line's name, with a mark where the task type was inferred."""
    if line.name is None:
        return "(main runs)" if dimension == "sub_agent" else NOBODY
    return f"{line.name}{INFERRED if line.inferred else ''}"


def jump_text(jump: Jump) -> str:
    """One jump: `2026-11-03: 12k → 18.4k (+53 %)`."""
    sign = "+" if jump.after > jump.before else "−"
    return f"{jump.day}: {tokens(jump.before)} → {tokens(jump.after)} ({sign}{percent(abs(jump.change), 0)})"


def notes(report: Report, by: Sequence[Dimension]) -> list[str]:
    """What a reader should know about the figures."""
    said = []
    if report.whole.estimated_cost:
        said.append(
            f"{_ESTIMATED} A part is estimated: answers cut off, or calls whose outcome was not seen."
        )
    if "task" in by and any(line.inferred for line in report.by("task")):
        said.append(f"{INFERRED} Nobody named the task type: inferred from the shape of the requests.")
    if report.kept_since is not None and (report.since is None or report.since < report.kept_since):
        said.append(
            f"Records before {moment_text(report.kept_since)} UTC were pruned: their sums are in all of "
            "this, but they cannot be listed."
        )
    if report.runs_since is not None and report.runs_since > (report.since or 0.0):
        said.append(f"Single runs are compared from {moment_text(report.runs_since)} UTC on.")
    return said
