"""Gaps: life tables worked out by hand, and what a few waits must teach whoever plans with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.gaps import EDGES, GapTable, Pattern, pattern
from scrimp.core.habits import CONTINUING, SHARING, SHARING_WEIGHTS
from scrimp.core.waits import Waits

BINS = len(EDGES)
EVEN = pattern("even", *(0.5**n for n in range(1, BINS + 1)))  # half of those left end in every bin
AGENTS = (0.72, 0.10, 0.03, 0.15)
KEEP = 1 - 1 / 300  # what is left of older waits with every new one


def table_of(*patterns: Pattern) -> GapTable:
    return GapTable(patterns, [1.0] * len(patterns))


def hazards(table: GapTable) -> list[float]:
    """Per bin: of the waits that reach it, the share that ends there."""
    before, found = 0.0, []
    for by in table.returns().within:
        found.append((by - before) / (1 - before))
        before = by
    return found


def wait(table: GapTable, gap: float | None, times: int = 1) -> GapTable:
    """So many waits one after another, each over after `gap` seconds or never."""
    for _ in range(times):
        waits = Waits()
        waits.begin("it", 0.0, (table,))
        waits.pass_to(1e9 if gap is None else gap)
        if gap is not None:
            waits.end("it", gap)
    return table


def test_a_pattern_is_the_share_of_those_left_that_ends_in_each_bin() -> None:
    assert pattern("p", 0.5, 0.25, 0.2).hazards == pytest.approx((0.5, 0.5, 0.8))


def test_the_life_table_by_hand() -> None:
    # One wait of 1 s, one of 3 s, one that is not over after 2.5 s; the pattern counts as two waits.
    table = table_of(EVEN)
    waits = Waits()
    for key, start, end in [("a", 0.0, 1.0), ("b", 10.0, 13.0)]:
        waits.begin(key, start, (table,))
        waits.pass_to(end)
        waits.end(key, end)
    waits.begin("c", 20.0, (table,))
    waits.pass_to(22.5)
    first = (KEEP**2 + 2 * 0.5) / (KEEP**2 + KEEP + 1 + 2)
    second = (KEEP + 2 * 0.5) / (KEEP + 2)
    assert hazards(table)[:3] == pytest.approx([first, second, 0.5])
    assert table.returns().within[1] == pytest.approx(1 - (1 - first) * (1 - second))


def test_a_wait_still_going_on_teaches_nothing_about_bins_it_has_not_reached() -> None:
    table, longer = table_of(EVEN), table_of(EVEN)
    waits = Waits()
    waits.begin("it", 0.0, (longer,))
    waits.pass_to(EDGES[0])
    assert hazards(longer)[0] < hazards(table)[0]
    assert hazards(longer)[1:] == pytest.approx(hazards(table)[1:])


def test_a_wait_that_ends_with_the_lifetime_of_an_entry_ends_too_late_for_it() -> None:
    # An entry of five minutes is gone at 300 seconds sharp.
    assert wait(table_of(EVEN), 299.9, 50).returns().within_5m > 0.95
    late = wait(table_of(EVEN), 300.0, 50)
    assert late.returns().within_5m < 0.2
    assert late.returns().within_1h > 0.8


def test_what_is_later_than_the_last_edge_counts_as_never() -> None:
    never, late = wait(table_of(EVEN), None, 5), wait(table_of(EVEN), EDGES[-1], 5)
    assert late.returns() == never.returns()


GAPS = st.lists(st.one_of(st.none(), st.floats(0, 2 * EDGES[-1])), max_size=25)


@given(GAPS, st.floats(0, 1.5 * EDGES[-1]), st.floats(0, 1.5 * EDGES[-1]))
def test_probabilities_stay_probabilities(gaps: list[float | None], one: float, other: float) -> None:
    table = GapTable(SHARING, SHARING_WEIGHTS)
    for gap in gaps:
        wait(table, gap)
    found = table.returns()
    assert found.within[0] >= 0.0
    assert list(found.within) == sorted(found.within)
    assert found.within[-1] <= 1.0
    assert found.by(min(one, other)) <= found.by(max(one, other)) + 1e-12
    assert found.within_5m == found.by(300.0)
    assert found.within_5m + found.within_1h == pytest.approx(found.by(3600.0))


@given(GAPS)
def test_a_pattern_that_is_named_twice_changes_nothing(gaps: list[float | None]) -> None:
    once = GapTable(CONTINUING, AGENTS)
    twice = GapTable((*CONTINUING, CONTINUING[0]), (AGENTS[0] / 2, *AGENTS[1:], AGENTS[0] / 2))
    for gap in gaps:
        wait(once, gap)
        wait(twice, gap)
    assert twice.returns().within == pytest.approx(once.returns().within, abs=5e-3)


@given(GAPS, GAPS)
def test_how_many_waits_are_known_is_what_reached_the_first_bin(
    before: list[float | None], since: list[float | None]
) -> None:
    table = GapTable(CONTINUING, AGENTS)
    for gap in before:
        wait(table, gap)
    table = GapTable(CONTINUING, AGENTS, learned=table.learned)
    for gap in since:
        wait(table, gap)
    assert table.waits == pytest.approx(sum(KEEP**n for n in range(len(before) + len(since))))
    assert table.learned.reached[0] == table.waits


@given(GAPS)
def test_the_patterns_that_may_hold_add_up_to_the_whole(gaps: list[float | None]) -> None:
    table = GapTable(CONTINUING, AGENTS)
    for gap in gaps:
        wait(table, gap)
    found = table.returns()
    assert sum(one.weight for one in found.if_like) == pytest.approx(1.0, abs=5e-3)
    assert sum(one.weight * one.within_5m for one in found.if_like) == pytest.approx(
        found.within_5m, abs=5e-3
    )
    assert sum(one.weight * one.within_1h for one in found.if_like) == pytest.approx(
        found.within_1h, abs=5e-3
    )


def test_between_edges_the_line_is_straight() -> None:
    found = wait(table_of(EVEN), 10.0, 3).returns()
    assert found.by(0.0) == 0.0
    assert found.by(1.0) == pytest.approx(found.within[0] / 2)
    assert found.by(10.0) == pytest.approx((found.within[1] + found.within[2]) / 2)
    assert found.by(10 * EDGES[-1]) == found.within[-1]


def test_a_handful_of_single_questions_is_enough() -> None:
    found = wait(GapTable(CONTINUING, AGENTS), None, 5).returns()
    assert found.within[-1] < 0.15


def test_a_handful_of_quick_steps_is_enough() -> None:
    questions = (0.05, 0.07, 0.01, 0.87)
    before = GapTable(CONTINUING, questions).returns().within_5m
    after = wait(GapTable(CONTINUING, questions), 7.0, 4).returns().within_5m
    assert before < 0.2
    assert after > 0.85


def test_slow_steps_are_told_from_quick_ones() -> None:
    found = wait(GapTable(CONTINUING, AGENTS), 1500.0, 6).returns()
    assert found.within_5m < 0.15
    assert found.within_1h > 0.6


def test_old_habits_fade() -> None:
    table = wait(table_of(EVEN), 7.0, 1000)
    assert table.waits <= 300.0
    assert wait(table, None, 1000).returns().within_5m < 0.1


def test_what_was_learned_outlives_the_process() -> None:
    table = wait(wait(GapTable(CONTINUING, AGENTS), 30.0, 8), 900.0, 3)
    again = GapTable(CONTINUING, AGENTS, learned=table.learned)
    assert again.returns() == table.returns()
    assert (again.waits, again.pauses) == (table.waits, table.pauses)


def test_pauses_are_waits_over_after_five_minutes_within_the_hour() -> None:
    table = wait(wait(table_of(EVEN), 600.0, 2), 200.0)
    wait(table, 7200.0)
    # Two waits: the first has faded with the three after it, the second with the two after it.
    assert table.pauses == pytest.approx(KEEP**3 + KEEP**2)


def test_a_new_kind_is_taken_to_be_like_the_wider_one() -> None:
    wider = wait(GapTable(CONTINUING, AGENTS), 1500.0, 40)
    child = GapTable(CONTINUING, AGENTS, [wider])
    alone = GapTable(CONTINUING, AGENTS)
    assert child.returns().within_1h > alone.returns().within_1h + 0.3
    assert child.returns().within_1h < wider.returns().within_1h


def test_what_a_kind_shows_itself_counts_more_than_the_wider_one() -> None:
    wider = wait(GapTable(CONTINUING, AGENTS), 1500.0, 100)
    child = wait(GapTable(CONTINUING, AGENTS, [wider]), 7.0, 10)
    assert child.returns().within_5m > 0.85


def test_a_wider_kind_that_has_seen_next_to_nothing_is_not_asked() -> None:
    wider = wait(GapTable(CONTINUING, AGENTS), 1500.0, 2)
    assert GapTable(CONTINUING, AGENTS, [wider]).returns() == GapTable(CONTINUING, AGENTS).returns()


def test_what_a_wider_kind_learns_later_is_taken_over() -> None:
    wider = GapTable(CONTINUING, AGENTS)
    child = GapTable(CONTINUING, AGENTS, [wider])
    before = child.returns().within[-1]
    wait(wider, None, 10)
    assert child.returns().within[-1] < before - 0.2
    wait(wider, 7.0, 600)
    assert child.returns().within[-1] > before


def test_only_what_waits_can_end() -> None:
    table = table_of(EVEN)
    waits = Waits()
    assert not waits.end("it", 0.0)
    waits.begin("it", 0.0, (table,))
    assert "it" in waits
    assert waits.end("it", 1.0)
    assert "it" not in waits
    assert not waits.end("it", 2.0)
    assert table.waits == 1.0


def test_every_table_of_a_wait_is_told() -> None:
    narrow, wide = table_of(EVEN), table_of(EVEN)
    waits = Waits()
    waits.begin("it", 0.0, (wide, narrow))
    waits.pass_to(30.0)
    waits.end("it", 30.0)
    assert narrow.learned == wide.learned
    assert narrow.learned.reached == pytest.approx([KEEP**0] * 4 + [0.0] * (BINS - 4))
    assert sum(narrow.learned.ended) == 1.0


@given(st.lists(st.tuples(st.floats(0, 100_000), st.floats(0, 100_000)), min_size=1, max_size=30))
def test_every_bin_of_a_wait_is_counted_once_however_waits_overlap(spans: list[tuple[float, float]]) -> None:
    # Whole seconds so that sums are exact; each wait has a table of its own.
    tables = [table_of(EVEN) for _ in spans]
    waits, moves = Waits(), []
    for key, (start, length) in enumerate(spans):
        moves += [(float(round(start)), 0, key), (float(round(start) + round(length)), 1, key)]
    for now, ends, key in sorted(moves):
        waits.pass_to(now)
        if ends:
            assert waits.end(key, now)
        else:
            waits.begin(key, now, (tables[key],))
    for table, (_, length) in zip(tables, spans, strict=True):
        outlasted = sum(edge <= round(length) for edge in EDGES)
        assert sum(table.learned.reached) == min(BINS, outlasted + 1)
        assert sum(table.learned.ended) == (outlasted < BINS)


def test_waits_remembered_are_bounded() -> None:
    table = table_of(EVEN)
    waits = Waits()
    for key in range(8_001):
        waits.begin(key, 0.0, (table,))
    assert 0 not in waits
    assert 1 in waits


def test_a_table_nobody_asks_any_more_counts_nothing() -> None:
    waits, wider = Waits(), wait(table_of(EVEN), 1.0, times=20)
    table = GapTable([EVEN], [1.0], [wider])
    waits.begin("it", 0.0, (table, wider))
    table.shed()
    waits.pass_to(3.0)
    waits.end("it", 3.0)
    assert table.learned.reached == table.learned.ended == (0.0,) * BINS
    assert table.returns() == table_of(EVEN).returns()  # nor does it go by what a wider kind has learned
    assert wider.learned.ended[1] > 0.0
