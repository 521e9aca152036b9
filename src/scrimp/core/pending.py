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
        new = tuple(write.prefix for write in outcome.writes if write.prefix not in self._writes)
        for write in outcome.writes:
            self._writes.setdefault(write.prefix, (write.position, write.ttl, now))
        return new

    def begun(self, prefix: Digest, position: int, ttl: TTL, now: float) -> None:
        """Somebody else writes a prefix."""
        self._writes.setdefault(prefix, (position, ttl, now))

    def over(self, prefixes: Iterable[Digest]) -> None:
        """The request that was to write these began to be answered, or came to nothing."""
        for prefix in prefixes:
            self._writes.pop(prefix, None)

    def of(self, prompt: Prompt, now: float) -> tuple[tuple[int, TTL], ...]:
        """Positions of `prompt` that are being written, and for how long."""
        if not self._writes:
            return ()
        while self._writes:  # the oldest are the first
            oldest = next(iter(self._writes))
            if now - self._writes[oldest][2] <= _PATIENCE:
                break
            del self._writes[oldest]
        prefixes, end = prompt.prefixes, len(prompt.prefixes)
        return tuple(
            (position, ttl)
            for prefix, (position, ttl, _) in self._writes.items()
            if position < end and prefixes[position] == prefix
        )
