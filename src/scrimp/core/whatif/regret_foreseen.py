"""What a lever can expect: how long a conversation goes on, and what will be missed of what it removes."""

from __future__ import annotations

from collections import defaultdict, deque

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.horizon import Horizon
from scrimp.core.prompt import Digest
from scrimp.core.whatif.clearing_walk import Turn, lifetime_of
from scrimp.core.whatif.refetch import CALL_TOKENS
from scrimp.core.worth import Event

__all__ = ["Foresight", "expected_calls", "missed_cost"]

_FORESEEN = 0.98
"""How much a later call counts against the one before: nobody foresees more than some 50 calls."""

_ASSUMED_COUNTS = 4
_ENDED_REMEMBERED = 500
"""Conversations that what is known beforehand counts for, and of how many each label remembers the length."""

_USED_AT_FIRST = 0.2
_FETCHED_AT_FIRST = 15_000
"""Before anything is known of what is missed: the share of removed tokens, and how many to a fetch."""
_TRUSTED_FROM = 500_000
"""Removed tokens from which on what was seen weighs more than what was assumed."""


class _Going(msgspec.Struct, frozen=True):
    """A conversation that may still go on warm: its last call, and how many there were in a row."""

    at: float
    lifetime: int
    label: str
    calls: int


class Foresight:
    """The learned future of the conversations of one source."""

    def __init__(self) -> None:
        self._horizon = Horizon()
        self._going: dict[Digest, _Going] = {}
        self._lasted: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_ENDED_REMEMBERED))
        self._calls = 0

    def observe(self, turn: Turn) -> None:
        """Learn from a call that goes out."""
        call, going = turn.measured.call, self._going
        self._horizon.observe(call.prompt, call.at, call.label)
        while going and (first := next(iter(going.items())))[1].at + first[1].lifetime < call.at:
            self._end(going.pop(first[0]))
        before = going.pop(turn.thread.name, None)
        self._calls = 1
        if before is not None and turn.warm:
            self._calls += before.calls
        elif before is not None:
            self._end(before)
        going[call.prompt.prefixes[-1]] = _Going(call.at, lifetime_of(call), call.label or "", self._calls)

    def calls_to_come(self, turn: Turn) -> float:
        """Calls expected after the one just observed while the cache lives.

        The mean of what those before went on for that lasted as long; and, counting as a few of them, what is
        known of loops in general, but no more than there have been: that this one goes on for long is only
        shown by its doing so.
        """
        call, done = turn.measured.call, self._calls
        event = self._horizon.events(call.prompt, call.label)[0]
        found = expected_calls(event, for_1h=lifetime_of(call) > TTL_SECONDS["5m"])
        longer = [lasted - done for lasted in self._lasted[call.label or ""] if lasted > done]
        return (_ASSUMED_COUNTS * min(found, float(done)) + sum(longer)) / (_ASSUMED_COUNTS + len(longer))

    def _end(self, gone: _Going) -> None:
        self._lasted[gone.label].append(gone.calls)


def expected_calls(event: Event, *, for_1h: bool = False) -> float:
    """How many calls of a conversation are expected from now on, each while the last one's entry lives."""
    found = 0.0
    for number, stage in enumerate(reversed(event.stages)):
        chances = [
            (one.weight, _FORESEEN * (one.within_5m + (one.within_1h if for_1h else 0.0))) for one in stage
        ]
        if number == 0:
            found = sum([weight * soon / (1.0 - soon) for weight, soon in chances])
        else:
            found = sum([weight * soon * (1.0 + found) for weight, soon in chances])
    return found


def missed_cost(turn: Turn, removed: int, calls: float) -> float:
    """What removing this many tokens is expected to cost for being missed, by what this source has shown.

    What is missed is fetched in a step of its own, and carried again.
    """
    books, rates = turn.books, turn.measured.rates
    seen = _TRUSTED_FROM + books.judged
    share = (_TRUSTED_FROM * _USED_AT_FIRST + books.used) / seen
    fetches = (_TRUSTED_FROM / _FETCHED_AT_FIRST + books.uses) / seen
    again = share * (calls * rates.read + rates.write_5m)
    step = (turn.total - removed) * rates.read + CALL_TOKENS * (rates.output + rates.write_5m)
    return removed * (again + fetches * step)
