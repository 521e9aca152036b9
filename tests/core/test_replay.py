"""Replay: policies against bills worked out by hand, the oracle and the floor."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from scrimp.core.cache import CacheRules
from scrimp.core.summary import RunBill, add_up, replay_source
from scrimp.wire.response import Usage
from tests.core.recordings import RULES, Recorder, recorded_call
from tests.core.test_cache import traffic

ALL = ("recorded", "none", "auto", "scrimp")
OPUS_5 = {"plain": 5_000_000, "write_5m": 6_250_000, "write_1h": 10_000_000, "read": 500_000}


def agent(recorder: Recorder, steps: int, *, gap: float, run: str = "run", start: float = 0.0) -> None:
    """An agent of `steps` calls, 1,000 tokens more each, marked at start and tail as careful callers do."""
    blocks = [("system", 4000), (f"{run} task", 2000)]
    for step in range(steps):
        recorder.call(blocks, {0: "5m", len(blocks) - 1: "5m"}, start + step * gap, run=run)
        blocks = [*blocks, (f"{run} answer {step}", 200), (f"{run} result {step}", 800)]


def bills(recorder: Recorder) -> list[RunBill]:
    return replay_source(recorder.calls, ALL).runs()


def test_the_bill_of_each_policy_for_three_steps_of_an_agent() -> None:
    recorder = Recorder()
    agent(recorder, 3, gap=10)
    (run,) = bills(recorder)
    # Prompts of 6,000, 7,000 and 8,000 tokens, each closed by three that are always plain.
    closing = 9 * OPUS_5["plain"]
    assert run.policies["none"].input_cost == 21_000 * OPUS_5["plain"] + closing
    written, read = 8_000, 6_000 + 7_000
    expected = written * OPUS_5["write_5m"] + read * OPUS_5["read"] + closing
    assert run.policies["recorded"].input_cost == expected
    assert run.policies["auto"].input_cost == expected
    # The same again with the last 1,000 tokens never read: the floor sends them plain.
    assert run.floor == expected - 1_000 * (OPUS_5["write_5m"] - OPUS_5["plain"])
    assert run.billed == expected
    assert run.policies["scrimp"].output_cost == 3 * 10 * 25_000_000


def test_a_cold_pause_in_every_step_makes_writing_a_loss_that_scrimp_learns_to_avoid() -> None:
    recorder = Recorder()
    for number in range(40):
        agent(recorder, 1, gap=0, run=f"run {number}", start=number * 4000.0)
    whole = add_up(bills(recorder))
    assert whole.policies["scrimp"].input_cost < whole.policies["recorded"].input_cost
    assert whole.policies["none"].input_cost == whole.floor


def test_a_long_turn_breaks_the_automatic_marker_but_not_scrimp() -> None:
    recorder = Recorder()
    blocks = [("system", 2000), ("task", 3000)]
    for step in range(3):
        recorder.call(blocks, {len(blocks) - 1: "5m"}, step * 10.0)
        blocks = [*blocks, *((f"result {step}.{number}", 100) for number in range(30))]
    (run,) = bills(recorder)
    assert run.policies["auto"].tokens["read"] == 0
    assert run.policies["scrimp"].tokens["read"] == 5000 + 8000


def test_dollars_of_every_policy_are_tokens_times_rates() -> None:
    recorder = Recorder()
    agent(recorder, 4, gap=200)
    agent(recorder, 4, gap=400, run="slow", start=50)
    for run in bills(recorder):
        for money in run.policies.values():
            tokens = money.tokens
            assert money.input_cost == sum(tokens[kind] * rate for kind, rate in OPUS_5.items())


@given(traffic(mixed=False))
@settings(max_examples=60, deadline=None)
def test_the_recorded_policy_gives_the_oracles_bill(calls: list) -> None:  # type: ignore[type-arg]
    """Where lifetimes do not mix: a longer one beyond a shorter hit is not counted on."""
    recorder = Recorder()
    billed = 0
    for blocks, markers, start, _ in calls:
        call = recorder.call([(f"{text}{tokens}", tokens) for text, tokens in blocks], markers, start)
        usage = call.usage
        billed += usage.input_tokens * OPUS_5["plain"] + usage.cache_read_input_tokens * OPUS_5["read"]
        billed += usage.write_5m * OPUS_5["write_5m"] + usage.write_1h * OPUS_5["write_1h"]
    whole = add_up(bills(recorder))
    assert whole.policies["recorded"].input_cost == whole.billed == billed


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_no_policy_is_below_the_floor_and_tokens_are_conserved(calls: list) -> None:  # type: ignore[type-arg]
    recorder = Recorder()
    for blocks, markers, start, _ in calls:
        recorder.call([(f"{text}{tokens}", tokens) for text, tokens in blocks], markers, start)
    whole = add_up(bills(recorder))
    total = sum(call.usage.total_input for call in recorder.calls)
    for money in whole.policies.values():
        assert money.input_cost >= whole.floor
        assert sum(money.tokens[kind] for kind in OPUS_5) == total


@pytest.mark.parametrize("lookback", [1, 20])
def test_scrimp_plans_within_the_rules_of_the_day(lookback: int) -> None:
    # With a lookback of one only the exact position of an entry reads it: the old tail must be marked again.
    rules = CacheRules(lookback=lookback, minimum=1024)
    recorder = Recorder(rules)
    agent(recorder, 5, gap=10)
    (run,) = bills(recorder)
    assert run.policies["scrimp"].tokens["read"] == 6000 + 7000 + 8000 + 9000


def test_where_the_recording_shows_no_cache_the_billed_input_is_plain() -> None:
    call = recorded_call([("a", 100)], {}, 0.0, Usage(input_tokens=100, output_tokens=5), rules=RULES)
    (run,) = replay_source([call], ("none",)).runs()
    assert run.billed == 100 * OPUS_5["plain"]
