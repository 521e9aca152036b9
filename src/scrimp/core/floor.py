"""The floor: the least that any caching strategy could have paid for the same contents, in hindsight.

Each distinct block of each distinct prefix is a little game of its own: at every use it is sent plain,
written for 5m, written for 1h, or read if an earlier use left it alive (real gaps, a read renews). The
cheapest line of play is found by dynamic programming over its uses. The limit of four markers, the lookback
and the minimum prefix are ignored, and one workspace shares prefixes across its runs, so no real strategy can
be below it. One trick is left out: a 1h entry bought on top of a 5m hit would by the published arithmetic
prolong the old prefix for the price of the increment; whether that is so is not published, and no plan may
build on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, repeat
from typing import Literal

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.prompt import Digest, Prompt
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = ["FloorCall", "floor"]

_State = Literal["none", "5m", "1h"]
_Move = Literal["plain", "read", "5m", "1h"]


class FloorCall(msgspec.Struct, frozen=True):
    """One call of a workspace: lengths in tokens, `rates` in picodollars a token, `now` in epoch seconds.

    Positions from `kept` on were gone from the cache (None: none were); those before `found` were in it,
    whoever had written them, with lifetime `ttl`. `used` has uses between the call before and this one that
    are no calls of their own, as (position, epoch seconds): what lived then lives on.
    """

    prompt: Prompt
    ends: Sequence[int]
    total: int
    rates: Rates
    now: float
    kept: int | None = None
    found: int = 0
    ttl: TTL = "5m"
    used: Sequence[tuple[int, float]] = ()


class _Use(msgspec.Struct, frozen=True, gc=False):
    call: int
    tokens: int
    rates: Rates
    now: float
    gone: bool
    shared: bool
    found: TTL | None
    used: Sequence[float] = ()

    def idle(self, before: float) -> float:
        """The longest time without any use since `before`, seconds."""
        moments = [before, *(at for at in self.used if before < at < self.now), self.now]
        return max(later - earlier for earlier, later in pairwise(moments))

    def goes_on(self, before: _Use) -> bool:
        """Whether whatever held before this use holds for it too: entries of 5 minutes live, prices stay."""
        return (
            self.now - before.now < TTL_SECONDS["5m"]
            and self.tokens == before.tokens
            and self.rates == before.rates
            and not self.gone
            and self.found is None
        )


class _Stretch(msgspec.Struct, frozen=True):
    """Uses close to one another: what is not alive at the first is written there or not at all."""

    first: _Use
    count: int
    until: float

    def price(self, move: _Move) -> int:
        """What all uses pay when the first one makes `move`; picodollars."""
        first, later = self._each(move)
        return first + (self.count - 1) * later

    def paid(self, move: _Move) -> list[int]:
        """What each use pays."""
        first, later = self._each(move)
        return [first, *repeat(later, self.count - 1)]

    def _each(self, move: _Move) -> tuple[int, int]:
        rates, tokens = self.first.rates, self.first.tokens
        match move:
            case "plain":
                return tokens * rates.input, tokens * rates.input
            case "read":
                return tokens * rates.read, tokens * rates.read
            case "5m":
                return tokens * rates.write_5m, tokens * rates.read
            case "1h":
                return tokens * rates.write_1h, tokens * rates.read


def floor(calls: Iterable[FloorCall]) -> list[int]:
    """Each call's share of the least input bill, picodollars; calls must be in time order."""
    uses: dict[Digest, list[_Use]] = defaultdict(list)
    shares: list[int] = []
    for number, call in enumerate(calls):
        done = 0
        static_end = call.prompt.static_end if call.kept is not None else -1
        for position, (prefix, end) in enumerate(zip(call.prompt.prefixes, call.ends, strict=True)):
            if end > done:
                gone = call.kept is not None and position >= call.kept
                found = call.ttl if position < call.found else None
                shared = gone and position <= static_end
                used = [at for place, at in call.used if place >= position] if call.used else ()
                uses[prefix].append(_Use(number, end - done, call.rates, call.now, gone, shared, found, used))
                done = end
        shares.append((call.total - done) * call.rates.input)
    for block in uses.values():
        for use, paid in zip(block, _cheapest(list(_stretches(block))), strict=True):
            shares[use.call] += paid
    return shares


def _stretches(uses: Sequence[_Use]) -> Iterator[_Stretch]:
    first = before = uses[0]
    count = 0
    for use in uses:
        if count and not use.goes_on(before):
            yield _Stretch(first, count, before.now)
            first, count = use, 0
        before = use
        count += 1
    yield _Stretch(first, count, before.now)


def _cheapest(stretches: Sequence[_Stretch]) -> list[int]:
    """What each use pays on the cheapest line of play.

    The state after a stretch is what of the block is alive: nothing, a 5m entry or a 1h entry; `best` holds
    the least paid so far for each that can be reached, `back` how it was reached.
    """
    best: dict[_State, int] = {"none": 0}
    back: list[dict[_State, tuple[_State, _Move]]] = []
    before = stretches[0].first.now
    for stretch in stretches:
        reached: dict[_State, int] = {}
        came: dict[_State, tuple[_State, _Move]] = {}
        for state, after, move in _moves(best, stretch.first, stretch.first.idle(before)):
            paid = best[state] + stretch.price(move)
            if after not in reached or paid < reached[after]:
                reached[after], came[after] = paid, (state, move)
        best, before = reached, stretch.until
        back.append(came)
    return _retrace(stretches, best, back)


def _moves(states: Iterable[_State], use: _Use, gap: float) -> Iterator[tuple[_State, _State, _Move]]:
    """Every (state before, state after, move) of one use; what is alive is read, as the provider does."""
    for state in states:
        lives = state != "none" and gap < TTL_SECONDS[state]
        alive = lives and not use.gone
        if use.found is not None:
            yield state, "1h" if alive and state == "1h" else use.found, "read"
            # Whoever does not know of the entry may write for 1h beyond it, and so prolong it (see above).
            yield state, "1h", "read"
            continue
        if alive:
            yield state, state, "read"
            continue
        if lives and use.shared:
            # Gone for this conversation: entries of other ones that begin alike may live on.
            yield state, state, "plain"
        yield state, "none", "plain"
        yield state, "5m", "5m"
        yield state, "1h", "1h"


def _retrace(
    stretches: Sequence[_Stretch],
    best: dict[_State, int],
    back: Sequence[dict[_State, tuple[_State, _Move]]],
) -> list[int]:
    state = min(best, key=best.__getitem__)
    moves: list[_Move] = []
    for came in reversed(back):
        state, move = came[state]
        moves.append(move)
    paid: list[int] = []
    for stretch, move in zip(stretches, reversed(moves), strict=True):
        paid.extend(stretch.paid(move))
    return paid
