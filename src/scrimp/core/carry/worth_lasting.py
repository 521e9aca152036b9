"""How long conversations go on: what a lever that pays now and saves later can hope for."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest
from scrimp.core.worth import Event

__all__ = ["Lasting", "expected_calls"]

_FORESEEN = 0.98
"""How much a later call counts against the one before: nobody foresees more than some 50 calls."""

_ASSUMED_COUNTS = 4
_ENDED_REMEMBERED = 500
"""Conversations that what is known beforehand counts for, and of how many each label remembers the length."""
_LABELS_REMEMBERED = 1_000
_GOING_REMEMBERED = 10_000


class _Going(msgspec.Struct, frozen=True):
    """A conversation that may still go on warm: its last call, and how many there were in a row."""

    at: float
    lifetime: int
    label: str
    calls: int


class Lasting:
    """How many calls in a row, each while the cache of the one before lived, conversations have had."""

    def __init__(self) -> None:
        self._going: dict[Digest, _Going] = {}
        self._lasted: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_ENDED_REMEMBERED))

    def observe(self, now: Digest, before: Digest, at: float, lifetime: int, label: str | None) -> int:
        """A call with last prefix `now` goes out at `at`, on from the one with last prefix `before`.

        `lifetime` is for how many seconds its entries live. Returns how many calls in a row that makes.
        """
        going = self._going
        while going and (first := next(iter(going.items())))[1].at + first[1].lifetime < at:
            self._end(going.pop(first[0]))
        found = going.pop(before, None)
        if found is not None and found.at + found.lifetime < at:
            self._end(found)
            found = None
        calls = 1 + (found.calls if found is not None else 0)
        going[now] = _Going(at, lifetime, label or "", calls)
        forget_oldest(going, _GOING_REMEMBERED)
        return calls

    def calls_to_come(self, done: int, event: Event, label: str | None, *, for_1h: bool) -> float:
        """Calls expected while the cache lives after `done` in a row; `event` is what the horizon foresees.

        The mean of what those before went on for that lasted as long; and, counting as a few of them, what is
        known of loops in general, but no more than there have been: that this one goes on for long is only
        shown by its doing so.
        """
        found = expected_calls(event, for_1h=for_1h)
        longer = [lasted - done for lasted in self._lasted.get(label or "", ()) if lasted > done]
        return (_ASSUMED_COUNTS * min(found, float(done)) + sum(longer)) / (_ASSUMED_COUNTS + len(longer))

    def learned(self) -> dict[str, list[int]]:
        """By label: how many calls in a row the conversations had that ended, the latest last."""
        return {label: list(lasted) for label, lasted in self._lasted.items()}

    def recall(self, learned: Mapping[str, Sequence[int]]) -> None:
        """Begin with what an earlier process learned; what makes no sense is passed over."""
        for label, lasted in learned.items():
            self._lasted[label].extend([calls for calls in lasted if calls > 0])
        forget_oldest(self._lasted, _LABELS_REMEMBERED)

    def _end(self, gone: _Going) -> None:
        self._lasted[gone.label].append(gone.calls)
        forget_oldest(self._lasted, _LABELS_REMEMBERED)


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
