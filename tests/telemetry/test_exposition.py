"""The text format: escaping, histograms, and bounded labels, read by a strict reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.telemetry.exposition import Bounded, Exposition, Histogram
from tests.telemetry.records import one, parsed


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_label_value_comes_back_as_it_was(first: str, second: str) -> None:
    into = Exposition()
    into.family("a_total", "counter", "What\nit \\ is.", [({"x": first, "y": second}, 3)])
    text = into.text()
    assert one(parsed(text), "a_total", x=first, y=second) == "3"
    assert text.startswith(b"# HELP a_total What\\nit \\\\ is.\n# TYPE a_total counter\n")


def test_the_example_of_the_format_is_written_as_it_stands_there() -> None:
    into = Exposition()
    path = {"path": "C:\\DIR\\FILE.TXT", "error": 'Cannot find file:\n"FILE.TXT"'}
    into.family("msdos_file_access_time_seconds", "gauge", "x", [(path, "1.458255915e9")])
    sample = into.text().decode().splitlines()[-1]
    assert sample == (
        r'msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""}'
        " 1.458255915e9"
    )


_values = st.lists(st.floats(0, 1_000, allow_nan=False) | st.sampled_from((0.5, 1.0, 2.5, 100.0)))


@given(_values, _values)
def test_buckets_count_what_is_at_most_their_bound(one_by_one: list[float], at_once: list[float]) -> None:
    bounds = (0.5, 1.0, 2.5, 100.0)
    histogram = Histogram(bounds)
    for value in one_by_one:
        histogram.add(value)
    histogram.add_all(at_once)
    values = [*one_by_one, *at_once]
    into = Exposition()
    into.histogram("h_seconds", "x", [({"model": "m"}, histogram)])
    found = parsed(into.text())
    for bound in bounds:
        expected = sum(value <= bound for value in values)
        assert one(found, "h_seconds_bucket", model="m", le=str(bound)) == str(expected)
    assert one(found, "h_seconds_count", model="m") == str(len(values))
    assert float(one(found, "h_seconds_sum", model="m")) == pytest.approx(sum(values))


def test_values_beyond_the_bound_are_other() -> None:
    bounded = Bounded(2)
    assert [bounded.of(value) for value in ("a", "b", "c", "a", "d", None, "")] == [
        "a",
        "b",
        "other",
        "a",
        "other",
        "",
        "",
    ]
