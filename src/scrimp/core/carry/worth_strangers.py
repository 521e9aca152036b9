"""Conversations met in the middle: the cache may hold of them what nobody here has written.

Another process may have had them before, or this one before it was restarted. Until it is known otherwise
they are taken to be cached, so that nothing is removed which would break what is there.
"""

from __future__ import annotations

from scrimp.core.cache import TTL_SECONDS

__all__ = ["Strangers", "was_cached"]

_FOUND_AT_FIRST, _TRIED_AT_FIRST = 1.0, 4.0
"""One in four is taken to be cached before anything is known."""
_LIKELY = 0.15
"""Odds beyond which such a conversation is taken to be cached."""


class Strangers:
    """How often conversations met in the middle were in the cache."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._found = _FOUND_AT_FIRST
        self._tried = _TRIED_AT_FIRST

    def looked(self, now: float) -> None:
        """A step goes by at `now`; what was written before the first one may live for an hour after it."""
        self._began = now if self._began is None else self._began

    def may_be_cached(self, now: float) -> bool:
        """Whether one met at `now` is to be taken for cached."""
        young = self._began is None or now - self._began < TTL_SECONDS["1h"]
        return young or self._found / self._tried > _LIKELY

    def met(self, *, found: bool) -> None:
        """One was met of which nothing was removed, and the cache held it or not."""
        self._found += found
        self._tried += 1.0


def was_cached(read: int, total: int, static: int) -> bool:
    """Whether a prompt of `total` tokens that read so many was cached beyond its tools and system."""
    return 2 * (read - static) > total - static
