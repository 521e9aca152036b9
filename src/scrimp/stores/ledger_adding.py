"""What new records add to a ledger's sums: rows that its tables of sums are added to as they are.

Added up here, because a batch mostly adds to one hour of one label, or to a few: SQLite, asked for the sums
of the rows that were just written, takes longer for that than for writing them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.totals import rounded_size
from scrimp.stores.ledger_sums import SUMS

__all__ = ["SUMMED", "added_up"]

Row = tuple[Any, ...]

SUMMED = ("hour", "label", "day", "kind", *SUMS, "sizes")
"""What a row of `added_up` says, in order: `kind` is the label of days, `sizes` counts calls by the rounded
size of their tools and system."""

_HOURS_A_DAY = 24
_LOW = 2**32 - 1

_encode = msgspec.json.Encoder().encode


def added_up(addends: Mapping[tuple[int, int], Sequence[Row]], kinds: Mapping[int, int]) -> list[Row]:
    """What records add up to, by label and hour; `kinds` says which kind each label has.

    An addend is what one record adds: its tokens (plain, written for 5m and 1h, read, put out), its cost,
    whether that is measured, own cost and size of tools and system (None: unknown), and what was lost, or
    what is not a number where that is not known.
    """
    return [
        (hour, label, hour // _HOURS_A_DAY, kinds[label], len(found), *_sums(found))
        for (label, hour), found in addends.items()
    ]


def _sums(addends: Sequence[Row]) -> Row:
    """The sums after the number of attempts, in the order of `SUMS`, and the sizes."""
    *counts, costs, measured, owns, sizes, losses = zip(*addends, strict=True)
    cost = sum(costs)
    estimated, compared = 0, cost
    if 0 in measured:
        estimated = sum([amount for amount, sure in zip(costs, measured, strict=True) if not sure])
    if None in owns:
        compared = sum([amount for amount, own in zip(costs, owns, strict=True) if own is not None])
        owns = tuple([own for own in owns if own is not None])
    own, lost = sum(owns), sum([amount for amount in losses if amount == amount])  # noqa: PLR0124 - not so: nan
    return (
        *map(sum, counts),
        *(cost >> 32, cost & _LOW, estimated >> 32, estimated & _LOW),
        *(own >> 32, own & _LOW, compared >> 32, compared & _LOW, lost >> 32, lost & _LOW),
        _sizes(sizes),
    )


def _sizes(static_tokens: Sequence[int | None]) -> str:
    calls: dict[int | None, int] = {}
    for tokens in static_tokens:
        calls[tokens] = calls.get(tokens, 0) + 1
    rounded: dict[int, int] = {}
    for tokens, number in calls.items():
        if tokens is not None:
            size = rounded_size(tokens)
            rounded[size] = rounded.get(size, 0) + number
    return _encode(rounded).decode()
