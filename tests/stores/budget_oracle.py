"""Budgets by definition: everything is added up anew from what happened, for every question."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scrimp.core.budget import EACH, Ask, Limit, Scope, Settlement, Standing, scopes_of
from scrimp.core.record import Record


class Bill(NamedTuple):
    at: float
    scopes: tuple[Scope, ...]
    amount: int
    feared: int = 0


class Lease(NamedTuple):
    amount: int
    at: float
    until: float
    scopes: tuple[Scope, ...]
    booked: int = 0
    lapsed: bool = False

    @property
    def open(self) -> int:
        return self.amount - self.booked


class Oracle:
    """What a ledger with budgets has been told."""

    def __init__(self) -> None:
        self.limits: dict[str, Limit] = {}
        self.records: dict[str, Record] = {}
        self.bills: list[Bill] = []
        self.leases: dict[str, Lease] = {}
        self.overruns: list[Bill] = []

    def reserve(self, ask: Ask) -> Limit | None:
        """The limit that refuses, in no certain order, or None."""
        if not any(inside(limit, scope) for limit in self.limits.values() for scope in ask.scopes):
            return None
        self.recover(ask.at)
        if ask.id in self.leases:
            return None
        for limit in self.limits.values():
            for scope in ask.scopes:
                if inside(limit, scope):
                    spent, held, _ = self.counts(limit, scope, ask.at)
                    if spent + held + ask.amount > limit.amount:
                        return limit
        self.leases[ask.id] = Lease(ask.amount, ask.at, ask.lease_until, ask.scopes)
        return None

    def keep(self, record: Record, settlement: Settlement | None) -> None:
        scopes, known = scopes_of(record.tags), record.id in self.records
        self.records.setdefault(record.id, record)
        lease = self.leases.pop(settlement.hold if settlement else record.id, None)
        counted = max(record.cost, settlement.amount) if settlement else record.cost
        if settlement is None:
            if known:
                if lease is not None:
                    self.leases[record.id] = lease
                return
            self.bills.append(Bill(record.started_at, scopes, record.cost))
            if lease is not None and not lease.lapsed:
                self.leases[record.id] = lease._replace(booked=min(record.cost, lease.open))
        elif lease is None:
            if not known:
                self.bills.append(Bill(record.started_at, scopes, counted, counted - record.cost))
        else:
            more = counted - lease.booked if known else counted
            feared = min(counted - record.cost, max(more, 0))
            self.bills.append(Bill(lease.at, lease.scopes, more, feared))
            if counted > lease.amount:
                self.overruns.append(Bill(lease.at, lease.scopes, counted - lease.amount))

    def release(self, hold: str) -> None:
        self.leases.pop(hold, None)

    def extend(self, hold: str, until: float) -> None:
        lease = self.leases.get(hold)
        if lease and not lease.lapsed:
            self.leases[hold] = lease._replace(until=max(until, lease.until))

    def recover(self, now: float) -> int:
        lapsed = 0
        for id_, lease in list(self.leases.items()):
            if lease.until <= now and not lease.lapsed:
                if id_ in self.records:
                    del self.leases[id_]
                else:
                    self.leases[id_] = lease._replace(lapsed=True)
                    lapsed += 1
        return lapsed

    def counts(self, limit: Limit, member: Scope, now: float) -> tuple[int, int, int]:
        """Spent, held and unsettled of one member."""

        def counts_here(at: float, scopes: tuple[Scope, ...]) -> bool:
            return member in scopes and window(limit, at) == window(limit, now)

        spent = sum(bill.amount for bill in self.bills if counts_here(bill.at, bill.scopes))
        here = [lease for lease in self.leases.values() if counts_here(lease.at, lease.scopes)]
        lapsed = sum(lease.open for lease in here if lease.lapsed)
        feared = sum(bill.feared for bill in self.bills if counts_here(bill.at, bill.scopes))
        held = sum(lease.open for lease in here if not lease.lapsed)
        return spent + lapsed, held, lapsed + feared

    def standings(self, now: float) -> set[tuple[str, Scope, int, int, int]]:
        """Of every member that anything was spent by or is held for."""
        self.recover(now)
        found = set()
        for limit in self.limits.values():
            members = {
                scope
                for some in (*self.bills, *self.leases.values())
                for scope in some.scopes
                if inside(limit, scope)
            }
            if limit.scope.name != EACH:
                members = {limit.scope}
            for scope in members:
                counts = self.counts(limit, scope, now)
                if any(counts):
                    found.add((limit.id, scope, *counts))
        return found


def inside(limit: Limit, scope: Scope) -> bool:
    return scope.kind == limit.scope.kind and limit.scope.name in (EACH, scope.name)


def window(limit: Limit, at: float) -> tuple[int, ...]:
    zone = UTC if limit.zone == "UTC" else ZoneInfo(limit.zone)
    day = datetime.fromtimestamp(at, zone)
    return {"day": (day.year, day.month, day.day), "month": (day.year, day.month), "total": ()}[limit.window]


def as_told(standings: list[Standing]) -> set[tuple[str, Scope, int, int, int]]:
    return {
        (found.limit.id, found.scope, found.spent, found.held, found.unsettled)
        for found in standings
        if found.spent or found.held or found.unsettled
    }
