"""What people ask of budgets: how limits stand, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from scrimp.core.budget import Ask, Event, HoldNow, Scope, Standing, Why, scopes_of
from scrimp.core.budget_books import Account, Charge, Hold, standing
from scrimp.core.budget_terms import Term
from scrimp.core.record import Outcome, Record
from scrimp.stores.budget_limits import MOST
from scrimp.stores.checking import in_unicode

__all__ = [
    "BILL_KNOWN",
    "MOST_EVENTS",
    "MOST_RECORDS",
    "charge_of",
    "keepable_ask",
    "standings_of",
    "why",
    "within",
]

BILL_KNOWN: tuple[Outcome, ...] = ("complete", "refused")
"""Outcomes of a call that say what was billed for it. Of others more may come."""

MOST_EVENTS = 500
"""Refusals, overruns and lapsed leases that are remembered."""

MOST_RECORDS = 10
"""The dearest records that are told behind a standing."""


def keepable_ask(ask: Ask) -> Ask:
    """The ask as it can be kept: its scopes are named as the records will name them, with `?` for what is no
    character; an amount beyond every limit is the least of those.
    """
    if not 0 <= ask.amount <= MOST:
        ask = replace(ask, amount=min(max(ask.amount, 0), MOST))
    for scope in ask.scopes:
        if not scope.name.isascii():
            return replace(ask, scopes=tuple(in_unicode(scope) for scope in ask.scopes))
    return ask


def charge_of(record: Record) -> Charge:
    """A record as budgets see it."""
    return Charge(record.id, record.started_at, scopes_of(record.tags), record.cost)


def standings_of(term: Term, members: Mapping[str, Account], now: float) -> list[Standing]:
    """How one limit stands now, for every member that counts by itself; dearest first."""
    scope = term.limit.scope
    if not term.each:
        members = {scope.name: members.get(scope.name, Account())}
    found = [standing(term.place(Scope(scope.kind, name), now), account) for name, account in members.items()]
    return sorted(found, key=lambda item: (-item.spent, -item.held, item.scope.name))


def why(
    term: Term,
    *,
    standings: Iterable[Standing],
    holds: Iterable[Hold],
    events: Iterable[Event],
    records: Iterable[Record],
    member: Scope | None,
    now: float,
) -> Why:
    """What is behind a limit's standing; of one member alone where there is one."""
    found = [
        HoldNow(hold.id, hold.open, hold.at, hold.lease_until)
        for hold in holds
        if not hold.lapsed and within(term, hold.scopes, hold.at, member=member, now=now)
    ]
    return Why(
        term.limit,
        tuple(item for item in standings if member is None or item.scope == member),
        tuple(sorted(found, key=lambda hold: (hold.at, hold.id))),
        tuple(event for event in events if member is None or event.scope == member),
        tuple(records),
    )


def within(term: Term, scopes: Iterable[Scope], at: float, *, member: Scope | None, now: float) -> bool:
    """Whether what was spent there counts under a limit now, for a member or for any."""
    start = term.span(now).start
    places = term.places(scopes, at)
    return any(place.key.start == start and (member is None or place.scope == member) for place in places)
