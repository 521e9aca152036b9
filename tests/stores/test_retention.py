"""Old records go, what they add up to stays: in memory and on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scrimp.core.budget import Limit, Scope, Settlement
from scrimp.core.record import Record
from scrimp.stores.ledger import Group, Ledger, Query, StaticSize
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.stores.records import KINDS, NOON, batches, fresh, record

EXAMPLES = settings(max_examples=20, deadline=None)
HOUR, DAY = 3600, 86400
GROUPS: list[list[Group]] = [[], ["day"], ["hour"], ["model", "user"], ["run_id"], ["miss", "team"]]


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    found: Ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "ledger.sqlite")
    yield found
    found.close()


def once(sent: list[Record]) -> list[Record]:
    """The first record of each id."""
    return list({item.id: item for item in reversed(sent)}.values())


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(sent=batches, later=batches, at=st.integers(-8, 8), again=st.integers(-8, 8))
def test_pruning_changes_no_total(
    kind: str, sent: list[Record], later: list[Record], at: int, again: int
) -> None:
    known = {item.id for item in sent}
    later = [item for item in later if item.id not in known]
    whole = once([*sent, *later])
    reference = MemoryLedger()
    for item in whole:
        reference.record(item)
    with fresh(kind) as ledger:
        for item in sent:
            ledger.record(item)
        bounds = [NOON + number * 1800 for number in (at, again)]
        deleted = [ledger.prune(bound) for bound in bounds]
        for item in [*once(sent), *later]:  # those deleted come again, and new ones of that time too
            ledger.record(item)
        for group_by in GROUPS:
            assert ledger.totals(group_by) == reference.totals(group_by)
        assert ledger.static_sizes() == reference.static_sizes()
        first = max(bound // HOUR * HOUR for bound in bounds)
        assert ledger.kept_since() == first
        assert {item.id for item in ledger.records()} == {r.id for r in whole if r.started_at >= first}
        old = [item for item in once(sent) if item.started_at < first]
        assert sum(deleted) == len(old)
        assert ledger.prune(first) == (0 if kind == "memory" else late(whole, old, first))


def late(whole: list[Record], deleted: list[Record], first: float) -> int:
    """How many records of pruned time came only after it was pruned."""
    gone = {item.id for item in deleted}
    return sum(item.started_at < first and item.id not in gone for item in whole)


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(sent=batches, at=st.integers(-8, 8), cut=st.integers(-12, 12), group=st.sampled_from(GROUPS))
def test_pruned_hours_count_where_their_beginning_is_asked_for(
    kind: str, sent: list[Record], at: int, cut: int, group: list[Group]
) -> None:
    edge, first = NOON + cut * 1800, (NOON + at * 1800) // HOUR * HOUR
    moved = MemoryLedger()
    for item in once(sent):
        hour = item.started_at // HOUR * HOUR
        moved.record(replace(item, started_at=hour if hour < first else item.started_at))
    with fresh(kind) as ledger:
        for item in sent:
            ledger.record(item)
        ledger.prune(first)
        for query in (Query(since=edge), Query(until=edge), Query(since=edge - HOUR / 2, until=edge)):
            assert ledger.totals(group, query) == moved.totals(group, query)


def test_nothing_pruned_nothing_said(ledger: Ledger) -> None:
    assert ledger.kept_since() is None
    assert ledger.prune(NOON) == 0
    assert ledger.kept_since() == NOON // HOUR * HOUR


def test_progress_adds_up_to_what_was_deleted(ledger: Ledger) -> None:
    for done in [ledger.submit(record(started_at=NOON - number)) for number in range(1_200)]:
        done.result(30)
    told: list[int] = []
    assert ledger.prune(NOON, told.append) == sum(told) == 1_200 - 1


def test_only_what_may_be_pruned_can_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.record(record(id="old", started_at=NOON - DAY))
    ledger.record(record(id="new", started_at=NOON))
    ledger.prune(NOON - HOUR)
    ledger.record(record(id="late", started_at=NOON - DAY))
    ledger.close()
    db = sqlite3.connect(path)
    for change in (
        "DELETE FROM records WHERE id = 'new'",
        "DELETE FROM records",
        "UPDATE records SET hour = 0",
        "UPDATE retention SET before_hour = before_hour - 1",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=r"records are never|stays pruned"):
            db.execute(change)
    assert db.execute("DELETE FROM records WHERE id = 'late'").rowcount == 1
    db.close()


def test_writers_go_on_while_another_prunes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ours, theirs = SqliteLedger(path), SqliteLedger(path)
    for done in [ours.submit(record(started_at=NOON - DAY + number)) for number in range(1_400)]:
        done.result(30)
    ledgers = iter([theirs] * 10)

    def write_meanwhile(_: int) -> None:
        next(ledgers).record(record(started_at=NOON + HOUR))

    assert ours.prune(NOON, write_meanwhile) == 1_400
    assert ours.totals()[0].attempts == 1_400 + len(list(theirs.records()))
    assert len(list(ours.records())) == 3
    for ledger in (ours, theirs):
        ledger.close()


def test_sizes_are_counted_by_day_label_and_three_figures(ledger: Ledger) -> None:
    for number, (tokens, at) in enumerate([(12_345, 0), (12_349, 60), (987, 0), (None, 0), (12_345, DAY)]):
        ledger.record(record(id=str(number), static_tokens=tokens, started_at=NOON + at, model="m"))
    found = ledger.static_sizes()
    today, tomorrow = sorted({size.day for size in found})
    assert found == [
        StaticSize(today, "main", "m", 987, 1),
        StaticSize(today, "main", "m", 12_300, 2),
        StaticSize(tomorrow, "main", "m", 12_300, 1),
    ]
    assert ledger.static_sizes(Query(since=NOON + DAY / 2 + 1)) == found[2:]
    assert ledger.static_sizes(Query(run_id="r1", until=NOON + 1)) == found[:2]
    assert ledger.static_sizes(Query(run_id="r2")) == []


def test_pruning_frees_no_budget(ledger: Ledger) -> None:
    limit = Limit(scope=Scope("user", "u_42"), amount=1_000)
    ledger.budgets.put(limit)
    old = record(id="old", started_at=NOON - DAY, cost=300)
    ledger.record(old)
    ledger.record(record(id="new", started_at=NOON, cost=50))
    for _ in range(2):
        assert [standing.spent for standing in ledger.budgets.standings(NOON)] == [350]
        ledger.prune(NOON)
        ledger.record(old, Settlement("old", 300))
    ledger.budgets.remove(limit.id)
    ledger.budgets.put(limit)
    assert [standing.spent for standing in ledger.budgets.standings(NOON)] == [350]
