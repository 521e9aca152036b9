"""Limits at work: which of them a call falls under, and in which account it counts there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from math import inf
from typing import NamedTuple, get_args

import msgspec

from scrimp.core.budget import EACH, Limit, Scope, ScopeKind
from scrimp.core.forgetting import forget_oldest
from scrimp.core.windows import ALWAYS, Span, span_of

__all__ = ["Key", "Place", "Places", "Term", "Terms", "by_width"]

_MOST_REMEMBERED = 4096

_WIDTHS = {kind: width for width, kind in enumerate(get_args(ScopeKind))}


class Key(NamedTuple):
    """An account: one series of counts, one member of its scope, the start of one window."""

    series: str
    member: str
    start: float


class Term:
    """A limit at work. `series` names its counts: another zone or window is another series."""

    __slots__ = ("_span", "amount", "first_level", "levels", "limit", "series", "zone")

    def __init__(self, limit: Limit, series: str, zone: tzinfo) -> None:
        self.limit = limit
        self.series = series
        self.zone = zone
        # The least whole amount that is so many per cent of the limit, or more.
        self.levels = tuple((part, -(-limit.amount * part // 100)) for part in sorted(limit.alert_at))
        self.amount = limit.amount
        self.first_level = self.levels[0][1] if self.levels else inf
        self._span = ALWAYS if limit.window == "total" else Span(0.0, 0.0)

    @property
    def each(self) -> bool:
        """Whether every member counts by itself."""
        return self.limit.scope.name == EACH

    def span(self, at: float) -> Span:
        """The window a time is within; most calls are within the same as the one before."""
        span = self._span  # several threads may ask at once, of several times
        if not span.holds(at):
            span = self._span = span_of(self.limit.window, at, self.zone)
        return span

    def place(self, scope: Scope, at: float) -> Place:
        """Where a call of `scope` at that time counts."""
        span = self.span(at)
        return Place(self, scope, Key(self.series, scope.name, span.start), span.end)

    def places(self, scopes: Iterable[Scope], at: float) -> list[Place]:
        """Where a call within `scopes` counts under this limit alone."""
        own = self.limit.scope
        inside = (s for s in scopes if (s.kind == own.kind if self.each else s == own))
        return [self.place(scope, at) for scope in inside]


class Place(msgspec.Struct, frozen=True):
    """One account a call counts in, of which limit, and when it resets (None: never)."""

    term: Term
    scope: Scope
    key: Key
    resets_at: float | None


class Places(msgspec.Struct, frozen=True, eq=False):
    """Every account a call counts in, and the ids of the limits, as long as none of them resets.

    One is made for all calls within the same scopes: who asks again gets the same object.
    """

    all: tuple[Place, ...]
    limits: tuple[str, ...]
    since: float
    until: float


class Terms:
    """Every limit in force, found by scope."""

    def __init__(self, terms: Iterable[Term] = ()) -> None:
        self.all: tuple[Term, ...] = tuple(sorted(terms, key=lambda term: by_width(term.limit)))
        self.limits = tuple(term.limit for term in self.all)
        self._named: dict[Scope, tuple[Term, ...]] = {}
        self._each: dict[str, tuple[Term, ...]] = {}
        for term in self.all:
            scope = term.limit.scope
            if term.each:
                self._each[scope.kind] = (*self._each.get(scope.kind, ()), term)
            else:
                self._named[scope] = (*self._named.get(scope, ()), term)
        self._remembered: dict[tuple[Scope, ...], Places] = {}
        self._last: tuple[tuple[Scope, ...], Places] = (), Places((), (), inf, -inf)
        """What was asked for last: scopes that are the same object need not be hashed."""

    def places(self, scopes: tuple[Scope, ...], at: float) -> Places:
        """Every account that a call within `scopes` at that time counts in."""
        last, known = self._last
        if last is scopes and known.since <= at < known.until:
            return known
        found = self._found(scopes, at)
        self._last = scopes, found
        return found

    def _found(self, scopes: tuple[Scope, ...], at: float) -> Places:
        known = self._remembered.get(scopes)  # the calls of a run are within the same scopes
        if known is not None and known.since <= at < known.until:
            return known
        named, each = self._named, self._each
        found = tuple(
            term.place(scope, at)
            for scope in scopes
            for term in (*named.get(scope, ()), *each.get(scope.kind, ()))
        )
        resetting = [place for place in found if place.resets_at is not None]
        places = Places(
            found,
            tuple(place.term.limit.id for place in found),
            max((place.key.start for place in resetting), default=-inf),
            min((place.resets_at or inf for place in resetting), default=inf),
        )
        self._remembered[scopes] = places
        forget_oldest(self._remembered, _MOST_REMEMBERED)
        return places

    def limit(self, scopes: Sequence[Scope]) -> bool:
        """Whether anything limits a call within `scopes`."""
        named, each = self._named, self._each
        for scope in scopes:  # noqa: SIM110 - asked of every call: a generator takes twice as long
            if scope in named or scope.kind in each:
                return True
        return False


def by_width(limit: Limit) -> tuple[int, str, str]:
    """Sorts limits: the widest scope first."""
    return _WIDTHS[limit.scope.kind], limit.scope.name, limit.window
