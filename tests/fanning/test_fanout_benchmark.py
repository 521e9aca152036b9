"""The benchmark of fan-outs runs at a small size; speed is not judged."""

from __future__ import annotations

import pytest
from benchmarks.fanout import BASELINE, measure_fanout


def test_fan_outs_are_measured() -> None:
    section = measure_fanout(requests=4, first_event=0.05, rounds=1, seed=1)
    gathered, fanned = section.rows
    assert (gathered.name, gathered.is_baseline, gathered.ratio) == (BASELINE, True, pytest.approx(1.0))
    assert gathered.note.startswith("4 written, 0 read, $")
    assert fanned.note.startswith("1 written, 3 read, $")
    assert 0 < fanned.figure.low <= fanned.figure.median <= fanned.figure.high
