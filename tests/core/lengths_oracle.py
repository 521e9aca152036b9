"""Prefix lengths worked out afresh for every prompt, from end to start: what `Lengths` must agree with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from scrimp.core.prompt import Digest, Prompt
from scrimp.wire.response import Usage

CLOSING = 3


class LengthsAfresh:
    """The rules of `Lengths`, without any memory but what bills revealed."""

    def __init__(self) -> None:
        self.known: dict[Digest, int] = {}
        self.about: dict[Digest, int] = {}

    def ends(self, prompt: Prompt, sizes: Sequence[float], total: int) -> list[int]:
        """Tokens up to and including each position."""
        ends = [0] * len(prompt)
        done, at = 0, 0
        for position, tokens in self.anchors(prompt, total):
            ends[done : position + 1] = shared_out(sizes[done : position + 1], at, tokens)
            done, at = position + 1, tokens
        ends[done:] = shared_out(sizes[done:], at, max(at, total - CLOSING))
        return ends

    def learn(self, prefix: Digest, tokens: int) -> None:
        """A bill showed that the prefix has so many tokens."""
        if tokens > 0:
            self.known[prefix] = tokens

    def reveal(self, prompt: Prompt, usage: Usage) -> None:
        """What a bill shows."""
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        if prompt.markers and read + written:
            self.learn(prompt.prefixes[max(m.position for m in prompt.markers)], read + written)
        hours = [marker.position for marker in prompt.markers if marker.ttl == "1h"]
        if hours and usage.write_1h and usage.write_5m:
            self.learn(prompt.prefixes[max(hours)], read + usage.write_1h)
        if prompt.prefixes:
            end = max(read + written, usage.total_input - CLOSING)
            self.about.setdefault(prompt.prefixes[-1], end)

    def anchors(self, prompt: Prompt, total: int) -> Iterator[tuple[int, int]]:
        """The exact anchors, and between them where earlier prompts ended, if that fits in."""
        exact: list[tuple[int, int]] = []
        ceiling = total
        for position in range(len(prompt) - 1, -1, -1):
            tokens = self.known.get(prompt.prefixes[position])
            if tokens is not None and tokens <= ceiling:
                exact.append((position, tokens))
                ceiling = tokens
        low, done = 0, 0
        for position, tokens in [*reversed(exact), (len(prompt), total)]:
            for place in range(done, position):
                about = self.about.get(prompt.prefixes[place])
                if about is not None and low <= about <= tokens:
                    yield place, about
                    low = about
            if position < len(prompt):
                yield position, tokens
            low, done = tokens, position + 1


def shared_out(sizes: Sequence[float], low: int, high: int) -> list[int]:
    """Running totals from `low` to `high`, in proportion to `sizes`."""
    whole = sum(sizes)
    if not whole:
        return [high] * len(sizes)
    totals = [low + round((high - low) * run / whole) for run in accumulate(sizes)]
    return [*totals[:-1], high]
