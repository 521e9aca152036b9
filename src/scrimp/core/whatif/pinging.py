"""Keep-alive: what a call leaves in the cache is read again shortly before it expires, a few times at most.

A ping asks for no output ("Prompt caching", pre-warming), so that it costs a read of the prefix and the few
tokens after it. Pings stop when the conversation goes on; where it never does, all of them are wasted, and
all of them are charged.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.lengths import CLOSING
from scrimp.core.prompt import Digest
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.wire.markers import TTL

__all__ = ["KeptAlive"]

_LEAD = 15.0
"""Seconds before the end of an entry at which a ping goes out."""


class KeptAlive:
    """After every call up to `pings` pings, each a lifetime after the one before."""

    def __init__(self, pings: int, ttl: TTL | None = None) -> None:
        """`ttl` is the lifetime of what is kept alive (None: that of each call's own last marker)."""
        self._pings = pings
        self._ttl = ttl

    def living(self, ttl: TTL) -> KeptAlive:
        """The same for entries of one lifetime."""
        return KeptAlive(self._pings, ttl)

    @property
    def name(self) -> str:
        return f"keepalive={self._pings}"

    def describe(self) -> str:
        return f"up to {self._pings} pings keep what a call has cached alive until the next one"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        until = _next_uses(calls)
        found, extra = [], []
        for place, one in enumerate(calls):
            tail = _tail(one)
            if tail is None or not one.call.timed:
                found.append(one)
                extra.append(0)
                continue
            period = TTL_SECONDS[self._ttl or one.call.prompt.markers[-1].ttl] - _LEAD
            count = self._needed(one, period, until.get(place))
            found.append(_kept_warm(one, one.call.at + count * period) if count else one)
            extra.append(count * _price(one, tail))
        note = "each ping is charged as a read of its prefix, those that nothing came after too"
        return Changed(found, extra, touched=sum(map(bool, extra)), notes=(note,))

    def _needed(self, one: Measured, period: float, until: float | None) -> int:
        if until is None:
            return self._pings
        return min(self._pings, max(ceil((until - one.call.at) / period) - 1, 0))


def _kept_warm(one: Measured, until: float) -> Measured:
    return msgspec.structs.replace(one, warm_until=until)


def _tail(one: Measured) -> int | None:
    """Where what the call caches ends, if anything is cached."""
    call = one.call
    last = max((marker.position for marker in call.prompt.markers), default=None)
    return None if last is None or one.ends[last] < call.rules.minimum else last


def _price(one: Measured, tail: int) -> int:
    """One ping: the prefix read, what closes a prompt plain, no output."""
    return one.ends[tail] * one.rates.read + CLOSING * one.rates.input


def _next_uses(calls: Sequence[Measured]) -> dict[int, float]:
    """By place, when a later call first goes on from what that call left."""
    left: dict[Digest, int] = {}
    found: dict[int, float] = {}
    for place, one in enumerate(calls):
        before = next((left[prefix] for prefix in reversed(one.call.prompt.prefixes) if prefix in left), None)
        if before is not None:
            found.setdefault(before, one.call.at)
        tail = _tail(one)
        if tail is not None:
            left[one.call.prompt.prefixes[tail]] = place
    return found
