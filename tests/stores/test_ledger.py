"""What every ledger promises, in memory and on disk."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scrimp.core.record import Record, Tags
from scrimp.errors import InputError, StoreError
from scrimp.stores.ledger import Group, Ledger, Query, Total
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import CacheCreation, Usage
from tests.patience import PATIENCE
from tests.stores.records import KINDS, MOST, NOON, any_records, batches, fresh, record

EXAMPLES = settings(max_examples=60, deadline=None)
GROUPS: list[Group] = [
    "hour", "day", "provider", "model", "mode", "outcome", "run", "run_ids", "run_id", "user", "team", "key",
    "task_type", "inferred", "agent", "miss",
]  # fmt: skip


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    found: Ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "ledger.sqlite")
    yield found
    found.close()


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(kept=any_records)
def test_every_field_comes_back(kind: str, kept: Record) -> None:
    with fresh(kind) as ledger:
        ledger.record(kept)
        assert list(ledger.records()) == [kept]


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(
    sent=batches,
    group_by=st.lists(st.sampled_from(GROUPS), max_size=3),
    since=st.none() | st.integers(-20, 20) | st.integers(-400, 400),
    until=st.none() | st.integers(-20, 20) | st.integers(-400, 400),
)
@example(
    sent=[record(id=str(n), cost=MOST, own_cost=MOST) for n in range(5)], group_by=[], since=None, until=None
)
def test_totals_are_the_sums_of_the_rows(
    kind: str, sent: list[Record], group_by: list[Group], since: int | None, until: int | None
) -> None:
    query = Query(
        since=None if since is None else NOON + since * 900,
        until=None if until is None else NOON + until * 900,
    )
    first = {item.id: item for item in reversed(sent)}
    expected: dict[Any, list[int]] = defaultdict(lambda: [0] * 11)
    for item in first.values():
        if (query.since or 0) <= item.started_at < (query.until or 1e12):
            key = tuple(said(item, group) for group in group_by)
            expected[key] = [a + b for a, b in zip(expected[key], numbers(item), strict=True)]
    if not group_by:
        expected[()] = expected[()]
    with fresh(kind) as ledger:
        for done in [ledger.submit(item) for item in sent]:
            done.result(PATIENCE)
        totals = ledger.totals(group_by, query)
        rows = list(ledger.records(query))
    assert {total.key: as_numbers(total) for total in totals} == expected
    assert len(totals) == len(expected)
    assert sum(total.cost for total in totals) == sum(row.cost for row in rows)
    assert sum(total.attempts for total in totals) == len(rows)


def said(item: Record, group: Group) -> Any:
    """What a record says of a group, read off by hand."""
    at = datetime.fromtimestamp(item.started_at, UTC)
    return {
        "hour": int(at.replace(minute=0, second=0, microsecond=0).timestamp()),
        "day": at.date(),
        "provider": item.provider,
        "model": item.model,
        "mode": item.mode,
        "outcome": item.outcome,
        "run": item.tags.run,
        "run_ids": item.tags.run_ids,
        "user": item.tags.user,
        "task_type": item.tags.task_type,
        "agent": item.tags.agent,
        "run_id": next(iter(item.tags.run_ids), None),
        "team": item.tags.team,
        "key": item.tags.key,
        "inferred": item.tags.inferred,
        "miss": item.miss,
    }[group]


def numbers(item: Record) -> list[int]:
    usage = item.usage
    split = usage.cache_creation or CacheCreation()
    compared = item.own_cost is not None
    return [
        1,
        usage.input_tokens,
        split.ephemeral_5m_input_tokens,
        split.ephemeral_1h_input_tokens,
        usage.cache_read_input_tokens,
        usage.output_tokens,
        item.cost,
        item.cost * (not item.measured),
        item.own_cost or 0,
        item.cost * compared,
        item.lost or 0,
    ]


def as_numbers(total: Total) -> list[int]:
    return [
        total.attempts,
        total.input_tokens,
        total.write_5m,
        total.write_1h,
        total.read,
        total.output_tokens,
        total.cost,
        total.estimated_cost,
        total.own_cost,
        total.compared_cost,
        total.lost,
    ]


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(sent=batches, newest_first=st.booleans(), limit=st.none() | st.integers(0, 5))
def test_records_come_by_time_then_as_written(
    kind: str, sent: list[Record], newest_first: bool, limit: int | None
) -> None:
    first: dict[str, Record] = {}
    for item in sent:
        first.setdefault(item.id, item)
    order = [
        item for _, _, item in sorted((item.started_at, n, item) for n, item in enumerate(first.values()))
    ]
    with fresh(kind) as ledger:
        for item in sent:
            ledger.record(item)
        found = list(ledger.records(Query(newest_first=newest_first, limit=limit)))
    assert found == (order[::-1] if newest_first else order)[:limit]


def test_a_second_record_of_an_id_changes_nothing(ledger: Ledger) -> None:
    first = record(id="same", cost=5, own_cost=9)
    ledger.record(first)
    before = ledger.totals(["user"])
    ledger.record(record(id="same", cost=7, own_cost=1, tags=Tags(user="another")))
    ledger.submit(first).result(PATIENCE)
    assert list(ledger.records()) == [first]
    assert ledger.totals(["user"]) == before


QUERIES: list[tuple[Query, str]] = [
    (Query(), "abcdef"),
    (Query(since=NOON + 1, until=NOON + 3), "bc"),
    (Query(run_id="r1"), "abc"),
    (Query(run_id="r2"), "bc"),
    (Query(run_id="r"), ""),
    (Query(run=("nightly",)), "abcd"),
    (Query(run=("nightly", "search")), "bc"),
    (Query(run=("night",)), ""),
    (Query(user="u"), "abc"),
    (Query(user=""), "d"),
    (Query(task_type="report"), "ab"),
    (Query(agent="main"), "a"),
    (Query(model="claude-opus-4-1"), "e"),
    (Query(user="u", agent="searcher", since=NOON + 2), "c"),
    (Query(user="nobody"), ""),
    (Query(run=('ni"ghtly',)), "f"),
    (Query(team="red"), "ef"),
    (Query(key="ci"), "f"),
    (Query(team="red", key="ci", user="v"), ""),
]


@pytest.mark.parametrize(("query", "found"), QUERIES)
def test_queries_find_what_they_say(ledger: Ledger, query: Query, found: str) -> None:
    tags = {
        "a": Tags(("nightly",), ("r1",), "u", "report", "main"),
        "b": Tags(("nightly", "search"), ("r1", "r2"), "u", "report", "searcher"),
        "c": Tags(("nightly", "search"), ("r1", "r2"), "u", None, "searcher"),
        "d": Tags(("nightly",), ("r3",), "", "chat", None),
        "e": Tags(user="v", team="red"),
        "f": Tags(('ni"ghtly', "x"), ("r4", "r5"), team="red", key="ci"),
    }
    for number, (name, tag) in enumerate(tags.items()):
        model = "claude-opus-4-1" if name == "e" else "claude-sonnet-4-5"
        ledger.record(record(id=name, started_at=NOON + number, tags=tag, model=model, cost=10**number))
    assert "".join(item.id for item in ledger.records(query)) == found
    assert ledger.totals((), query)[0].cost == sum(10 ** "abcdef".index(name) for name in found)


def test_keys_come_in_order_nothing_first(ledger: Ledger) -> None:
    for user in ("b", None, "a", ""):
        ledger.record(record(tags=Tags(user=user)))
    assert [total.key for total in ledger.totals(["user"])] == [(None,), ("",), ("a",), ("b",)]


def test_days_and_hours_are_utc(ledger: Ledger) -> None:
    ledger.record(record(started_at=86399.999))
    ledger.record(record(started_at=86400.0))
    assert [total.key for total in ledger.totals(["day", "hour"])] == [
        (date(1970, 1, 1), 23 * 3600),
        (date(1970, 1, 2), 24 * 3600),
    ]


def test_days_before_the_epoch_are_whole_too(ledger: Ledger) -> None:
    for at in (-86_401.0, -86_400.0, -1.0, 0.0, 86_399.5):
        ledger.record(record(started_at=at))
    found = [(total.key, total.attempts) for total in ledger.totals(["day"])]
    assert found == [((date(1969, 12, 30),), 1), ((date(1969, 12, 31),), 2), ((date(1970, 1, 1),), 2)]


def test_nothing_adds_up_to_nothing(ledger: Ledger) -> None:
    assert ledger.totals() == [Total()]
    assert ledger.totals(["model"]) == []
    assert list(ledger.records()) == []


def test_saved_compares_only_what_can_be_compared(ledger: Ledger) -> None:
    ledger.record(record(cost=40, own_cost=100))
    ledger.record(record(cost=7, own_cost=None))
    ledger.record(record(cost=30, own_cost=25, measured=False))
    [total] = ledger.totals()
    assert (total.cost, total.saved, total.estimated_cost) == (77, 55, 30)


def test_an_unknown_group_is_named(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="no group 'cost; DROP TABLE'"):
        ledger.totals([cast(Group, "cost; DROP TABLE")])


OUT_OF_RANGE: list[dict[str, Any]] = [
    {"started_at": float("nan")},
    {"started_at": float("inf")},
    {"ended_at": float("nan")},
    {"cost": 2**63},
    {"cost": -(2**63) - 1},
    {"own_cost": 2**64},
    {"usage": Usage(input_tokens=2**63)},
    {"usage": Usage(output_tokens=-1)},
    {"predicted_read": 2**70},
]


@pytest.mark.parametrize("fields", OUT_OF_RANGE)
def test_a_record_that_cannot_be_kept_harms_no_other(ledger: Ledger, fields: dict[str, Any]) -> None:
    before, bad, after = record(id="before"), record(id="bad", **fields), record(id="after")
    done = [ledger.submit(item) for item in (before, bad, after)]
    assert done[0].result(PATIENCE) == done[2].result(PATIENCE) == ()
    with pytest.raises(StoreError, match="record 'bad' cannot be kept"):
        done[1].result(PATIENCE)
    with pytest.raises(StoreError, match="record 'bad' cannot be kept"):
        ledger.record(bad)
    assert list(ledger.records()) == [before, after]


def test_half_characters_are_replaced_not_fatal(ledger: Ledger) -> None:
    ledger.record(record(id="half\ud800", tags=Tags(run=("\udfff",), user="a\ud83d"), prompt=b"\xff\x00"))
    [found] = ledger.records(Query(user="a\ud83d"))
    assert (found.id, found.tags.run, found.tags.user, found.prompt) == ("half?", ("?",), "a?", b"\xff\x00")


def test_threads_submit_at_once(ledger: Ledger) -> None:
    def work(name: int) -> None:
        for number in range(25):
            ledger.record(record(id=f"{name}-{number}", cost=number))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [total] = ledger.totals()
    assert (total.attempts, total.cost) == (16 * 25, 16 * sum(range(25)))
    assert len({item.id for item in ledger.records()}) == 16 * 25


def test_tasks_submit_at_once_and_cancelling_one_loses_nothing(ledger: Ledger) -> None:
    async def keep(number: int) -> None:
        await ledger.submit(record(id=str(number)))

    async def main() -> None:
        tasks = [asyncio.create_task(keep(number)) for number in range(200)]
        await asyncio.sleep(0)
        tasks[7].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    ledger.flush()
    assert {item.id for item in ledger.records()} == {str(number) for number in range(200)}


def test_flush_waits_for_what_was_submitted(ledger: Ledger) -> None:
    done = [ledger.submit(record()) for _ in range(300)]
    ledger.flush()
    assert all(future.done() for future in done)


def test_a_closed_ledger_keeps_nothing_more_but_can_be_read(ledger: Ledger) -> None:
    kept = record()
    done = ledger.submit(kept)
    ledger.close()
    ledger.close()
    assert done.result(0) == ()
    with pytest.raises(StoreError, match="closed"):
        ledger.record(record())
    with pytest.raises(StoreError, match="closed"):
        ledger.submit(record()).result(PATIENCE)
    assert list(ledger.records()) == [kept]


def test_a_reader_sees_the_state_it_began_with(ledger: Ledger) -> None:
    sent = [record(id=str(number), started_at=NOON + number) for number in range(2500)]
    for done in [ledger.submit(item) for item in sent]:
        done.result(PATIENCE)
    reader = ledger.records()
    read = [next(reader) for _ in range(10)]
    ledger.record(record(id="later", started_at=NOON + 2000.5))
    assert [*read, *reader] == sent
    newest = list(ledger.records(Query(until=NOON + 2000.25, newest_first=True)))
    assert newest == sent[2000::-1]
