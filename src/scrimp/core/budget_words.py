"""Limits in words: what people write to name one, and one line for whoever is told of it.

No line holds anything but names, amounts and times; a name is shortened and kept on the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import cast, get_args

from scrimp.core.budget import Crossing, Limit, Refusal, Scope, ScopeKind, Window
from scrimp.core.money import PICODOLLARS, picodollars

__all__ = [
    "amount_of",
    "describe",
    "describe_crossing",
    "name_of",
    "per_window",
    "percents_of",
    "resets",
    "scope_of",
]

KINDS: tuple[str, ...] = get_args(ScopeKind)

_EXAMPLES = "organisation, team:NAME, user:NAME, user:*, key:NAME, run:NAME, task:NAME or agent:NAME"
_ALSO = {"organization": "organisation", "org": "organisation"}
_SPOKEN: dict[Window, str] = {"day": "a day", "month": "a month", "total": "in total"}
_THOUSANDS = re.compile(r"\$?[1-9][0-9]{0,2}(,[0-9]{3})+\.[0-9]{2}")
_LONGEST_NAME = 80
_MOST_PLACES = 12
_MOST = 10**12 * PICODOLLARS
"""Amounts above a trillion dollars are not written out: what a request asks for may be any number."""


def scope_of(text: str) -> Scope:
    """Read a scope: `organisation`, or a kind and a name such as `team:research` or `user:*`.

    Raises ValueError, which says in one line what is wrong and what can be written.
    """
    kind, colon, name = (part.strip() for part in text.partition(":"))
    kind = _ALSO.get(kind, kind)
    if kind not in KINDS:
        near = get_close_matches(kind.lower(), KINDS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{name_of(text)!r} is no scope: {hint}write {_EXAMPLES}")
    if kind == "organisation":
        if colon:
            raise ValueError(f"{name_of(text)!r}: the organisation has no name, write it alone")
    elif not name:
        raise ValueError(f"{name_of(text)!r} names nobody: write {kind}:NAME, or {kind}:* for each by itself")
    return Scope(cast(ScopeKind, kind), name)


def amount_of(text: str) -> int:
    """Read dollars as picodollars, exactly: `5`, `5.00`, `$1,250.00`. Raises ValueError in one line.

    A comma stands before groups of three digits, and only where a point and cents follow: elsewhere it could
    be meant as the point.
    """
    plain = text.strip()
    if "," in plain:
        if not _THOUSANDS.fullmatch(plain):
            raise ValueError(
                f"{name_of(text)!r}: a comma is not taken here; write cents after a point, as 5.00 or 1250.00"
            )
        plain = plain.replace(",", "")
    try:
        return picodollars(plain.removeprefix("$"))
    except ValueError:
        raise ValueError(f"{name_of(text)!r} is no amount of dollars: write it as 5, 5.00 or $5.00") from None


def percents_of(text: str) -> tuple[int, ...]:
    """Read per cent such as `50,80,100`, in ascending order, each once; nothing is never.

    Raises ValueError in one line.
    """
    parts = [part.strip().removesuffix("%").strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 100 for part in parts):
        raise ValueError(
            f"{name_of(text)!r}: write whole per cent from 1 to 100 with commas, such as 50,80,100"
        )
    return tuple(sorted({int(part) for part in parts}))


def describe(refusal: Refusal, zone: tzinfo) -> str:
    """One line: who may spend how much, what is spent, held and asked, and when the window ends.

    `zone` is that of the limit: times are given there and in UTC. Amounts have cents, and more decimals only
    where cents would hide why the call was refused.
    """
    limit = refusal.limit
    amounts = (limit.amount, refusal.spent, refusal.held, refusal.asked)
    allowed, spent, held, asked = _in_dollars(amounts, _places(amounts))
    spent, held = spent if refusal.spent else "nothing", held if refusal.held else "nothing"
    return (
        f"budget exceeded: {name_of(str(refusal.scope))} may spend {allowed} {per_window(limit)}; "
        f"{spent} is spent, {held} held by calls under way, and this call could cost up to {asked}; "
        f"{resets(limit, refusal.resets_at, zone)}"
    )


def describe_crossing(crossing: Crossing, zone: tzinfo) -> str:
    """One line: how much of a limit is spent, and when its window ends."""
    limit = crossing.limit
    spent, allowed = _in_dollars((crossing.spent, limit.amount), 2)
    return (
        f"{name_of(str(crossing.scope))} has spent {spent} of {allowed} {per_window(limit)}, "
        f"{crossing.percent} % is reached; {resets(limit, crossing.resets_at, zone)}"
    )


def per_window(limit: Limit) -> str:
    """What an amount is for: `a day`, `a month`, `in total`."""
    return _SPOKEN[limit.window]


def resets(limit: Limit, at: float | None, zone: tzinfo) -> str:
    """When a window ends, in the limit's zone and in UTC."""
    if at is None:
        return "this limit does not reset"
    utc = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    if limit.zone == "UTC":
        return f"resets {utc}"
    return f"resets {datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M} {limit.zone} ({utc})"


def name_of(text: str) -> str:
    """A name that somebody chose, fit for one line: no control characters, at most 80 characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"


def _in_dollars(amounts: Sequence[int], places: int) -> list[str]:
    return [_shown(amount, places) for amount in amounts]


def _shown(amount: int, places: int) -> str:
    if abs(amount) > _MOST:
        return f"{'-' if amount < 0 else ''}over ${_MOST // PICODOLLARS:,}"
    whole, part = divmod(abs(_in_units(amount, places)), 10**places)
    return f"{'-' if amount < 0 else ''}${whole:,}.{part:0{places}d}"


def _places(amounts: Sequence[int]) -> int:
    """The fewest decimals, from two, that leave something of every amount and show why it was too much."""
    allowed, *taken = amounts
    too_much = sum(taken) > allowed
    for places in range(2, _MOST_PLACES):
        limit, *rest = shown = [_in_units(amount, places) for amount in amounts]
        visible = all(bool(one) == bool(amount) for one, amount in zip(shown, amounts, strict=True))
        if visible and (sum(rest) > limit) == too_much:
            return places
    return _MOST_PLACES


def _in_units(amount: int, places: int) -> int:
    """Picodollars in units of so many decimals of a dollar, rounded half to even, however large they are."""
    unit: int = 10 ** (_MOST_PLACES - places)
    whole, rest = divmod(amount, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))
