"""Bounded memory: of too many things in a table the oldest are let go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

__all__ = ["forget_oldest"]

K = TypeVar("K")
V = TypeVar("V")

_SHARE = 8


def forget_oldest(table: dict[K, V], most: int) -> Sequence[V]:
    """Once there are more than `most`, an eighth of them goes, first in first out; returns what went.

    Many at a time, because a dict is walked from its start over all the places that were emptied before.
    """
    surplus = len(table) - most
    if surplus <= 0:
        return ()
    return [table.pop(key) for key in list(islice(table, surplus + most // _SHARE))]
