"""One budget, several processes, SIGKILL at random: what was billed, and what the books say afterwards.

Every worker is a process of its own with many callers. A caller asks for money, sends a call that a
pretended provider bills, and settles, releases or forgets it. What the provider bills is written to a log
before the call goes out, so that a killed worker's calls are billed as real ones would be. Workers that are
killed are replaced until the budget is used up, so that its last dollars are fought over by everyone.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from scrimp.core.budget import Ask, Held, Limit, Scope, Settlement, scopes_of
from scrimp.core.record import Record, Tags
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import Usage

__all__ = ["Calm", "storm"]

HOLD = 1000
"""Picodollars a call may cost at most; it costs half of that on average."""

LEASE = 3600.0
_TAGS = Tags(run=("storm",), run_ids=("storm-1",), user="u_42")
_REFUSALS = 25
_LONGEST_SECONDS = 300.0
_EARLY = 0.7
"""The share of the budget by which the last kill is due."""


class Calm(NamedTuple):
    """What was left when the storm was over; picodollars.

    `billed` is the provider's word. `counted` is spent and held when every lease has run out, `unknown` how
    much of it may be more than was billed: calls whose outcome nobody settled, or settled at an estimate.
    `worst_standing` is the most that was ever seen spent and held, `excess` what was billed beyond holds.
    """

    cycles: int
    seconds: float
    kills: int
    limit: int
    billed: int
    counted: int
    unknown: int
    overrun: int
    excess: int
    worst_standing: int

    @property
    def overshoot(self) -> int:
        """How far the limit was exceeded, by any measure."""
        return max(0, self.billed - self.limit, self.counted - self.limit, self.worst_standing - self.limit)


class Weather(msgspec.Struct, frozen=True):
    """What a worker is told. Of a hundred calls `excess` are billed above their hold; where any are, every
    outcome is known.
    """

    path: str
    prefix: str
    callers: int
    seed: int
    excess: int


def storm(
    path: Path, *, cycles: int, processes: int, callers: int, kills: int, seed: int, excess: int = 0
) -> Calm:
    """Use up a budget of about `cycles` calls from `processes` x `callers`, with so many SIGKILLs."""
    chance = random.Random(seed)
    ledger = SqliteLedger(path)
    limit = cycles * HOLD * 6 // 10
    ledger.budgets.put(Limit(scope=Scope("organisation"), amount=limit))
    begun = time.monotonic()
    workers = _Workers(path, callers=callers, seed=seed, excess=excess)
    for _ in range(processes):
        workers.start()
    worst = killed = 0
    while workers.alive() and time.monotonic() < begun + _LONGEST_SECONDS:
        time.sleep(chance.uniform(0.005, 0.03))
        [seen] = ledger.budgets.standings(time.time())
        worst = max(worst, seen.spent + seen.held)
        if killed < kills and seen.spent * (kills + 1) >= limit * killed * _EARLY:
            killed += workers.kill(chance)
    seconds = time.monotonic() - begun
    ledger.budgets.recover(time.time() + 2 * LEASE)
    [final] = ledger.budgets.standings(time.time())
    ledger.close()
    told = _Log(workers.logs)
    return Calm(
        cycles=len(told.sent),
        seconds=seconds,
        kills=killed,
        limit=limit,
        billed=sum(cost for _, cost in told.sent.values()),
        counted=final.spent + final.held,
        unknown=told.unknown(),
        overrun=final.overrun,
        excess=sum(max(0, cost - hold) for hold, cost in told.sent.values()),
        worst_standing=worst,
    )


class _Workers:
    """The processes that spend."""

    def __init__(self, path: Path, *, callers: int, seed: int, excess: int) -> None:
        self._weather = Weather(str(path), "", callers, seed, excess)
        self._running: list[subprocess.Popen[bytes]] = []
        self.logs: list[Path] = []

    def start(self) -> None:
        """One more worker, with ids and a log of its own."""
        number = len(self.logs)
        told = msgspec.structs.replace(
            self._weather, prefix=f"w{number}", seed=self._weather.seed * 1000 + number
        )
        log = Path(f"{told.path}.{told.prefix}.log")
        self.logs.append(log)
        command = [sys.executable, "-m", "benchmarks.storm", msgspec.json.encode(told).decode()]
        with log.open("ab") as out:
            self._running.append(subprocess.Popen(command, stdout=out))

    def alive(self) -> bool:
        """Whether any still spends."""
        return any(worker.poll() is None for worker in self._running)

    def kill(self, chance: random.Random) -> bool:
        """End one where it stands, and begin another; whether there was one."""
        running = [worker for worker in self._running if worker.poll() is None]
        if running:
            victim = chance.choice(running)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            self.start()
        return bool(running)


class _Log:
    """What the workers wrote down: `asked`, `sent` with what it will be billed, and how it ended."""

    def __init__(self, logs: list[Path]) -> None:
        self.asked: dict[str, int] = {}
        self.sent: dict[str, tuple[int, int]] = {}
        self.ended: dict[str, int] = {}
        for what, id_, *numbers in (line for log in logs for line in _lines(log)):
            if what == "asked":
                self.asked[id_] = int(numbers[0])
            elif what == "sent":
                self.sent[id_] = (int(numbers[0]), int(numbers[1]))
            elif what == "ended":
                self.ended[id_] = int(numbers[0])

    def unknown(self) -> int:
        """How much more than billed may count: all of what nobody settled, and what was estimated above."""
        total = 0
        for id_, hold in self.asked.items():
            _, cost = self.sent.get(id_, (hold, 0))
            counted = self.ended.get(id_, max(hold, cost))
            total += max(0, counted - cost)
        return total


def _lines(log: Path) -> Iterator[list[str]]:
    for line in log.read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if parts[-1] == ".":  # a line that was cut off by a kill was not written
            yield parts[:-1]


def _say(*words: object) -> None:
    """One line of the log: a write that a kill does not take back."""
    os.write(1, f"{' '.join(map(str, words))} .\n".encode())


async def _caller(ledger: SqliteLedger, weather: Weather, number: int) -> None:
    chance = random.Random(weather.seed * 1000 + number)
    refused = 0
    for call in range(10**9):
        id_ = f"{weather.prefix}-{number}-{call}"
        now = time.time()
        _say("asked", id_, HOLD)
        held = await ledger.budgets.reserve(Ask(id_, HOLD, now, now + LEASE, scopes_of(_TAGS)))
        if isinstance(held, Held):
            refused = 0
            await _call(ledger, weather, id_, chance)
            continue
        _say("ended", id_, 0)
        refused += 1
        if refused > _REFUSALS:
            return
        await asyncio.sleep(0.01)


async def _call(ledger: SqliteLedger, weather: Weather, id_: str, chance: random.Random) -> None:
    """A call that is held: sent, billed, and settled as well as its caller knows."""
    kind = 1.0 if weather.excess else chance.random()
    cost = chance.randrange(HOLD + 1)
    if chance.randrange(100) < weather.excess:
        cost = HOLD + chance.randrange(1, 500)
    if kind < 0.05:
        cost = 0  # the API refuses: nothing is billed
    _say("sent", id_, HOLD, cost)
    await asyncio.sleep(chance.choice((0, 0, 0.001)))
    if kind < 0.05:
        await ledger.budgets.release(id_)
        _say("ended", id_, 0)
    elif kind < 0.1:
        return  # the outcome is not known: the hold stays
    else:
        known, counted = (cost // 2, HOLD) if kind < 0.2 else (cost, cost)
        await ledger.submit(_record(id_, known), Settlement(id_, counted))
        _say("ended", id_, counted)


def _record(id_: str, cost: int) -> Record:
    now = time.time()
    return Record(
        id=id_,
        call_id=id_,
        attempt=0,
        started_at=now,
        first_event_at=now,
        ended_at=now,
        provider="anthropic",
        model="claude-sonnet-5-5",
        tags=_TAGS,
        mode="safe",
        outcome="complete",
        status=200,
        stream=True,
        usage=Usage(10, 20, 3_000, 40_000),
        cost=cost,
        measured=True,
    )


async def _work(weather: Weather) -> None:
    ledger = SqliteLedger(weather.path, busy_seconds=60)
    await asyncio.gather(*(_caller(ledger, weather, number) for number in range(weather.callers)))
    ledger.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_work(msgspec.json.decode(sys.argv[1], type=Weather)))
