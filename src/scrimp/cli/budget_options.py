"""What the budget commands share: how scopes, amounts, zones and per cent are written, and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

import click

from scrimp.core.budget import Scope
from scrimp.core.budget_words import amount_of, name_of, percents_of, scope_of
from scrimp.home import scrimp_home
from scrimp.stores.ledger import Ledger
from scrimp.stores.limits_file import limits_path
from scrimp.stores.opening import LEDGER_FILE, home_ledger

__all__ = ["AMOUNT", "AS_JSON", "PERCENTS", "SCOPE", "ZONE", "kept_ledger", "ledger", "spoken", "zone_named"]

AS_JSON = click.option("--json", "as_json", is_flag=True, help="The result as JSON, money as strings in USD.")


class _Read(click.ParamType[Any]):
    """Text that a function reads; its ValueError is the whole message."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None


def zone_named(text: str) -> str:
    """A time zone by its name. Raises ValueError, which names the nearest."""
    zones = available_timezones() | {"UTC"}
    if text in zones:
        return text
    by_word = {zone.lower(): zone for zone in sorted(zones)}
    by_word |= {zone.rpartition("/")[2].lower(): zone for zone in sorted(zones) if "/" in zone}
    near = get_close_matches(text.lower().replace(" ", "_"), by_word, n=1)
    hint = f"did you mean {by_word[near[0]]}?" if near else "write one such as UTC or Europe/Berlin"
    raise ValueError(f"{name_of(text)!r} is no time zone: {hint}")


SCOPE = _Read("scope", scope_of)
AMOUNT = _Read("usd", amount_of)
PERCENTS = _Read("percents", percents_of)
ZONE = _Read("zone", zone_named)


def ledger() -> Ledger:
    """The ledger in the home folder, made where there is none."""
    return home_ledger(_tell)


def kept_ledger() -> Ledger | None:
    """The ledger in the home folder; None where nothing was ever kept, and nothing is made."""
    path = scrimp_home() / LEDGER_FILE
    return ledger() if path.exists() or limits_path(path).exists() else None


def spoken(scope: Scope) -> str:
    """A scope on one line."""
    return name_of(str(scope))


def _tell(reason: str) -> None:
    click.echo(f"scrimp: {reason}", err=True)
