"""The bundled prices against two other sources: any difference that is not listed here with its reason fails.

A listed difference that is no longer there fails as well, so the list cannot grow stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, TieredPrices

from scrimp.facts import Model, default

NOW = date(2026, 11, 21)
PROMPTS = (1, 100_000, 100_001, 200_000, 200_001)
LITELLM = json.loads((Path(__file__).parents[1] / "data" / "litellm_claude_prices.json").read_text())

KEYS = {
    "input": "input_mtok",
    "write_5m": "cache_write_mtok",
    "write_1h": "cache_write_1h_mtok",
    "read": "cache_read_mtok",
    "output": "output_mtok",
}
CONTEXTS: dict[str, dict[str, str] | None] = {
    "standard": None,
    "batch": {"processing": "batch"},
    "fast": {"speed": "fast"},
}

GENAI_DIFFERS: dict[tuple[str, str], str] = {
    ("claude-mythos-5-1", "missing"): "genai-prices lists no limited-access model before 5.2",
    ("claude-mythos-5", "missing"): "genai-prices lists no limited-access model before 5.2",
    ("claude-mythos-preview", "missing"): "genai-prices lists no limited-access model before 5.2",
    ("claude-instant-1.2", "missing"): "genai-prices dropped it",
    ("every model", "batch before 2026-10-14"): "genai-prices knows batch prices from 2026-10-14 on only",
    ("every model", "batch of a retired model"): "genai-prices has no batch prices of retired models",
    ("claude-opus-4-8", "fast 2026-11-30"): "fast mode on 4.8 ends that day; genai-prices has no end",
    ("claude-opus-4-7", "fast 2026-04-16"): "genai-prices has no prices of fast modes that ended",
    ("claude-opus-4-6", "fast 2026-02-05"): "genai-prices has no prices of fast modes that ended",
    ("claude-opus-4-6", "fast 2026-03-13"): "genai-prices has no prices of fast modes that ended",
    ("claude-sonnet-5-5", "standard 2026-09-28"): "reads cost 0.1x until 2026-10-07; genai-prices is undated",
    (
        "claude-sonnet-4-5",
        "standard 2026-04-30",
    ): "the premium ended with the 1M beta; theirs is undated",
    (
        "claude-sonnet-4-5",
        "standard 2026-11-21",
    ): "the premium ended with the 1M beta; theirs is undated",
    ("claude-sonnet-4-5", "batch 2026-11-21"): "the premium ended with the 1M beta; theirs is undated",
    ("claude-sonnet-4", "standard 2025-08-12"): "1M beta with its premium, 2025-08-12 to 2026-04-30",
    ("claude-3-5-haiku", "standard 2024-11-04"): "$1/$5 in its first month; genai-prices is undated",
    ("claude-3-sonnet", "standard 2024-02-29"): "had no prompt cache; genai-prices lists cache prices",
    ("claude-3-sonnet", "standard 2026-11-21"): "had no prompt cache; genai-prices lists cache prices",
    ("claude-2.1", "standard 2023-11-21"): "no prompt cache: ours is the plain price, theirs absent",
    ("claude-2.1", "standard 2026-11-21"): "no prompt cache: ours is the plain price, theirs absent",
    ("claude-2.0", "standard 2023-07-11"): "no prompt cache: ours is the plain price, theirs absent",
    ("claude-2.0", "standard 2026-11-21"): "no prompt cache: ours is the plain price, theirs absent",
}

_RETIRED = (
    "opus-4-1", "opus-4", "sonnet-4", "3-7-sonnet", "3-5-sonnet", "3-5-haiku", "3-opus", "3-sonnet",
    "3-haiku", "2.1", "2.0", "instant-1.2",
)  # fmt: skip
LITELLM_DIFFERS: dict[tuple[str, str], str] = {
    ("claude-fable-5-2", "missing"): "released twelve days before the snapshot: litellm prices it at $0",
    ("claude-mythos-5-2", "missing"): "released twelve days before the snapshot: litellm prices it at $0",
    **{(f"claude-{name}", "missing"): "litellm drops retired models" for name in _RETIRED},
    **{
        ("claude-mythos-preview", field): "announced at $25/$125; litellm gives it the price of its successor"
        for field in (
            "input_cost_per_token",
            "output_cost_per_token",
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
            "cache_creation_input_token_cost_above_1hr",
        )
    },
}


def per_million(picodollars: int) -> Decimal:
    return Decimal(picodollars) / 10**6


def days(model: Model) -> list[date]:
    """Every day on which a price of the model began or ended, and today."""
    begun = [row.since for row in (*model.prices, *model.fast)]
    ended = [row.until for row in model.fast if row.until is not None]
    return sorted({*begun, *ended, NOW})


def genai_row(model: Model) -> ModelInfo | None:
    for name in (model.id, *model.aliases):
        try:
            return get_snapshot().find_provider_model(name, None, "anthropic", None)[1]
        except LookupError:
            continue
    return None


def genai_prices(row: ModelInfo, day: date, context: str, prompt: int) -> dict[str, Decimal | None]:
    """The price of each category, in USD per million tokens."""
    price = row.get_prices(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), CONTEXTS[context])
    found: dict[str, Decimal | None] = {}
    for category, key in KEYS.items():
        value = getattr(price, key)
        if isinstance(value, TieredPrices):
            value = next((tier.price for tier in reversed(value.tiers) if prompt > tier.start), value.base)
        found[category] = value
    return found


def our_prices(model: Model, day: date, context: str, prompt: int) -> dict[str, Decimal]:
    rates = model.rates(day, prompt_tokens=prompt, batch=context == "batch", fast=context == "fast")
    return {category: per_million(getattr(rates, category)) for category in KEYS}


def genai_differences() -> Iterator[tuple[str, str]]:
    """(model, context and day) of everything genai-prices says otherwise."""
    for model in default().models:
        row = genai_row(model)
        if row is None:
            yield model.id, "missing"
            continue
        for day, context, prompt in product(days(model), CONTEXTS, PROMPTS):
            ours = our_prices(model, day, context, prompt)
            theirs = genai_prices(row, day, context, prompt)
            if ours == theirs:
                continue
            our_standard = our_prices(model, day, "standard", prompt)
            their_standard = genai_prices(row, day, "standard", prompt)
            if context != "standard" and theirs == their_standard:
                # They know nothing of this context: our own must follow from the standard price all the same.
                if context == "batch" and ours == {key: price / 2 for key, price in our_standard.items()}:
                    since = "of a retired model" if day >= date(2026, 10, 14) else "before 2026-10-14"
                    yield "every model", f"batch {since}"
                    continue
                if ours == our_standard:
                    continue
            yield model.id, f"{context} {day}"


def litellm_differences() -> Iterator[tuple[str, str]]:
    """(id, field) of everything litellm says otherwise about today's prices and limits."""
    listed = LITELLM["models"]
    resolved = {default().resolve(model_id).id for model_id in listed}
    for model in default().models:
        if model.id not in resolved:
            yield model.id, "missing"
    for model_id, row in listed.items():
        for field, ours in our_litellm_row(default().resolve(model_id)).items():
            if field in row and Decimal(str(row[field])) != ours:
                yield model_id, field
        if row.keys() - our_litellm_row(default().resolve(model_id)).keys() - NOT_COMPARED:
            yield model_id, "unknown fields"
        told = row.get("provider_specific_entry", {})
        model = default().resolve(model_id)
        if ("us" in told) != model.features.geo_us or told.get("us", "1.1") != "1.1":
            yield model_id, "us"
        if model.sells_fast(NOW) and Decimal(str(told.get("fast", 0))) != 2:
            yield model_id, "fast"


def our_litellm_row(model: Model) -> dict[str, Decimal]:
    """Our facts under litellm's names: USD per token, and limits in tokens."""
    names = {
        "input": "input_cost_per_token",
        "output": "output_cost_per_token",
        "write_5m": "cache_creation_input_token_cost",
        "write_1h": "cache_creation_input_token_cost_above_1hr",
        "read": "cache_read_input_token_cost",
    }
    row = {
        "max_input_tokens": Decimal(model.window),
        "max_output_tokens": Decimal(model.max_output),
        "prompt_cache_min_tokens": Decimal(model.cache_minimum),
    }
    for prompt, tier in ((1, ""), (100_001, "_above_100k_tokens"), (200_001, "_above_200k_tokens")):
        for context, suffix in (("standard", ""), ("batch", "_batches")):
            prices = our_prices(model, NOW, context, prompt)
            row |= {f"{names[key]}{tier}{suffix}": price / 10**6 for key, price in prices.items()}
    return row


NOT_COMPARED = {"deprecation_date", "provider_specific_entry", "search_context_cost_per_query"}


def check(found: set[tuple[str, str]], listed: dict[tuple[str, str], str]) -> None:
    assert found - listed.keys() == set(), "differences that nobody has explained"
    assert listed.keys() - found == set(), "listed differences that are no longer there"


def test_prices_agree_with_genai_prices() -> None:
    check(set(genai_differences()), GENAI_DIFFERS)


def test_genai_prices_lists_no_model_that_we_lack() -> None:
    theirs = next(provider for provider in get_snapshot().providers if provider.id == "anthropic").models
    unknown = {row.id for row in theirs if not default().resolve(row.id).known}
    assert unknown == {"claude-v1"}  # before the Messages API


def test_prices_and_limits_agree_with_litellm() -> None:
    check(set(litellm_differences()), LITELLM_DIFFERS)


def test_litellm_agrees_on_what_a_web_search_costs() -> None:
    told = [row.get("search_context_cost_per_query", {}) for row in LITELLM["models"].values()]
    costs = {Decimal(cost) for prices in told for cost in prices.values()}
    assert {int(cost * 10**12) for cost in costs} == {default().web_search_fee}


def test_litellm_agrees_on_retirements_to_come() -> None:
    told = {
        default().resolve(model_id).retired: row["deprecation_date"]
        for model_id, row in LITELLM["models"].items()
        if "deprecation_date" in row
    }
    assert {str(ours): theirs for ours, theirs in told.items()} == {
        "2026-11-30": "2026-11-30",
        "2026-06-09": "2026-06-09",
    }


def test_the_snapshot_says_where_it_is_from() -> None:
    about = LITELLM["about"]
    assert (about["package"], about["version"]) == ("litellm", "1.109.1")
    assert "MIT" in about["licence"]
