"""Advice on the provider's limit in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scrimp.cli.budget_options import spoken
from scrimp.cli.budget_views import usd
from scrimp.core.advice import Advice, MonthAhead
from scrimp.core.budget import Scope

if TYPE_CHECKING:
    from scrimp.advising.provider_limits import ProviderLimit, ProviderLimits

__all__ = ["ADMIN_KEY", "advice_lines", "provider_lines"]

ADMIN_KEY = "ANTHROPIC_ADMIN_KEY"
"""The environment variable with a key that may read the provider's limits."""

_SURE_TREND = 0.05
_SOFT = (
    "Limits of `scrimp budget set` hold for calls that pass through scrimp. They are no spend limit of the\n"
    "provider's: that one holds for every call of an organisation or workspace, and stands behind them."
)
_HOW = (
    "Set it in the Console: Settings → Limits → spend limit (for one workspace: its own Limits page), or by\n"
    "API where your organisation may: POST /v1/organizations/spend_limits with an admin key, amount in cents."
)


def advice_lines(scope: Scope, found: Advice | None, today: int) -> Iterator[str]:
    """What the days seen advise; `today` is what was spent today so far."""
    yield _SOFT
    yield ""
    of = "" if scope.kind == "organisation" else f" of {spoken(scope)}"
    if found is None:
        yield f"Nothing can be advised yet: the ledger knows no whole day of spending{of}."
        if today:
            yield f"Today: {usd(today)} so far."
        return
    days = "1 day" if found.days == 1 else f"{found.days:,} days"
    yield f"From {days} of the ledger{of} (since {found.first}, UTC){_trend(found)}:"
    yield f"  {_month(found.this_month, 'this month')}"
    yield f"  {_month(found.next_month, 'next month')}"
    day, amount = found.dearest
    yield f"  dearest day {day} with {usd(amount)}"
    yield ""
    if found.enough:
        figure = f"Set the provider's monthly limit{of} to {usd(found.limit)}"
        yield f"{figure}: 20 to 30 % above what is expected."
    else:
        yield (
            f"{days} are too few for one figure: a limit between {usd(found.limit)} and {usd(found.highest)} "
            f"a month. Two weeks tell more."
        )
    if found.enough and max(found.this_month.high, found.next_month.high) > found.limit:
        yield f"Spending varies so much that a month may pass that: {usd(found.highest)} would hold."
    yield from _hindsight(found)
    yield _HOW
    yield "What this ledger did not see is not counted: other programs that use the same organisation."


def _trend(found: Advice) -> str:
    if abs(found.trend - 1) < _SURE_TREND:
        return ""
    return f", {'growing' if found.trend > 1 else 'falling'} {abs(found.trend - 1):.0%} in 30 days".replace(
        "%", " %"
    )


def _month(ahead: MonthAhead, name: str) -> str:
    so_far = f"{usd(ahead.so_far)} so far, " if ahead.so_far else ""
    interval = f"{usd(ahead.low)} to {usd(ahead.high)}, 4 times in 5"
    return f"{name}: {so_far}{usd(ahead.expected)} expected ({interval})"


def _hindsight(found: Advice) -> Iterator[str]:
    last = found.last_month
    if last is None:
        yield "Last month is not in the ledger."
        return
    since = f" since {last.seen_from}" if last.seen_from > last.month else ""
    if last.reached_on is None:
        share = f"{last.spent / found.limit:.0%}".replace("%", " %") if found.limit else "0 %"
        yield f"Last month{since} spent {usd(last.spent)}, {share} of that: it would not have been reached."
    else:
        yield (
            f"Last month{since} spent {usd(last.spent)}: it would have been reached on {last.reached_on}, "
            f"and {usd(last.beyond)} of calls refused."
        )


def provider_lines(theirs: ProviderLimits | None, found: Advice | None) -> Iterator[str]:
    """What is set at the provider, beside the advice for the organisation where that is what was asked."""
    if theirs is None:
        yield f"What is set at the provider is not known: put an admin key into {ADMIN_KEY} to compare."
        return
    if theirs.limits:
        yield "Set at the provider:"
    for limit in theirs.limits:
        verdict = f": {_verdict(limit, found)}" if found is not None and limit.scope == "organization" else ""
        yield f"  {_limit_words(limit)}{verdict}"
    if theirs.effective:
        yield "In effect there for each member:"
    for limit in theirs.effective:
        spent = f", {usd(limit.spent)} spent" if limit.spent is not None else ""
        yield f"  {_limit_words(limit)}{spent}"
    if not (theirs.limits or theirs.effective or theirs.problems):
        yield "No spend limit is set at the provider."
    yield from theirs.problems


def _limit_words(limit: ProviderLimit) -> str:
    who = f"{limit.scope} {limit.name}".strip().replace("usage_tier", "cap of the usage tier")
    amount = (
        usd(limit.amount)
        if limit.amount is not None
        else "no cap"
        if limit.currency == "USD"
        else limit.currency
    )
    off = "" if limit.enabled else " (switched off)"
    return f"{who}: {amount} {limit.period}{off}"


def _verdict(limit: ProviderLimit, found: Advice) -> str:
    expected = max(found.this_month.expected, found.next_month.expected)
    if limit.amount is None or not limit.enabled:
        return "nothing stops spending there"
    if limit.period != "monthly" or not expected:
        return "not compared"
    if limit.amount < expected:
        return f"below the {usd(expected)} expected, so calls will be refused"
    if limit.amount * 20 < expected * 23:  # less than 15 % of room
        return f"tight for {usd(expected)} expected"
    if limit.amount > found.highest * 3 // 2:
        return f"{limit.amount / expected:.1f} times what is expected; lower it to stop what runs away"
    return "fits"
