"""Ids that no two gateways share, at the price of a counter."""

from __future__ import annotations

import os
from itertools import product

__all__ = ["Ids"]

_RANDOM_BYTES = 10
_PAIRS = [f"{number:02x}" for number in range(256)]
_DIGITS = 10


class Ids:
    """A random beginning for the process, and a number: as unique as an id drawn for each call."""

    def __init__(self) -> None:
        begin = os.urandom(_RANDOM_BYTES).hex()
        self._ids = map("".join, product([begin], *[_PAIRS] * (_DIGITS // 2)))
        next(self._ids)  # they begin with 1

    def new(self) -> str:
        """The next id."""
        return next(self._ids)
