"""What new records add to a ledger's sums: rows that its tables of sums are added to as they are.

Added up here, because a batch mostly adds to one hour of one label, or to a few: SQLite, asked for the sums
of the rows that were just written, takes longer for that than for writing them.
"""

from __future__ import annotations

from collections import Counter
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


def added_up(rows: Sequence[Row], at: Mapping[str, int], kinds: Mapping[int, int]) -> list[Row]:
    """What rows of records add up to, by hour and label.

    `at` says where in a row each of its columns is, `kinds` which kind each label has.
    """
    hour_at, label_at = at["hour"], at["label"]
    groups: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row[hour_at], row[label_at]), []).append(row)
    return [
        (hour, label, hour // _HOURS_A_DAY, kinds[label], *_sums(found, at))
        for (hour, label), found in groups.items()
    ]


def _sums(rows: Sequence[Row], at: Mapping[str, int]) -> Row:
    """The sums of some rows in the order of `SUMS`, and their sizes."""
    columns = list(zip(*rows, strict=True))
    costs, owns = columns[at["cost"]], columns[at["own_cost"]]
    cost = sum(costs)
    estimated = [amount for amount, sure in zip(costs, columns[at["measured"]], strict=True) if not sure]
    compared = cost
    if None in owns:
        compared = sum([amount for amount, own in zip(costs, owns, strict=True) if own is not None])
    own, lost = sum(filter(None, owns)), sum(filter(None, columns[at["lost"]]))
    sizes = Counter(columns[at["static_tokens"]])
    return (
        len(rows),
        *[sum(columns[place]) for place in [at[name] for name in _COUNTED]],
        *(cost >> 32, cost & _LOW, sum(estimated) >> 32, sum(estimated) & _LOW),
        *(own >> 32, own & _LOW, compared >> 32, compared & _LOW, lost >> 32, lost & _LOW),
        _sizes(sizes),
    )


_COUNTED = ("input_tokens", "write_5m", "write_1h", "read", "output_tokens")


def _sizes(found: Mapping[int | None, int]) -> str:
    rounded: Counter[int] = Counter()
    for tokens, calls in found.items():
        if tokens is not None:
            rounded[rounded_size(tokens)] += calls
    return _encode(rounded).decode()
