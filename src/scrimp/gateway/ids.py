"""Ids that no two gateways share, at the price of a counter."""

from __future__ import annotations

import os
from itertools import count

__all__ = ["Ids"]

_RANDOM_BYTES = 10
_FIRST = 16**10 + 1
"""With a digit in front of the ten that are shown, which formats need not fill up."""

_MARKED = len("0x1")


class Ids:
    """A random beginning for the process, and a number: as unique as an id drawn for each call."""

    def __init__(self) -> None:
        self._begin = os.urandom(_RANDOM_BYTES).hex()
        self._numbers = count(_FIRST)

    def new(self) -> str:
        """The next id."""
        return self._begin + hex(next(self._numbers))[_MARKED:]
