"""Bills: published worked examples, what each part of a usage costs, and laws that hold for every model."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.bill import CATEGORIES, Bill, bill, day_of
from scrimp.core.money import dollars, rounded, usd
from scrimp.facts import default, load
from scrimp.wire.response import CacheCreation, Iteration, Usage, read_usage

NOW = date(2026, 11, 21)
MILLION = 10**6


def charge(model_id: str, usage: Usage | dict[str, Any], **terms: Any) -> Bill:
    counts = usage if isinstance(usage, Usage) else read_usage(usage)
    return bill(counts, default().resolve(model_id), at=terms.pop("at", NOW), **terms)


def created(five: int, hour: int) -> dict[str, Any]:
    split = {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}
    return {"cache_creation_input_tokens": five + hour, "cache_creation": split}


def part(kind: str, plain: int, output: int, model: str | None = None, **more: Any) -> dict[str, Any]:
    named = {"model": model} if model else {}
    return {"type": kind, "input_tokens": plain, "output_tokens": output, **named, **more}


@pytest.mark.parametrize(
    ("model_id", "usage", "total"),
    [
        ("claude-opus-5-5", {"input_tokens": 200, "output_tokens": 500, **created(5_000, 10_000)}, "0.1158"),
        (
            "claude-opus-5-5",
            {"input_tokens": 0, "output_tokens": 500, "cache_read_input_tokens": 15_000, **created(1_000, 0)},
            "0.018",
        ),
        ("claude-haiku-5-5", {"input_tokens": 100_000, "output_tokens": 1_000}, "0.0105"),
        ("claude-haiku-5-5", {"input_tokens": 100_001, "output_tokens": 1_000}, "0.0525005"),
        (
            "claude-sonnet-5-5",
            {
                "input_tokens": 1_000,
                "output_tokens": 1_000,
                "cache_read_input_tokens": 100_000,
                "service_tier": "batch",
            },
            "0.011",
        ),
    ],
)
def test_worked_examples(model_id: str, usage: dict[str, Any], total: str) -> None:
    made = charge(model_id, usage)
    assert usd(made.total) == total
    assert (made.measured, made.estimated, made.notes) == (True, False, ())


def test_one_line_a_category() -> None:
    usage = {
        "input_tokens": 200,
        "output_tokens": 500,
        "cache_read_input_tokens": 7,
        **created(5_000, 10_000),
    }
    lines = [
        (line.category, line.quantity, line.rate, line.amount)
        for line in charge("claude-opus-5-5", usage).lines
    ]
    assert lines == [
        ("input", 200, 4 * MILLION, 800 * MILLION),
        ("write_5m", 5_000, 5 * MILLION, 25_000 * MILLION),
        ("write_1h", 10_000, 8 * MILLION, 80_000 * MILLION),
        ("read", 7, 200_000, 1_400_000),
        ("output", 500, 20 * MILLION, 10_000 * MILLION),
    ]


def test_nothing_used_costs_nothing() -> None:
    assert charge("claude-opus-5-5", {"input_tokens": 0, "output_tokens": 0}) == Bill((), 0)


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 50_000, "output_tokens": 1, "cache_read_input_tokens": 50_001},
        {"input_tokens": 0, "output_tokens": 1, **created(60_000, 40_001)},
        {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 60_000, **created(0, 40_000)},
    ],
)
def test_the_tier_looks_at_the_whole_prompt(usage: dict[str, Any]) -> None:
    made = charge("claude-haiku-5-5", usage)
    assert made.amount("output") == 2_500_000  # $2.50 per million: five times the price of a short prompt


def test_thinking_is_part_of_output() -> None:
    usage = {"input_tokens": 0, "output_tokens": 100, "output_tokens_details": {"thinking_tokens": 90}}
    assert charge("claude-opus-5-5", usage).total == 100 * 20 * MILLION


def test_writes_without_a_split_count_as_5m_and_say_so() -> None:
    made = charge(
        "claude-opus-5-5", {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 100}
    )
    assert made.amount("write_5m") == 100 * 5 * MILLION
    assert made.estimated
    assert "counted as 5m" in made.notes[0]


def test_before_1h_existed_every_write_was_for_5m() -> None:
    usage = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 100}
    made = charge("claude-3-5-sonnet", usage, at=date(2025, 5, 21))
    assert (made.total, made.notes) == (100 * 3_750_000, ())
    assert charge("claude-3-5-sonnet", usage, at=date(2025, 5, 22)).estimated


def test_fast_batch_and_geo_come_from_the_usage() -> None:
    counts = {"input_tokens": 1_000, "output_tokens": 100}
    plain = 1_000 * 4 * MILLION + 100 * 20 * MILLION
    assert charge("claude-opus-5-5", counts).total == plain
    assert charge("claude-opus-5-5", {**counts, "speed": "fast"}).total == 2 * plain
    assert charge("claude-opus-5-5", {**counts, "service_tier": "batch"}).total == plain // 2
    assert charge("claude-opus-5-5", {**counts, "inference_geo": "us"}).total == plain * 11 // 10
    stacked = {**counts, "speed": "fast", "inference_geo": "us"}
    assert charge("claude-opus-5-5", stacked).total == plain * 22 // 10
    stacked = {**counts, "service_tier": "batch", "inference_geo": "us"}
    assert charge("claude-opus-5-5", stacked).total == plain * 55 // 100


def test_what_the_caller_knows_overrides_the_usage() -> None:
    counts = {"input_tokens": 1_000, "output_tokens": 0, "service_tier": "batch", "speed": "fast"}
    made = charge("claude-opus-5-5", counts, batch=False, fast=False, geo="us")
    assert made.total == 1_000 * 4_400_000


def test_web_searches_are_charged_each_and_not_discounted() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 0,
        "service_tier": "batch",
        "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 5},
    }
    made = charge("claude-opus-5-5", usage)
    assert usd(made.amount("web_search")) == "0.03"
    assert made.total == 3 * 10**10 + 10 * 2 * MILLION


def test_code_execution_is_named_but_not_guessed() -> None:
    usage = {"input_tokens": 1, "output_tokens": 0, "server_tool_use": {"code_execution_requests": 1}}
    made = charge("claude-opus-5-5", usage)
    assert made.total == 4 * MILLION
    assert "container time" in made.notes[0]


def test_a_threshold_compaction_is_billed_on_top() -> None:
    # As recorded on Sonnet 4.6: the top level holds the message alone.
    usage = {
        "input_tokens": 180,
        "output_tokens": 8,
        "iterations": [part("compaction", 100, 82, **created(55_096, 0)), part("message", 180, 8)],
    }
    made = charge("claude-sonnet-4-6", usage)
    message = 180 * 3 * MILLION + 8 * 15 * MILLION
    summary = 100 * 3 * MILLION + 55_096 * 3_750_000 + 82 * 15 * MILLION
    assert made.total == message + summary
    assert [line.part for line in made.lines] == ["response"] * 2 + ["compaction"] * 3
    assert not made.estimated


def test_a_compaction_on_demand_costs_what_its_iteration_says() -> None:
    usage = {
        "input_tokens": 0,
        "output_tokens": 0,
        "iterations": [part("compaction", 10, 500, cache_read_input_tokens=90_000)],
    }
    made = charge("claude-opus-5-5", usage)
    assert made.total == 10 * 4 * MILLION + 90_000 * 200_000 + 500 * 20 * MILLION


def test_an_advisor_is_billed_on_top_at_its_own_rates() -> None:
    # As recorded: the two messages sum to the top level, the advisor does not.
    usage = {
        "input_tokens": 2_390,
        "output_tokens": 121,
        "iterations": [
            part("message", 1_128, 110),
            part("advisor_message", 2_518, 22, "claude-opus-4-8"),
            part("message", 1_262, 11),
        ],
    }
    made = charge("claude-sonnet-5", usage)
    executor = 2_390 * 2 * MILLION + 121 * 10 * MILLION
    advisor = 2_518 * 5 * MILLION + 22 * 25 * MILLION
    assert made.total == executor + advisor
    assert {line.model for line in made.lines if line.part == "advisor_message"} == {"claude-opus-4-8"}


def test_a_single_message_iteration_changes_nothing() -> None:
    counts = {"input_tokens": 10, "output_tokens": 20, **created(30, 0)}
    assert charge(
        "claude-opus-5", {**counts, "iterations": [part("message", 10, 20, **created(30, 0))]}
    ) == charge("claude-opus-5", counts)


@pytest.mark.parametrize(
    ("plain", "output"),
    [(500, 40), (1_000, 45)],
    ids=["top level is the attempt that served", "top level is the sum of both"],
)
def test_a_fallback_bills_every_attempt_once_at_its_own_rates(plain: int, output: int) -> None:
    usage = {
        "input_tokens": plain,
        "output_tokens": output,
        "iterations": [
            part("message", 500, 5, "claude-fable-5-2"),
            part("fallback_message", 500, 40, "claude-opus-5-5"),
        ],
    }
    made = charge("claude-opus-5-5", usage)
    declined = 500 * 8 * MILLION + 5 * 40 * MILLION
    served = 500 * 4 * MILLION + 40 * 20 * MILLION
    assert made.total == declined + served
    assert made.estimated
    assert "fallback" in made.notes[0]


def test_what_no_attempt_accounts_for_is_billed_too() -> None:
    usage = {
        "input_tokens": 700,
        "output_tokens": 40,
        **created(30, 20),
        "iterations": [part("fallback_message", 500, 40, "claude-opus-5-5", **created(10, 20))],
    }
    made = charge("claude-opus-5-5", usage)
    assert made.quantity("input") == 700
    assert (made.quantity("write_5m"), made.quantity("write_1h"), made.quantity("output")) == (30, 20, 40)


def test_an_attempt_named_by_another_spelling_is_the_same_model() -> None:
    usage = {"input_tokens": 5, "output_tokens": 5, "iterations": [part("message", 5, 5, "claude-haiku-4-5")]}
    made = charge("claude-haiku-4-5-20251001", usage)
    assert (made.total, made.notes) == (5 * MILLION + 25 * MILLION, ())


def test_a_tier_decided_by_a_sum_of_samplings_says_so() -> None:
    usage = {
        "input_tokens": 120_000,
        "output_tokens": 10,
        "iterations": [part("message", 50_000, 5), part("message", 70_000, 5)],
    }
    made = charge("claude-haiku-5-5", usage)
    assert made.amount("input") == 120_000 * 500_000
    assert "their sum decided" in made.notes[0]


@pytest.mark.parametrize(
    ("model_id", "extra", "word"),
    [
        ("claude-nonsense-9", {}, "dearest"),
        ("claude-sonnet-5-5", {"speed": "fast"}, "fast mode"),
        ("claude-opus-5-5", {"service_tier": "priority"}, "priority"),
    ],
)
def test_doubts_are_noted(model_id: str, extra: dict[str, Any], word: str) -> None:
    made = charge(model_id, {"input_tokens": 1, "output_tokens": 1, **extra})
    assert made.estimated
    assert any(word in note for note in made.notes), made.notes


def test_a_redeemed_fallback_credit_makes_the_writes_an_upper_bound() -> None:
    usage = Usage(
        cache_creation_input_tokens=10, cache_creation=CacheCreation(10), fallback_credit="redeemed"
    )
    made = charge("claude-opus-5-5", usage)
    assert made.total == 10 * 5 * MILLION
    assert "fallback credit" in made.notes[0]


def test_a_users_own_prices_are_used() -> None:
    row = {"from": NOW, "input": "1", "write_5m": "1", "write_1h": "1", "read": "1", "output": "1"}
    facts = load([{"models": [{"id": "claude-opus-5-5", "prices": [row]}]}])
    usage = read_usage(
        {
            "input_tokens": 0,
            "output_tokens": 0,
            "iterations": [part("compaction", 5, 5), part("advisor_message", 7, 0, "claude-opus-5-5")],
        }
    )
    made = bill(usage, facts.resolve("claude-opus-5-5"), at=NOW, facts=facts)
    assert made.total == 17 * MILLION


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 10, 6, 23, 59, tzinfo=UTC).timestamp(),
        datetime(2026, 10, 6, 23, 59, tzinfo=UTC),
        date(2026, 10, 6),
    ],
)
def test_a_bill_uses_the_prices_of_its_day(at: float | date) -> None:
    usage = Usage(cache_read_input_tokens=10)
    model = default().resolve("claude-sonnet-5-5")
    assert bill(usage, model, at=at).total == 10 * 200_000
    assert bill(usage, model, at=datetime(2026, 10, 7, tzinfo=UTC).timestamp()).total == 10 * 100_000
    assert bill(usage, model, at=None).total == 10 * 100_000


def test_a_day_is_a_day_in_utc() -> None:
    assert day_of(0.0) == date(1970, 1, 1)
    assert day_of(1_795_219_199.9) == date(2026, 11, 20)
    assert day_of(1_795_219_200) == date(2026, 11, 21)


def test_a_bill_as_json() -> None:
    usage = {
        "input_tokens": 200,
        "output_tokens": 500,
        "server_tool_use": {"web_search_requests": 1},
        **created(5_000, 10_000),
    }
    made = charge("claude-opus-5-5", usage).to_json()
    assert made["usd"] == "0.1258"
    assert made["categories"] == {
        "input": "0.0008",
        "write_5m": "0.025",
        "write_1h": "0.08",
        "read": "0",
        "output": "0.01",
        "web_search": "0.01",
    }
    lines = made["lines"]
    assert isinstance(lines, list)
    first, last = lines[0], lines[-1]
    assert first == {
        "category": "input",
        "part": "response",
        "model": "claude-opus-5-5",
        "quantity": 200,
        "usd_per_mtok": "4",
        "usd": "0.0008",
    }
    assert (last["category"], last["quantity"], last["usd_each"]) == ("web_search", 1, "0.01")


def test_a_predicted_bill_is_not_measured() -> None:
    made = charge("claude-opus-5-5", {"input_tokens": 1, "output_tokens": 1}).as_estimate("token estimate")
    assert (made.measured, made.estimated, made.notes) == (False, True, ("token estimate",))


COUNTS = st.integers(0, 300_000)
MODELS = st.sampled_from(default().models)
DAYS = st.dates(date(2024, 1, 1), date(2026, 12, 31))
KINDS = st.sampled_from(["input", "write_5m", "write_1h", "read", "output"])


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    five, hour = draw(COUNTS), draw(COUNTS)
    return Usage(
        input_tokens=draw(COUNTS),
        output_tokens=draw(COUNTS),
        cache_creation_input_tokens=five + hour,
        cache_read_input_tokens=draw(COUNTS),
        cache_creation=CacheCreation(five, hour),
        service_tier=draw(st.sampled_from(["standard", "batch", None])),
        speed=draw(st.sampled_from(["standard", "fast", None])),
        inference_geo=draw(st.sampled_from(["us", "global", "not_available", None])),
    )


def plus(usage: Usage, category: str, more: int) -> Usage:
    """The same usage with some tokens more of one category."""
    five, hour = usage.write_5m, usage.write_1h
    five, hour = five + more * (category == "write_5m"), hour + more * (category == "write_1h")
    return Usage(
        input_tokens=usage.input_tokens + more * (category == "input"),
        output_tokens=usage.output_tokens + more * (category == "output"),
        cache_creation_input_tokens=five + hour,
        cache_read_input_tokens=usage.cache_read_input_tokens + more * (category == "read"),
        cache_creation=CacheCreation(five, hour),
        service_tier=usage.service_tier,
        speed=usage.speed,
        inference_geo=usage.inference_geo,
    )


@given(usages(), MODELS, DAYS, KINDS, st.integers(1, 5))
def test_more_tokens_always_cost_more(usage: Usage, model: Any, day: date, category: str, more: int) -> None:
    assert bill(plus(usage, category, more), model, at=day).total > bill(usage, model, at=day).total


@pytest.mark.parametrize("category", ["input", "write_5m", "write_1h", "read"])
@pytest.mark.parametrize("model", default().models, ids=lambda model: model.id)
def test_one_more_token_over_a_tier_never_costs_less(model: Any, category: str) -> None:
    for row in model.prices:
        for tier in row.tiers:
            at_the_edge = plus(Usage(output_tokens=1_000), category, tier.above)
            below = bill(at_the_edge, model, at=row.since).total
            assert bill(plus(at_the_edge, category, 1), model, at=row.since).total > below


@given(usages(), MODELS, DAYS, st.integers(2, 7))
def test_without_tiers_a_bill_is_linear(usage: Usage, model: Any, day: date, times: int) -> None:
    longest = 10_000  # below every tier
    small = Usage(
        input_tokens=usage.input_tokens % 100,
        output_tokens=usage.output_tokens % longest,
        cache_read_input_tokens=usage.cache_read_input_tokens % longest,
        speed=usage.speed,
        inference_geo=usage.inference_geo,
    )
    many = Usage(
        input_tokens=small.input_tokens * times,
        output_tokens=small.output_tokens * times,
        cache_read_input_tokens=small.cache_read_input_tokens * times,
        speed=small.speed,
        inference_geo=small.inference_geo,
    )
    assert bill(many, model, at=day).total == times * bill(small, model, at=day).total


@given(usages(), MODELS, DAYS)
def test_lines_and_categories_sum_to_the_total(usage: Usage, model: Any, day: date) -> None:
    made = bill(usage, model, at=day)
    assert sum(line.amount for line in made.lines) == made.total
    assert sum(made.amount(category) for category in CATEGORIES) == made.total
    assert all(line.amount == line.quantity * line.rate for line in made.lines)
    tokens = sum(line.quantity for line in made.lines)
    assert tokens == usage.total_input + usage.output_tokens


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["message", "compaction", "advisor_message", "fallback_message"]),
            st.sampled_from([None, "claude-opus-5-5", "claude-haiku-5-5"]),
            COUNTS,
            COUNTS,
        ),
        max_size=5,
    ),
    usages(),
)
def test_no_billed_token_is_lost(parts: list[tuple[str, str | None, int, int]], usage: Usage) -> None:
    iterations = tuple(
        Iteration(type=kind, model=model, input_tokens=plain, output_tokens=output)
        for kind, model, plain, output in parts
    )
    extra = [part for part in iterations if part.type in ("compaction", "advisor_message")]
    with_parts = Usage(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, iterations=iterations
    )
    made = bill(with_parts, default().resolve("claude-opus-5-5"), at=NOW)
    least = usage.input_tokens + sum(part.input_tokens for part in extra)
    assert made.quantity("input") >= least
    assert made.quantity("output") >= usage.output_tokens + sum(part.output_tokens for part in extra)


@given(st.integers(-(10**18), 10**18))
def test_dollars_are_exact(amount: int) -> None:
    text = usd(amount)
    assert Decimal(text) * 10**12 == amount
    assert "e" not in text.lower()
    assert not (("." in text) and text.endswith("0"))
    assert dollars(amount) == Decimal(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1, "0.000000000001"), (10**12, "1"), (-15 * 10**11, "-1.5"), (123 * 10**10, "1.23")],
)
def test_dollars_read_as_decimals(amount: int, text: str) -> None:
    assert usd(amount) == text


def test_rows_round_once_half_to_even() -> None:
    assert [str(rounded(amount * 10**7)) for amount in (5, 15, 25)] == ["0.0000", "0.0002", "0.0002"]
    assert str(rounded(1_239 * 10**9, 2)) == "1.24"
