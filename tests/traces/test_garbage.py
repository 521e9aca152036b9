"""Few looks for garbage while recordings are read, and as many as before afterwards."""

from __future__ import annotations

import gc

import pytest

from scrimp.errors import TraceError
from scrimp.traces.garbage import few_collections


@few_collections()
def fails(before: int) -> None:
    assert gc.get_threshold()[0] > before
    raise TraceError("nothing was found")


def test_what_is_new_is_looked_through_seldom_and_afterwards_as_before() -> None:
    before = gc.get_threshold()
    with few_collections(90_000):
        assert gc.get_threshold()[0] == 90_000
        with pytest.raises(TraceError, match="nothing was found"):
            fails(90_000)
        assert gc.get_threshold()[0] == 90_000
    assert gc.get_threshold() == before
