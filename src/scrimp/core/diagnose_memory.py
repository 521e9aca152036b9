"""What a watch remembers: entries written, calls under way, and the last request of each conversation.

Everything is found by digest: the entry a prompt could read and the conversation it extends by walking back
from its end, which takes as many steps as there are new blocks; the request most like it, where its prefix
was broken, by the blocks both share. All of it is bounded, the oldest go first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain

import msgspec

from scrimp.core.cache import TTL_SECONDS, CacheRules
from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest, Prompt
from scrimp.core.settings import CacheSettings
from scrimp.facts.model import Model
from scrimp.wire.markers import TTL
from scrimp.wire.request import Block

__all__ = ["Call", "Entry", "Found", "Mark", "Memory", "Talk"]

_MOST_TALKS = 256
_MOST_BLOCKS = 200_000
_MOST_BYTES = 32 * 1024 * 1024
_MOST_ENTRIES = 50_000
_MOST_SHORT = 10_000
_OFTEN, _MANY = 4, 4_096
_ODD_BYTES = 100_000
_MOST_KEYS = 400_000
"""Digests by which all conversations are found, those of requests before their last included."""

_encoder = msgspec.msgpack.Encoder()
_LONGEST_WAIT = 600.0
"""Seconds after which a call that was never heard of again is no longer under way (the SDK's timeout)."""


class Call(msgspec.Struct, frozen=True):
    """A request when it goes out, `prompt` under the markers it goes out with.

    `ends` are tokens up to each position and `total` the whole input, both estimates where no bill has shown
    them. `at` is the start in epoch seconds. Where nobody will say when the answer began, `wrote_for` bounds
    it, in seconds. `label` is the kind of agent, `run` one run of it, `predicted` the read a planner
    foretold (tokens). `too_short` says that no part of the prompt can be in the cache.
    """

    prompt: Prompt
    settings: CacheSettings
    ends: Sequence[int]
    total: int
    rules: CacheRules
    model: Model
    day: date | None
    at: float
    label: str | None = None
    run: str | None = None
    predicted: int | None = None
    wrote_for: float = 0.0
    too_short: bool = False

    def related(self, other: Call) -> bool:
        """Whether nothing says that the two are of different agents."""
        return self.run == other.run if self.run and other.run else self.label == other.label


class Entry(msgspec.Struct):
    """A written prefix: where it ends, its tokens (`exact` when billed), TTL, when written, used, readable.

    `wrote_for` bounds how long it can have stayed unreadable, as its writer's call said.
    """

    position: int
    tokens: int
    exact: bool
    ttl: TTL
    written_at: float
    used_at: float
    readable_at: float
    wrote_for: float = 0.0

    @property
    def dies_at(self) -> float:
        """When it can no longer be read."""
        return self.used_at + TTL_SECONDS[self.ttl]


class Mark(msgspec.Struct, frozen=True):
    """A place where a call left an entry."""

    position: int
    tokens: int
    exact: bool


class Talk(msgspec.Struct):
    """A conversation by its last billed request. `marks` are where it left or read entries, deepest last.

    `kept` counts the requests of all conversations up to then; it is found by `indexed` and `tails`. `weight`
    is what it says, in bytes.
    """

    id: int
    call: Call
    marks: tuple[Mark, ...] = ()
    kept: int = 0
    weight: int = 0
    indexed: set[Digest] = msgspec.field(default_factory=set)
    tails: set[Digest] = msgspec.field(default_factory=set)

    @property
    def overgrown(self) -> bool:
        """Whether it is found by far more than its last request says: many that began alike count as one."""
        return len(self.indexed) + len(self.tails) > _OFTEN * len(self.call.prompt) + _MANY

    @property
    def deepest(self) -> int:
        """The last cached position, or -1."""
        return self.marks[-1].position if self.marks else -1

    def mark_within(self, last: int) -> Mark | None:
        """The deepest mark not beyond a position."""
        return next((mark for mark in reversed(self.marks) if mark.position <= last), None)


class Found(msgspec.Struct, frozen=True):
    """What walking back found: the conversation extended, and the deepest entry, written or under way."""

    talk: Talk | None
    talk_at: int
    entry_at: int
    pending: bool


class Memory:
    """See the top of the module."""

    def __init__(self) -> None:
        self.entries: dict[Digest, Entry] = {}
        self._pending: dict[Digest, float] = {}
        self._tails: dict[Digest, int] = {}
        self._talks: dict[int, Talk] = {}
        self._with: dict[Digest, set[int]] = {}
        self._short: dict[Digest, None] = {}
        self._next = 1
        self._marked = 0
        self._kept = 0
        self._blocks = 0
        self._keys = 0
        self._weight = 0

    def find(self, call: Call) -> Found:
        """The conversation whose whole last request `call` extends, and the deepest entry on its way."""
        talk, talk_at, entry_at, pending = None, -1, -1, False
        entries, tails, position = self.entries, self._tails, len(call.prompt.prefixes)
        for prefix in reversed(call.prompt.prefixes):
            position -= 1
            if entry_at < 0 and (prefix in entries or self._under_way(prefix, call.at)):
                entry_at, pending = position, prefix not in entries
            if talk is None and prefix in tails:
                talk, talk_at = self._talks[tails[prefix]], position
            if talk is not None and (entry_at >= 0 or position <= talk.deepest):
                break
        return Found(talk, talk_at, entry_at, pending)

    def met(self, prompt: Prompt) -> bool:
        """Whether something can be promised for `prompt`: an entry on its way, or a conversation kept."""
        prefixes = prompt.prefixes
        if self.entries and not self.entries.keys().isdisjoint(prefixes):
            return True
        if self._tails and not self._tails.keys().isdisjoint(prefixes):
            return True
        return bool(self._pending) and not self._pending.keys().isdisjoint(prefixes)

    def extends_short(self, prompt: Prompt) -> bool:
        """Whether a prompt too short for the cache was the beginning of `prompt`, or all of it."""
        return not self._short.keys().isdisjoint(prompt.prefixes)

    def keep_short(self, prompt: Prompt) -> None:
        """A prompt too short for the cache was billed: that it was there is all that there is to remember."""
        if prompt.blocks:
            self._short.pop(prompt.prefixes[-1], None)
            self._short[prompt.prefixes[-1]] = None
            forget_oldest(self._short, _MOST_SHORT)

    def readable_before(self, call: Call, position: int) -> int:
        """The deepest position up to `position` whose entry `call` can read, or -1."""
        for place in range(min(position, len(call.prompt) - 1), -1, -1):
            entry = self.entries.get(call.prompt.prefixes[place])
            if entry is not None and entry.readable_at <= call.at < entry.dies_at and reaches(call, place):
                return place
        return -1

    @property
    def any_marks(self) -> bool:
        """Whether any conversation left an entry: where none did, no prefix can have been broken."""
        return self._marked > 0

    def similar(self, call: Call, *, static_known: bool) -> Talk | None:
        """The conversation most like `call`: of its run or kind if any is, by the messages they share.

        `static_known`: an entry holds all of tools and system, so that only messages can be broken. Many
        conversations share those, and counting them would cost every first call.
        """
        first_message = call.prompt.static_end + 1
        digests = call.prompt.digests
        said = self._shared(digests[first_message:])
        static = self._shared(() if static_known else digests[:first_message])

        def rank(talk: Talk) -> tuple[bool, bool, int, bool, int]:
            same_run = bool(call.run) and talk.call.run == call.run
            words = said[talk.id]
            return words > 1, call.related(talk.call), words, same_run, static[talk.id]

        alike = [self._talks[number] for number in said]
        others = {number: static[number] for number in static if number not in said}
        alike += self._most_like(call, others, first_message)
        # Of equals the newest.
        best = max(alike, key=lambda talk: (*rank(talk), talk.kept), default=None)
        if best is not None and (said[best.id] or call.related(best.call)):
            return best
        return next((talk for talk in reversed(self._talks.values()) if call.related(talk.call)), None)

    def _shared(self, digests: Iterable[Digest]) -> Counter[int]:
        """How many of these blocks each conversation has, of those that have any."""
        return Counter(chain.from_iterable(filter(None, map(self._with.get, digests))))

    def _most_like(self, call: Call, shares: Mapping[int, int], most: int) -> list[Talk]:
        """Of conversations that share no message the most like `call`; `most` is how much they can share."""
        best: list[Talk] = []
        highest = (False, False, 0)
        for talk in reversed(self._talks.values()) if shares else ():
            same_run = bool(call.run) and talk.call.run == call.run
            rank = call.related(talk.call), same_run, shares.get(talk.id, 0)
            if rank[-1] and (not best or rank > highest):
                best, highest = [talk], rank
                if rank == (True, bool(call.run), most):
                    break  # no older one can be more like it
        return best

    def expect(self, prefixes: Iterable[Digest], at: float) -> None:
        """A request that would write these went out."""
        for prefix in prefixes:
            self._pending.setdefault(prefix, at)
        forget_oldest(self._pending, _MOST_ENTRIES)

    def arrived(self, prefixes: Iterable[Digest]) -> None:
        """That request is no longer waiting for its answer."""
        for prefix in prefixes:
            self._pending.pop(prefix, None)

    def put(self, prefix: Digest, entry: Entry) -> None:
        """Remember an entry, as the newest."""
        self.entries.pop(prefix, None)
        self.entries[prefix] = entry
        forget_oldest(self.entries, _MOST_ENTRIES)

    def keep(self, talk: Talk | None, call: Call, marks: tuple[Mark, ...], *, known_to: int) -> Talk:
        """`call` is now the last of `talk`, or the first of a new one; up to `known_to` nothing is new."""
        if talk is not None and talk.overgrown and talk.id in self._talks:
            self._forget(talk)
        if talk is not None and talk.id not in self._talks:
            talk, known_to = None, -1  # forgotten, be it while its call was under way
        if talk is None:
            talk = Talk(self._next, call, weight=_weight(call.prompt, 0))
            self._next += 1
        else:
            self._take_out(talk)
            talk.weight = _grown(talk, call.prompt, known_to)
        self._marked += bool(marks)
        self._kept += 1
        talk.call, talk.marks, talk.kept = call, marks, self._kept
        self._talks[talk.id] = talk
        self._blocks += len(call.prompt)
        self._weight += talk.weight
        new = call.prompt.digests[known_to + 1 :]
        talk.indexed.update(new)
        for digest in new:
            others = self._with.get(digest)
            if others is None:
                self._with[digest] = {talk.id}
            else:
                others.add(talk.id)
        if len(call.prompt):
            self._tails[call.prompt.prefixes[-1]] = talk.id
            talk.tails.add(call.prompt.prefixes[-1])
        self._keys += len(talk.indexed) + len(talk.tails)
        while len(self._talks) > _MOST_TALKS or (self._too_much() and len(self._talks) > 1):
            self._forget(next(iter(self._talks.values())))
        return talk

    def _too_much(self) -> bool:
        return self._blocks > _MOST_BLOCKS or self._keys > _MOST_KEYS or self._weight > _MOST_BYTES

    def _take_out(self, talk: Talk) -> None:
        del self._talks[talk.id]
        self._blocks -= len(talk.call.prompt)
        self._keys -= len(talk.indexed) + len(talk.tails)
        self._weight -= talk.weight
        self._marked -= bool(talk.marks)

    def _under_way(self, prefix: Digest, now: float) -> bool:
        began = self._pending.get(prefix)
        return began is not None and now - began < _LONGEST_WAIT

    def _forget(self, talk: Talk) -> None:
        self._take_out(talk)
        for digest in talk.indexed:
            others = self._with.get(digest, set())
            others.discard(talk.id)
            if not others:
                self._with.pop(digest, None)
        for tail in talk.tails:
            if self._tails.get(tail) == talk.id:
                del self._tails[tail]


def _grown(talk: Talk, prompt: Prompt, known_to: int) -> int:
    """The weight of a conversation whose next request has `prompt`, for the cost of what is new in it."""
    before = talk.call.prompt
    if 0 <= known_to < len(before) and before.prefixes[known_to] == prompt.prefixes[known_to]:
        return talk.weight - _weight(before, known_to + 1) + _weight(prompt, known_to + 1)
    return _weight(prompt, 0)


def _weight(prompt: Prompt, start: int) -> int:
    """Bytes of what the blocks from `start` on say."""
    return sum(map(_said, prompt.blocks[start:]))


def _said(block: Block) -> int:
    try:
        return len(_encoder.encode(block.value))
    except (TypeError, ValueError, OverflowError, RecursionError):  # what JSON hardly holds
        return _ODD_BYTES


def reaches(call: Call, position: int) -> bool:
    """Whether some marker of `call` tests `position`."""
    ranks = call.prompt.ranks
    beyond = ranks[position] + call.rules.lookback
    for marker in call.prompt.markers:
        if marker.position >= position and ranks[marker.position] < beyond:
            return True
    return False
