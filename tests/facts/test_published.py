"""The published table of models and prices, written out again by hand, against the bundled facts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from scrimp.facts import Model, Rates, default

# id, released, input, write 5m, write 1h, read, output, batch in, batch out, window, max output, minimum
CURRENT = """
claude-fable-5-2   2026-11-09 8    10    16   0.20  40   4     20    1000000 128000 512
claude-mythos-5-2  2026-11-09 8    10    16   0.20  40   4     20    1000000 128000 512
claude-fable-5-1   2026-09-01 10   12.5  20   0.25  50   5     25    1000000 128000 512
claude-mythos-5-1  2026-09-01 10   12.5  20   0.25  50   5     25    1000000 128000 512
claude-fable-5     2026-06-09 10   12.5  20   1.00  50   5     25    1000000 128000 512
claude-mythos-5    2026-06-09 10   12.5  20   1.00  50   5     25    1000000 128000 512
claude-opus-5-5    2026-09-22 4    5     8    0.20  20   2     10    1000000 128000 512
claude-opus-5      2026-07-24 5    6.25  10   0.50  25   2.5   12.5  1000000 128000 512
claude-opus-4-8    2026-05-28 5    6.25  10   0.50  25   2.5   12.5  1000000 128000 1024
claude-opus-4-7    2026-04-16 5    6.25  10   0.50  25   2.5   12.5  1000000 128000 2048
claude-opus-4-6    2026-02-05 5    6.25  10   0.50  25   2.5   12.5  1000000 128000 4096
claude-opus-4-5    2025-11-24 5    6.25  10   0.50  25   2.5   12.5  200000  64000  4096
claude-sonnet-5-5  2026-09-28 2    2.5   4    0.10  10   1     5     1000000 128000 512
claude-sonnet-5    2026-06-30 2    2.5   4    0.20  10   1     5     1000000 128000 1024
claude-sonnet-4-6  2026-02-17 3    3.75  6    0.30  15   1.5   7.5   1000000 128000 1024
claude-sonnet-4-5  2025-09-29 3    3.75  6    0.30  15   1.5   7.5   200000  64000  1024
claude-haiku-5-5   2026-10-07 0.10 0.125 0.20 0.01  0.50 .05   .25   1000000 128000 512
claude-haiku-4-5   2025-10-15 1    1.25  2    0.10  5    .5    2.5   200000  64000  4096
claude-opus-4-1    2025-08-05 15   18.75 30   1.50  75   7.5   37.5  200000  32000  1024
claude-opus-4      2025-05-22 15   18.75 30   1.50  75   7.5   37.5  200000  32000  1024
claude-sonnet-4    2025-05-22 3    3.75  6    0.30  15   1.5   7.5   200000  64000  1024
claude-3-7-sonnet  2025-02-24 3    3.75  6    0.30  15   1.5   7.5   200000  64000  1024
claude-3-5-sonnet  2024-06-20 3    3.75  6    0.30  15   1.5   7.5   200000  8192   1024
claude-3-5-haiku   2024-11-04 0.80 1     1.6  0.08  4    .4    2     200000  8192   2048
claude-3-opus      2024-02-29 15   18.75 30   1.50  75   7.5   37.5  200000  4096   1024
claude-3-haiku     2024-03-07 0.25 0.30  0.50 0.03  1.25 .125  .625  200000  4096   2048
"""
ROWS = [line.split() for line in CURRENT.strip().splitlines()]
NO_CACHE = ["claude-3-sonnet", "claude-2.1", "claude-2.0", "claude-instant-1.2"]
NOW = date(2026, 11, 21)


def mtok(usd: str) -> int:
    """USD per million tokens as picodollars per token, the long way round."""
    exact = Decimal(usd) * Decimal(10) ** 12 / Decimal(10) ** 6
    assert exact == int(exact)
    return int(exact)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_prices_and_limits_are_the_published_ones(row: list[str]) -> None:
    model = default().resolve(row[0])
    plain, write_5m, write_1h, read, output, batch_in, batch_out = map(mtok, row[2:9])
    assert model.rates(NOW, prompt_tokens=1) == Rates(plain, write_5m, write_1h, read, output)
    batch = model.rates(NOW, prompt_tokens=1, batch=True)
    assert (batch.input, batch.output) == (batch_in, batch_out)
    assert (batch.write_5m * 2, batch.write_1h * 2, batch.read * 2) == (write_5m, write_1h, read)
    assert (model.window, model.max_output, model.cache_minimum) == tuple(map(int, row[9:12]))
    assert model.released == date.fromisoformat(row[1])
    assert (model.id, model.known, model.estimated) == (row[0], True, False)


def test_every_model_is_in_the_table() -> None:
    listed = {row[0] for row in ROWS} | set(NO_CACHE) | {"claude-mythos-preview"}
    assert {model.id for model in default().models} == listed


@pytest.mark.parametrize("model_id", NO_CACHE)
def test_models_without_a_cache_bill_every_prompt_token_as_plain(model_id: str) -> None:
    model = default().resolve(model_id)
    rates = model.rates(NOW, prompt_tokens=1)
    assert rates.read == rates.write_5m == rates.write_1h == rates.input
    assert (model.features.caching, model.cache_minimum) == (False, 0)


@pytest.mark.parametrize(
    ("model_id", "day", "prompt", "category", "usd"),
    [
        ("claude-sonnet-5-5", "2026-10-06", 1, "read", "0.20"),
        ("claude-sonnet-5-5", "2026-10-07", 1, "read", "0.10"),
        ("claude-opus-4-6", "2026-03-12", 200_000, "input", "5"),
        ("claude-opus-4-6", "2026-03-12", 200_001, "input", "10"),
        ("claude-opus-4-6", "2026-03-12", 200_001, "output", "37.5"),
        ("claude-opus-4-6", "2026-03-13", 200_001, "input", "5"),
        ("claude-sonnet-4-6", "2026-03-12", 200_001, "write_1h", "12"),
        ("claude-sonnet-4-6", "2026-03-13", 900_000, "write_1h", "6"),
        ("claude-sonnet-4-5", "2026-01-01", 200_001, "read", "0.6"),
        ("claude-sonnet-4-5", "2026-05-01", 200_001, "read", "0.3"),
        ("claude-sonnet-4", "2025-08-11", 200_001, "output", "15"),
        ("claude-sonnet-4", "2025-08-12", 200_001, "output", "22.5"),
        ("claude-3-5-haiku", "2024-11-20", 1, "input", "1"),
        ("claude-3-5-haiku", "2024-12-03", 1, "input", "0.8"),
        ("claude-haiku-5-5", "2026-10-07", 100_000, "output", "0.5"),
        ("claude-haiku-5-5", "2026-10-07", 100_001, "output", "2.5"),
        ("claude-haiku-5-5", "2026-10-07", 100_001, "write_5m", "0.625"),
        ("claude-haiku-5-5", "2020-01-01", 1, "write_5m", "0.125"),
    ],
)
def test_a_past_day_has_the_price_of_that_day(
    model_id: str, day: str, prompt: int, category: str, usd: str
) -> None:
    rates = default().resolve(model_id).rates(date.fromisoformat(day), prompt_tokens=prompt)
    assert getattr(rates, category) == mtok(usd)


@pytest.mark.parametrize(
    ("model_id", "day", "prompt", "usd_in", "usd_out"),
    [
        ("claude-fable-5-2", "2026-11-21", 1, "16", "80"),
        ("claude-opus-5-5", "2026-11-21", 1, "8", "40"),
        ("claude-opus-5", "2026-11-21", 1, "10", "50"),
        ("claude-opus-4-8", "2026-11-29", 1, "10", "50"),
        ("claude-opus-4-8", "2026-11-30", 1, "5", "25"),  # sold no more: the standard price
        ("claude-opus-4-7", "2026-06-01", 1, "30", "150"),
        ("claude-opus-4-7", "2026-11-21", 1, "5", "25"),
        ("claude-opus-4-6", "2026-02-20", 200_000, "30", "150"),
        ("claude-opus-4-6", "2026-02-20", 200_001, "60", "225"),
        ("claude-sonnet-5-5", "2026-11-21", 1, "2", "10"),  # never had it
    ],
)
def test_fast_mode_prices(model_id: str, day: str, prompt: int, usd_in: str, usd_out: str) -> None:
    model = default().resolve(model_id)
    rates = model.rates(date.fromisoformat(day), prompt_tokens=prompt, fast=True)
    assert (rates.input, rates.output) == (mtok(usd_in), mtok(usd_out))


@pytest.mark.parametrize("model", [m for m in default().models if m.fast], ids=lambda model: model.id)
def test_cache_multipliers_apply_on_top_of_fast_mode(model: Model) -> None:
    day = model.fast[0].since
    fast, plain = (model.rates(day, prompt_tokens=1, fast=fast) for fast in (True, False))
    assert Fraction(fast.read, fast.input) == Fraction(plain.read, plain.input)
    assert Fraction(fast.write_5m, fast.input) == Fraction(5, 4)
    assert Fraction(fast.write_1h, fast.input) == 2


def test_batch_and_geo_multiply() -> None:
    model = default().resolve("claude-opus-5-5")
    rates = model.rates(NOW, prompt_tokens=1, batch=True, geo="us")
    assert rates == Rates(mtok("2.2"), mtok("2.75"), mtok("4.4"), mtok("0.11"), mtok("11"))
    assert model.rates(NOW, prompt_tokens=1, fast=True, geo="us").input == mtok("8.8")


@pytest.mark.parametrize("geo", ["global", "not_available", "", "eu"])
def test_other_places_cost_nothing_extra(geo: str) -> None:
    model = default().resolve("claude-opus-5-5")
    assert model.rates(NOW, prompt_tokens=1, geo=geo) == model.rates(NOW, prompt_tokens=1)


def test_older_models_take_no_geo() -> None:
    model = default().resolve("claude-opus-4-5")
    assert model.rates(NOW, prompt_tokens=1, geo="us") == model.rates(NOW, prompt_tokens=1)


def test_a_batch_in_fast_mode_is_priced_at_the_dearer_of_the_two() -> None:
    model = default().resolve("claude-opus-5-5")
    assert model.rates(NOW, prompt_tokens=1, fast=True, batch=True).input == mtok("8")


@pytest.mark.parametrize(
    ("model_id", "read"),
    [
        ("claude-opus-5-5", Fraction(1, 20)),
        ("claude-sonnet-5-5", Fraction(1, 20)),
        ("claude-fable-5-2", Fraction(1, 40)),
        ("claude-mythos-5-1", Fraction(1, 40)),
        ("claude-fable-5", Fraction(1, 10)),
        ("claude-haiku-5-5", Fraction(1, 10)),
        ("claude-haiku-4-5", Fraction(1, 10)),
    ],
)
def test_multipliers(model_id: str, read: Fraction) -> None:
    model = default().resolve(model_id)
    assert model.read_multiplier(NOW) == read
    assert model.write_multiplier(NOW) == Fraction(5, 4)
    assert model.write_multiplier(NOW, ttl="1h") == 2


def test_tiers_and_retirement() -> None:
    facts = default()
    assert facts.resolve("claude-haiku-5-5").tier_above(NOW) == 100_000
    assert facts.resolve("claude-opus-4-6").tier_above(date(2026, 3, 12)) == 200_000
    assert facts.resolve("claude-opus-4-6").tier_above(NOW) is None
    sonnet = facts.resolve("claude-sonnet-4-5")
    assert (sonnet.is_retired(date(2026, 11, 29)), sonnet.is_retired(date(2026, 11, 30))) == (False, True)


OLDER_TOKENIZER = {
    "claude-opus-4-6", "claude-opus-4-5", "claude-opus-4-1", "claude-opus-4", "claude-sonnet-4-6",
    "claude-sonnet-4-5", "claude-sonnet-4", "claude-haiku-4-5", "claude-3-7-sonnet", "claude-3-5-sonnet",
    "claude-3-5-haiku", "claude-3-opus", "claude-3-sonnet", "claude-3-haiku", "claude-2.1", "claude-2.0",
    "claude-instant-1.2",
}  # fmt: skip


def test_tokenizer_and_image_rule_change_with_4_7() -> None:
    older = {model.id for model in default().models if model.tokenizer == "claude-3"}
    assert older == OLDER_TOKENIZER
    for model in default().models:
        limits = (1568, 1568) if model.id in OLDER_TOKENIZER else (2576, 4784)
        assert (model.image_rule.max_edge, model.image_rule.max_tokens) == limits


def having(flag: str, value: object = True) -> set[str]:
    return {model.id for model in default().models if getattr(model.features, flag) == value}


def test_features_are_the_documented_ones() -> None:
    assert having("thinking_binding", "always") == {"claude-fable-5-2", "claude-mythos-5-2"}
    assert having("thinking_binding", "optional") == {
        "claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5",
    }  # fmt: skip
    assert having("default_effort", "medium") == {"claude-opus-5-5", "claude-haiku-5-5"}
    assert having("forced_tool_choice", value=False) >= having("thinking_binding", "always") | having(
        "thinking_binding", "optional"
    )
    assert having("prefill") == OLDER_TOKENIZER - {"claude-opus-4-6", "claude-sonnet-4-6"}
    # The page leaves Sonnet 5 out, but recorded calls with system messages were answered.
    assert "claude-sonnet-5" in having("mid_conversation_system")
    assert {"claude-opus-4-8", "claude-opus-5", "claude-fable-5"} <= having("mid_conversation_system")
    assert having("thinking_kept") & {"claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-1"} == set()
    assert {"claude-opus-4-5", "claude-sonnet-4-6", "claude-fable-5"} <= having("thinking_kept")


@pytest.mark.parametrize(
    ("model_id", "auto", "forced"),
    [
        ("claude-opus-5", 286, 406),
        ("claude-opus-4-8", 290, 410),
        ("claude-opus-4-7", 675, 804),
        ("claude-opus-4-6", 497, 589),
        ("claude-opus-4-5", 496, 588),
        ("claude-sonnet-5", 354, 474),
        ("claude-sonnet-4-6", 497, 589),
        ("claude-sonnet-4-5", 496, 588),
        ("claude-haiku-4-5", 496, 588),
    ],
)
def test_tool_prompt_sizes(model_id: str, auto: int, forced: int) -> None:
    prompt = default().resolve(model_id).features.tool_prompt
    assert prompt is not None
    assert (prompt.auto, prompt.forced) == (auto, forced)


@pytest.mark.parametrize("model_id", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-2"])
def test_a_tool_prompt_nobody_published_is_absent(model_id: str) -> None:
    assert default().resolve(model_id).features.tool_prompt is None


def test_every_model_names_its_source() -> None:
    assert all(model.source and model.as_of <= default().as_of for model in default().models)
