"""Entries that requests under way are about to write: unreadable as yet, but nobody need write them again."""

from __future__ import annotations

from collections.abc import Iterable

from scrimp.core.cache import Outcome
from scrimp.core.prompt import Digest, Prompt
from scrimp.wire.markers import TTL

__all__ = ["Pending"]

_PATIENCE = 60.0
"""Seconds after which a request that was never heard of again is taken to have failed."""


class Pending:
    """The writes of requests that were planned and whose responses have not begun."""

    def __init__(self) -> None:
        self._writes: dict[Digest, tuple[int, TTL, float]] = {}

    def planned(self, outcome: Outcome, now: float) -> tuple[Digest, ...]:
        """A request with these writes is about to go out; returns the prefixes it is the first to write."""
        writes = self._writes
        new = [write for write in outcome.writes if write.prefix not in writes]
        for write in new:
            writes.setdefault(write.prefix, (write.position, write.ttl, now))
        return tuple([write.prefix for write in new])

    def begun(self, prefix: Digest, position: int, ttl: TTL, now: float) -> None:
        """Somebody else writes a prefix."""
        self._writes.setdefault(prefix, (position, ttl, now))

    def over(self, prefixes: Iterable[Digest]) -> None:
        """The request that was to write these began to be answered, or came to nothing."""
        for prefix in prefixes:
            self._writes.pop(prefix, None)

    def of(self, prompt: Prompt, now: float) -> tuple[tuple[int, TTL], ...]:
        """Positions of `prompt` that are being written, and for how long."""
        writes = self._writes
        if not writes:
            return ()
        while writes:  # the oldest are the first
            oldest = next(iter(writes))
            if now - writes[oldest][2] <= _PATIENCE:
                break
            del writes[oldest]
        prefixes = prompt.prefixes
        end = len(prefixes)
        found: tuple[tuple[int, TTL], ...] = ()
        for prefix, (position, ttl, _) in writes.items():
            if position < end and prefixes[position] == prefix:
                found = (*found, (position, ttl))
        return found
