"""Bounded memory: of too many things in a table the oldest are let go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Newest", "forget_oldest"]

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


class Newest(Generic[K]):
    """A set of at most so many things: of too many those go that came first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[K, None] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._known

    def add(self, key: K) -> None:
        """Have it in the set."""
        self._known[key] = None
        forget_oldest(self._known, self._most)
