"""The estimate of a workload: run, day and month, over its models, and what other settings would cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import msgspec

from scrimp.core.estimate.amounts import NOTHING, Amounts
from scrimp.core.estimate.offered import check_apart
from scrimp.core.estimate.remarks import remarks, warnings
from scrimp.core.estimate.simulate import Call, Runs, batched_run, simulate
from scrimp.core.estimate.synthetic import conversation
from scrimp.core.estimate.terms import Terms, published
from scrimp.core.estimate.unused import unused
from scrimp.core.estimate.workload import Workload, shares_of
from scrimp.errors import InputError
from scrimp.facts.models import Facts

__all__ = ["Estimate", "Part", "estimate", "expect"]

_WHOLE_DAY = 24


@dataclass(frozen=True, slots=True)
class Part:
    """What one model has of it: its share of the runs, its first run of a day, and each later one.

    `batched` is a run in a batch, or None; `day` and `month` have both kinds. `calls` are those of a later
    run, first branch.
    """

    model: str
    share: Fraction
    first: Amounts
    later: Amounts
    batched: Amounts | None
    day: Amounts
    month: Amounts
    calls: tuple[Call, ...]
    settled: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """All of it. `others` has a month under other settings, by their names.

    `warnings` are sentences on what makes all of it doubtful, `remarks` on what else the reader should know.
    """

    work: Workload
    at: date
    parts: tuple[Part, ...]
    day: Amounts
    month: Amounts
    run: Amounts
    others: Mapping[str, Amounts]
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]


def estimate(work: Workload, facts: Facts, at: date, given: Collection[str] | None = None) -> Estimate:
    """The estimate by the prices and rules of a day; `given` are the fields that were said, where known.

    Raises InputError for a model that nobody sells or that was not there yet, and for what none would take.
    """
    check_apart(facts, work.models)
    terms = {model: published(facts, model, at) for model in work.models}
    for model, one in terms.items():
        _check(work, model, one)
    parts = _parts(work, terms)
    day, month = _sum(parts, "day"), _sum(parts, "month")
    others = {name: _sum(_parts(other, terms), "month") for name, other in _others(work, facts, at).items()}
    run = day * Fraction(1, work.runs_per_day)
    said = (*unused(work, given), *remarks(work, facts, at, terms))
    if not all(part.settled for part in parts):
        said = (*said, "So many runs overlap that only the first were played; the others count as the last.")
    return Estimate(work, at, parts, day, month, run, others, tuple(warnings(work, facts, at)), said)


def expect(work: Workload, terms: Mapping[str, Terms]) -> Amounts:
    """A day of `work` under terms of one's own for each of its models."""
    return _sum(_parts(work, terms), "day")


def _parts(work: Workload, terms: Mapping[str, Terms]) -> tuple[Part, ...]:
    return tuple(_part(work, model, share, terms[model]) for model, share in shares_of(work.models).items())


def _part(work: Workload, model: str, share: Fraction, terms: Terms) -> Part:
    runs = share * work.runs_per_day
    in_batches = runs * Fraction(work.batch, 100)
    live = runs - in_batches
    played = simulate(work, terms, live)
    batched = batched_run(work, terms) if work.batch else None
    bulk = batched * in_batches if batched else NOTHING
    day = (played.day(live) if live else NOTHING) + bulk
    month = _days(work, played, live) + bulk * work.days_per_month
    calls = tuple(call for call in played.calls if call.run == played.usual and call.branch == 0)
    return Part(model, share, played.runs[0], played.later, batched, day, month, calls, played.settled)


def _days(work: Workload, played: Runs, live: Fraction) -> Amounts:
    """The live runs of a month. Round the clock, only its first day begins with a cold cache."""
    if not live:
        return NOTHING
    day = played.day(live)
    if work.hours < _WHOLE_DAY or live < 1:
        return day * work.days_per_month
    return day + played.later * live * (work.days_per_month - 1)


def _others(work: Workload, facts: Facts, at: date) -> dict[str, Workload]:
    """The same workload under each of the usual settings that there were on the day, all but its own."""
    live = msgspec.structs.replace(work, batch=0)
    settings = {
        "no cache": msgspec.structs.replace(live, caching="none"),
        "tools and system cached, 5m": _cached(live, "prefix", "5m", None),
        "automatic caching, 5m": _cached(live, "auto", "5m", None),
        "whole conversation cached, 5m": _cached(live, "full", "5m", None),
        "tools and system 1h, conversation 5m": _cached(live, "full", "5m", "1h"),
        "whole conversation cached, 1h": _cached(live, "full", "1h", None),
        "all in batches, no cache": msgspec.structs.replace(work, batch=100, batch_hits=0),
    }
    if not facts.rules.automatic_caching(at):
        del settings["automatic caching, 5m"]
    if not facts.rules.ttl_1h(at):
        settings = {name: other for name, other in settings.items() if "1h" not in name}
    return {name: other for name, other in settings.items() if _plainly(other) != _plainly(work)}


def _cached(work: Workload, caching: str, ttl: str, prefix_ttl: str | None) -> Workload:
    return msgspec.structs.replace(work, caching=caching, ttl=ttl, prefix_ttl=prefix_ttl)


def _plainly(work: Workload) -> Workload:
    """The same with a lifetime that says nothing of its own left out."""
    own = work.prefix_ttl if work.prefix_ttl != work.ttl else None
    return msgspec.structs.replace(work, prefix_ttl=own)


def _check(work: Workload, model: str, terms: Terms) -> None:
    if work.output > terms.max_output:
        raise InputError(
            f"output: {work.output:,} tokens an answer, and {model} gives {terms.max_output:,} at most"
        )
    for number, step in enumerate(conversation(work, terms.reading, "a run"), start=1):
        if step.tokens + work.output > terms.window:
            raise InputError(
                f"steps: call {number} would carry {step.tokens:,} tokens, and {model} takes "
                f"{terms.window:,} with its answer; fewer steps, smaller tool results, or clear_above"
            )


def _sum(parts: tuple[Part, ...], name: str) -> Amounts:
    return sum((getattr(part, name) for part in parts), NOTHING)
