"""`scrimp key`: keys that callers of a gateway show instead of the provider's own."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, get_args
from zoneinfo import available_timezones

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from scrimp.cli.budget_text import read_budget
from scrimp.cli.gateway_settings import upstream_names
from scrimp.cli.numbers import dollars
from scrimp.cli.output import console, print_json
from scrimp.core import money
from scrimp.core.budget import Limit, Scope, Standing
from scrimp.core.budget_words import per_window
from scrimp.core.plan import Mode
from scrimp.errors import InputError
from scrimp.stores.keys import Key, home_keys
from scrimp.stores.opening import home_ledger

__all__ = ["key"]

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")


@click.group("key")
def key() -> None:
    """Create, list and revoke the keys that callers of `scrimp serve` show.

    A gateway sees changes within a second; it need not be restarted.
    """


@key.command("create")
@click.argument("name")
@click.option("--user", help="Whose calls these are.")
@click.option("--team", help="The team that pays.")
@click.option("--task-type", help="What its calls are for, where they do not say.")
@click.option("--mode", type=click.Choice(get_args(Mode)), help="Instead of the gateway's mode.")
@click.option(
    "--upstream", metavar="NAME", help="An upstream of the gateway's settings, instead of the usual."
)
@click.option("--budget", metavar="USD[/day|/month]", help="The most its calls may cost, such as 5.00/day.")
@click.option("--zone", default="UTC", show_default=True, help="Whose midnight begins days and months.")
@_AS_JSON
def create(name: str, *, budget: str | None, zone: str, as_json: bool, **fields: Any) -> None:
    """Create a key called NAME and show its secret, once.

    \b
      scrimp key create ci --team platform --budget 20.00/day --zone Europe/Berlin
    """
    keys, now = home_keys(_tell), time.time()
    _warn_of_upstream(fields["upstream"])
    made = Key(name=name, created_at=now, **fields)
    if zone not in available_timezones():
        raise click.BadParameter(f"{zone!r} is no time zone; expected such as Europe/Berlin")
    limit = read_budget(budget, Scope("key", name), zone=zone, now=now) if budget else None
    if limit is not None:  # before the key: no call of it goes out without the limit
        keys.check(name)
        home_ledger(_tell).budgets.put(limit)
    secret = keys.create(made)
    if as_json:
        print_json({"secret": secret, **_key_json(made, [])})
        return
    out = console()
    out.print("This secret is not shown again:\n")
    out.print(f"  {secret}\n", soft_wrap=True)
    if limit is not None:
        out.print(f"{escape(name)} may spend {_amount(limit)}.", soft_wrap=True)
    out.print("Callers set it as ANTHROPIC_API_KEY, and the gateway as ANTHROPIC_BASE_URL.")


@key.command("list")
@click.option("--all", "revoked_too", is_flag=True, help="Revoked keys too.")
@_AS_JSON
def list_keys(*, revoked_too: bool, as_json: bool) -> None:
    """List the keys in force, with their budgets. No secret is shown: nobody has it any more."""
    found = [one for one in home_keys(_tell).all() if revoked_too or one.revoked_at is None]
    standings = _standings() if found else {}
    if as_json:
        print_json({"keys": [_key_json(one, standings.get(one.name, ())) for one in found]})
        return
    out = console()
    if not found:
        out.print("No keys. `scrimp key create NAME` makes one.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "user", "team", "mode", "upstream", "budget", "created"):
        table.add_column(heading, overflow="fold")
    for one in found:
        table.add_row(*map(escape, _row(one, standings.get(one.name, ()))))
    out.print(table)


@key.command("revoke")
@click.argument("name")
@_AS_JSON
def revoke(name: str, *, as_json: bool) -> None:
    """Revoke the key called NAME. Its budget stays, so that a new key of that name goes on with it."""
    keys = home_keys(_tell)
    ended = keys.revoke(name, time.time())
    if ended is None:
        near = get_close_matches(name, [one.name for one in keys.all() if one.revoked_at is None], n=1)
        raise InputError(f"no key {name!r} is in force" + (f"; did you mean {near[0]!r}?" if near else ""))
    if as_json:
        print_json(_key_json(ended, []))
    else:
        console().print(f"Revoked: gateways refuse {escape(name)} within a second.", soft_wrap=True)


def _tell(reason: str) -> None:
    click.echo(f"scrimp: {reason}", err=True)


def _amount(limit: Limit) -> str:
    zone = "" if limit.window == "total" else f", which begins at midnight in {limit.zone}"
    return f"{dollars(money.dollars(limit.amount))} {per_window(limit)}{zone}"


def _warn_of_upstream(name: str | None) -> None:
    """The gateway may read other settings than are here, so that this is no mistake for sure."""
    known = upstream_names()
    if name is not None and name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"they name {', '.join(known)}"
        _tell(f"warning: the settings name no upstream {name!r}; {hint}")


def _standings() -> Mapping[str, Sequence[Standing]]:
    """How the limits of keys stand, by the name of the key."""
    found: dict[str, list[Standing]] = defaultdict(list)
    for standing in home_ledger(_tell).budgets.standings(time.time()):
        if standing.scope.kind == "key":
            found[standing.scope.name].append(standing)
    return found


def _row(one: Key, standings: Sequence[Standing]) -> tuple[str, ...]:
    mode = "revoked" if one.revoked_at is not None else one.mode or ""
    budget = ", ".join(_budget(standing) for standing in standings)
    return one.name, one.user or "", one.team or "", mode, one.upstream or "", budget, _day(one.created_at)


def _budget(standing: Standing) -> str:
    limit = standing.limit
    per = "" if limit.window == "total" else f"/{limit.window}"
    return f"{dollars(money.dollars(standing.spent))} of {dollars(money.dollars(limit.amount))}{per}"


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _key_json(one: Key, standings: Sequence[Standing]) -> dict[str, Any]:
    times = {
        name: None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
        for name, at in (("created_at", one.created_at), ("revoked_at", one.revoked_at))
    }
    budgets = [
        {
            "window": standing.limit.window,
            "zone": standing.limit.zone,
            "limit_usd": money.dollars(standing.limit.amount),
            "spent_usd": money.dollars(standing.spent),
            "held_usd": money.dollars(standing.held),
            "left_usd": money.dollars(standing.left),
        }
        for standing in standings
    ]
    return {**msgspec.structs.asdict(one), **times, "budgets": budgets}
