"""What a client did for its entries beside the calls that a transcript holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from scrimp.core.replay import POLICIES, replay, replay_floor
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.replays import Replayable, replayable
from tests.traces.sessions import assistant, result, system, text, tool_use, usage, user, write

if TYPE_CHECKING:
    from pathlib import Path

# Claude Opus 4.6, picodollars a token.
PLAIN, WRITE_5M, READ = 5_000_000, 6_250_000, 500_000


def source_of(path: Path) -> Replayable:
    (found,) = replayable(read_corpus([path]), default(), skipped=Counter())
    return found


def two_calls(gap: float) -> list[dict[str, Any]]:
    """A call that writes for five minutes, and one `gap` seconds after it that was billed as a read."""
    return [
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(write_5m=15_000), tool_use("t1")),
        user("u2", "a1", gap, [result("t1")]),
        assistant("a2", "u2", gap + 4, "m2", usage(read=15_000, write_5m=400), text("done")),
    ]


@pytest.mark.parametrize(("gap", "explained"), [(299, True), (308, True), (330, False)])
def test_recorded_times_are_some_seconds_off(tmp_path: Path, gap: float, *, explained: bool) -> None:
    write(tmp_path / "a.jsonl", *two_calls(gap))
    found = source_of(tmp_path)
    assert found.foreseen.model - found.foreseen.billed == (0 if explained else 15_000 * (WRITE_5M - READ))
    assert found.foreseen.unexplained == (not explained)


def away(at: float) -> list[dict[str, Any]]:
    """A person who comes back 500 seconds after the first call; at `at` the client summed up."""
    return [
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(write_5m=15_000), text("done")),
        system("y1", "a1", at, "away_summary"),
        user("u2", "y1", 500, "and now?"),
        assistant("a2", "u2", 504, "m2", usage(read=15_000, write_5m=400), text("done")),
    ]


@pytest.mark.parametrize(("at", "alive"), [(250, True), (330, False)])
def test_a_summary_for_who_was_away_keeps_a_living_entry_alive(
    tmp_path: Path, at: float, *, alive: bool
) -> None:
    write(tmp_path / "a.jsonl", *away(at))
    found = source_of(tmp_path)
    assert found.foreseen.unexplained == (not alive)


def test_it_does_so_under_every_policy_that_has_an_entry_and_for_the_floor(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *away(250))
    calls = source_of(tmp_path).calls
    paid = {name: replay(calls, POLICIES[name]()) for name in ("recorded", "none")}
    assert [one.outcome.read for one in paid["recorded"]] == [0, 15_000]
    assert [one.outcome.read for one in paid["none"]] == [0, 0]
    # The first prompt but its end is written once and read once; the second one's end is never read again.
    assert sum(replay_floor(calls)) == 15_000 * (WRITE_5M + READ) + (3 + 400 + 3) * PLAIN
