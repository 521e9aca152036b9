"""How many tokens each prefix of a recorded prompt has, read off the bills.

A bill gives the whole prompt's tokens exactly, and where it read or wrote the cache also the length of the
prefix up to that marker. Those are anchors, remembered by chained digest; between two anchors the tokens are
shared out in proportion to each block's estimated size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from scrimp.core.prompt import Digest, Prompt
from scrimp.wire.response import Usage

__all__ = ["CLOSING", "Lengths"]

CLOSING = 3
"""Tokens the API bills after a prompt's last block: the turn markers that follow it (seen on every model)."""


class Lengths:
    """Prefix lengths learned from the bills of one source, in tokens."""

    def __init__(self) -> None:
        self._known: dict[Digest, int] = {}
        self._about: dict[Digest, int] = {}

    def ends(self, prompt: Prompt, sizes: Sequence[float], total: int) -> list[int]:
        """Tokens up to and including each position, for a prompt billed `total` in all.

        `sizes` are estimated tokens per position; they only shape the split between anchors.
        """
        ends = [0] * len(prompt)
        done, at = 0, 0
        for position, tokens in self._anchors(prompt, total):
            ends[done : position + 1] = _share(sizes[done : position + 1], at, tokens)
            done, at = position + 1, tokens
        ends[done:] = _share(sizes[done:], at, max(at, total - CLOSING))
        return ends

    def learn(self, prefix: Digest, tokens: int) -> None:
        """A bill showed that the prefix has `tokens` tokens."""
        if tokens > 0:
            self._known[prefix] = tokens

    def reveal(self, prompt: Prompt, usage: Usage) -> None:
        """Take from a bill the prefix lengths it shows whatever the cache held before.

        What was read and written ends at the last marker, and what was written for 1h at the last 1h marker.
        """
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        if prompt.markers and read + written:
            self.learn(prompt.prefixes[max(m.position for m in prompt.markers)], read + written)
        hours = [marker.position for marker in prompt.markers if marker.ttl == "1h"]
        if hours and usage.write_1h and usage.write_5m:
            self.learn(prompt.prefixes[max(hours)], read + usage.write_1h)
        if prompt.prefixes:
            end = max(read + written, usage.total_input - CLOSING)
            self._about.setdefault(prompt.prefixes[-1], end)

    def known(self, prefix: Digest) -> int | None:
        """The length of a prefix that some bill revealed."""
        return self._known.get(prefix)

    def _anchors(self, prompt: Prompt, total: int) -> list[tuple[int, int]]:
        """Known positions, ascending in both place and length; where a prompt ended is known only about."""
        anchors: list[tuple[int, int]] = []
        ceiling = total
        for position in range(len(prompt) - 1, -1, -1):
            tokens = self._known.get(prompt.prefixes[position])
            if tokens is not None and tokens <= ceiling:
                anchors.append((position, tokens))
                ceiling = tokens
        anchors.reverse()
        return [*self._with_ends(prompt, anchors, total)]

    def _with_ends(
        self, prompt: Prompt, exact: list[tuple[int, int]], total: int
    ) -> Iterator[tuple[int, int]]:
        """The exact anchors and, between them, where earlier prompts ended, if that fits in."""
        low, done = 0, 0
        for position, tokens in [*exact, (len(prompt), total)]:
            for place in range(done, position):
                about = self._about.get(prompt.prefixes[place])
                if about is not None and low <= about <= tokens:
                    yield place, about
                    low = about
            if position < len(prompt):
                yield position, tokens
            low, done = tokens, position + 1


def _share(sizes: Sequence[float], low: int, high: int) -> list[int]:
    """Running totals from `low` (exclusive) to `high` (the last one), in proportion to `sizes`."""
    whole = sum(sizes)
    if not whole:
        return [high] * len(sizes)
    span = high - low
    totals = [low + round(span * run / whole) for run in accumulate(sizes)]
    totals[-1] = high
    return totals
