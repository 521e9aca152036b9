"""One alert: what happened, as one line for people and as keys for programs. No prompt text, no keys.

The names of the fields are those of the JSON that webhooks and commands are given; they stay as they are.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from scrimp.core.budget import Crossing, Limit, Refusal, Scope
from scrimp.core.budget_words import describe, describe_crossing, name_of
from scrimp.core.causes import Diagnosis
from scrimp.core.money import rounded, usd
from scrimp.core.outliers import Outlier
from scrimp.core.record import Tags

__all__ = [
    "Alert",
    "BudgetFacts",
    "Kind",
    "MissFacts",
    "OutlierFacts",
    "bust",
    "fraction",
    "outlying",
    "refused",
]

Kind = Literal["budget_fraction", "budget_refused", "outlier", "cache_bust"]

_NO_TAGS = Tags()
_ENDLESS = 10**30
"""Picodollars beyond which amounts are not told apart: a request may ask for a number of any length."""

_PEERS = {"user": "users", "run": "runs of this name"}


class BudgetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The limit an alert is about and how it stands. Money in US dollars, as exact decimal strings.

    `percent` is the fraction that was reached, `held_usd` and `asked_usd` are there where a call was refused.
    `resets_at` is None where the limit is for good.
    """

    id: str
    scope: str
    amount_usd: str
    window: str
    zone: str
    spent_usd: str
    held_usd: str | None = None
    asked_usd: str | None = None
    percent: int | None = None
    resets_at: datetime | None = None


class MissFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The newest miss of its kind. `promised` and `read` are tokens, `lost_usd` is what all of `count` lost.

    `path` is the block that changed, where one did.
    """

    cause: str
    lost_usd: str
    promised: int
    read: int
    path: str
    fix: str
    foreseen: bool


class OutlierFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody far above its peers: what it spent, what is usual among `peers`, how many times that."""

    scope: str
    spent_usd: str
    usual_usd: str
    times: float
    peers: int


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is told. `count` says how many such events this alert stands for.

    `id` stays the same however often it has to be sent. Of `budget`, `miss` and `outlier` one is there.
    """

    version: int = 1
    id: str
    kind: Kind
    at: datetime
    text: str
    count: int = 1
    tags: Tags = _NO_TAGS
    budget: BudgetFacts | None = None
    miss: MissFacts | None = None
    outlier: OutlierFacts | None = None

    def json(self) -> bytes:
        """The alert as programs are given it."""
        return msgspec.json.encode(self)


def fraction(crossing: Crossing, now: float) -> Alert:
    """A limit's spending reached one of its fractions."""
    limit = crossing.limit
    return Alert(
        id=_new_id(),
        kind="budget_fraction",
        at=_time(now),
        text=f"scrimp: {describe_crossing(crossing, ZoneInfo(limit.zone))}",
        budget=_facts(
            limit,
            crossing.scope,
            resets_at=crossing.resets_at,
            spent=crossing.spent,
            percent=crossing.percent,
        ),
    )


def refused(refusal: Refusal, tags: Tags, count: int, now: float) -> Alert:
    """A limit did not let `count` calls go out, of which this is the newest."""
    limit = refusal.limit
    more = f" ({count:,} calls were refused since the last alert)" if count > 1 else ""
    return Alert(
        id=_new_id(),
        kind="budget_refused",
        at=_time(now),
        text=f"scrimp: {describe(refusal, ZoneInfo(limit.zone))}{more}",
        count=count,
        tags=tags,
        budget=_facts(
            limit,
            refusal.scope,
            resets_at=refusal.resets_at,
            spent=refusal.spent,
            held=refusal.held,
            asked=min(refusal.asked, _ENDLESS),
        ),
    )


def bust(diagnosis: Diagnosis, tags: Tags, *, count: int, lost: int, now: float) -> Alert:
    """Prefixes that were paid for are not read; `lost` is what `count` such misses lost."""
    change = diagnosis.change
    of = f" of {name_of(tags.label)}" if tags.label else ""
    many = f"{count:,} times" if count > 1 else "once"
    where = f" at {change.where}" if change is not None else ""
    return Alert(
        id=_new_id(),
        kind="cache_bust",
        at=_time(now),
        text=(
            f"scrimp: the cache{of} was missed {many}, about ${rounded(lost, 4):f} lost: "
            f"{diagnosis.cause}{where}. {diagnosis.fix}"
        ),
        count=count,
        tags=tags,
        miss=MissFacts(
            cause=str(diagnosis.cause),
            lost_usd=usd(lost),
            promised=diagnosis.promised,
            read=diagnosis.read,
            path=diagnosis.path,
            fix=diagnosis.fix,
            foreseen=diagnosis.foreseen,
        ),
    )


def outlying(scope: Scope, outlier: Outlier, tags: Tags, now: float) -> Alert:
    """A user, or a run among those of its name, spent far more than its peers since midnight UTC."""
    return Alert(
        id=_new_id(),
        kind="outlier",
        at=_time(now),
        text=(
            f"scrimp: {name_of(str(scope))} has spent ${rounded(outlier.amount, 2):,f} today (UTC), "
            f"{outlier.times:,.0f} times what is usual: half of {outlier.peers:,} {_PEERS[scope.kind]} "
            f"spent ${rounded(outlier.typical, 4):,f} at most"
        ),
        tags=tags,
        outlier=OutlierFacts(
            scope=str(scope),
            spent_usd=usd(outlier.amount),
            usual_usd=usd(outlier.typical),
            times=round(outlier.times, 1),
            peers=outlier.peers,
        ),
    )


def _facts(
    limit: Limit,
    scope: Scope,
    *,
    resets_at: float | None,
    spent: int,
    held: int | None = None,
    asked: int | None = None,
    percent: int | None = None,
) -> BudgetFacts:
    return BudgetFacts(
        id=limit.id,
        scope=str(scope),
        amount_usd=usd(limit.amount),
        window=limit.window,
        zone=limit.zone,
        spent_usd=usd(spent),
        held_usd=None if held is None else usd(held),
        asked_usd=None if asked is None else usd(asked),
        percent=percent,
        resets_at=None if resets_at is None else _time(resets_at),
    )


def _new_id() -> str:
    return f"alert_{uuid.uuid4().hex}"


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
