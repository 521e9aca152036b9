"""Which ends of layers get a marker, when there are more ends than markers.

A marker at the end of a layer pays when the next request still has everything up to there and something
behind it is new: another user asks, a user begins a new conversation, a layer was edited. Each of those has a
chance per request; a marker is worth the tokens it then reads and the next lower marker does not. Ends are
taken by that worth, the best first, so that fewer markers are always a part of more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.wire.markers import TTL

__all__ = ["PACES", "Boundary", "Pace", "by_worth", "chances", "lifetime", "lifetimes", "user_boundary"]

Pace = Literal["months", "weeks", "days", "hours"]
"""How often a layer is edited: every few months, weeks, days or hours."""

PACES: dict[Pace, int] = {"months": 30 * 86_400, "weeks": 7 * 86_400, "days": 86_400, "hours": 3_600}
"""Seconds between two edits, slowest first."""

_OTHER_USER = 0.3
_NEW_CONVERSATION = 0.1


class Boundary(msgspec.Struct, frozen=True):
    """The end of a layer, with the tokens of the prompt up to it.

    `new_behind` is the chance per request that everything up to here is as before and what follows is not.
    """

    tokens: int
    new_behind: float


def chances(paces: Sequence[Pace], gap: float) -> list[float]:
    """For each shared layer, the chance that the layer behind it was edited since the request before.

    What follows the last shared layer is another user's more often than not.
    """
    edits = [min(1.0, gap / PACES[pace]) for pace in paces[1:]]
    return [*edits, _OTHER_USER]


def user_boundary(tokens: int) -> Boundary:
    """The end of a user's own text: behind it a new conversation begins."""
    return Boundary(tokens, _NEW_CONVERSATION)


def by_worth(boundaries: Sequence[Boundary], minimum: int) -> list[int]:
    """Indices of the boundaries worth a marker, the best first; shorter prefixes than `minimum` get none."""
    chosen: list[int] = []
    left = [number for number, boundary in enumerate(boundaries) if boundary.tokens >= minimum]
    while left:
        best = max(left, key=lambda number: _worth(boundaries, chosen, number))
        if not _worth(boundaries, chosen, best):
            break
        chosen.append(best)
        left.remove(best)
    return chosen


def lifetime(gap: float) -> TTL | None:
    """The lifetime that outlives a pause of `gap` seconds; None when even an hour does not."""
    return next((ttl for ttl, seconds in TTL_SECONDS.items() if gap < seconds), None)


def lifetimes(wanted: Sequence[TTL]) -> list[TTL]:
    """Lifetimes in prompt order, every 1h before every 5m, as the API asks: earlier ones are lengthened."""
    last = max((place for place, ttl in enumerate(wanted) if ttl == "1h"), default=-1)
    return ["1h" if place <= last else ttl for place, ttl in enumerate(wanted)]


def _worth(boundaries: Sequence[Boundary], chosen: Collection[int], number: int) -> float:
    """Tokens read per request thanks to a marker at `number`, those that a chosen one reads left out."""
    gained = 0.0
    for behind in range(number, len(boundaries)):
        read = max((boundaries[place].tokens for place in chosen if place <= behind), default=0)
        gained += boundaries[behind].new_behind * max(0, boundaries[number].tokens - read)
    return gained
