"""Budgets: what a limit is, what is asked of it, and what it answers.

Scopes form a tree: the organisation holds teams, a team users, a user keys; a run holds the runs inside it.
A call is within one scope of each kind at most (runs: every run around it), and every limit on any of them
has to hold. Money in picodollars, times in epoch seconds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, final

import msgspec

from scrimp.core.record import Record, Tags

__all__ = [
    "EACH",
    "Ask",
    "Crossing",
    "Event",
    "EventKind",
    "Held",
    "HoldNow",
    "Limit",
    "Refusal",
    "Scope",
    "ScopeKind",
    "Settlement",
    "Standing",
    "Why",
    "Window",
    "scopes_of",
]

ScopeKind = Literal["organisation", "team", "user", "key", "run", "task", "agent"]

Window = Literal["day", "month", "total"]

_TAGS_REMEMBERED = 4096

EACH = "*"
"""As the name of a scope: each member by itself, as in `user:*` – the same limit for every user."""


class Scope(msgspec.Struct, frozen=True, order=True, gc=False):
    """Whose money: `organisation` (named ""), or a team, user, key, run, task type or agent by name.

    A run is named by its id or by its path of names (`nightly/reviewer`).
    """

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `amount` for `scope` in each `window`, whose days and months begin at midnight in `zone`.

    `alert_at` are per cent of the amount at which somebody is told. A limit on `EACH` member counts every
    member by itself. `created_at` is when it was set.
    """

    scope: Scope
    amount: int
    window: Window = "total"
    zone: str = "UTC"
    alert_at: tuple[int, ...] = (80,)
    created_at: float = 0.0

    @property
    def id(self) -> str:
        """One limit a scope and window: `user:u_42/day`."""
        return f"{self.scope}/{self.window}"


@final
class Ask(msgspec.Struct, frozen=True, gc=False):
    """Hold `amount` in every one of `scopes`, or nowhere. `id` is the attempt's, which its record has too.

    `at` decides the window the money counts in. After `lease_until` whoever asked is taken for dead, unless
    the hold was settled, released or extended: the whole amount then counts as spent.
    """

    id: str
    amount: int
    at: float
    lease_until: float
    scopes: tuple[Scope, ...]


@final
class Held(msgspec.Struct, frozen=True, gc=False):
    """The money is held. `limits` are those it counts against; none: nothing limits this call."""

    id: str
    amount: int
    limits: tuple[str, ...] = ()
    crossed: tuple[Crossing, ...] = ()


@final
class Refusal(msgspec.Struct, frozen=True):
    """The limit that does not allow the call. `scope` is the member that ran out where it is for each.

    `resets_at` is when its window ends; None: never.
    """

    limit: Limit
    scope: Scope
    spent: int
    held: int
    asked: int
    resets_at: float | None = None


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What a hold comes to: `amount` counts as spent, and what was held beyond it is free again."""

    hold: str
    amount: int


class Crossing(msgspec.Struct, frozen=True):
    """A limit's spending reached `percent` of its amount just now."""

    limit: Limit
    scope: Scope
    percent: int
    spent: int
    resets_at: float | None = None


class Standing(msgspec.Struct, frozen=True):
    """How a limit stands for one member: `left` may be negative after a bill above its hold.

    `unsettled` is the part of `spent` that is not known from a bill: leases that ran out, and what calls
    that were cut off may have cost above the estimates of their records.
    """

    limit: Limit
    scope: Scope
    spent: int
    held: int
    unsettled: int = 0
    overrun: int = 0
    resets_at: float | None = None

    @property
    def left(self) -> int:
        """Picodollars that a reservation may still ask for."""
        return self.limit.amount - self.spent - self.held


EventKind = Literal["refusal", "overrun", "unsettled"]
"""A call that did not go out, a bill above its hold, a hold whose lease ran out with no bill known."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a limit: `amount` was asked, billed, or held. `hold` is the attempt's id."""

    kind: EventKind
    at: float
    limit_id: str
    scope: Scope
    hold: str
    amount: int
    spent: int
    held: int


class HoldNow(msgspec.Struct, frozen=True):
    """Money held for a call that went out at `at`."""

    id: str
    amount: int
    at: float
    lease_until: float


class Why(msgspec.Struct, frozen=True):
    """What is behind a limit's standing, as far as it is still known.

    `standings` has each member of an `EACH` limit, dearest first. `holds` are those in force, oldest first;
    `events` the last refusals, overruns and lapsed leases, newest first; `records` the dearest of the window.
    """

    limit: Limit
    standings: tuple[Standing, ...]
    holds: tuple[HoldNow, ...]
    events: tuple[Event, ...]
    records: tuple[Record, ...]


@lru_cache(maxsize=_TAGS_REMEMBERED)
def scopes_of(tags: Tags) -> tuple[Scope, ...]:
    """Every scope a call with these tags is within, widest first."""
    named = (
        ("team", tags.team),
        ("user", tags.user),
        ("key", tags.key),
        ("task", tags.task_type),
        ("agent", tags.agent),
    )
    paths = ("/".join(tags.run[: depth + 1]) for depth in range(len(tags.run)))
    runs = dict.fromkeys((*paths, *tags.run_ids))
    return (
        Scope("organisation"),
        *(Scope(kind, name) for kind, name in named if name),  # type: ignore[arg-type]  # literals above
        *(Scope("run", name) for name in runs),
    )
