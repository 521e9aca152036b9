"""Calibration: a world billed by the naive oracle is reproduced, and each kind of surprise is named."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings

from scrimp.core.calibrate import Verdict, judge
from scrimp.wire.response import Usage
from tests.core.recordings import Recorder, exactly, recorded_call
from tests.core.test_cache import traffic

TASK = [("task", 3000)]
STEP = [("answer", 1000), ("result", 2000)]
TAIL = {0: "5m"}


def verdicts(recorder: Recorder) -> list[Verdict]:
    return list(judge(recorder.calls))


@given(traffic())
@settings(max_examples=100, deadline=None)
def test_a_world_that_follows_the_rules_is_reproduced(calls: list) -> None:  # type: ignore[type-arg]  # see traffic
    recorder = Recorder()
    for blocks, markers, start, _ in calls:
        # One text always has the same number of tokens.
        recorder.call([(f"{text}{tokens}", tokens) for text, tokens in blocks], markers, start)
    for verdict in verdicts(recorder):
        assert verdict.within, verdict
        assert verdict.group == "predicted"
        assert verdict.cause == ""


def test_an_entry_no_recorded_call_wrote_is_warm_and_then_known() -> None:
    recorder = Recorder()
    warm = Usage(input_tokens=3, cache_read_input_tokens=3000)
    recorder.calls.append(recorded_call([*TASK, ("?", 3)], TAIL, 0.0, warm))
    recorder.calls.append(recorded_call([*TASK, ("!", 3)], TAIL, 10.0, warm))
    first, second = verdicts(recorder)
    assert (first.group, first.within) == ("warm", True)
    assert (second.group, second.within) == ("predicted", True)


def test_a_warm_read_must_end_where_the_rules_allow() -> None:
    recorder = Recorder()
    odd = Usage(input_tokens=2500, cache_read_input_tokens=1500, cache_creation_input_tokens=0)
    recorder.calls.append(recorded_call([("task", 3000), ("more", 1000)], {1: "5m"}, 0.0, odd))
    (verdict,) = verdicts(recorder)
    assert (verdict.group, verdict.within) == ("warm", False)


def test_an_entry_evicted_early_is_named_and_forgotten() -> None:
    recorder = Recorder()
    recorder.call(TASK, TAIL, 0.0)
    recorder.oracle.entries.clear()
    recorder.call([*TASK, *STEP], {2: "5m"}, 60.0)
    recorder.call([*TASK, *STEP], {2: "5m"}, 90.0)
    _, evicted, again = verdicts(recorder)
    assert not evicted.within
    assert evicted.cause == "evicted early, or served from another cache"
    assert evicted.promised == 3000
    assert again.within


def test_an_entry_that_outlives_its_ttl_is_named() -> None:
    recorder = Recorder()
    recorder.call(TASK, TAIL, 0.0)
    recorder.calls.append(
        recorded_call([*TASK, ("x", 5)], TAIL, 400.0, Usage(input_tokens=5, cache_read_input_tokens=3000))
    )
    verdict = verdicts(recorder)[1]
    assert not verdict.within
    assert verdict.cause == "read an entry beyond the lookback, or one that had outlived its TTL"


def test_runs_without_times_are_judged_each_on_its_own() -> None:
    recorder = Recorder()
    recorder.call(TASK, TAIL, 0.0, run="one", timed=False)
    recorder.oracle.entries.clear()
    recorder.call(TASK, TAIL, 1.0, run="two", timed=False)
    assert [verdict.within for verdict in verdicts(recorder)] == [True, True]


def test_lengths_that_bills_reveal_correct_wrong_sizes() -> None:
    # The estimate of the first block is off by half; after one bill the second call is exact.
    recorder = Recorder()
    recorder.call([("task", 3000), ("a", 1000)], TAIL, 0.0)
    recorder.call([("task", 3000), ("b", 1000)], TAIL, 10.0)
    recorder.calls = [msgspec.structs.replace(call, sized=exactly([1500, 1000])) for call in recorder.calls]
    first, second = verdicts(recorder)
    assert first.cause == "length of a prefix that no earlier bill reveals"
    assert second.within
