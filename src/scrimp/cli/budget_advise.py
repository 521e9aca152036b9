"""`scrimp budget advise`: what to set at the provider, and what is set there."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scrimp.cli.budget_advice_text import ADMIN_KEY, advice_lines, provider_lines
from scrimp.cli.budget_options import AS_JSON, SCOPE, kept_ledger
from scrimp.cli.budget_views import time_json
from scrimp.cli.output import console, print_json
from scrimp.core import money
from scrimp.core.advice import Advice, MonthAhead, advise_limit
from scrimp.core.budget import EACH, Scope
from scrimp.errors import InputError
from scrimp.stores.ledger import Ledger, Query

if TYPE_CHECKING:
    from scrimp.advising.provider_limits import ProviderLimit, ProviderLimits

__all__ = ["advise"]

_PROVIDER = "anthropic"
_FIELDS = {"user": "user", "team": "team", "key": "key", "task": "task_type", "agent": "agent"}


@click.command("advise")
@click.argument("scope", type=SCOPE, default="organisation")
@click.option(
    "--api-url", default=None, metavar="URL", help="The provider's address, for the limits set there."
)
@AS_JSON
def advise(scope: Scope, *, api_url: str | None, as_json: bool) -> None:
    """Work out what monthly limit to set at the provider, 20 to 30 % above what is expected.

    SCOPE is organisation unless said otherwise; give team:NAME, key:NAME and so on for a workspace of its
    own that only those calls use. With an admin key in ANTHROPIC_ADMIN_KEY, the limits set at the provider
    are read and compared.
    """
    now = time.time()
    today = datetime.fromtimestamp(now, UTC).date()
    kept = kept_ledger()
    spent = _spent(kept, scope) if kept else {}
    found = advise_limit(spent, today)
    theirs = _provider_limits(api_url)
    if as_json:
        print_json(_json(scope, found, theirs, now))
        return
    out = console()
    for line in advice_lines(scope, found, spent.get(today, 0)):
        out.print(line, markup=False, soft_wrap=True)
    out.print()
    for line in provider_lines(theirs, found if scope == Scope("organisation") else None):
        out.print(line, markup=False, soft_wrap=True)


def _spent(ledger: Ledger, scope: Scope) -> dict[date, int]:
    """Picodollars a day (UTC) that the provider itself billed; its limits know no other clouds."""
    totals = ledger.totals(("day", "provider"), _query(scope))
    found: dict[date, int] = {}
    for total in totals:
        day, provider = total.key
        if provider == _PROVIDER and isinstance(day, date):
            found[day] = found.get(day, 0) + total.cost
    return found


def _query(scope: Scope) -> Query:
    if scope.name == EACH:
        raise InputError(f"{scope}: advice is for one of them; write the name")
    if scope.kind == "organisation":
        return Query()
    if scope.kind == "run":
        return Query(run=tuple(scope.name.split("/")))
    return msgspec.structs.replace(Query(), **{_FIELDS[scope.kind]: scope.name})


def _provider_limits(api_url: str | None) -> ProviderLimits | None:
    """What the provider says; None without a key to ask with."""
    key = os.environ.get(ADMIN_KEY, "").strip()
    if not key:
        return None
    from scrimp.advising.provider_limits import API, read_limits  # noqa: PLC0415 - loads the SDK

    return read_limits(key, base_url=api_url or API)


def _json(scope: Scope, found: Advice | None, theirs: ProviderLimits | None, now: float) -> dict[str, Any]:
    last = found.last_month if found else None
    return {
        "at": time_json(now),
        "scope": str(scope),
        "days": found.days if found else 0,
        "since": found.first if found else None,
        "enough_days": found.enough if found else False,
        "trend_30_days": round(found.trend, 3) if found else None,
        "this_month": _month_json(found.this_month) if found else None,
        "next_month": _month_json(found.next_month) if found else None,
        "limit_usd": money.dollars(found.limit) if found else None,
        "highest_usd": money.dollars(found.highest) if found else None,
        "last_month": last
        and {
            "month": f"{last.month:%Y-%m}",
            "seen_from": last.seen_from,
            "spent_usd": money.dollars(last.spent),
            "reached_on": last.reached_on,
            "beyond_usd": money.dollars(last.beyond),
        },
        "provider": theirs
        and {
            "limits": [_limit_json(limit) for limit in theirs.limits],
            "effective": [_limit_json(limit) for limit in theirs.effective],
            "problems": list(theirs.problems),
        },
    }


def _month_json(ahead: MonthAhead) -> dict[str, Any]:
    amounts = ("so_far", "expected", "low", "high")
    return {"month": f"{ahead.month:%Y-%m}"} | {
        f"{name}_usd": money.dollars(getattr(ahead, name)) for name in amounts
    }


def _limit_json(limit: ProviderLimit) -> dict[str, Any]:
    return {
        "scope": limit.scope,
        "name": limit.name,
        "period": limit.period,
        "amount_usd": None if limit.amount is None else money.dollars(limit.amount),
        "currency": limit.currency,
        "spent_usd": None if limit.spent is None else money.dollars(limit.spent),
        "enabled": limit.enabled,
    }
