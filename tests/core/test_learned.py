"""What a workspace has learned goes to the next process: all of it, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.elsewhere import Tries
from scrimp.core.gaps import EDGES, Counts, GapTable
from scrimp.core.habits import CONTINUING
from scrimp.core.horizon import Learned
from scrimp.core.learned import Row, Snapshot, rows_of, snapshot_of
from scrimp.core.tokens.learner import Ratios
from scrimp.core.workspace import Planned, Workspace
from scrimp.facts.models import default
from scrimp.wire.response import Usage

NOW = 1_790_000_000.0
TOOL = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}
NEVER = Counts((40.0,) * len(EDGES), (0.0,) * len(EDGES))
AT_ONCE = Counts((40.0,) + (0.0,) * 11, (40.0,) + (0.0,) * 11)


def single_call(workspace: Workspace, number: int, label: str = "sorter", **more: Any) -> Planned:
    """A long question with a tool that nobody asks again, ten minutes after the one before."""
    question = {"role": "user", "content": f"letter {number} " * 3000}
    body = {"model": "claude-haiku-4-5", "max_tokens": 5, "tools": [TOOL], "messages": [question], **more}
    planned = workspace.plan(body, NOW + 600.0 * number, label=label)
    assert planned is not None
    return planned


def written(planned: Planned) -> int:
    outcome = planned.plan.chosen.outcome
    return outcome.write_5m + outcome.write_1h


def experienced(calls: int = 30) -> Workspace:
    workspace = Workspace(default())
    for number in range(calls):
        planned = single_call(workspace, number)
        workspace.billed(planned, Usage(input_tokens=10_000, output_tokens=1))
    return workspace


def next_process(workspace: Workspace) -> Workspace:
    snapshot, refused = snapshot_of(rows_of(workspace.learned))
    assert not refused
    return Workspace(default(), learned=snapshot)


def test_rows_hold_all_that_was_learned() -> None:
    learned = experienced().learned
    assert learned.horizon.continuing
    assert learned.ratios["claude-haiku-4-5"].bills == 30
    assert next_process(experienced()).learned.ratios == learned.ratios
    snapshot, refused = snapshot_of(rows_of(learned))
    assert not refused
    assert snapshot.ratios == learned.ratios
    assert snapshot.horizon.joins == learned.horizon.joins
    for key, counts in learned.horizon.continuing.items():
        assert snapshot.horizon.continuing.get(key, counts) == counts
        assert key in snapshot.horizon.continuing or not any(counts.reached)


def test_the_next_process_plans_its_first_call_with_what_was_learned() -> None:
    assert written(single_call(Workspace(default()), 100)) > 9_000
    assert written(single_call(next_process(experienced()), 100)) == 0


def test_a_changed_prompt_of_a_known_label_is_taken_to_be_used_alike() -> None:
    tools = [TOOL | {"description": "List all files."}]
    assert written(single_call(Workspace(default()), 100, tools=tools)) > 9_000
    assert written(single_call(next_process(experienced()), 100, tools=tools)) == 0


def test_another_label_starts_afresh() -> None:
    fresh = single_call(Workspace(default()), 100, "reader").situation.events[0].within_5m
    after = single_call(next_process(experienced()), 100, "reader").situation.events[0].within_5m
    known = single_call(next_process(experienced()), 100).situation.events[0].within_5m
    assert known < 0.01
    assert after > 0.4 * fresh


def test_only_the_first_static_start_of_a_label_is_taken_for_the_known_one() -> None:
    workspace = next_process(experienced())
    first = single_call(workspace, 100).situation.events[0].within_5m
    other = [TOOL | {"description": "Something else."}]
    second = single_call(workspace, 101, tools=other).situation.events[0].within_5m
    assert first < 0.01 < second


def test_no_prompt_text_and_no_digest_is_kept() -> None:
    workspace = Workspace(default())
    planned = single_call(workspace, 1, system="the secret plan")
    rows = list(rows_of(workspace.learned)) + list(rows_of(experienced().learned))
    assert rows
    kept = b"".join(row.key.encode() + row.value for row in rows)
    for secret in (b"secret", b"letter", b"List", *planned.prompt.prefixes, *planned.prompt.digests):
        assert secret not in kept


def test_odds_for_entries_of_other_processes_are_kept() -> None:
    [row] = rows_of(Snapshot(elsewhere=Tries(9.0, 10.0)))
    assert snapshot_of([row])[0].elsewhere == Tries(9.0, 10.0)
    workspace = Workspace(default(), learned=snapshot_of([row])[0])
    first = single_call(workspace, 1).situation
    assert first.elsewhere == pytest.approx(0.9)


def test_what_was_not_learned_makes_no_rows() -> None:
    assert list(rows_of(Workspace(default()).learned)) == []


def test_only_what_changed_is_told() -> None:
    workspace = experienced()
    before = workspace.learned
    assert list(rows_of(workspace.learned.since(before))) == []
    single_call(workspace, 100, "reader")
    changed = {row.key.split("\x1f")[0] for row in rows_of(workspace.learned.since(before))}
    assert changed == {"", "sorter", "reader"}  # time went by: the last wait of the sorter is over as well
    again = workspace.learned
    single_call(workspace, 100, "writer")
    assert "sorter" not in {row.key.split("\x1f")[0] for row in rows_of(workspace.learned.since(again))}


def test_a_label_that_is_no_text_is_left_out() -> None:
    rows = list(rows_of(Snapshot(Learned({"\ud800": NEVER, "fine": NEVER}))))
    assert [row.key for row in rows] == ["fine"]


@pytest.mark.parametrize(
    "row",
    [
        Row("continuing", "x", b"\xc1"),
        Row("continuing", "x", b""),
        Row("joins", "x", b"\x91\x92\xa1\xff\x01"),
        Row("joins", "x", msgspec.msgpack.encode([("messages", -1)])),
        Row("unheard of", "x", msgspec.msgpack.encode(NEVER)),
        Row("continuing", "x", msgspec.msgpack.encode(Counts((1.0,), (0.0,)))),
        Row("continuing", "x", msgspec.msgpack.encode(Counts((1.0,) * 12, (2.0,) * 12))),
        Row("sharing", "x", msgspec.msgpack.encode(Counts((float("nan"),) * 12, (0.0,) * 12))),
        Row("sharing", "x", msgspec.msgpack.encode(Counts((float("inf"),) * 12, (0.0,) * 12))),
        Row("ratios", "x", msgspec.msgpack.encode(Ratios(ratios=(1.0,)))),
        Row("ratios", "x", msgspec.msgpack.encode(Ratios(ratios=(50.0,) * 5))),
        Row("ratios", "x", msgspec.msgpack.encode(Ratios(variances=(-1.0,) * 5))),
        Row("elsewhere", "", msgspec.msgpack.encode(Tries(9.0, 4.0))),
        Row("elsewhere", "", msgspec.msgpack.encode(Tries(0.0, 0.0))),
    ],
)
def test_a_row_that_cannot_be_is_counted_and_left_out(row: Row) -> None:
    sound = Row("continuing", "sound", msgspec.msgpack.encode(NEVER))
    snapshot, refused = snapshot_of([row, sound])
    assert refused == 1
    assert snapshot == Snapshot(Learned({"sound": NEVER}))


@given(st.lists(st.tuples(st.integers(0, len(EDGES)), st.booleans()), max_size=60))
def test_a_table_goes_on_in_the_next_process_as_if_it_were_the_same(waits: list[tuple[int, bool]]) -> None:
    weights = (0.4, 0.3, 0.2, 0.1)
    table = GapTable(CONTINUING, weights)
    for outlasted, ended in waits:
        for bin_ in range(outlasted):
            table.count(bin_, 0)
        if ended and outlasted < len(EDGES):
            table.count(outlasted, 1)
    restored = GapTable(CONTINUING, weights, learned=table.learned)
    assert table.learned.sound
    for same in (lambda: None, lambda: table.count(0, 1), lambda: restored.count(0, 1)):
        same()
    assert restored.returns().within == pytest.approx(table.returns().within, rel=1e-6, abs=1e-9)
    assert len(restored.returns().if_like) == len(table.returns().if_like)


def test_a_table_of_its_own_experience_is_not_talked_over_by_a_wider_one() -> None:
    # Three uses at once: e**12 times likelier in a loop than where nothing ever comes back.
    wider = GapTable(CONTINUING, (0.25,) * 4, learned=NEVER)
    table = GapTable(CONTINUING, (0.25,) * 4, [wider], AT_ONCE.at_most(3))
    assert table.returns().within_5m > 0.9


def test_experience_can_be_scaled_down_but_not_up() -> None:
    assert NEVER.at_most(10).reached[0] == 10
    assert NEVER.at_most(100) == NEVER
    half = AT_ONCE.at_most(20)
    assert (half.reached[0], half.ended[0], half.ended[1]) == (20, 20, 0)
    assert all(after <= before for before, after in pairwise(half.reached))
