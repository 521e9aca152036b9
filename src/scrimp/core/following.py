"""Whether a request should wait for a prefix that another one is writing, and for how long.

An entry can be read once the response that writes it begins ("Prompt caching", concurrent requests). Until
then each request that needs it pays for it in full. Waiting is worth its time as long as what it saves is
more than what the seconds cost, given how long responses of that kind have taken to begin.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Container, Hashable

import msgspec

from scrimp.core.cache import Outcome
from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest
from scrimp.core.workspace import Planned
from scrimp.facts.prices import Rates

__all__ = ["Beginnings", "Follow", "following"]


class Follow(msgspec.Struct, frozen=True):
    """Reading `prefix` instead of paying for it as planned would save so much, in picodollars."""

    prefix: Digest
    saves: int


def following(planned: Planned, led: Container[Digest]) -> Follow | None:
    """The longest prefix of a request that another one is writing, if reading it would be cheaper.

    `led` are the prefixes whose writer is known, so that its beginning will be heard of.
    """
    situation, outcome = planned.situation, planned.plan.chosen.outcome
    if not situation.pending:
        return None
    prefixes, ends = planned.prompt.prefixes, situation.ends
    positions = (position for position, _ in situation.pending if position > outcome.hit)
    for position in sorted(positions, reverse=True):
        if prefixes[position] not in led:
            continue
        tokens, rates = ends[position], situation.rates
        saves = _price_of_first(tokens, outcome, rates) - tokens * rates.read
        if saves > 0:
            return Follow(prefixes[position], saves)
    return None


def _price_of_first(tokens: int, outcome: Outcome, rates: Rates) -> int:
    """What the first so many tokens of the input cost: those read come first, then written, then plain."""
    price = 0
    parts = (
        (outcome.read, rates.read),
        (outcome.write_1h, rates.write_1h),
        (outcome.write_5m, rates.write_5m),
        (outcome.plain, rates.input),
    )
    for length, rate in parts:
        taken = min(tokens, length)
        price += taken * rate
        tokens -= taken
    return price


_REMEMBERED = 64
_ENOUGH = 8
_KINDS = 256


class Beginnings:
    """How long responses of each kind (such as a model's, streamed) have taken to begin, in seconds."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[deque[float], list[float]]] = {}  # as they came, and sorted

    def saw(self, kind: Hashable, seconds: float) -> None:
        """A response of this kind began after so many seconds."""
        known = self._seen.pop(kind, None)
        recent, ordered = self._seen[kind] = known or (deque(), [])
        forget_oldest(self._seen, _KINDS)
        recent.append(seconds)
        insort(ordered, seconds)
        if len(recent) > _REMEMBERED:
            del ordered[bisect_right(ordered, recent.popleft()) - 1]

    def worth(self, kind: Hashable, *, age: float, within: float, saves: float, second: float) -> bool:
        """Whether to wait at most `within` seconds for one that began `age` seconds ago and was not heard of.

        `saves` is what is saved if it begins in that time, `second` what a second costs, in the same unit.
        Little seen of its kind is taken for a good sign: the wait is short in any case.
        """
        _, seen = self._seen.get(kind, ((), ()))
        if len(seen) < _ENOUGH:
            return saves > 0
        later = seen[bisect_right(seen, age) :]
        if not later:
            return False
        waits = [min(seconds - age, within) for seconds in later]
        in_time = sum(seconds - age <= within for seconds in later)
        return saves * in_time > second * sum(waits)
