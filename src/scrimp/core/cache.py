"""The provider's prompt cache as a state machine: (state, prompt, now) -> outcome, then commit.

From "Prompt caching": each marker writes at most one entry, keyed by the whole prefix that ends at its block;
a read tests the marker's own position and then earlier ones, `lookback` positions in all, and if none holds
an entry the search goes on at the next earlier marker with a window of its own; only written entries match;
an entry is readable once the writer's response has begun, lives from the start of the request that wrote or
last read it, and a read renews it at its own TTL; prefixes under the model's minimum are never written.
With A the tokens of the longest hit, B those of the last 1h marker beyond A (else A), C those of the last
marker: read A, write B-A for 1h and C-B for 5m, the rest is plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, takewhile

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest, Marker, Prompt
from scrimp.wire.markers import TTL

__all__ = ["TTL_SECONDS", "Cache", "CacheRules", "Entry", "Outcome", "Write", "outcome_of", "windows"]

TTL_SECONDS: dict[TTL, int] = {"5m": 300, "1h": 3600}
_PRUNE_EVERY = 4096
_MOST_ENTRIES = 40_000


class CacheRules(msgspec.Struct, frozen=True):
    """What the provider allowed one model at one time (from `facts`).

    `lookback` counts positions, the marker's own included; `minimum` is in tokens; `caches` is False where
    the provider had no prompt cache.
    """

    lookback: int
    minimum: int
    max_markers: int = 4
    caches: bool = True


class Entry(msgspec.Struct, gc=False):
    """One written prefix: its TTL, when its last use began, from when it can be read (epoch seconds)."""

    ttl: TTL
    used_at: float
    readable_at: float

    def alive(self, now: float) -> bool:
        """Whether a request that starts at `now` can read it."""
        return self.readable_at <= now < self.used_at + TTL_SECONDS[self.ttl]


class Write(msgspec.Struct, frozen=True, gc=False):
    """An entry a request asks for."""

    position: int
    prefix: Digest
    ttl: TTL


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What one request does to the cache and how its input tokens divide.

    `hit` is the position of the entry read, or -1. `plain + write_5m + write_1h + read` is the total input.
    """

    hit: int
    writes: tuple[Write, ...]
    plain: int
    write_5m: int
    write_1h: int
    read: int

    @property
    def written(self) -> int:
        """Tokens written, whatever the TTL."""
        return self.write_5m + self.write_1h


class Cache:
    """The entries of one workspace. Keys carry the model, so one cache serves them all."""

    def __init__(self) -> None:
        self._entries: dict[Digest, Entry] = {}  # in order of their last use
        self._prune_at = _PRUNE_EVERY

    def __len__(self) -> int:
        return len(self._entries)

    def alive(self, prefix: Digest, now: float) -> Entry | None:
        """The entry of `prefix` if a request starting at `now` can read it."""
        entry = self._entries.get(prefix)
        return entry if entry is not None and entry.alive(now) else None

    def longest(self, prompt: Prompt, now: float) -> tuple[int, TTL]:
        """The last position of `prompt` whose entry a request starting at `now` can read, and how long the
        entry lives; without any -1, and five minutes."""
        entries = self._entries
        position = len(prompt.prefixes)
        for prefix in reversed(prompt.prefixes):
            position -= 1
            if prefix in entries:
                entry = entries[prefix]
                if entry.readable_at <= now < entry.used_at + TTL_SECONDS[entry.ttl]:
                    return position, entry.ttl
        return -1, "5m"

    def living(self, prompt: Prompt, now: float) -> Iterator[int]:
        """Positions of `prompt` whose entries a request starting at `now` can read, the last first."""
        entries, prefixes = self._entries, prompt.prefixes
        written = map(entries.__contains__, reversed(prefixes))
        for position in compress(range(len(prefixes) - 1, -1, -1), written):
            entry = entries[prefixes[position]]
            if entry.readable_at <= now < entry.used_at + TTL_SECONDS[entry.ttl]:  # `alive`, only quicker
                yield position

    def reached(self, prompt: Prompt, position: int, lookback: int, now: float) -> int:
        """The entry that a marker at `position` alone would read, or -1."""
        prefixes, ranks = prompt.prefixes, prompt.ranks
        beyond = ranks[position] - lookback
        for at in range(position, -1, -1):
            if ranks[at] <= beyond:
                break
            if self.alive(prefixes[at], now) is not None:
                return at
        return -1

    def outcome(
        self, prompt: Prompt, ends: Sequence[int], total: int, rules: CacheRules, now: float
    ) -> Outcome:
        """What a request starting at `now` would read and write.

        `ends[i]` is the number of tokens up to and including position i; `total` the whole input.
        """
        hit = self._longest_hit(prompt, rules, now) if prompt.markers and rules.caches else -1
        return outcome_of(prompt, prompt.markers, hit=hit, ends=ends, total=total, rules=rules)

    def surely(self, prompt: Prompt, outcome: Outcome, now: float) -> Outcome:
        """`outcome` with what is sure to live: an hour bought on top of a 5m entry counts as five minutes.

        Whether it is an hour for all of the prefix is not published.
        """
        if outcome.hit < 0 or not outcome.write_1h:
            return outcome
        hit = self.alive(prompt.prefixes[outcome.hit], now)
        if hit is None or hit.ttl == "1h":
            return outcome
        writes = tuple(Write(write.position, write.prefix, "5m") for write in outcome.writes)
        return msgspec.structs.replace(outcome, writes=writes)

    def commit(self, prompt: Prompt, outcome: Outcome, started_at: float, first_event_at: float) -> None:
        """The request ran: renew the entry it read, add those it wrote."""
        if outcome.hit >= 0:
            self._touch(prompt.prefixes[outcome.hit], started_at)
        for write in outcome.writes:
            self.add(write.prefix, write.ttl, started_at, first_event_at)
        if len(self._entries) > self._prune_at:
            self._prune(started_at)

    def add(self, prefix: Digest, ttl: TTL, used_at: float, readable_at: float) -> None:
        """Put an entry there, as a write does; of parallel writers the first to be readable counts."""
        before = self._entries.pop(prefix, None)
        if before is None or used_at >= before.used_at + TTL_SECONDS[before.ttl]:
            self._entries[prefix] = Entry(ttl, used_at, readable_at)
            return
        self._entries[prefix] = before
        before.used_at = max(before.used_at, used_at)
        before.readable_at = min(before.readable_at, readable_at)
        before.ttl = max(before.ttl, ttl, key=TTL_SECONDS.__getitem__)

    def drop(self, prefix: Digest) -> None:
        """Forget an entry that a bill has shown to be gone."""
        self._entries.pop(prefix, None)

    def _touch(self, prefix: Digest, now: float) -> None:
        entry = self._entries.pop(prefix, None)
        if entry is not None:
            self._entries[prefix] = entry
            if now > entry.used_at:
                entry.used_at = now

    def _longest_hit(self, prompt: Prompt, rules: CacheRules, now: float) -> int:
        """The first hit, walking back from the last marker: the last entry that any marker reaches."""
        ranks = prompt.ranks
        below = [(marker.position, ranks[marker.position] - rules.lookback) for marker in prompt.markers]
        for position in self.living(prompt, now):
            rank = ranks[position]
            for marked, lowest in below:
                if marked >= position and lowest < rank:
                    return position
        return -1

    def _prune(self, now: float) -> None:
        """Bounded memory: what is long dead cannot come back, and of too many the last used stay."""
        entries = self._entries
        for prefix in self._long_dead(now):
            del entries[prefix]
        forget_oldest(entries, _MOST_ENTRIES)
        self._prune_at = max(_PRUNE_EVERY, min(2 * len(entries), _MOST_ENTRIES))

    def _long_dead(self, now: float) -> list[Digest]:
        """What was not used for twice as long as it lives."""
        long = {ttl: 2 * seconds for ttl, seconds in TTL_SECONDS.items()}
        soonest = now - min(long.values())
        unused = takewhile(lambda known: known[1].used_at <= soonest, self._entries.items())
        return [prefix for prefix, entry in unused if now >= entry.used_at + long[entry.ttl]]


def windows(prompt: Prompt, lookback: int) -> Iterator[int]:
    """Positions a read tests, in order: each marker's window, from the last marker to the first."""
    lowest = len(prompt)
    for marker in sorted(prompt.markers, key=lambda m: m.position, reverse=True):
        window = prompt.window(marker.position, lookback)
        yield from (position for position in window if position < lowest)
        lowest = min(lowest, window[-1])


def outcome_of(
    prompt: Prompt,
    markers: Sequence[Marker],
    *,
    hit: int,
    ends: Sequence[int],
    total: int,
    rules: CacheRules,
) -> Outcome:
    """What a request does that has these markers and reads the entry that ends at `hit` (-1: none)."""
    if not markers or not rules.caches:
        return Outcome(-1, (), total, 0, 0, 0)
    until = until_1h = read = ends[hit] if hit >= 0 else 0
    writes, prefixes, minimum = [], prompt.prefixes, rules.minimum
    for marker in markers:
        position, ttl = marker.position, marker.ttl
        length = ends[position]
        if position <= hit or length < minimum:
            continue
        writes.append(Write(position, prefixes[position], ttl))
        if length > until:
            until = length
        if length > until_1h and ttl == "1h":
            until_1h = length
    return Outcome(hit, tuple(writes), total - until, until - until_1h, until_1h - read, read)
