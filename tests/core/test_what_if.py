"""Levers of a what-if against bills worked out by hand; what they must never do, on random traffic."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from scrimp.core.replay import POLICIES, Replayed, replay
from scrimp.core.reproduce import Dealt, Measured
from scrimp.core.summary import measure_source
from scrimp.core.whatif.batch import Batch
from scrimp.core.whatif.changed import Lever
from scrimp.core.whatif.chosen import EVERY, Chosen
from scrimp.core.whatif.effort import Effort
from scrimp.core.whatif.gating import Gated
from scrimp.core.whatif.grammar import parse_row
from scrimp.core.whatif.grouping import Grouped, grouping_advice
from scrimp.core.whatif.model import OtherModel, text_ratio
from scrimp.core.whatif.rows import Row, apply_all, replay_row
from scrimp.errors import InputError
from scrimp.facts.models import default
from scrimp.wire.response import Usage
from tests.core.recordings import CLOSING, Recorder, recorded_call
from tests.core.test_cache import traffic

FACTS = default()
# Claude Opus 5, picodollars a token.
PLAIN, WRITE_5M, WRITE_1H, READ, OUTPUT = 5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000


def two_steps(gap: float, ttl: str = "5m") -> list[Measured]:
    """A prompt of 6,000 tokens, sent again with 1,000 more; 10 tokens of output each."""
    recorder = Recorder()
    recorder.call([("system", 4000), ("task", 2000)], {0: ttl, 1: ttl}, 0.0)
    recorder.call([("system", 4000), ("task", 2000), ("more", 1000)], {0: ttl, 2: ttl}, gap)
    return measure_source(recorder.calls)


def random_calls(calls: list) -> list[Measured]:  # type: ignore[type-arg]
    recorder = Recorder()
    for blocks, markers, start, _ in calls:
        recorder.call([(f"{text}{tokens}", tokens) for text, tokens in blocks], markers, start)
    return measure_source(recorder.calls)


def bill(calls: list[Measured], row: str) -> int:
    return sum(map(total, replay_row(calls, parse_row(row, FACTS)).replayed))


def total(one: Replayed) -> int:
    return one.input_cost + one.output_cost + one.extra


def test_a_batch_whose_cache_always_hits_costs_half() -> None:
    live = 6_000 * WRITE_5M + 6_000 * READ + 1_000 * WRITE_5M + 2 * CLOSING * PLAIN + 20 * OUTPUT
    assert bill(two_steps(10), "batch=100%") * 2 == live


def test_a_batch_whose_cache_hits_for_a_share_writes_the_rest() -> None:
    # The second call could read 6,000 tokens: at 25 % it reads 1,500 and writes 5,500.
    first = 6_000 * WRITE_5M + CLOSING * PLAIN
    second = 1_500 * READ + 5_500 * WRITE_5M + CLOSING * PLAIN
    assert bill(two_steps(10), "batch=25%") * 2 == first + second + 20 * OUTPUT


def test_without_a_share_a_batch_is_billed_at_the_least_and_the_most_is_its_spread() -> None:
    first, second = replay_row(two_steps(10), parse_row("batch", FACTS)).replayed
    assert first.spread == 0
    # 30 % to 98 % of 6,000 tokens read instead of written, at half price.
    assert second.spread * 2 == (98 - 30) * 60 * (WRITE_5M - READ)


def test_a_batch_takes_only_those_it_is_for() -> None:
    recorder = Recorder()
    recorder.call([("a", 2000)], {}, 0.0, run="nightly 1")
    recorder.call([("b", 2000)], {}, 5.0, run="live")
    calls = measure_source(recorder.calls)
    found = replay_row(calls, parse_row("batch@nightly*", FACTS))
    assert [total(one) * factor for one, factor in zip(found.replayed, (2, 1), strict=True)] == [
        2003 * PLAIN + 10 * OUTPUT
    ] * 2
    assert found.touched == 1


@pytest.mark.parametrize(("ttl", "write"), [("5m", WRITE_5M), ("1h", WRITE_1H)])
def test_a_lifetime_changes_what_writes_cost_and_how_long_they_live(ttl: str, write: int) -> None:
    calls = two_steps(400, "1h" if ttl == "5m" else "5m")
    lives = ttl == "1h"
    expected = 6_000 * write + (6_000 * READ + 1_000 * write if lives else 7_000 * write)
    assert bill(calls, f"ttl={ttl}") == expected + 2 * CLOSING * PLAIN + 20 * OUTPUT


def test_what_was_left_from_outside_the_recording_lives_as_long_as_the_row_says() -> None:
    # Before the first call somebody had left the system, with the lifetime its client then asked for.
    first, second = two_steps(400, "5m")
    found = [msgspec.structs.replace(first, dealt=Dealt(found=0, ttl="5m")), second]
    closing = 2 * CLOSING * PLAIN + 20 * OUTPUT
    begun = 4_000 * READ + 2_000 * WRITE_1H
    assert bill(found, "ttl=1h") == begun + 6_000 * READ + 1_000 * WRITE_1H + closing
    recorded = 4_000 * READ + 2_000 * WRITE_5M
    assert bill(found, "ttl=5m") == bill(found, "policy=recorded") == recorded + 7_000 * WRITE_5M + closing
    hours = [msgspec.structs.replace(first, dealt=Dealt(found=0, ttl="1h")), second]
    assert bill(hours, "ttl=5m") == recorded + 7_000 * WRITE_5M + closing


def test_only_chosen_places_are_marked() -> None:
    calls = two_steps(10)
    # With the system alone marked, the task is sent plain each time.
    system = 4_000 * WRITE_5M + 2_000 * PLAIN + 4_000 * READ + 3_000 * PLAIN
    assert bill(calls, "place=system") == system + 2 * CLOSING * PLAIN + 20 * OUTPUT
    both = 6_000 * WRITE_5M + 6_000 * READ + 1_000 * WRITE_5M
    assert bill(calls, "place=system,tail") == both + 2 * CLOSING * PLAIN + 20 * OUTPUT
    assert bill(calls, "policy=none+place=tail+ttl=1h") == (
        6_000 * WRITE_1H + 6_000 * READ + 1_000 * WRITE_1H + 2 * CLOSING * PLAIN + 20 * OUTPUT
    )


def test_scrimps_lifetimes_leave_the_markers_where_they_are() -> None:
    calls = two_steps(10)
    found = replay_row(calls, parse_row("ttl=scrimp", FACTS)).replayed
    places = [tuple(write.position for write in one.outcome.writes) for one in found]
    assert places == [(0, 1), (2,)]


def test_another_model_with_the_same_tokens_has_its_own_prices() -> None:
    # Claude Sonnet 5: 2 / 2.50 / 0.20 / 10 USD per million (input / 5m write / read / output).
    expected = 7_000 * 2_500_000 + 6_000 * 200_000 + 2 * CLOSING * 2_000_000 + 20 * 10_000_000
    assert bill(two_steps(10), "model=claude-opus-5->claude-sonnet-5") == expected


def test_a_younger_model_has_its_newest_price() -> None:
    # Claude Sonnet 5.5 came out after these calls; whoever switches pays what it costs by now.
    later = FACTS.resolve("claude-sonnet-5-5")
    calls = two_steps(10)
    assert later.released is not None
    early = later.released.replace(year=later.released.year - 1)
    calls = [replace(one, call=replace(one.call, day=early)) for one in calls]
    rates = later.rates(None, prompt_tokens=7_000)
    found = replay_row(calls, parse_row("model=claude-opus-5->claude-sonnet-5-5", FACTS)).replayed
    assert [one.output_cost for one in found] == [
        one.call.usage.output_tokens * rates.output for one in found
    ]


def test_a_retired_model_is_called_so() -> None:
    notes = replay_row(two_steps(10), parse_row("model=claude-opus-5->claude-3-opus", FACTS)).notes
    assert any("not served any longer from 2026-01-05 on" in note for note in notes)


def test_levers_on_other_calls_touch_all_of_them_together() -> None:
    recorder = Recorder()
    for number, run in enumerate(("one", "two", "three")):
        recorder.call([(run, 4000)], {0: "5m"}, 10.0 * number, run=run)
    row = "model=*->claude-opus-4-8@one+model=*->claude-opus-4-7@two"
    assert replay_row(measure_source(recorder.calls), parse_row(row, FACTS)).touched == 2


def test_another_model_caches_nothing_below_its_own_minimum() -> None:
    # Claude Haiku 4.5 caches from 4,096 tokens on, at 1 / 1.25 / 5 USD per million.
    recorder = Recorder()
    recorder.call([("system", 4000)], {0: "5m"}, 0.0)
    (call,) = measure_source(recorder.calls)
    moved = apply_all([OtherModel(EVERY, FACTS.resolve("claude-haiku-4-5"))], [call]).calls[0]
    assert moved.ends[0] < 4000, "the older tokenizer needs fewer tokens"
    (found,) = replay([moved], POLICIES["recorded"]())
    assert found.outcome.written == 0
    assert found.input_cost == moved.call.usage.total_input * 1_000_000


def test_only_the_chosen_calls_change_model_and_share_no_cache_with_the_others() -> None:
    recorder = Recorder()
    recorder.call([("system", 4000)], {0: "5m"}, 0.0, run="stays")
    recorder.call([("system", 4000)], {0: "5m"}, 10.0, run="moves")
    calls = measure_source(recorder.calls)
    assert [one.outcome.read for one in replay(calls, POLICIES["recorded"]())] == [0, 4000]
    found = replay_row(calls, parse_row("model=*->claude-opus-4-8@moves", FACTS))
    assert [one.outcome.read for one in found.replayed] == [0, 0]
    assert found.touched == 1


@pytest.mark.parametrize(
    ("old", "new"), [("claude-opus-4-6", "claude-opus-4-7"), ("claude-haiku-4-5", "claude-sonnet-5")]
)
def test_newer_models_need_about_three_tenths_more_tokens_for_the_same_text(old: str, new: str) -> None:
    # "Pricing": the newer tokenizer; one million tokens are some 750,000 words before it, 555,000 since.
    ratio = text_ratio(FACTS.resolve(old), FACTS.resolve(new))
    assert ratio == pytest.approx(750 / 555, rel=0.05)
    assert text_ratio(FACTS.resolve(new), FACTS.resolve(old)) == pytest.approx(1 / ratio)


def test_lengths_of_blocks_that_were_not_recorded_change_as_text_does() -> None:
    (call,) = measure_source([recorded_call([("a", 1000), ("b", 2000)], {}, 0.0, Usage(input_tokens=3003))])
    call = msgspec.structs.replace(call, call=msgspec.structs.replace(call.call, complete=False))
    to = FACTS.resolve("claude-haiku-4-5")
    ratio = text_ratio(call.call.model, to)
    moved = OtherModel(EVERY, to).apply([call]).calls[0]
    assert list(moved.ends) == [round(1000 * ratio), round(3000 * ratio)]
    assert moved.call.usage.total_input == round(3000 * ratio) + CLOSING


def test_effort_scales_output_alone() -> None:
    calls = two_steps(10)
    input_cost = 7_000 * WRITE_5M + 6_000 * READ + 2 * CLOSING * PLAIN
    assert bill(calls, "effort=low:0.6") == input_cost + 2 * 6 * OUTPUT
    assert bill(calls, "effort=1.5") == input_cost + 2 * 15 * OUTPUT


def test_simultaneous_writers_wait_for_the_first() -> None:
    recorder = Recorder()
    for number in range(3):
        recorder.call([("system", 4000), (f"task {number}", 2000)], {0: "5m"}, number / 10, run=str(number))
    calls = [
        msgspec.structs.replace(one, call=msgspec.structs.replace(one.call, began_at=one.call.at + 2.0))
        for one in measure_source(recorder.calls)
    ]
    assert [one.outcome.written for one in replay(calls, POLICIES["recorded"]())] == [4000] * 3
    found = replay_row(calls, Row("gate", levers=(Gated(),)))
    assert [one.outcome.written for one in found.replayed] == [4000, 0, 0]
    assert [one.call.at for one in found.replayed] == [0.0, 2.0, 2.0]
    assert found.touched == 2


def scattered_runs() -> list[Measured]:
    """Four runs of one call, eight minutes apart, that share a system prompt; one of another agent."""
    recorder = Recorder()
    for number in range(4):
        recorder.call(
            [("system", 4000), (f"{number}", 100)], {0: "5m"}, 60.0 + 480.0 * number, run=f"{number}"
        )
    recorder.call([("system of another", 4000)], {0: "5m"}, 1700.0, run="other")
    return measure_source(recorder.calls)


def test_runs_grouped_in_time_write_once() -> None:
    calls = scattered_runs()
    assert bill(calls, "group=30m") == bill(calls, "policy=recorded") - 3 * 4000 * (WRITE_5M - READ)
    (advice,) = grouping_advice(calls, [1800.0])
    assert (advice.saved, advice.prefixes, advice.moved) == (3 * 4000 * (WRITE_5M - READ), 1, 4)
    assert advice.longest == 1740.0
    # Windows of ten minutes: 60 and 540 lie in one, 1,020 and 1,500 in one each.
    (short,) = grouping_advice(calls, [600.0])
    assert short.saved == 4000 * (WRITE_5M - READ)


def test_calls_of_a_run_keep_their_distance_when_it_waits() -> None:
    recorder = Recorder()
    for run, start in (("a", 10.0), ("b", 20.0)):
        for step in range(2):
            recorder.call([("system", 4000), (run, 9)], {0: "5m"}, start + 7 * step, run=run)
    recorder.calls.sort(key=lambda call: call.at)
    moved = Grouped(100.0).apply(measure_source(recorder.calls)).calls
    starts = {run: [one.call.at for one in moved if one.call.run == run] for run in ("a", "b")}
    assert starts == {"a": [100.0, 107.0], "b": [101.0, 108.0]}


def test_pings_keep_an_entry_alive_and_are_charged() -> None:
    calls = two_steps(700)
    # Entries of five minutes are read again every 285 s: at 285 and 570, and once more after the last call.
    ping = 6_000 * READ + CLOSING * PLAIN
    after = 3 * (7_000 * READ + CLOSING * PLAIN)
    kept = 7_000 * WRITE_5M + 6_000 * READ + 2 * CLOSING * PLAIN + 20 * OUTPUT
    assert bill(calls, "keepalive=3") == kept + 2 * ping + after
    # One ping is not enough: the entry is gone at 585, and the prompt is written again.
    lost = 13_000 * WRITE_5M + 2 * CLOSING * PLAIN + 20 * OUTPUT
    assert bill(calls, "keepalive=1") == lost + ping + (7_000 * READ + CLOSING * PLAIN)


def test_an_hour_needs_no_pings_within_it() -> None:
    found = replay_row(two_steps(700), parse_row("keepalive=1+ttl=1h", FACTS)).replayed
    assert [one.extra for one in found] == [0, 7_000 * READ + CLOSING * PLAIN]


NOTHING: list[Lever] = [
    Batch(Chosen(who="nobody")),
    Effort(Fraction(1)),
    Effort(Fraction(1, 2), Chosen(who="nobody")),
    OtherModel(Chosen("claude-fable-5"), FACTS.resolve("claude-sonnet-5")),
    OtherModel(EVERY, FACTS.resolve("claude-opus-5")),
    Gated(),
]


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_levers_that_change_nothing_bill_the_same(calls: list) -> None:  # type: ignore[type-arg]
    measured = random_calls(calls)
    before = replay(measured, POLICIES["recorded"]())
    for lever in NOTHING:
        assert replay_row(measured, Row("nothing", levers=(lever,))).replayed == before, lever.describe()
    assert replay_row(measured, Row("nothing", levers=tuple(NOTHING))).replayed == before


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_a_batch_that_always_hits_is_half_of_any_row(calls: list) -> None:  # type: ignore[type-arg]
    measured = random_calls(calls)
    for row in ("policy=recorded", "ttl=1h", "model=*->claude-haiku-4-5", "effort=0.5+place=tail"):
        assert 2 * bill(measured, f"{row}+batch=100%") == bill(measured, row)


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_better_odds_never_cost_more_and_never_touching_the_cache_is_the_limit(
    calls: list,  # type: ignore[type-arg]
) -> None:
    measured = random_calls(calls)
    bills = [bill(measured, f"batch={share}%") for share in (0, 30, 70, 98, 100)]
    assert bills == sorted(bills, reverse=True)
    cold = sum(replay([one], POLICIES["recorded"]())[0].input_cost + 10 * OUTPUT for one in measured)
    assert 2 * bills[0] == cold


@given(traffic())
@settings(max_examples=40, deadline=None)
def test_the_order_levers_are_written_in_does_not_matter(calls: list) -> None:  # type: ignore[type-arg]
    measured = random_calls(calls)
    one = parse_row("batch=60%+effort=0.7+model=*->claude-haiku-4-5+ttl=1h+place=tail", FACTS)
    other = parse_row("place=tail+model=*->claude-haiku-4-5+ttl=1h+effort=0.7+batch=60%", FACTS)
    assert one.name == other.name
    assert replay_row(measured, one) == replay_row(measured, other)


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_every_token_is_billed_once_whatever_the_row(calls: list) -> None:  # type: ignore[type-arg]
    measured = random_calls(calls)
    for text in ("batch", "ttl=1h+gate", "place=tail+keepalive=2", "policy=scrimp+group=1h", "policy=auto"):
        found = replay_row(measured, parse_row(text, FACTS)).replayed
        for one, before in zip(found, measured, strict=True):
            outcome = one.outcome
            assert outcome.plain + outcome.written + outcome.read == before.call.usage.total_input
            assert one.call.run == before.call.run


def test_rows_say_what_they_do() -> None:
    row = parse_row("batch + model = claude-opus-4-5-20251101 -> claude-sonnet-5 @main", FACTS)
    assert row.name == "model=claude-opus-4-5->claude-sonnet-5@main+batch"
    told = " ".join(row.describe())
    for word in ("claude-opus-4-5", "main", "Claude Sonnet 5", "not judged", "half price", "30%", "98%"):
        assert word in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("modle=a->b", "no lever is called 'modle': did you mean model?"),
        ("zzz", "no lever is called 'zzz': there are policy"),
        ("", "a lever is missing"),
        ("batch++effort=1", "a lever is missing"),
        ("model=claude-opus-5", "write the models as OLD->NEW"),
        ("model=claude-opus-5->claude-sonet-5", "did you mean claude-sonnet-5?"),
        ("model=claude-opuss-5->claude-sonnet-5", "did you mean claude-opus-5?"),
        ("model=->claude-sonnet-5", "no model is called ''"),
        ("effort=low", "give the output as a factor"),
        ("effort=low:0", "above 0"),
        ("effort", "give the output as a factor"),
        ("batch=120%", "between 0 % and 100 %"),
        ("batch=many", "the share of cache hits"),
        ("ttl=1hr", "did you mean 1h?"),
        ("ttl=5m+ttl=1h", "ttl is given twice"),
        ("place=tial", "did you mean tail?"),
        ("policy=scrmp", "did you mean scrimp?"),
        ("policy=scrimp+ttl=1h", "scrimp places its own markers"),
        ("policy=none+ttl=1h", "add place=tail"),
        ("policy=none+keepalive=2", "nothing to keep alive"),
        ("group=soon", "such as group=10m"),
        ("group=10", "with its unit, such as group=10m"),
        ("compact=5k", "from 50,000 tokens on, so not at 5,000"),
        ("clear=100k+clear-priced", "clear does the same in its own way"),
        ("carry+compact", "carry does the same in its own way"),
        ("carry,risk=2", "'2' is no share for risk"),
        ("gate=2", "gate takes no value"),
        ("keepalive=0", "1 to 300"),
        ("ttl=1h@main", "@ is for batch, effort, model only"),
        ("clear=lots", "`clear=lots`: 'lots' is no number of tokens"),
        ("clear=50k,kep=3", "nothing is called 'kep' here: did you mean keep?"),
        ("clear-priced,keep=0", "'0' is no number of keep"),
    ],
)
def test_a_mistake_is_one_clear_line(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_row(text, FACTS)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
