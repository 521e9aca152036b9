"""A recording under its own markers, against its bills: how far the model is off, and what it cannot know.

Bills show some of what no recorded call explains: an entry that was gone before its time, or that a call
outside the recording had left. Neither has to do with where markers are, so a replay deals them to every
policy alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from scrimp.core.cache import TTL_SECONDS, Cache, Outcome, windows
from scrimp.core.prompt import Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.tolerance import tolerance
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = [
    "Dealt",
    "HitOdds",
    "Measured",
    "Reproduced",
    "Used",
    "deal",
    "reproduce",
    "unexplained",
    "use",
    "whose_cache",
]

_SLACK = 300
"""Tokens by which a read may be off and still be of the entry that was foreseen."""


class Dealt(msgspec.Struct, frozen=True):
    """What a bill shows that no recorded call explains, at the moment a call was sent.

    Of the call's prefixes those of more than `kept` positions were gone (None: none); position `found` was
    in the cache with lifetime `ttl` (None: nothing unexplained was).
    """

    kept: int | None = None
    found: int | None = None
    ttl: TTL = "5m"


class Used(msgspec.Struct, frozen=True):
    """A request beside the recorded ones read the call's prefix up to `position` at `at` (epoch seconds).

    What it read lives on from there if it lived then; nothing is written.
    """

    position: int
    at: float


class HitOdds(msgspec.Struct, frozen=True):
    """Of what the cache could give a call, the least and the most that it is said to give (shares of one)."""

    least: Fraction
    most: Fraction


class Measured(msgspec.Struct, frozen=True):
    """A recorded call with its lengths from all bills (`ends`, in tokens) and its prices.

    `dealt` is what a replay finds beside the doings of its own policy. `used` are uses of its prefix that the
    recording tells of, before the call; `warm_until` is until when (epoch seconds) what the call leaves is
    read again and again to keep it alive; `odds` hold where the cache is best effort.
    """

    call: RecordedCall
    ends: Sequence[int]
    rates: Rates
    dealt: Dealt | None = None
    used: tuple[Used, ...] = ()
    warm_until: float | None = None
    odds: HitOdds | None = None


class Reproduced(msgspec.Struct, frozen=True):
    """One call as the model foresaw it under the recorded markers, knowing the bills before it alone."""

    measured: Measured
    outcome: Outcome
    dealt: Dealt | None


def reproduce(calls: Sequence[Measured]) -> list[Reproduced]:
    """Every call of one source in time order, the model put right by each bill after it was foreseen.

    Runs without times have a cache each: nothing says in which order they ran.
    """
    caches: dict[str, Cache] = {}
    found = []
    for measured in calls:
        cache = caches.setdefault(whose_cache(measured.call), Cache())
        call, ends, total = measured.call, measured.ends, measured.call.usage.total_input
        use(cache, measured)
        outcome = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        dealt = unexplained(cache, measured, outcome)
        found.append(Reproduced(measured, outcome, dealt))
        if dealt is not None:
            deal(cache, dealt, call.prompt, call.at)
            outcome = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        cache.commit(call.prompt, outcome, call.at, call.began_at or call.at)
    return found


def deal(cache: Cache, dealt: Dealt, prompt: Prompt, now: float) -> None:
    """Bring `cache` to what a bill shows of it when `prompt` was sent."""
    if dealt.kept is not None:
        for prefix in prompt.prefixes[dealt.kept :]:
            cache.drop(prefix)
    if dealt.found is not None:
        cache.add(prompt.prefixes[dealt.found], dealt.ttl, now, now)


def use(cache: Cache, measured: Measured) -> None:
    """Renew in `cache` what requests beside the recorded ones read of this call's prefix before it."""
    for used in measured.used:
        entry = cache.alive(measured.call.prompt.prefixes[used.position], used.at)
        if entry is not None:
            entry.used_at = max(entry.used_at, used.at)


def whose_cache(call: RecordedCall) -> str:
    """Which cache a call used; runs without times have one each."""
    return call.workspace if call.timed else f"{call.workspace} {call.run}"


def unexplained(cache: Cache, measured: Measured, outcome: Outcome) -> Dealt | None:
    """What the bill of a call shows that `outcome`, the model's own word, does not; None where they agree."""
    call, ends = measured.call, measured.ends
    read = call.usage.cache_read_input_tokens
    slack = min(_SLACK, tolerance(call.usage.total_input))
    if abs(outcome.read - read) <= slack:
        return None
    kept = None
    if outcome.read > read:
        kept = next((place for place, end in enumerate(ends) if end > read + slack), len(ends))
    found = None
    best = _deepest_alive(cache, measured, len(ends) if kept is None else kept)
    if read > slack and read > best + slack:
        found = _nearest(call, ends, read)
    return None if kept is None and found is None else Dealt(kept, found, _lifetime(call))


def _deepest_alive(cache: Cache, measured: Measured, kept: int) -> int:
    """Tokens of the longest entry this prompt would read among its first `kept` positions."""
    call = measured.call
    for position in windows(call.prompt, call.rules.lookback):
        if position < kept and cache.alive(call.prompt.prefixes[position], call.at) is not None:
            return measured.ends[position]
    return 0


def _nearest(call: RecordedCall, ends: Sequence[int], read: int) -> int | None:
    """The position a marker of the call can reach that ends nearest to what was read."""
    reach = list(windows(call.prompt, call.rules.lookback))
    return min(reach, key=lambda position: abs(ends[position] - read), default=None)


def _lifetime(call: RecordedCall) -> TTL:
    """The longest lifetime the client asked for: what it left unseen lived as long."""
    return max((marker.ttl for marker in call.prompt.markers), key=TTL_SECONDS.__getitem__, default="5m")
