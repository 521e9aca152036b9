"""Bounded memory: of too many things in a table the oldest are let go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

__all__ = ["forget_oldest"]

K = TypeVar("K")
V = TypeVar("V")

_SHARE = 32


def forget_oldest(table: dict[K, V], most: int) -> Sequence[V]:
    """Once there are more than `most`, one in 32 of them goes, first in first out; returns what went.

    Many at a time, because a dict is walked from its start over all the places that were emptied before; not
    too many, because memory that is free now and then is not given back, but lies between what is in use.
    """
    surplus = len(table) - most
    if surplus <= 0:
        return ()
    return [table.pop(key) for key in list(islice(table, surplus + most // _SHARE))]
