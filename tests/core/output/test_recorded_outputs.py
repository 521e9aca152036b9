"""`scrimp.Output` on recorded replies: how many it would have cut, and how much less is reserved for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks.outputting import Fared, derived, judged, kind_of, total
from benchmarks.recorded_replies import RecordedReply, recorded_replies

from scrimp.core.output.shipped import SHIPPED

MANY = 100
"""Below, one cut reply is more than the share that is promised."""


@pytest.fixture(scope="module")
def replies(traces: Path) -> Sequence[RecordedReply]:
    return list(recorded_replies(traces, transcripts=False))


@pytest.fixture(scope="module")
def found(replies: Sequence[RecordedReply]) -> dict[tuple[str, bool], Fared]:
    return judged(replies)


def test_at_most_one_in_a_hundred_is_cut_of_every_task_type(found: dict[tuple[str, bool], Fared]) -> None:
    for name, fared in found.items():
        if fared.calls >= MANY:
            assert fared.cut_share <= 1.0, name
    assert total(found.values()).cut_share <= 0.5


def test_half_of_what_a_flat_limit_reserves_is_free(found: dict[tuple[str, bool], Fared]) -> None:
    """Where 4,096 tokens are enough for such replies at all."""
    enough = {name: fared for name, fared in found.items() if fared.flat_cut * 100 <= fared.calls}
    assert sum(fared.calls for fared in enough.values()) > 4_500
    assert total(enough.values()).saved_share >= 50.0
    for name, fared in enough.items():
        if fared.calls >= MANY and not name[1]:
            assert fared.saved_share >= 50.0, name


def test_what_recorded_requests_asked_for_falls_by_more(replies: Sequence[RecordedReply]) -> None:
    fared = total(judged(replies, own=True).values())
    assert fared.cut_share <= 0.5
    assert fared.saved_share >= 75.0


def test_the_table_that_ships_is_what_its_rule_makes_of_the_recordings(
    replies: Sequence[RecordedReply],
) -> None:
    """But for agents that write and may think: those were sessions of Claude Code, not read here."""
    figures = derived(replies)
    for name, row in SHIPPED.items():
        assert figures.get((name, False)) == row.plain, name
        if name != "agent that writes":
            assert figures.get((name, True)) == row.thinking, name
    assert {kind_of(reply)[0] for reply in replies} - {"warm-up", "compaction"} == set(SHIPPED)
