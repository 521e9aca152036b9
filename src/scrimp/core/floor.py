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

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.prompt import Digest, Prompt
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = ["FloorCall", "floor"]

_State = Literal["none", "5m", "1h"]
_Move = Literal["plain", "read", "5m", "1h"]


_BEGINNINGS: tuple[_Move, ...] = ("plain", "5m", "1h")
"""What can be done where nothing was written before."""


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


class _Stretch:
    """Uses close to one another: what is not alive at the first is written there or not at all.

    `calls` are the numbers of the calls they are of, `until` is when the last of them began.
    """

    __slots__ = ("calls", "first", "rates", "tokens", "until")

    def __init__(self, first: _Use, call: int) -> None:
        self.first = first
        self.tokens, self.rates = first.tokens, first.rates
        self.calls = [call]
        self.until = first.now

    def price(self, move: _Move) -> int:
        """What all uses pay when the first one makes `move`; picodollars."""
        first, later = self.each(move)
        return first + (len(self.calls) - 1) * later

    def each(self, move: _Move) -> tuple[int, int]:
        """What the first use pays, and what each of the others pays."""
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
    blocks: dict[Digest, list[_Stretch]] = {}
    shares: list[int] = []
    for number, call in enumerate(calls):
        plain = call.kept is None and not call.found and not call.used
        done = (_goes_on if plain else _adds)(blocks, number, call)
        shares.append((call.total - done) * call.rates.input)
    for block in blocks.values():
        for stretch, (first, later) in zip(block, _cheapest(block), strict=True):
            calls_of = iter(stretch.calls)
            shares[next(calls_of)] += first
            for one in calls_of:
                shares[one] += later
    return shares


def _goes_on(blocks: dict[Digest, list[_Stretch]], number: int, call: FloorCall) -> int:
    """Add the uses of a call that nothing is known of beside the recording; returns where they end.

    A use goes on with the stretch before it where whatever held there holds for it too: entries of 5 minutes
    live, lengths and prices stay.
    """
    done, now, rates = 0, call.now, call.rates
    lives = TTL_SECONDS["5m"]
    for prefix, end in zip(call.prompt.prefixes, call.ends, strict=True):
        if end <= done:
            continue
        stretches = blocks.get(prefix)
        tokens, done = end - done, end
        if stretches is None:
            blocks[prefix] = [
                _Stretch(_Use(tokens, rates, now, gone=False, shared=False, found=None), number)
            ]
            continue
        last = stretches[-1]
        if (
            now - last.until < lives
            and last.tokens == tokens
            and (last.rates is rates or last.rates == rates)
        ):
            last.calls.append(number)
            last.until = now
        else:
            use = _Use(tokens, rates, now, gone=False, shared=False, found=None)
            stretches.append(_Stretch(use, number))
    return done


def _adds(blocks: dict[Digest, list[_Stretch]], number: int, call: FloorCall) -> int:
    """Add the uses of a call with what else is known of it; returns where they end."""
    done = 0
    static_end = call.prompt.static_end if call.kept is not None else -1
    for position, (prefix, end) in enumerate(zip(call.prompt.prefixes, call.ends, strict=True)):
        if end <= done:
            continue
        gone = call.kept is not None and position >= call.kept
        found = call.ttl if position < call.found else None
        used = [at for place, at in call.used if place >= position] if call.used else ()
        shared = gone and position <= static_end
        use = _Use(end - done, call.rates, call.now, gone, shared, found, used)
        done = end
        stretches = blocks.setdefault(prefix, [])
        last = stretches[-1] if stretches else None
        if last is not None and _follows(use, last):
            last.calls.append(number)
            last.until = use.now
        else:
            stretches.append(_Stretch(use, number))
    return done


def _follows(use: _Use, last: _Stretch) -> bool:
    """Whether whatever held before a use holds for it too."""
    return (
        use.now - last.until < TTL_SECONDS["5m"]
        and use.tokens == last.tokens
        and use.rates == last.rates
        and not use.gone
        and use.found is None
    )


def _cheapest(stretches: Sequence[_Stretch]) -> list[tuple[int, int]]:
    """What the first use of each stretch pays on the cheapest line of play, and each other one of it.

    The state after a stretch is what of the block is alive: nothing, a 5m entry or a 1h entry; `best` holds
    the least paid so far for each that can be reached, `back` how it was reached.
    """
    if len(stretches) == 1 and stretches[0].first.found is None:
        return [stretches[0].each(min(_BEGINNINGS, key=stretches[0].price))]
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
) -> list[tuple[int, int]]:
    state = min(best, key=best.__getitem__)
    moves: list[_Move] = []
    for came in reversed(back):
        state, move = came[state]
        moves.append(move)
    paid: list[tuple[int, int]] = []
    for stretch, move in zip(stretches, reversed(moves), strict=True):
        paid.append(stretch.each(move))
    return paid
