"""Plots: shapes where the figures say, words beside them."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scrimp.cli.html.axes import day_labels, dollar_labels
from scrimp.cli.html.markup import tag
from scrimp.cli.html.plot import areas, bar, columns, legend, plot, round_top, split_bar, upright


@given(st.integers(0, 10**18))
def test_the_top_of_a_scale_is_round_and_just_high_enough(highest: int) -> None:
    top = round_top(highest)
    assert highest <= top <= max(2 * highest, 10)
    assert len(str(top).rstrip("0")) <= 2


def test_columns_stand_on_one_another() -> None:
    first, second = columns([[10, 30], [0, 40]], ["read", "write"], 40, ["one", "two"])
    boxes = re.findall(r'class="(\w+)" x="([\d.]+)" width="([\d.]+)" y="([\d.]+)" height="([\d.]+)"', first)
    # Half of the width is 500, of which 84 of 100 are drawn in the middle; 10 of 40 from the ground up.
    assert boxes[1:] == [  # the first only catches the pointer
        ("read", "40.00", "420.00", "750.0", "250.0"),
        ("write", "40.00", "420.00", "0.0", "750.0"),
    ]
    assert "<title>one</title>" in first
    assert 'class="read"' not in second
    assert 'x="540.00"' in second


def test_areas_go_along_their_tops_and_back_along_their_feet() -> None:
    low, high = areas([(10, 10), (10, 30)], ["tools", "new"], 40)
    assert 'd="M0.0 1000.0V750.0H500.0V750.0H1000.0V1000.0H500.0V1000.0H0.0Z"' in low
    assert 'd="M0.0 750.0V500.0H500.0V0.0H1000.0V750.0H500.0V750.0H0.0Z"' in high
    assert areas([(0, 5)], ["tools", "new"], 10)[0].count("new") == 1


def test_a_plot_names_itself_and_its_axes() -> None:
    drawn = plot([upright(0.25)], label="Calls & gaps", across=[(0.5, "noon")], up=[(0.0, "0"), (1.0, "40")])
    assert drawn.count("Calls &amp; gaps") == 2  # its title, and its name for those who do not see it
    assert 'style="left:50.00%">noon<' in drawn
    assert 'style="bottom:100.00%">40<' in drawn
    assert 'class="edge" x1="250.0" x2="250.0"' in drawn
    assert drawn.count('class="grid"') == 2


def test_names_share_the_width() -> None:
    drawn = plot([], label="x", across=[(0.25, "a"), (0.75, "b")], up=[], named=True)
    assert "left:25.00%;width:50.00%" in drawn


def test_a_bar_shows_its_interval() -> None:
    drawn = bar(0.5, "gain", low=0.25, high=0.75)
    assert 'width="500.0"' in drawn
    assert 'x1="250.0" x2="750.0"' in drawn
    assert "whisker" not in bar(0.5, "gain")


def test_parts_of_a_bar_follow_one_another() -> None:
    drawn = split_bar([(0.25, "tools", "a quarter"), (0.75, "new", "the rest")], "all of it")
    assert re.findall(r'x="([\d.]+)" y="0" height="1000" width="([\d.]+)"', drawn) == [
        ("0.0", "250.0"),
        ("250.0", "750.0"),
    ]
    assert "<title>a quarter</title>" in drawn


def test_a_legend_has_a_colour_for_each_name() -> None:
    assert legend({"reads <b>": "read"}) == tag("ul", tag("li", tag("i", class_="read"), "reads <b>"))


def test_axes_of_dollars_have_as_many_places_as_they_need() -> None:
    assert dollar_labels(4 * 10**12) == [(0.0, "$0"), (0.5, "$2.00"), (1.0, "$4.00")]
    assert [text for _, text in dollar_labels(5 * 10**11)] == ["$0", "$0.25", "$0.50"]
    assert [text for _, text in dollar_labels(15 * 10**9)] == ["$0", "$0.0075", "$0.015"]
    assert [text for _, text in dollar_labels(3_000 * 10**12)] == ["$0", "$1,500", "$3,000"]


def test_axes_of_days_name_a_few_of_them() -> None:
    days = [date(2026, 8, 1) + timedelta(days=at) for at in range(12)]
    assert [text for _, text in day_labels(days)] == ["1 Aug", "3 Aug", "5 Aug", "7 Aug", "9 Aug", "11 Aug"]
    assert day_labels(days)[1][0] == 2.5 / 12
    assert day_labels([]) == []
