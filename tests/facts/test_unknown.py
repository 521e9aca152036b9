"""Prices taken over from genai-prices keep their days and tiers; what is not certain is not taken over."""

from __future__ import annotations

from datetime import date

from genai_prices.data_snapshot import get_snapshot

from scrimp.facts import PriceRow, Rates, Tier, resolve
from scrimp.facts.unknown import dearest, published_elsewhere

HAIKU = Rates(100_000, 125_000, 200_000, 10_000, 500_000)
HAIKU_LONG = Rates(500_000, 625_000, 1_000_000, 50_000, 2_500_000)
OPUS = Rates(5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000)
OPUS_LONG = Rates(10_000_000, 12_500_000, 20_000_000, 1_000_000, 37_500_000)


def test_tiers_are_taken_over() -> None:
    assert published_elsewhere(["claude-haiku-5-5"]) == (
        PriceRow(date.min, HAIKU, (Tier(100_000, HAIKU_LONG),)),
    )


def test_days_are_taken_over() -> None:
    assert published_elsewhere(["no-such", "claude-opus-4-6"]) == (
        PriceRow(date.min, OPUS, (Tier(200_000, OPUS_LONG),)),
        PriceRow(date(2026, 3, 13), OPUS),
    )


def test_a_name_that_only_begins_like_a_model_is_not_that_model() -> None:
    assert published_elsewhere(["claude-opus-4-12"]) is None


def test_a_model_of_another_provider_is_not_looked_for() -> None:
    assert published_elsewhere(["gpt-4o-mini"]) is None


def test_of_names_that_callers_make_up_nothing_is_kept() -> None:
    def kept() -> int:
        tables = [each for each in vars(get_snapshot()).values() if isinstance(each, dict | set)]
        assert tables
        return sum(map(len, tables))

    published_elsewhere(["no-such"])
    before = kept()
    for n in range(50):
        published_elsewhere([f"made-up-{n}", f"claude-opus-4-6-{n}"])
    assert kept() == before


def test_the_dearest_of_each_category_may_come_from_different_models() -> None:
    cheap_output = Rates(1, 9, 1, 1, 1)
    dear_tier = Rates(7, 1, 1, 1, 2)
    rows = [
        PriceRow(date(2026, 1, 1), cheap_output),
        PriceRow(date.min, Rates(1, 1, 5, 3, 1), (Tier(9, dear_tier),)),
    ]
    assert dearest(rows) == PriceRow(date.min, Rates(7, 9, 5, 3, 2))


def test_of_a_name_that_is_any_text_no_more_than_its_beginning_is_kept() -> None:
    model = resolve("x" * 1_000_000)
    assert not model.known
    assert len(model.id) + len(model.name) < 5_000
