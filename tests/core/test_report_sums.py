"""A report's lines against sums made by hand."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.record import Record, Tags
from scrimp.core.report import DIMENSIONS, Dimension, Few, Line, few_that_make
from scrimp.core.totals import Total
from scrimp.reporting import read_report
from scrimp.stores.ledger import Query
from scrimp.stores.memory import MemoryLedger
from tests.stores.records import NOON, batches, record


def said(item: Record, dimension: Dimension) -> object:
    tags = item.tags
    return {
        "model": item.model,
        "user": tags.user,
        "team": tags.team,
        "key": tags.key,
        "run": tags.run[0] if tags.run else None,
        "sub_agent": "/".join(tags.run) if tags.run[1:] else None,
        "task": (tags.task_type, tags.inferred),
        "agent": tags.agent,
        "day": None,
        "provider": item.provider,
        "mode": item.mode,
        "outcome": item.outcome,
    }[dimension]


@settings(max_examples=40, deadline=None)
@given(sent=batches, dimension=st.sampled_from([name for name in DIMENSIONS if name != "day"]))
def test_lines_are_the_sums_of_their_records(sent: list[Record], dimension: Dimension) -> None:
    ledger = MemoryLedger()
    expected: dict[object, list[int]] = defaultdict(lambda: [0, 0, 0])
    for item in {item.id: item for item in reversed(sent)}.values():
        ledger.record(item)
        sums = expected[said(item, dimension)]
        sums[:] = [sums[0] + 1, sums[1] + item.cost, sums[2] + (item.lost or 0)]
    report = read_report(ledger, now=NOON)
    lines = report.by(dimension)
    found = {
        (line.name, line.inferred) if dimension == "task" else line.name: [
            line.total.attempts,
            line.total.cost,
            line.total.lost,
        ]
        for line in lines
    }
    assert found == expected
    assert [line.total.cost for line in lines] == sorted((s[1] for s in expected.values()), reverse=True)
    assert report.whole == ledger.totals()[0]
    assert sum(line.total.cost for line in report.by("day")) == report.whole.cost


def line(name: str, cost: int) -> Line:
    return Line(name, Total(cost=cost))


def test_the_few_are_as_few_as_can_be() -> None:
    lines = [line("a", 50), line("b", 30), line("c", 15), line("d", 5)]
    assert few_that_make(lines) == Few(("a", "b"), 0.8, 4)
    assert few_that_make(lines[::-1], 0.81) == Few(("a", "b", "c"), 0.95, 4)
    assert few_that_make([]) is None
    assert few_that_make([line("free", 0)]) is None


def test_misses_are_told_by_cause_dearest_first() -> None:
    ledger = MemoryLedger()
    for miss, lost in [("TTL expired", 5), (None, None), ("key order", 9), ("TTL expired", 5)]:
        ledger.record(record(miss=miss, lost=lost))
    misses = read_report(ledger, now=NOON).misses()
    assert [(one.name, one.total.attempts, one.total.lost) for one in misses] == [
        ("TTL expired", 2, 10),
        ("key order", 1, 9),
    ]


def test_a_run_among_its_peers_and_a_user_among_theirs_stand_out() -> None:
    ledger, usd = MemoryLedger(), 10**12
    for number in range(10):
        for steps in range(2):
            path = ("nightly", "search")[: steps + 1]
            ids = (f"r{number}", f"s{number}")[: steps + 1]
            cost = usd * (20 if number == 3 else 1)
            tags = Tags(path, ids, user=f"u{number}")
            ledger.record(record(tags=tags, cost=cost, started_at=NOON))
        ledger.record(record(tags=Tags(("other",), (f"o{number}",)), cost=usd, started_at=NOON))
    report = read_report(ledger, Query(since=NOON - 60), now=NOON + 60)
    assert [(one.kind, one.outlier.name, one.among, one.outlier.times) for one in report.standouts] == [
        ("user", "u3", None, 20.0),
        ("run", "r3", "nightly", 20.0),
    ]
