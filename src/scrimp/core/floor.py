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
from typing import Literal

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.prompt import Digest, Prompt
from scrimp.facts.prices import Rates

__all__ = ["FloorCall", "floor"]

_State = Literal["none", "5m", "1h"]


class FloorCall(msgspec.Struct, frozen=True):
    """One call of a workspace: lengths in tokens, `rates` in picodollars a token, `now` in epoch seconds."""

    prompt: Prompt
    ends: Sequence[int]
    total: int
    rates: Rates
    now: float


class _Use(msgspec.Struct, frozen=True):
    call: int
    tokens: int
    rates: Rates
    now: float


def floor(calls: Iterable[FloorCall]) -> list[int]:
    """Each call's share of the least input bill, picodollars; calls must be in time order."""
    uses: dict[Digest, list[_Use]] = defaultdict(list)
    shares: list[int] = []
    for number, call in enumerate(calls):
        done = 0
        for prefix, end in zip(call.prompt.prefixes, call.ends, strict=True):
            if end > done:
                uses[prefix].append(_Use(number, end - done, call.rates, call.now))
                done = end
        shares.append((call.total - done) * call.rates.input)
    for block in uses.values():
        for use, paid in zip(block, _cheapest(block), strict=True):
            shares[use.call] += paid
    return shares


def _cheapest(uses: Sequence[_Use]) -> list[int]:
    """What each use pays on the cheapest line of play.

    The state after a use is what of the block is alive: nothing, a 5m entry or a 1h entry; `best` holds the
    least paid so far for each that can be reached, `back` how it was reached.
    """
    best: dict[_State, int] = {"none": 0}
    back: list[dict[_State, tuple[_State, int]]] = []
    before = uses[0].now
    for use in uses:
        reached: dict[_State, int] = {}
        came: dict[_State, tuple[_State, int]] = {}
        for state, after, price in _moves(best, use, use.now - before):
            paid = best[state] + price
            if after not in reached or paid < reached[after]:
                reached[after], came[after] = paid, (state, price)
        best, before = reached, use.now
        back.append(came)
    return _retrace(best, back)


def _moves(states: Iterable[_State], use: _Use, gap: float) -> Iterator[tuple[_State, _State, int]]:
    """Every (state before, state after, price) of one use; what is alive is read, as the provider does."""
    rates, tokens = use.rates, use.tokens
    for state in states:
        if state != "none" and gap < TTL_SECONDS[state]:
            yield state, state, tokens * rates.read
            continue
        yield state, "none", tokens * rates.input
        yield state, "5m", tokens * rates.write_5m
        yield state, "1h", tokens * rates.write_1h


def _retrace(best: dict[_State, int], back: Sequence[dict[_State, tuple[_State, int]]]) -> list[int]:
    state = min(best, key=best.__getitem__)
    paid = []
    for came in reversed(back):
        state, price = came[state]
        paid.append(price)
    return paid[::-1]
