"""Scenarios × strategies: who pays what, learned and cold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from benchmarks.caching.lengths import TrueLengths
from benchmarks.caching.peers import PEERS, Advice, key_of, skeleton
from benchmarks.caching.recorded import RECORDED, Recorded
from benchmarks.caching.shapes_loops import LOOPS
from benchmarks.caching.shapes_shared import SHARED
from benchmarks.caching.stage import Played, Strategy, play, play_floor
from benchmarks.caching.strategies import Fixed, Scrimp, automatic, callers_own, marked, no_markers
from benchmarks.caching.traffic import Call, Scenario
from scrimp.wire.markers import MarkerEdit

__all__ = ["FIXED", "SCENARIOS", "STRATEGIES", "USUAL", "Paid", "Row", "run_scenario"]

SCENARIOS: dict[str, Scenario | Recorded] = {
    scenario.name: scenario for scenario in (*LOOPS, *SHARED, *RECORDED)
}

FIXED = ("none", "auto", *PEERS, "caller")
"""Strategies that learn nothing: whatever came a day before, they pay the same."""

STRATEGIES = (*FIXED, "expert", "scrimp", "scrimp-over")
"""Every contender; `expert` knows what traffic comes, `scrimp-over` is handed the caller's own markers."""

USUAL = tuple(name for name in STRATEGIES if name != "scrimp-over")

_RULES: dict[str, Callable[[Call], dict[str, object]]] = {
    "none": no_markers,
    "auto": automatic,
    "caller": callers_own,
}

_OURS: dict[str, Callable[[], Scrimp]] = {
    "scrimp": Scrimp,
    "scrimp-over": lambda: Scrimp(callers_own),
}


class Paid(msgspec.Struct, frozen=True):
    """What the judged population paid under one strategy: picodollars, and how its input tokens divide."""

    input_cost: int
    total_cost: int
    plain: int
    write_5m: int
    write_1h: int
    read: int


class Row(msgspec.Struct, frozen=True):
    """One scenario: the floor in picodollars, and what each strategy paid, learned and cold.

    `skipped` says why a strategy is missing; `unplanned` counts calls that scrimp had no safe plan for and
    sent as they were.
    """

    name: str
    about: str
    runs: int
    calls: int
    floor: int
    learned: dict[str, Paid]
    cold: dict[str, Paid]
    skipped: dict[str, str]
    unplanned: int
    seconds: float


def run_scenario(
    scenario: Scenario | Recorded,
    strategies: Iterable[str],
    *,
    seed: int,
    runs: int,
    advice: Mapping[str, Advice] = {},  # never changed
) -> Row:
    """Play one scenario under every strategy; `advice` is what the peers do with its calls.

    Raises `InputError` where its recordings are missing.
    """
    begun = time.perf_counter()
    learning, judged = scenario.populations(seed=seed, runs=runs)
    lengths = TrueLengths()
    learned: dict[str, Paid] = {}
    cold: dict[str, Paid] = {}
    skipped: dict[str, str] = {}
    unplanned = 0
    for name in strategies:
        if name in _OURS:
            taught, new = _OURS[name](), _OURS[name]()
            learned[name] = _paid(play([*learning, *judged], taught, lengths)[len(learning) :])
            cold[name] = _paid(play(judged, new, lengths))
            unplanned += taught.unplanned + new.unplanned
            continue
        strategy = _fixed(name, scenario, advice)
        if isinstance(strategy, str):
            skipped[name] = strategy
            continue
        learned[name] = cold[name] = _paid(play(judged, strategy, lengths))
    return Row(
        name=scenario.name,
        about=scenario.about,
        runs=runs if isinstance(scenario, Scenario) else len({call.run for call in judged}),
        calls=len(judged),
        floor=sum(play_floor(judged, lengths)),
        learned=learned,
        cold=cold,
        skipped=skipped,
        unplanned=unplanned,
        seconds=time.perf_counter() - begun,
    )


def _fixed(name: str, scenario: Scenario | Recorded, advice: Mapping[str, Advice]) -> Strategy | str:
    """The strategy, or why it cannot be played here."""
    if name == "expert":
        habit = scenario.expert
        if habit is None:
            return f"{scenario.name} has the caller's recorded markers instead"
        return Fixed(lambda call: marked(call.body, habit(call.body)))
    if name not in PEERS:
        return Fixed(_RULES[name])
    found = advice.get(name, "was not asked")
    return found if isinstance(found, str) else Fixed(partial(_advised, found))


def _advised(markers: Mapping[bytes, Sequence[MarkerEdit]], call: Call) -> dict[str, object]:
    return marked(call.body, markers[key_of(skeleton(call.body))])


def _paid(played: Sequence[Played]) -> Paid:
    return Paid(
        input_cost=sum(one.input_cost for one in played),
        total_cost=sum(one.total_cost for one in played),
        plain=sum(one.usage.input_tokens for one in played),
        write_5m=sum(one.usage.write_5m for one in played),
        write_1h=sum(one.usage.write_1h for one in played),
        read=sum(one.usage.cache_read_input_tokens for one in played),
    )
