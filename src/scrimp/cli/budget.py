"""`scrimp budget`: limits on spending, how they stand, and what to set at the provider."""

from __future__ import annotations

import time
from difflib import get_close_matches
from typing import cast, get_args
from zoneinfo import ZoneInfo

import click
import msgspec

from scrimp.cli.budget_advise import advise
from scrimp.cli.budget_changes import beside, changes, limit_to_change
from scrimp.cli.budget_list import list_limits
from scrimp.cli.budget_options import AMOUNT, AS_JSON, PERCENTS, SCOPE, ZONE, kept_ledger, ledger, spoken
from scrimp.cli.budget_resume import resume
from scrimp.cli.budget_views import limit_json, usd
from scrimp.cli.budget_why import why
from scrimp.cli.output import console, print_json
from scrimp.core.budget import Limit, Scope, Standing, Window
from scrimp.core.budget_words import per_window, resets
from scrimp.errors import InputError
from scrimp.stores.budgets import Budgets

__all__ = ["budget"]

_WINDOWS = get_args(Window)


@click.group("budget")
def budget() -> None:
    """Limit what calls may spend, and see how the limits stand.

    Limits are kept in the ledger and hold for every middleware and gateway that uses it. A call that could
    overrun one does not go out.
    """


budget.add_command(list_limits)
budget.add_command(why)
budget.add_command(advise)
budget.add_command(resume)


@budget.command("set")
@click.argument("scope", type=SCOPE)
@click.argument("amount", type=AMOUNT, metavar="USD")
@click.option("--window", type=click.Choice(_WINDOWS), help="For how long; total where nothing is set yet.")
@click.option("--zone", type=ZONE, help="Whose midnight begins a day; at first UTC.")
@click.option("--alert-at", "percents", type=PERCENTS, help="Per cent to tell of; at first 80.")
@AS_JSON
def set_limit(
    scope: Scope,
    amount: int,
    *,
    window: str | None,
    zone: str | None,
    percents: tuple[int, ...] | None,
    as_json: bool,
) -> None:
    """Allow SCOPE to spend USD and no more.

    \b
      scrimp budget set organisation 500 --window month
      scrimp budget set user:\\* 5.00 --window day --zone Europe/Berlin --alert-at 50,80,100
      scrimp budget set team:research 200 --window month

    SCOPE is organisation, team:NAME, user:NAME, key:NAME, run:NAME, task:NAME or agent:NAME; with * as its
    name, each of them has the limit by itself. What was spent in the window so far counts. A limit that is
    set already keeps what is not said anew.
    """
    now = time.time()
    budgets = ledger().budgets
    before = limit_to_change(budgets.limits(), scope, window)
    kept = before or Limit(scope=scope, amount=amount, window=cast(Window, window or "total"))
    limit = msgspec.structs.replace(
        kept,
        amount=amount,
        zone=kept.zone if zone is None else zone,
        alert_at=kept.alert_at if percents is None else percents,
        created_at=now,
    )
    budgets.put(limit)
    standings = [one for one in budgets.standings(now) if one.limit.id == limit.id]
    if as_json:
        print_json(limit_json(limit, standings))
        return
    others = [one for one in budgets.limits() if one.scope == scope and one.id != limit.id]
    for line in (*_said(limit, standings), *changes(before, limit), *beside(others)):
        console().print(line, markup=False, soft_wrap=True)


@budget.command("remove")
@click.argument("scope", type=SCOPE)
@click.option("--window", type=click.Choice(_WINDOWS), help="Which, where the scope has several limits.")
@AS_JSON
def remove(scope: Scope, *, window: str | None, as_json: bool) -> None:
    """Drop the limit on SCOPE."""
    kept = kept_ledger()
    limit = _the_limit(kept.budgets if kept else None, scope, window)
    if kept is not None:
        kept.budgets.remove(limit.id)
    if as_json:
        print_json({"removed": limit_json(limit, [])})
    else:
        words = f"{usd(limit.amount)} {per_window(limit)}"
        console().print(f"Removed: {spoken(scope)} had {words}.", markup=False, soft_wrap=True)


def _the_limit(budgets: Budgets | None, scope: Scope, window: str | None) -> Limit:
    limits = budgets.limits() if budgets else ()
    found = [one for one in limits if one.scope == scope and window in (None, one.window)]
    if not found:
        near = get_close_matches(str(scope), [str(one.scope) for one in limits], n=1)
        which = f" with window {window}" if window else ""
        hint = f"; did you mean {near[0]}?" if near and near[0] != str(scope) else ""
        raise InputError(f"there is no limit on {spoken(scope)}{which}{hint}")
    if len(found) > 1:
        windows = ", ".join(one.window for one in found)
        raise InputError(f"{spoken(scope)} has several limits: say which with --window ({windows})")
    return found[0]


def _said(limit: Limit, standings: list[Standing]) -> list[str]:
    each = ", each by itself," if limit.scope.name == "*" else ""
    lines = [f"{spoken(limit.scope)}{each} may spend {usd(limit.amount)} {per_window(limit)}."]
    if limit.alert_at:
        lines.append(f"Alerts at {', '.join(f'{one} %' for one in limit.alert_at)}.")
    for standing in standings[:3]:
        if standing.left <= 0:
            when = resets(limit, standing.resets_at, ZoneInfo(limit.zone))
            spent = f"{spoken(standing.scope)} has spent {usd(standing.spent)} already"
            lines.append(f"{spent}: no call of it goes out; {when}.")
        elif standing.spent:
            lines.append(f"{spoken(standing.scope)} has spent {usd(standing.spent)} of it so far.")
    return lines
