"""What bills show that no recorded call explains, and that a replay deals it to every policy."""

from __future__ import annotations

import pytest

from scrimp.core.cache import Cache
from scrimp.core.replay import POLICIES, replay, replay_floor
from scrimp.core.reproduce import Dealt, Measured, deal, reproduce
from scrimp.core.summary import foreseen, measure_source
from scrimp.wire.response import CacheCreation, Usage
from tests.core.recordings import CLOSING, Recorder, recorded_call

# Claude Opus 5, picodollars a token.
PLAIN, WRITE, READ = 5_000_000, 6_250_000, 500_000
BLOCKS = [("system", 4000), ("task", 2000)]


def billed(read: int, written: int) -> Usage:
    return Usage(
        input_tokens=CLOSING,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
        cache_creation=CacheCreation(written, 0),
    )


def measured(*bills: tuple[float, int, int], timed: bool = True, run: str = "run") -> list[Measured]:
    """Calls with one prompt, marked at system and tail, at a time with a read and a write each."""
    markers = {0: "5m", 1: "5m"}
    return measure_source(
        [
            recorded_call(BLOCKS, markers, at, billed(read, written), timed=timed, run=f"{run} {number}")
            for number, (at, read, written) in enumerate(bills)
        ]
    )


def dealt_of(*bills: tuple[float, int, int]) -> list[Dealt | None]:
    return [one.dealt for one in reproduce(measured(*bills))]


def test_a_recording_that_explains_itself_is_dealt_nothing() -> None:
    assert dealt_of((0, 0, 6000), (10, 6000, 0), (400, 0, 6000)) == [None, None, None]


def test_a_missing_entry_is_gone_from_where_the_read_ended() -> None:
    assert dealt_of((0, 0, 6000), (10, 0, 6000))[1] == Dealt(kept=0)
    assert dealt_of((0, 0, 6000), (10, 4000, 2000))[1] == Dealt(kept=1)


def test_an_entry_of_nobody_is_found_where_the_read_ended() -> None:
    assert dealt_of((0, 4000, 2000))[0] == Dealt(found=0)
    assert dealt_of((0, 6000, 0))[0] == Dealt(found=1)


def test_the_model_is_judged_by_what_it_foresaw_not_by_what_the_bill_then_told() -> None:
    found = foreseen(reproduce(measured((0, 0, 6000), (10, 0, 6000), (20, 6000, 0))))
    once = 6000 * WRITE + 2 * 6000 * READ + 3 * CLOSING * PLAIN
    assert (found.model, found.billed) == (once, once + 6000 * (WRITE - READ))
    assert (found.calls, found.within, found.unexplained) == (3, 2, 1)


def test_runs_without_times_explain_nothing_to_one_another() -> None:
    apart = reproduce(measured((0, 0, 6000), (1, 6000, 0), timed=False))
    assert [one.dealt for one in apart] == [None, Dealt(found=1)]


def test_an_answer_that_has_not_begun_cannot_be_read() -> None:
    calls = [
        recorded_call(BLOCKS, {1: "5m"}, at, billed(*bill))
        for at, bill in ((0, (0, 6000)), (3, (0, 6000)), (10, (6000, 0)))
    ]
    slow = [type(call)(**{**as_dict(call), "began_at": call.at + 5}) for call in calls]
    assert [one.dealt for one in reproduce(measure_source(slow))] == [None, None, None]
    assert reproduce(measure_source(calls))[1].dealt == Dealt(kept=0)


def as_dict(call: object) -> dict[str, object]:
    return {name: getattr(call, name) for name in call.__struct_fields__}  # type: ignore[attr-defined]  # a Struct


@pytest.mark.parametrize("policy", ["recorded", "auto", "scrimp"])
def test_every_policy_finds_and_misses_the_same(policy: str) -> None:
    (call,) = measured((0, 6000, 0))
    there = Measured(call.call, call.ends, call.rates, Dealt(found=0))
    assert replay([there], POLICIES[policy]())[0].outcome.read == 4000
    first, second = measured((0, 0, 6000), (10, 6000, 0))
    gone = Measured(second.call, second.ends, second.rates, Dealt(kept=0))
    assert replay([first, gone], POLICIES[policy]())[1].outcome.read == 0


def test_dealing_drops_and_adds_exactly_what_was_said() -> None:
    recorder = Recorder()
    prompt = recorder.call([*BLOCKS, ("more", 1000)], {}, 0).prompt
    cache = Cache()
    for prefix in prompt.prefixes:
        cache.add(prefix, "5m", 0, 0)
    deal(cache, Dealt(kept=1, found=2, ttl="1h"), prompt, 10)
    alive = [cache.alive(prefix, 10) for prefix in prompt.prefixes]
    assert [entry and entry.ttl for entry in alive] == ["5m", None, "1h"]


def test_no_policy_is_below_the_floor_of_what_is_dealt() -> None:
    bills = [(0.0, 4000, 2000), (10.0, 0, 6000), (20.0, 6000, 0), (400.0, 6000, 0)]
    calls = [
        Measured(one.measured.call, one.measured.ends, one.measured.rates, one.dealt)
        for one in reproduce(measured(*bills))
    ]
    # Found 4,000, read again at 20; the miss at 10 is written once, at 400 all is found.
    read, written = 4000 + 6000 + 6000, 6000
    least = read * READ + written * WRITE + 2000 * PLAIN + 4 * CLOSING * PLAIN
    assert sum(replay_floor(calls)) == least
    for policy in ("recorded", "auto", "scrimp"):
        paid = sum(call.input_cost for call in replay(calls, POLICIES[policy]()))
        assert paid >= least, policy
