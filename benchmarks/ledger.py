"""Keeping records of billed calls, durably: rows a second, and how long one caller waits for one row.

The baseline is what a program would write by hand: `sqlite3`, WAL, `synchronous=FULL`, one commit for each
row, from the same number of threads that share one connection. It writes the same columns that matter without
hourly sums, tags or checks.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import quantiles
from uuid import UUID

from benchmarks.timing import Contender, Row, Section, compare, spread
from scrimp.core.record import Record, Tags
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import CacheCreation, Usage

__all__ = ["measure_ledger_rows", "measure_ledger_wait"]

BASELINE = "sqlite3: a commit for each row"

_TABLE = """CREATE TABLE rows (
    id TEXT PRIMARY KEY, at REAL, model TEXT, run TEXT, user TEXT, input INTEGER, written INTEGER,
    read INTEGER, output INTEGER, cost INTEGER, message TEXT, request TEXT
)"""
_INSERT = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_numbers = count()


def measure_ledger_rows(folder: Path, *, submitters: int, each: int, rounds: int) -> Section:
    """Durable rows a second, `submitters` at once that each wait for every one of their `each` rows."""
    rows = submitters * each
    plain, ledger, memory = _Plain(folder / "plain"), SqliteLedger(folder / "rows.sqlite"), MemoryLedger()

    def work(run: Callable[[Sequence[Sequence[Record]]], None]) -> Callable[[], Callable[[], None]]:
        def prepare() -> Callable[[], None]:
            shares = [[_record() for _ in range(each)] for _ in range(submitters)]
            return lambda: run(shares)

        return prepare

    with closing(plain), closing(ledger):
        table = compare(
            [
                Contender(
                    f"scrimp: SqliteLedger, {submitters} threads",
                    work(_threads(ledger.record)),
                    rows,
                    rate=True,
                ),
                Contender(f"scrimp: SqliteLedger, {submitters} tasks", work(_tasks(ledger)), rows, rate=True),
                Contender(
                    "scrimp: MemoryLedger (not durable)", work(_threads(memory.record)), rows, rate=True
                ),
                Contender(BASELINE, work(_threads(plain.record)), rows, rate=True),
            ],
            baseline=BASELINE,
            rounds=rounds,
        )
    about = f"{submitters} submitters, each waits until its row is durable; {rows:,} rows a round"
    return Section("ledger_rows", "Keeping records", "rows/s", about, table)


def measure_ledger_wait(folder: Path, *, rows: int) -> Section:
    """How long a lone caller waits for a durable row: the median and the slowest of a hundred."""
    plain, ledger = _Plain(folder / "plain-wait"), SqliteLedger(folder / "wait.sqlite")
    with closing(plain), closing(ledger):
        waits = _waits({"scrimp: SqliteLedger.record": ledger.record, BASELINE: plain.record}, rows)
    table = []
    for name, percent in ((name, percent) for percent in (50, 99) for name in waits):
        floor = quantiles(waits[BASELINE], n=100)[percent - 1]
        figure = quantiles(waits[name], n=100)[percent - 1] * 1e6
        label = f"{name}, {'median' if percent == 50 else 'slowest of 100'}"
        table.append(Row(label, spread([figure]), figure / floor / 1e6, is_baseline=name == BASELINE))
    return Section("ledger_wait", "Waiting for a record", "µs", f"{rows:,} records, one at a time", table)


class _Plain:
    """The ledger a program would write by hand."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._lock = threading.Lock()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_TABLE)

    def record(self, record: Record) -> None:
        """One row, one commit."""
        usage = record.usage
        row = (
            record.id,
            record.started_at,
            record.model,
            record.tags.run[0],
            record.tags.user,
            usage.input_tokens,
            usage.cache_creation_input_tokens,
            usage.cache_read_input_tokens,
            usage.output_tokens,
            record.cost,
            record.message_id,
            record.request_id,
        )
        with self._lock:
            self._db.execute(_INSERT, row)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _threads(record: Callable[[Record], None]) -> Callable[[Sequence[Sequence[Record]]], None]:
    def work(share: Sequence[Record]) -> None:
        for item in share:
            record(item)

    def run(shares: Sequence[Sequence[Record]]) -> None:
        threads = [threading.Thread(target=work, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def _tasks(ledger: Ledger) -> Callable[[Sequence[Sequence[Record]]], None]:
    async def work(share: Sequence[Record]) -> None:
        for item in share:
            await ledger.submit(item)

    async def main(shares: Sequence[Sequence[Record]]) -> None:
        await asyncio.gather(*(work(share) for share in shares))

    return lambda shares: asyncio.run(main(shares))


def _waits(contenders: dict[str, Callable[[Record], None]], rows: int) -> dict[str, list[float]]:
    """Seconds of each call; the contenders take turns, so that the disk is the same for all."""
    waits: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rows):
        for name, record in contenders.items():
            item = _record()
            begin = time.perf_counter()
            record(item)
            waits[name].append(time.perf_counter() - begin)
    return waits


def _record() -> Record:
    """A record as an agent's step makes it; ids begin with the time, as those of version 7 do."""
    number = next(_numbers)
    now = time.time()
    return Record(
        id=UUID(int=(int(now * 1000) << 80) | (7 << 76) | (2 << 62) | number).hex,
        call_id=f"call_{number}",
        attempt=0,
        started_at=now,
        first_event_at=now + 0.8,
        ended_at=now + 4,
        provider="anthropic",
        model="claude-sonnet-4-5",
        tags=Tags(("nightly-report",), (f"run_{number % 50}",), "u_42", "report", "main"),
        mode="safe",
        outcome="complete",
        status=200,
        stream=True,
        usage=Usage(12, 350, 2_400, 61_000, CacheCreation(2_400, 0), service_tier="standard"),
        cost=32_586_000_000,
        measured=True,
        own_cost=195_500_000_000,
        predicted_read=61_000,
        predicted_write=2_400,
        prompt=number.to_bytes(16, "big"),
        message_id=f"msg_{number:024}",
        request_id=f"req_{number:024}",
    )
