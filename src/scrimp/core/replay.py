"""Replay: a recorded trace under a policy, through the same cache and price model for all.

Token lengths come from the bills in hindsight and are the same for every policy. A policy itself is causal:
it sees the request, what the model of its own cache holds, and lengths as they could be estimated beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from scrimp.core.cache import Cache, Outcome
from scrimp.core.floor import FloorCall, floor
from scrimp.core.horizon import Horizon
from scrimp.core.lengths import Lengths
from scrimp.core.passes.mark import Situation
from scrimp.core.plan import plan
from scrimp.core.prompt import Marker
from scrimp.core.recorded import RecordedCall
from scrimp.core.tokens.learner import Learner
from scrimp.facts.prices import Rates

__all__ = ["POLICIES", "Measured", "Policy", "Replayed", "measure", "replay", "replay_floor"]


class Measured(msgspec.Struct, frozen=True):
    """A recorded call with its lengths: `ends` from all bills, `foreseen` from those before it (tokens)."""

    call: RecordedCall
    ends: Sequence[int]
    foreseen: Sequence[int]
    foreseen_total: int
    rates: Rates


class Replayed(msgspec.Struct, frozen=True):
    """One call under a policy; costs in picodollars."""

    call: RecordedCall
    outcome: Outcome
    input_cost: int
    output_cost: int


class Policy(Protocol):
    """Chooses the markers of a request, knowing only what came before."""

    def markers(self, measured: Measured, cache: Cache) -> Sequence[Marker]:
        """Markers for this request."""


class _Fixed:
    """A policy that needs no knowledge."""

    def __init__(self, rule: Callable[[RecordedCall], Sequence[Marker]]) -> None:
        self._rule = rule

    def markers(self, measured: Measured, cache: Cache) -> Sequence[Marker]:  # noqa: ARG002  # blind by design
        return self._rule(measured.call)


class _Scrimp:
    """scrimp's own planner."""

    def __init__(self) -> None:
        self._horizon = Horizon()

    def markers(self, measured: Measured, cache: Cache) -> Sequence[Marker]:
        call = measured.call
        self._horizon.observe(call.prompt, call.at)
        situation = Situation(
            prompt=call.prompt,
            ends=measured.foreseen,
            total=measured.foreseen_total,
            cache=cache,
            rules=call.rules,
            rates=measured.rates,
            continues=self._horizon.continues(call.prompt),
            shares=self._horizon.shares(call.prompt),
            now=call.at,
            stable_end=self._horizon.stable_end(call.prompt),
        )
        return plan(situation).markers


def _automatic(call: RecordedCall) -> Sequence[Marker]:
    tail = call.prompt.last_markable()
    return () if tail is None else (Marker(tail, "5m", automatic=True),)


POLICIES: Mapping[str, Callable[[], Policy]] = {
    "recorded": lambda: _Fixed(lambda call: call.prompt.markers),
    "none": lambda: _Fixed(lambda _: ()),
    "auto": lambda: _Fixed(_automatic),
    "scrimp": _Scrimp,
}


def measure(calls: Sequence[RecordedCall], learned: Lengths) -> list[Measured]:
    """Lengths and rates of each call; `learned` holds what the bills of all calls revealed."""
    before, learner = Lengths(), Learner()
    found = []
    for call in calls:
        total = call.usage.total_input
        sizes, blocks, prefixes = call.sizes, call.prompt.blocks, call.prompt.prefixes
        ends = learned.ends(call.prompt, sizes, total)
        foreseen_total = learner.foresee(call.model.id, blocks, prefixes, call.sized).mid
        foreseen = before.ends(call.prompt, sizes, foreseen_total)
        learner.learn(call.model.id, blocks, prefixes, call.sized, total)
        before.reveal(call.prompt, call.usage)
        rates = call.model.rates(call.day, prompt_tokens=total)
        found.append(Measured(call, ends, foreseen, foreseen_total, rates))
    return found


def replay(calls: Iterable[Measured], policy: Policy) -> list[Replayed]:
    """Every call of one workspace, in time order, under `policy` with a cache of its own."""
    cache = Cache()
    done = []
    for measured in calls:
        call = measured.call
        prompt = call.prompt.remarked(policy.markers(measured, cache))
        total = call.usage.total_input
        outcome = cache.outcome(prompt, measured.ends, total, call.rules, call.at)
        cache.commit(prompt, outcome, call.at, call.at)
        rates = measured.rates
        cost = (
            outcome.plain * rates.input
            + outcome.write_5m * rates.write_5m
            + outcome.write_1h * rates.write_1h
            + outcome.read * rates.read
        )
        done.append(Replayed(call, outcome, cost, call.usage.output_tokens * rates.output))
    return done


def replay_floor(calls: Sequence[Measured]) -> list[int]:
    """Each call's share of the floor of one workspace, picodollars."""
    return floor(
        FloorCall(m.call.prompt, m.ends, m.call.usage.total_input, m.rates, m.call.at) for m in calls
    )
