"""Replay: a recorded trace under a policy, through the same cache and price model for all.

Token lengths come from the bills in hindsight and are the same for every policy. A policy itself is causal:
it sees the request, what the model of its own cache holds, and lengths as they could be estimated beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

import msgspec

from scrimp.core.cache import Cache, Outcome
from scrimp.core.floor import FloorCall, floor
from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Marker, Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Dealt, Measured, deal, use
from scrimp.core.workspace import Asked, Planned, Workspace
from scrimp.facts.models import default
from scrimp.facts.prices import Rates
from scrimp.wire.response import CacheCreation, Usage

__all__ = [
    "POLICIES",
    "Measured",
    "Policy",
    "Replayed",
    "input_cost",
    "measure",
    "replay",
    "replay_floor",
    "send",
]


class Replayed(msgspec.Struct, frozen=True):
    """One call under a policy; costs in picodollars.

    `spread` is how much less its input costs where a cache that is best effort gives the most it is said to;
    `extra` what it costs beside its own input and output.
    """

    call: RecordedCall
    outcome: Outcome
    input_cost: int
    output_cost: int
    spread: int = 0
    extra: int = 0


class Policy(Protocol):
    """Chooses the markers of a request, knowing only what came before."""

    def markers(self, call: RecordedCall) -> Sequence[Marker]:
        """Markers for this request."""

    def billed(self, outcome: Outcome) -> None:
        """What the request just marked was billed."""


class _Fixed:
    """A policy that needs no knowledge."""

    def __init__(self, rule: Callable[[RecordedCall], Sequence[Marker]]) -> None:
        self._rule = rule

    def markers(self, call: RecordedCall) -> Sequence[Marker]:
        return self._rule(call)

    def billed(self, outcome: Outcome) -> None:
        """Nothing is learned."""


class _Scrimp:
    """scrimp's own planner: the very workspace that plans live requests, with nothing but its own memory."""

    def __init__(self) -> None:
        self._workspace = Workspace(default())
        self._planned: Planned | None = None

    def markers(self, call: RecordedCall) -> Sequence[Marker]:
        asked = Asked(call.prompt, call.sized, call.model, call.rules, call.day, edited=call.edited)
        planned = self._planned = self._workspace.decide(asked, call.at, label=call.label)
        self._workspace.sent(planned, call.at, call.began_at or call.at)
        return planned.plan.markers

    def billed(self, outcome: Outcome) -> None:
        if self._planned is not None:
            self._workspace.billed(self._planned, _usage(outcome))


def _usage(outcome: Outcome) -> Usage:
    """A bill as the API would write it."""
    return Usage(
        input_tokens=outcome.plain,
        cache_creation_input_tokens=outcome.written,
        cache_read_input_tokens=outcome.read,
        cache_creation=CacheCreation(outcome.write_5m, outcome.write_1h),
    )


def _automatic(call: RecordedCall) -> Sequence[Marker]:
    tail = call.prompt.last_markable() if call.offers_automatic else None
    return () if tail is None else (Marker(tail, "5m", automatic=True),)


POLICIES: Mapping[str, Callable[[], Policy]] = {
    "recorded": lambda: _Fixed(lambda call: call.prompt.markers),
    "none": lambda: _Fixed(lambda _: ()),
    "auto": lambda: _Fixed(_automatic),
    "scrimp": _Scrimp,
}


def measure(calls: Sequence[RecordedCall], learned: Lengths) -> list[Measured]:
    """Lengths and rates of each call; `learned` holds what the bills of all calls revealed."""
    found = []
    for call in calls:
        total = call.usage.total_input
        rates = call.model.rates(call.day, prompt_tokens=total)
        found.append(Measured(call, learned.ends(call.prompt, call.sizes, total), rates))
    return found


def replay(calls: Iterable[Measured], policy: Policy) -> list[Replayed]:
    """Every call of one workspace, in time order, under `policy` with a cache of its own."""
    cache = Cache()
    done = []
    for measured in calls:
        prompt = measured.call.prompt.remarked(policy.markers(measured.call))
        outcome = send(cache, measured, prompt)
        policy.billed(outcome)
        done.append(_costed(measured, prompt, outcome))
    return done


def send(cache: Cache, measured: Measured, prompt: Prompt) -> Outcome:
    """What the call is billed with `prompt`, its own under some markers; `cache` is then as it leaves it."""
    call = measured.call
    use(cache, measured)
    if measured.dealt is not None:
        deal(cache, measured.dealt, call.prompt, call.at)
    outcome = cache.outcome(prompt, measured.ends, call.usage.total_input, call.rules, call.at)
    kept = cache.surely(prompt, outcome, call.at)
    cache.commit(prompt, kept, call.at, call.began_at or call.at)
    if measured.warm_until is not None:
        _keep_alive(cache, measured, prompt, kept)
    return outcome


def _keep_alive(cache: Cache, measured: Measured, prompt: Prompt, outcome: Outcome) -> None:
    """What a call read or wrote up to its last marker is read again until `warm_until`."""
    last = max((write.position for write in outcome.writes), default=outcome.hit)
    if last < 0 or measured.warm_until is None:
        return
    entry = cache.alive(prompt.prefixes[last], measured.call.began_at or measured.call.at)
    if entry is not None:
        entry.used_at = max(entry.used_at, measured.warm_until)


def _costed(measured: Measured, prompt: Prompt, outcome: Outcome) -> Replayed:
    call, rates, odds = measured.call, measured.rates, measured.odds
    output = call.usage.output_tokens * rates.output
    if odds is None or not outcome.read:
        return Replayed(call, outcome, input_cost(outcome, rates), output)
    missed = Cache().outcome(prompt, measured.ends, call.usage.total_input, call.rules, call.at)
    least, most = (_partly(outcome, missed, share) for share in (odds.least, odds.most))
    cost = input_cost(least, rates)
    return Replayed(call, least, cost, output, spread=cost - input_cost(most, rates))


def _partly(hit: Outcome, missed: Outcome, share: Fraction) -> Outcome:
    """`share` of `hit` and the rest of `missed`, in whole tokens."""
    plain, write_5m, write_1h = (
        without + round(share * (with_it - without))
        for with_it, without in (
            (hit.plain, missed.plain),
            (hit.write_5m, missed.write_5m),
            (hit.write_1h, missed.write_1h),
        )
    )
    total = hit.plain + hit.written + hit.read
    read = total - plain - write_5m - write_1h
    return Outcome(hit.hit, hit.writes, plain, write_5m, write_1h, read)


def input_cost(outcome: Outcome, rates: Rates) -> int:
    """What a call's input costs, picodollars."""
    return (
        outcome.plain * rates.input
        + outcome.write_5m * rates.write_5m
        + outcome.write_1h * rates.write_1h
        + outcome.read * rates.read
    )


def replay_floor(calls: Sequence[Measured]) -> list[int]:
    """Each call's share of the floor of one workspace, picodollars."""
    return floor(map(_floor_call, calls))


def _floor_call(measured: Measured) -> FloorCall:
    call, dealt = measured.call, measured.dealt or Dealt()
    return FloorCall(
        call.prompt,
        measured.ends,
        call.usage.total_input,
        measured.rates,
        call.at,
        kept=dealt.kept,
        found=0 if dealt.found is None else dealt.found + 1,
        ttl=dealt.ttl,
        used=[(used.position, used.at) for used in measured.used],
    )
