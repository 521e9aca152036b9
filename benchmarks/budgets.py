"""Budgets: durable reserve + settle cycles a second, and one budget fought over while processes are killed.

The baseline is what a program would write by hand: `sqlite3`, WAL, `synchronous=FULL`, one transaction to
hold the money in three limits and one to settle it with its row, from threads that share one connection.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from benchmarks.storm import HOLD, storm
from benchmarks.timing import Contender, Row, Section, compare, spread
from scrimp.core.budget import Ask, Held, Limit, Scope, Settlement, scopes_of
from scrimp.core.record import Record, Tags
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import CacheCreation, Usage

__all__ = ["measure_budget_storm", "measure_budgets"]

BASELINE = "sqlite3: a commit for each step"

_AT = 1_780_000_000.0
_TAGS = Tags(run=("nightly",), run_ids=("run-1",), user="u_42")
_SCOPES = scopes_of(_TAGS)
_LIMITS = ("organisation", "user:u_42", "run:nightly")
_PLENTY = 10**18
_COST = 500

_numbers = count()


def measure_budgets(folder: Path, *, callers: int, each: int, rounds: int) -> Section:
    """Cycles a second of `callers` at once that each hold, settle with a record, and wait for both."""
    cycles = callers * each
    plain = _Plain(folder / "plain-budgets.sqlite")
    ledger, memory, free = SqliteLedger(folder / "budgets.sqlite"), MemoryLedger(), MemoryLedger()
    for limited in (ledger, memory):
        for name in _LIMITS:
            kind, _, member = name.partition(":")
            limited.budgets.put(Limit(scope=Scope(kind, member), amount=_PLENTY, window="day"))  # type: ignore[arg-type]  # kinds of scopes

    def work(run: Callable[[], None]) -> Callable[[], Callable[[], None]]:
        return lambda: run

    with closing(plain), closing(ledger):
        rows = compare(
            [
                Contender(
                    f"scrimp: SqliteLedger, {callers} tasks",
                    work(lambda: asyncio.run(_tasks(ledger, callers, each))),
                    cycles,
                    rate=True,
                ),
                Contender(
                    "scrimp: MemoryLedger (not durable)",
                    work(lambda: asyncio.run(_tasks(memory, callers, each))),
                    cycles,
                    rate=True,
                ),
                Contender(
                    "scrimp: no limit (MemoryLedger)",
                    work(lambda: asyncio.run(_tasks(free, callers, each))),
                    cycles,
                    rate=True,
                ),
                Contender(BASELINE, work(lambda: _threads(plain, callers, each)), cycles, rate=True),
            ],
            baseline=BASELINE,
            rounds=rounds,
        )
    about = f"{callers} callers, three limits, each step durable before the next; {cycles:,} cycles a round"
    return Section("budgets", "Holding money and settling it with a record", "cycles/s", about, rows)


def measure_budget_storm(folder: Path, *, cycles: int, processes: int, callers: int, kills: int) -> Section:
    """One budget used up by processes that are killed at random. Raises where the books are wrong."""
    calm = storm(
        folder / "storm.sqlite", cycles=cycles, processes=processes, callers=callers, kills=kills, seed=1
    )
    assert calm.overshoot == 0, calm
    assert calm.overrun == 0, calm
    assert calm.billed <= calm.counted <= calm.billed + calm.unknown, calm
    rest = storm(
        folder / "excess.sqlite", cycles=cycles // 10, processes=processes, callers=callers, kills=0,
        seed=2, excess=5,
    )  # fmt: skip
    assert rest.overrun == rest.excess > 0, rest
    assert rest.counted == rest.billed <= rest.limit + rest.excess, rest
    about = (
        f"{calm.cycles:,} calls, {processes} processes x {callers} callers, {calm.kills} SIGKILLs; "
        f"limit {_holds(calm.limit)}, billed {_holds(calm.billed)}, counted {_holds(calm.counted)} holds, "
        f"overshoot {calm.overshoot}; with bills above their holds: {_holds(rest.overrun)} flagged of "
        f"{_holds(rest.excess)}, counted = billed"
    )
    figure = spread([calm.cycles / calm.seconds])
    rows = [Row("scrimp: SqliteLedger, with pretended calls in between", figure, 1.0, is_baseline=True)]
    return Section("budget_storm", "One budget, processes killed at random", "calls/s", about, rows)


def _holds(amount: int) -> str:
    return f"{amount / HOLD:,.1f}"


async def _tasks(ledger: Ledger, callers: int, each: int) -> None:
    async def call() -> None:
        for _ in range(each):
            id_ = f"call_{next(_numbers)}"
            held = await ledger.budgets.reserve(Ask(id_, HOLD, _AT, _AT + 3600, _SCOPES))
            assert isinstance(held, Held)
            settlement = Settlement(id_, _COST) if held.limits else None
            await ledger.submit(_record(id_), settlement)

    await asyncio.gather(*(call() for _ in range(callers)))


def _threads(plain: _Plain, callers: int, each: int) -> None:
    def call() -> None:
        for _ in range(each):
            id_ = f"call_{next(_numbers)}"
            assert plain.reserve(id_, HOLD)
            plain.settle(_record(id_))

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Plain:
    """The budgets a program would write by hand."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._lock = threading.Lock()
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE limits (name TEXT PRIMARY KEY, amount INTEGER, spent INTEGER, held INTEGER)",
            "CREATE TABLE holds (id TEXT PRIMARY KEY, amount INTEGER)",
            """CREATE TABLE rows (
                id TEXT PRIMARY KEY, at REAL, model TEXT, input INTEGER, output INTEGER, cost INTEGER
            )""",
        ):
            self._db.execute(statement)
        for name in _LIMITS:
            self._db.execute("INSERT INTO limits VALUES (?, ?, 0, 0)", (name, _PLENTY))

    def reserve(self, id_: str, amount: int) -> bool:
        """Hold the money in every limit, or in none."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            short = self._db.execute(
                "SELECT count(*) FROM limits WHERE spent + held + ? > amount", (amount,)
            ).fetchone()[0]
            if not short:
                self._db.execute("INSERT INTO holds VALUES (?, ?)", (id_, amount))
                self._db.execute("UPDATE limits SET held = held + ?", (amount,))
            self._db.execute("COMMIT")
        return not short

    def settle(self, record: Record) -> None:
        """Count the bill, and keep its row."""
        usage = record.usage
        row = (
            record.id,
            record.started_at,
            record.model,
            usage.total_input,
            usage.output_tokens,
            record.cost,
        )
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            [amount] = self._db.execute("SELECT amount FROM holds WHERE id = ?", (record.id,)).fetchone()
            self._db.execute("DELETE FROM holds WHERE id = ?", (record.id,))
            self._db.execute("UPDATE limits SET held = held - ?, spent = spent + ?", (amount, record.cost))
            self._db.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?)", row)
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _record(id_: str) -> Record:
    return Record(
        id=id_,
        call_id=id_,
        attempt=0,
        started_at=_AT,
        first_event_at=_AT + 0.5,
        ended_at=_AT + 2.0,
        provider="anthropic",
        model="claude-sonnet-5-5",
        tags=_TAGS,
        mode="safe",
        outcome="complete",
        status=200,
        stream=True,
        usage=Usage(100, 20, 3_000, 40_000, CacheCreation(3_000, 0)),
        cost=_COST,
        measured=True,
    )
