"""What counts as a cache miss in the log and in metrics."""

from __future__ import annotations

import pytest

from scrimp.telemetry.misses import miss_of
from tests.telemetry.records import record


@pytest.mark.parametrize("cause", ["first call", "below the model's minimum"])
def test_nothing_to_read_and_nothing_lost_is_no_miss(cause: str) -> None:
    assert miss_of(record(miss=cause, lost=0)) is None
    assert miss_of(record(miss=cause, lost=None)) is None
    assert miss_of(record(miss=cause, lost=7)) == cause


def test_any_other_cause_is_a_miss() -> None:
    assert miss_of(record(miss="TTL expired", lost=0)) == "TTL expired"
    assert miss_of(record(miss=None, lost=None)) is None
