"""The estimator against sums of prompts, a day whose every run is played, and cases worked out by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scrimp.core.cache import Cache
from scrimp.core.estimate.amounts import NOTHING
from scrimp.core.estimate.estimate import estimate
from scrimp.core.estimate.simulate import batched_run, bill, simulate
from scrimp.core.estimate.synthetic import conversation
from scrimp.core.estimate.terms import published, stated
from scrimp.core.estimate.workload import Workload, read_workload
from scrimp.errors import InputError
from scrimp.facts.models import default

TODAY = date(2026, 11, 21)
TERMS = stated("a model", "3", "15", minimum=1_024)
SONNET = "claude-sonnet-5-5"


def one_run(**fields: Any) -> Workload:
    return Workload(**{"runs_per_day": 1, **fields})


def prompts(work: Workload) -> list[int]:
    """What each call carries, by adding up."""
    new = work.output + work.tool_calls * work.tool_result + work.growth
    return [work.prefix + work.task + step * new for step in range(work.steps)]


WORKLOADS = st.builds(
    one_run,
    steps=st.integers(1, 12),
    prefix=st.integers(1_024, 30_000),
    task=st.integers(0, 5_000),
    output=st.integers(0, 3_000),
    tool_calls=st.integers(0, 30),
    tool_result=st.integers(0, 4_000),
    growth=st.integers(0, 500),
    gap=st.integers(0, 299),
)


@settings(max_examples=60)
@given(WORKLOADS)
def test_a_quick_loop_writes_its_last_prompt_and_reads_all_others(work: Workload) -> None:
    found = simulate(work, TERMS, Fraction(1)).runs[0]
    sent = prompts(work)
    assert found.output == work.steps * work.output
    if work.steps == 1:  # nothing takes it up: only tools and system are marked
        assert (found.write_5m, found.read, found.plain) == (work.prefix, 0, work.task)
    elif work.gap >= work.first_event:
        assert (found.write_5m, found.read, found.plain) == (sent[-1], sum(sent[:-1]), 0)


@settings(max_examples=60)
@given(WORKLOADS, st.sampled_from(["none", "prefix", "auto", "full"]), st.sampled_from(["5m", "1h"]))
def test_no_token_is_lost_or_billed_twice(work: Workload, caching: str, ttl: str) -> None:
    other = msgspec.structs.replace(work, caching=caching, ttl=ttl, gap=work.gap * 20)
    found = simulate(other, TERMS, Fraction(1)).runs[0]
    assert found.prompt == sum(prompts(work))
    written = found.write_5m if ttl == "1h" else found.write_1h
    assert written == 0
    assert found.input_cost == (
        found.plain * 3_000_000
        + found.write_5m * 3_750_000
        + found.write_1h * 6_000_000
        + found.read * 300_000
    )
    assert found.output_cost == found.output * 15_000_000


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 4),
    st.sampled_from([1, 100, 200, 310, 700]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(["prefix", "full", "auto"]),
)
@example(11, 2, 700, 1, False, "prefix")  # late steps of one run keep the prefix alive for the next
def test_a_day_is_what_playing_all_its_runs_comes_to(
    runs: int, steps: int, gap: int, fanout: int, alone: bool, caching: str
) -> None:
    work = one_run(runs_per_day=runs, hours=1, steps=steps, gap=gap, fanout=fanout, caching=caching)
    work = msgspec.structs.replace(work, first_alone=alone)
    assert simulate(work, TERMS, Fraction(runs)).day(Fraction(runs)) == played(work)


def played(work: Workload) -> Any:
    """Every call of a day through one cache, in time order."""
    calls = []
    for run in range(work.runs_per_day):
        for branch in range(work.fanout):
            steps = conversation(work, TERMS.reading, f"{run}/{branch}")
            waits = work.first_event if work.first_alone and branch else 0
            begins = run * work.hours * 3_600 / work.runs_per_day + waits
            calls += [(begins + at * work.gap, run, branch, at, step) for at, step in enumerate(steps)]
    cache, total = Cache(), NOTHING
    for at, *_, step in sorted(calls, key=lambda call: call[:4]):
        total += bill(cache, step.request(work), work.output, TERMS, (at, at + work.first_event))
    return total


def test_a_turn_of_more_blocks_than_the_lookback_still_reads() -> None:
    # 30 tool calls and 30 results a step: 61 positions between two ends, and the lookback is 20
    work = one_run(steps=3, prefix=2_000, task=0, output=100, tool_calls=30, tool_result=10)
    full = simulate(work, TERMS, Fraction(1)).runs[0]
    assert (full.read, full.write_5m) == (2_000 + 2_400, 2_800)
    auto = simulate(msgspec.structs.replace(work, caching="auto"), TERMS, Fraction(1)).runs[0]
    assert (auto.read, auto.write_5m) == (0, 2_000 + 2_400 + 2_800)


def test_a_prefix_under_the_minimum_is_never_cached_by_itself() -> None:
    work = one_run(steps=1, prefix=1_023, task=10, caching="prefix")
    assert simulate(work, TERMS, Fraction(1)).runs[0].plain == 1_033


def test_clearing_cuts_and_writes_anew_from_the_cut() -> None:
    # prompts 1,500 / 2,500 / 3,500; the fourth would be 4,500: two of three results leave 10 tokens each
    work = one_run(steps=4, prefix=1_400, task=100, output=0, tool_result=1_000)
    work = msgspec.structs.replace(work, clear_above=4_000, clear_keep=1, clear_leaves=10)
    calls = [call.amounts for call in simulate(work, TERMS, Fraction(1)).calls]
    assert [call.prompt for call in calls] == [1_500, 2_500, 3_500, 2_520]
    assert (calls[3].read, calls[3].write_5m) == (1_500, 1_020)  # the first call is read, the rest is new


def test_clearing_waits_until_it_frees_enough() -> None:
    work = one_run(steps=4, prefix=1_400, task=100, output=0, tool_result=1_000)
    work = msgspec.structs.replace(
        work, clear_above=4_000, clear_keep=1, clear_leaves=10, clear_at_least=1_981
    )
    assert [call.amounts.prompt for call in simulate(work, TERMS, Fraction(1)).calls][-1] == 4_500


def test_batches_cost_half_and_read_as_often_as_said() -> None:
    work = one_run(steps=1, prefix=2_000, task=500, output=100, ttl="1h", batch=100, batch_hits=75)
    found = batched_run(work, TERMS)
    assert (found.read, found.write_1h, found.plain) == (1_500, 500, 500)
    # half of 1,500 x 0.30 + 500 x 6 + 500 x 3 + 100 x 15
    assert found.cost == (1_500 * 300_000 + 500 * 6_000_000 + 500 * 3_000_000 + 100 * 15_000_000) // 2
    unmarked = batched_run(msgspec.structs.replace(work, batch_hits=0), TERMS)
    assert (unmarked.plain, unmarked.read, unmarked.write_1h) == (2_500, 0, 0)


def test_the_dear_tier_of_a_long_prompt_holds_for_the_whole_call() -> None:
    # Haiku 5.5: beyond 100,000 tokens all of the request costs five times as much, the answer too
    terms = published(default(), "claude-haiku-5-5", TODAY)
    work = one_run(steps=1, prefix=0, task=100_000, output=1_000, caching="none")
    assert simulate(work, terms, Fraction(1)).runs[0].cost == 10_500_000_000
    longer = msgspec.structs.replace(work, task=100_001)
    assert simulate(longer, terms, Fraction(1)).runs[0].cost == 52_500_500_000


def test_run_day_and_month_of_a_mix() -> None:
    work = Workload(
        models={"claude-opus-5-5": 25, SONNET: 75},
        steps=1,
        prefix=0,
        task=1_000,
        output=100,
        caching="none",
        runs_per_day=8,
        days_per_month=20,
        batch=50,
    )
    found = estimate(work, default(), TODAY)
    # Opus 1,000 x 4 + 100 x 20, Sonnet 1,000 x 2 + 100 x 10, half of the runs at half price
    day = (2 * 6_000 + 6 * 3_000) * 10**6 * 3 // 4
    assert (found.day.cost, found.month.cost, found.run.cost) == (day, 20 * day, day // 8)
    assert [part.month.cost for part in found.parts] == [20 * 9_000 * 10**6, 20 * 13_500 * 10**6]
    assert found.others["all in batches, no cache"].cost == 20 * 15_000 * 10**6


def test_only_the_first_day_of_a_month_round_the_clock_begins_cold() -> None:
    fields: dict[str, Any] = {
        "steps": 1,
        "prefix": 2_000,
        "task": 0,
        "output": 0,
        "caching": "prefix",
        "runs_per_day": 1_000,
    }
    always = estimate(Workload(**fields), default(), TODAY)
    # 5,000 a write, 200 a read
    assert always.month.cost == (5_000 + 29_999 * 200) * 10**6
    by_day = estimate(Workload(**fields, hours=10), default(), TODAY)
    assert by_day.month.cost == 30 * (5_000 + 999 * 200) * 10**6


def test_dearer_and_cheaper_settings_are_shown_beside_it() -> None:
    found = estimate(Workload(hours=8, runs_per_day=200), default(), TODAY)
    assert "whole conversation cached, 5m" not in found.others
    assert found.others["no cache"].cost > found.others["tools and system cached, 5m"].cost > found.month.cost
    assert found.others["automatic caching, 5m"].cost > found.month.cost  # each run writes tools and system


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prefix": 300}, "Tools and system are 300 tokens, and claude-sonnet-5-5 caches 512 at least"),
        ({}, "Runs begin 14.4 minutes apart on claude-sonnet-5-5, and what they share lives 5 minutes"),
        ({"ttl": "1h", "runs_per_day": 10}, "Runs begin 2.4 hours apart"),
        ({"gap": 400}, "Steps begin 6.67 minutes apart, and entries live 5 minutes"),
        ({"caching": "auto"}, "no run reads what another one wrote"),
        ({"prefix_shared": False}, "Tools and system differ from run to run"),
        ({"fanout": 8}, "8 branches begin at the same moment"),
        ({"batch": 10}, "In batches nothing is cached here"),
        ({"batch": 10, "batch_hits": 60}, "That 60 % of a batch's calls"),
        ({"models": {"claude-sonnet-4-5": 100}}, "is retired from 2026-11-30 on"),
        ({"models": {"claude-sonnet-4-6": 50, SONNET: 50}}, "do not count alike"),
        ({"batch_hits": 60}, "Not used: batch_hits without batch."),
        ({"batch": 10, "batch_hits": 60, "caching": "none"}, "Not used: batch_hits with caching none."),
        ({"first_alone": True}, "Not used: first_alone without fanout."),
        ({"prefix_ttl": "1h", "caching": "auto"}, "Not used: prefix_ttl with caching auto."),
        ({"ttl": "1h", "prefix_ttl": "1h", "caching": "none"}, "ttl with caching none, prefix_ttl with"),
        ({"clear_keep": 2, "clear_at_least": 9}, "clear_keep without clear_above, clear_at_least without"),
        ({"tool_calls": 0, "tool_result": 900}, "Not used: tool_result without tool_calls."),
        ({"steps": 1, "growth": 900}, "Not used: growth in a single call."),
    ],
)
def test_what_the_reader_should_know_is_said(fields: dict[str, Any], words: str) -> None:
    said = estimate(Workload(**fields), default(), TODAY).remarks
    assert any(words in remark for remark in said), said


def test_a_workload_without_a_catch_has_no_remarks() -> None:
    found = estimate(Workload(runs_per_day=500), default(), TODAY)
    assert (found.warnings, found.remarks) == ((), ())


def test_settings_that_do_something_are_not_called_unused() -> None:
    fields: dict[str, Any] = {
        "batch": 10,
        "batch_hits": 60,
        "fanout": 4,
        "first_alone": True,
        "ttl": "5m",
        "prefix_ttl": "1h",
        "clear_above": 90_000,
        "clear_keep": 2,
        "tool_calls": 2,
    }
    said = estimate(Workload(**fields), default(), TODAY, set(fields)).remarks
    assert not any("Not used" in remark for remark in said)


def test_a_setting_that_was_said_is_told_of_even_as_its_default() -> None:
    work = Workload(runs_per_day=500, clear_keep=3)
    assert estimate(work, default(), TODAY).remarks == ()
    said = estimate(work, default(), TODAY, {"steps", "clear_keep"}).remarks
    assert said == ("Not used: clear_keep without clear_above.",)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("claude-3-opus", "claude-3-opus is retired since 2026-01-05"),
        ("claude-v1", "claude-v1: not in the facts: priced from genai-prices"),
    ],
)
def test_what_makes_all_of_it_doubtful_is_no_remark_among_others(model: str, words: str) -> None:
    found = estimate(Workload(models={model: 50, SONNET: 50}), default(), TODAY)
    assert [warning[: len(words)] for warning in found.warnings] == [words]
    assert not any(words in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("model", "day", "words"),
    [
        (
            SONNET,
            "2020-01-01",
            "was not released until 2026-09-28, so that it has no prices and rules of 2020",
        ),
        (SONNET, "2026-09-27", "claude-sonnet-5 was there by then"),
        (
            "claude-opus-5-5",
            "2026-01-01",
            "until 2026-09-22, so that it has no prices and rules of 2026-01-01",
        ),
        ("us.anthropic.claude-opus-5-5", "2026-01-01", "claude-opus-4-5 was there by then"),
        ("claude-fable-5", "2026-01-01", "claude-opus-4-5 was there by then"),  # the newest of its day
    ],
)
def test_a_model_has_no_price_before_its_release(model: str, day: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        estimate(Workload(models={model: 100}), default(), date.fromisoformat(day))
    assert str(error.value).startswith(f"models: {model} was not released until ")
    assert words in str(error.value)


def test_what_there_was_not_on_a_day_is_not_offered() -> None:
    # automatic caching since 2026-02-19, an hour's lifetime since 2025-05-22
    work = Workload(models={"claude-3-7-sonnet": 100}, caching="auto", ttl="1h")
    found = estimate(work, default(), date(2025, 5, 21))
    assert found.warnings == (
        "On 2025-05-21 there was no automatic caching yet.",
        "On 2025-05-21 nothing could be cached for an hour yet.",
    )
    early = {
        "no cache",
        "tools and system cached, 5m",
        "whole conversation cached, 5m",
        "all in batches, no cache",
    }
    assert set(found.others) == early
    hour = {"tools and system 1h, conversation 5m", "whole conversation cached, 1h"}
    later = estimate(work, default(), date(2025, 5, 22))
    assert later.warnings == ("On 2025-05-22 there was no automatic caching yet.",)
    assert set(later.others) == early | hour
    uncached = estimate(Workload(models={"claude-3-opus": 100}), default(), date(2024, 8, 13))
    assert "On 2024-08-13 claude-3-opus has no prompt cache: everything is sent plain." in uncached.remarks


def test_a_model_has_a_price_from_its_release_on() -> None:
    # reads of Sonnet 5.5 cost 0.20 until 2026-10-07: 2,000 tokens written at 2.50, and read once
    work = one_run(steps=2, prefix=2_000, task=0, output=0, tool_calls=0)
    assert estimate(work, default(), date(2026, 9, 28)).day.cost == 5_400 * 10**6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("opus", "did you mean claude-opus-5-5, claude-opus-5 or claude-opus-4-8?"),
        ("claude-haiku-5.6", "did you mean claude-haiku-5-5"),
        ("foo", "`scrimp models` lists those that have one"),
        ("gpt-4o", "`scrimp models` lists those that have one"),
    ],
)
def test_a_name_that_nobody_sells_is_refused_with_the_nearest(name: str, words: str) -> None:
    mixes: list[dict[str, int | float]] = [{name: 100}, {SONNET: 95, name: 5}]
    for models in mixes:
        with pytest.raises(InputError) as error:
            estimate(Workload(models=models), default(), TODAY)
        assert str(error.value).startswith(f"models: no price of {name!r} is published; ")
        assert words in str(error.value)


def test_one_model_by_two_names_is_refused() -> None:
    with pytest.raises(InputError, match=r"claude-sonnet-5-5 and claude-sonnet-5\.5 are the same model"):
        estimate(Workload(models={SONNET: 50, "claude-sonnet-5.5": 50}), default(), TODAY)
    elsewhere = "us.anthropic.claude-sonnet-5-5"  # another cloud, another cache
    assert len(estimate(Workload(models={SONNET: 50, elsewhere: 50}), default(), TODAY).parts) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": 0}, "steps: expected int >= 1, not 0"),
        ({"stepps": 3}, "stepps: nothing of a workload is called so; did you mean steps?"),
        ({"models": {"a": 60, "b": 30}}, "models: the shares are 90 % together; they have to be 100"),
        ({"models": {"a": 100, "b": 0}}, "models: b has 0 % of the runs; leave it out, or give it some"),
        ({"models": {"a": float("nan")}}, "models: a has nan % of the runs; give it a number"),
        ({"model": "a", "models": {"b": 100}}, "model and models: give one of them"),
        ({"ttl": "1h", "prefix_ttl": "5m"}, "prefix_ttl: 5m before 1h is refused by the API"),
        ({"prefix": 0, "task": 0}, "prefix and task: both are 0, and a request says something"),
        ({"steps": 2.5}, "steps: expected int, got float, not 2.5"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        read_workload(given)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_what_no_model_takes_is_refused() -> None:
    # 8,500 + 101 x 1,900 + 400 > 200,000
    with pytest.raises(InputError, match=r"steps: call 102 would carry 200,400 tokens"):
        estimate(Workload(steps=200, models={"claude-haiku-4-5": 100}), default(), TODAY)
    with pytest.raises(InputError, match=r"output: 200,000 tokens an answer"):
        estimate(Workload(output=200_000), default(), TODAY)


def test_shares_are_exact_as_written() -> None:
    work = read_workload({"models": {"claude-opus-5-5": 33.3, SONNET: 66.7}, "runs_per_day": 1_000})
    found = estimate(work, default(), TODAY)
    assert [part.share * 1_000 for part in found.parts] == [333, 667]
