"""`scrimp budget why`: what is behind the standing of the limits on somebody."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from difflib import get_close_matches
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from scrimp.cli.budget_options import AS_JSON, SCOPE, kept_ledger, spoken
from scrimp.cli.budget_views import duration, limit_json, time_json, usd
from scrimp.cli.output import console, print_json
from scrimp.core import money
from scrimp.core.budget import EACH, Event, HoldNow, Limit, Scope, Standing, Why
from scrimp.core.budget_words import name_of, per_window, resets
from scrimp.core.record import Record
from scrimp.errors import InputError
from scrimp.stores.budgets import Budgets

__all__ = ["why"]

_SHOWN = 5
_HAPPENED = {
    "refusal": "refused: could have cost up to",
    "overrun": "billed above its hold:",
    "unsettled": "its end was never seen, so it counts with all it held:",
}


@click.command("why")
@click.argument("scope", type=SCOPE)
@AS_JSON
def why(scope: Scope, *, as_json: bool) -> None:
    """Explain how the limits on SCOPE stand: what is held and how old, refusals, overruns, the dearest calls.

    For a member of a limit for each (user:*), write the member: user:u_42.
    """
    kept, now = kept_ledger(), time.time()
    found = _reasons(kept.budgets, scope, now) if kept else []
    if not found:
        raise InputError(_nothing(scope, kept.budgets.limits() if kept else ()))
    if as_json:
        print_json({"at": time_json(now), "scope": str(scope), "limits": [_json(one) for one in found]})
        return
    out = console()
    for number, one in enumerate(found):
        if number:
            out.print()
        for line in _lines(one, scope, now):
            out.print(line, markup=False, soft_wrap=True)


def _reasons(budgets: Budgets, scope: Scope, now: float) -> list[Why]:
    each = Scope(scope.kind, EACH)
    asked = [limit for limit in budgets.limits() if limit.scope in (scope, each)]
    members = ((limit, scope if limit.scope == each != scope else None) for limit in asked)
    found = (budgets.why(limit.id, now, member) for limit, member in members)
    return [one for one in found if one is not None]


def _nothing(scope: Scope, limits: Sequence[Limit]) -> str:
    near = get_close_matches(str(scope), [str(one.scope) for one in limits], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"nothing limits {spoken(scope)}{hint or ': see `scrimp budget list`'}"


def _json(found: Why) -> dict[str, Any]:
    return {
        **limit_json(found.limit, found.standings),
        "holds": [
            {
                "id": hold.id,
                "held_usd": money.dollars(hold.amount),
                "since": time_json(hold.at),
                "lease_until": time_json(hold.lease_until),
            }
            for hold in found.holds
        ],
        "events": [
            {
                "kind": event.kind,
                "at": time_json(event.at),
                "scope": str(event.scope),
                "id": event.hold,
                "amount_usd": money.dollars(event.amount),
                "spent_usd": money.dollars(event.spent),
                "held_usd": money.dollars(event.held),
            }
            for event in found.events
        ],
        "dearest": [
            {
                "id": record.id,
                "at": time_json(record.started_at),
                "usd": money.dollars(record.cost),
                "measured": record.measured,
                "model": record.model,
                "tags": msgspec.to_builtins(record.tags),
            }
            for record in found.records
        ],
    }


def _lines(found: Why, scope: Scope, now: float) -> Iterator[str]:
    limit, zone = found.limit, ZoneInfo(found.limit.zone)
    each = " (each by itself)" if limit.scope.name == EACH else ""
    yield f"{spoken(limit.scope)}{each} may spend {usd(limit.amount)} {per_window(limit)}."
    if not found.standings:
        yield f"  {spoken(scope)} has spent nothing yet."
    for standing in found.standings[:_SHOWN]:
        yield from _standing_lines(standing, found, zone, now)
    if len(found.standings) > _SHOWN:
        yield f"  … and {len(found.standings) - _SHOWN:,} more: scrimp budget list --all"
    where = f"times in {limit.zone}"
    yield from _section(f"held now, {where}", [_hold(hold, zone, now) for hold in found.holds])
    yield from _section(f"what happened, {where}", list(_events(found.events, limit, zone)))
    yield from _section(f"dearest calls, {where}", [_call(record, zone) for record in found.records])


def _standing_lines(standing: Standing, found: Why, zone: tzinfo, now: float) -> Iterator[str]:
    limit = found.limit
    stands = f"{usd(standing.spent)} spent, {usd(standing.held)} held, {usd(standing.left)} left"
    yield f"  {spoken(standing.scope)}: {stands}; {resets(limit, standing.resets_at, zone)}"
    if standing.unsettled:
        yield f"    {usd(standing.unsettled)} of it is no bill: the end of those calls was never seen,"
        yield "      or they were cut off and may have been billed so much above their estimates"
    if standing.overrun:
        yield f"    {usd(standing.overrun)} of bills was above what had been held for them"
    if standing.held and found.holds and len(found.standings) == 1:
        oldest = duration(now - min(hold.at for hold in found.holds))
        calls = "1 call" if len(found.holds) == 1 else f"{len(found.holds):,} calls"
        yield f"    held by {calls} under way, the oldest for {oldest}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"  {title}"
    for line in lines[:_SHOWN]:
        yield f"    {line}"
    if len(lines) > _SHOWN:
        yield f"    … and {len(lines) - _SHOWN:,} more: --json has them"


def _hold(hold: HoldNow, zone: tzinfo, now: float) -> str:
    until = f"counts as spent from {_clock(hold.lease_until, zone)} on if its end is not seen"
    return f"{usd(hold.amount)} for {duration(now - hold.at)}, {until} ({hold.id})"


def _events(events: Sequence[Event], limit: Limit, zone: tzinfo) -> Iterator[str]:
    """A line for each; those that differ in time alone share one, with the time of the first listed."""
    for _, alike in groupby(
        events, lambda event: (event.kind, event.scope, event.amount, event.spent, event.held)
    ):
        first, *others = alike
        yield _event(first, limit, zone) + (f" × {len(others) + 1:,}" if others else "")


def _event(event: Event, limit: Limit, zone: tzinfo) -> str:
    who = f" {spoken(event.scope)}" if event.scope != limit.scope else ""
    standing = f"; {usd(event.spent)} spent and {usd(event.held)} held then"
    return f"{_clock(event.at, zone)}{who} {_HAPPENED[event.kind]} {usd(event.amount)}{standing}"


def _call(record: Record, zone: tzinfo) -> str:
    tags = record.tags
    path = "/".join(tags.run)
    named = (("user", tags.user), ("run", path), ("task", tags.task_type), ("agent", tags.agent))
    whose = ", ".join(f"{kind} {name_of(name)}" for kind, name in named if name)
    amount = usd(record.cost) + ("" if record.measured else " (estimated)")
    return f"{_clock(record.started_at, zone)}  {amount}  {record.model}" + (f"  {whose}" if whose else "")


def _clock(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%m-%d %H:%M:%S}"
