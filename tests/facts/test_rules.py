"""Rules that changed over time give the value of the day they are asked for."""

from __future__ import annotations

from datetime import date

import pytest

from scrimp.facts import default

RULES = default().rules


@pytest.mark.parametrize(
    ("rule", "day", "value"),
    [
        ("lookback", "2024-12-10", 1),
        ("lookback", "2025-01-14", 1),
        ("lookback", "2025-01-15", 20),
        ("lookback", "2026-11-21", 20),
        ("lookback", "2020-01-01", 1),
        ("max_markers", "2024-12-10", 4),
        ("max_markers_in_thread", "2026-11-21", 3),
        ("ttl_1h", "2025-05-21", False),
        ("ttl_1h", "2025-05-22", True),
        ("automatic_caching", "2026-02-18", False),
        ("automatic_caching", "2026-02-19", True),
        ("tool_prompt_after", "2026-11-21", "system"),
    ],
)
def test_a_rule_holds_from_its_day(rule: str, day: str, value: object) -> None:
    assert RULES.named()[rule](date.fromisoformat(day)) == value


def test_without_a_day_the_newest_value_holds() -> None:
    assert (RULES.lookback(), RULES.max_markers(), RULES.automatic_caching()) == (20, 4, True)


@pytest.mark.parametrize(
    ("provider", "day", "caches"),
    [
        ("anthropic", "2024-08-13", False),
        ("anthropic", "2024-08-14", True),
        ("bedrock", "2024-12-10", False),
        ("bedrock", "2025-04-07", True),
        ("vertex", "2024-12-16", False),
        ("some-gateway", "2024-08-14", True),
    ],
)
def test_each_provider_cached_from_its_day(provider: str, day: str, *, caches: bool) -> None:
    assert RULES.caches(provider, date.fromisoformat(day)) is caches


def test_every_rule_says_how_it_is_known() -> None:
    known = {"documented", "observed", "second-hand", "inferred"}
    rows = [row for rule in RULES.named().values() for row in rule.rows]
    assert all(row.source and row.confidence in known for row in rows)
    assert RULES.lookback.row().confidence == "inferred"


def test_fees() -> None:
    assert default().web_search_fee == 10**10  # $10 per 1,000 searches
    assert default().fees["code_execution_hour"].picodollars == 5 * 10**10
