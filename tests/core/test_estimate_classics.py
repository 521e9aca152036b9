"""Worked examples: every figure against one worked out by hand, at the prices of 2026-11-21.

Dollars per million tokens, input / 5m write / 1h write / read / output:

    told   Opus 4.1 15 / 18.75 / 30 / 1.50 / 75, Sonnet 3 / 3.75 / 6 / 0.30 / 15,
           Haiku 3.5 0.80 / 1 / 1.60 / 0.08 / 4 (it caches 2,048 tokens at least), Haiku 4.5 1 and 5
    today  Opus 5.5 4 / 5 / 8 / 0.20 / 20, Sonnet 5.5 2 / 2.50 / 4 / 0.10 / 10,
           Haiku 5.5 0.10 / 0.125 / 0.20 / 0.01 / 0.50
"""

from __future__ import annotations

from datetime import date

import pytest

from scrimp.core.estimate.classics import CLASSICS, classics
from scrimp.core.estimate.classics.example import Figure, Row, row
from scrimp.errors import InputError
from scrimp.facts.models import default

TODAY = date(2026, 11, 21)

FIGURES: dict[str, list[tuple[str, str, str, str]]] = {
    "ten-steps": [
        ("without a cache", "200K", "200000", "200000"),
        # 20,000 x 1.25 + 9 x 20,000 x 0.1, and x 0.05
        ("with a cache", "~43K", "43000", "34000"),
    ],
    "five-iterations": [
        # 3,000 + 5,335 + 7,670 + 10,005 + 12,340
        ("input", "38,350", "38350", "38350"),
        ("output", "1,850", "1850", "1850"),
        # 38,350 x 3 + 1,850 x 15 = 115,050 + 27,750; 76,700 + 18,500
        ("cost, not cached", "$0.14", "0.1428", "0.0952"),
        # 12,340 x 3.75 + 26,010 x 0.30 + 27,750 = 46,275 + 7,803 + 27,750; 30,850 + 2,601 + 18,500
        ("cost, cached", "", "0.081828", "0.051951"),
    ],
    "hundred-runs": [
        ("not cached", "", "0.9", "0.6"),  # 300,000 x 3; x 2
        ("cached, within 8 hours", "", "0.10035", "0.0372"),  # 11,250 + 99 x 900; 7,500 + 99 x 300
        ("cached, round the clock", "", "1.125", "0.75"),  # 300,000 x 3.75; x 2.50
        ("cached for 1h, round the clock", "", "0.1071", "0.0417"),  # 18,000 + 89,100; 12,000 + 29,700
    ],
    "thousand-tasks": [
        ("all Opus", "67.50", "67.5", "18"),  # (2,000 x 15 + 500 x 75) / 1000; 8 + 10
        ("all Sonnet", "13.50", "13.5", "9"),
        ("all Haiku", "3.60", "3.6", "0.45"),
        # 3.375 + 6.075 + 1.80; 0.90 + 4.05 + 0.225
        ("5 % Opus, 45 % Sonnet, 50 % Haiku", "9.18", "11.25", "5.175"),
        # Opus 50: 375,000 plain + 28,125 written + 49 x 2,250 read + 1,875,000 out = 2,388,375
        # Sonnet 450: 675,000 + 5,625 + 449 x 450 + 3,375,000 = 4,257,675; Haiku 500 x 3,600, not cached
        # today 622,200 + 2,771,100 + 157,672.5
        ("the same, cached", "", "8.44605", "3.5509725"),
        ("the same, in batches", "", "5.625", "2.5875"),
        # Opus 50 x (650 x 7.50 + 500 x 37.50), Sonnet 450 x (650 x 1.50 + 500 x 7.50), Haiku 500 x 1,800
        # today 50 x (500 x 2 + 1,500 x 0.10 + 500 x 10), 450 x (500 + 75 + 2,500), 500 x (25 + 7.5 + 125)
        ("the same, cached and in batches", "", "4.2075", "1.77"),
    ],
    "monthly": [
        ("100 a day, all Opus", "", "202.5", "54"),  # 3,000 x 0.0675; x 0.018
        ("100 a day, tiered", "", "33.75", "15.525"),  # 3,000 x 0.01125; x 0.005175
        # a day: 5 x 73,125 + 45 x 14,625 + 50 x 3,600, all written; 5 x 19,500 + 45 x 9,750 + 50 x 487.5
        ("100 a day, tiered and cached", "", "36.1125", "16.81875"),
        ("1,000 a day, all Opus", "", "2025", "540"),
        ("1,000 a day, tiered", "", "337.5", "155.25"),
        # a day: 50 x 73,125 + 4,257,675 + 1,800,000; 50 x 19,500 + 2,771,100 + 157,672.5
        ("1,000 a day, tiered and cached", "", "291.41775", "117.113175"),
        ("10,000 a day, all Opus", "", "20250", "5400"),
        ("10,000 a day, tiered", "", "3375", "1552.5"),
        # a day: 23,650,875 + 42,530,175 + 18,000,000; 6,157,200 + 27,678,600 + 1,575,172.5
        ("10,000 a day, tiered and cached", "", "2525.4315", "1062.329175"),
        ("100,000 a day, all Opus", "", "202500", "54000"),
        ("100,000 a day, tiered", "", "33750", "15525"),
        # a day, Sonnet and Haiku with two writes each (less than 2 seconds apart):
        # 236,275,875 + 425,260,350 + 180,000,000; 61,507,200 + 276,757,200 + 15,750,345
        ("100,000 a day, tiered and cached", "", "25246.08675", "10620.44235"),
    ],
    "agent-types": [
        ("classifier", "", "0.0063", "0.0042"),  # 6,000 + 300; 4,000 + 200
        ("question on documents", "", "0.036", "0.024"),  # 28,500 + 7,500; 19,000 + 5,000
        # 31,600 x 3 + 36,000; 5,700 x 2.50 + 25,900 x 0.10 + 24,000
        ("chat of 8 turns", "", "0.1308", "0.04084"),
        # 58,500 x 3 + 27,000; 13,000 x 2.50 + 45,500 x 0.10 + 18,000
        ("support agent", "", "0.2025", "0.05505"),
        # 600,000 x 3 + 112,500; 71,500 x 2.50 + 528,500 x 0.10 + 75,000
        ("research agent", "", "1.9125", "0.3066"),
        # 2,790,000 x 3 + 300,000; 118,500 x 2.50 + 2,671,500 x 0.10 + 200,000
        ("coding agent", "", "8.67", "0.7634"),
    ],
    "eight-at-once": [
        ("at once: writes", "8 writes", "8", "8"),
        ("at once: cost", "", "100000", "100000"),  # 8 x 12,500
        ("the first alone: writes", "1 write, 7 reads", "1", "1"),
        ("the first alone: cost", "", "19500", "16000"),  # 12,500 + 7 x 1,000; + 7 x 500
    ],
    "clearing": [
        ("prompt after it", "12K", "12000", "12000"),
        ("a call, not cleared", "", "2000", "1000"),
        ("the call that clears", "", "10400", "10200"),  # 400 + 10,000; 200 + 10,000
        ("each call after it", "", "1200", "600"),
        # 10,400 + 1,200 (n - 1) <= 2,000 n from n = 11.5 on; 10,200 + 600 (n - 1) <= 1,000 n from 24 on
        ("calls until it has paid", "", "12", "24"),
    ],
    "shared-prefix": [
        ("not cached", "", "10.5", "7"),  # 500 x 7,000 x 3; x 2
        # 100 x 26,250 + 400 x 2,100; 100 x 17,500 + 400 x 700
        ("each user's own prefix", "", "3.465", "2.03"),
        ("one for all, within 8 hours", "", "1.07415", "0.3668"),  # 26,250 + 499 x 2,100; 17,500 + 499 x 700
        ("one for all, round the clock", "", "3.465", "2.03"),
        # 42,000 + 499 x 2,100; 28,000 + 499 x 700
        ("one for all for 1h, round the clock", "", "1.0899", "0.3773"),
    ],
    "classifications": [
        ("live", "", "6", "0.6"),  # 10,000 x (500 + 100); x (50 + 10)
        ("in batches", "", "3", "0.3"),
        ("live, its 400 shared tokens marked", "", "6", "0.6"),
        ("10,000 tickets of 3,700 tokens", "~$37.00", "37", "3.7"),
        ("the same, 1,200 of them answers", "", "85", "8.5"),  # 25 + 60; 2.50 + 6
    ],
}


def test_every_example_has_its_figures_here() -> None:
    assert list(CLASSICS) == list(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_are_those_worked_out_by_hand(name: str) -> None:
    found = classics(default(), TODAY, [name])[0]
    assert found.name == name
    assert [(one.what, one.said, one.follows.exact, one.true.exact) for one in found.rows] == FIGURES[name]
    assert all(one.why.endswith(".") for one in found.rows)


def test_what_does_not_follow_from_its_own_inputs_is_known() -> None:
    rows = [one for classic in classics(default(), TODAY) for one in classic.rows]
    assert [one.said for one in rows if one.holds is False] == ["9.18"]
    quoted = [said for figures in FIGURES.values() for _, said, _, _ in figures if said]
    assert [one.said for one in rows if one.holds is not None] == quoted


@pytest.mark.parametrize(
    ("said", "value", "holds"),
    [("~43K", 43_499, True), ("~43K", 43_501, False), ("38,350", 38_351, False), ("8 writes", 8, True)],
)
def test_a_quoted_figure_holds_to_its_own_last_digit(said: str, value: int, *, holds: bool) -> None:
    assert row("it", (value, 0), "tokens", "Because.", said=said).holds is holds


def test_quoted_dollars_are_compared_as_dollars() -> None:
    told = Figure(row("", (142_800_000_000, 0), "usd", "").follows.value, "usd")
    assert Row("cost", "$0.14", told, told, "").holds is True
    assert Row("cost", "$0.15", told, told, "").holds is False


def test_told_prices_are_those_of_whoever_charges_them() -> None:
    opus, sonnet, haiku = (row.why for row in classics(default(), TODAY, ["thousand-tasks"])[0].rows[:3])
    assert "Claude Opus 4.1, retired since 2026-08-05; claude-opus-5-5 costs $4 and $20" in opus
    assert "Claude Sonnet 4.6 and Claude Sonnet 4.5 to this day; claude-sonnet-5-5 costs $2 and $10" in sonnet
    assert "Claude Haiku 3.5, retired since 2026-02-19; claude-haiku-5-5 costs $0.10 and $0.50" in haiku
    later = classics(default(), date(2026, 11, 30), ["thousand-tasks"])[0].rows[1].why
    assert "those of Claude Sonnet 4.6 to this day" in later  # Sonnet 4.5 retires that day


def test_single_calls_of_the_agent_types_are_not_said_to_be_cached() -> None:
    assumed = classics(default(), TODAY, ["agent-types"])[0].assumed
    assert (
        "runs of several calls are cached for 5 minutes and begin cold, single calls are not marked"
        in assumed
    )


def test_a_day_before_the_models_of_today_has_no_true_figure() -> None:
    with pytest.raises(InputError, match="claude-haiku-5-5 was not released until 2026-10-07"):
        classics(default(), date(2026, 10, 6), ["thousand-tasks"])


def test_prices_of_another_day_are_those_of_that_day() -> None:
    # Sonnet 5.5 read at 0.1 before 2026-10-07: 25,000 + 9 x 2,000
    found = classics(default(), date(2026, 10, 1), ["ten-steps"])[0]
    assert found.rows[1].true.exact == "43000"
