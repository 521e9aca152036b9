"""Ids that no two gateways share, at the price of a counter."""

from __future__ import annotations

import os
from itertools import count

__all__ = ["Ids"]

_RANDOM_BYTES = 10


class Ids:
    """A random beginning for the process, and a number: as unique as an id drawn for each call."""

    def __init__(self) -> None:
        self._begin = os.urandom(_RANDOM_BYTES).hex()
        self._numbers = count(1)

    def new(self) -> str:
        """The next id."""
        return f"{self._begin}{next(self._numbers):010x}"
