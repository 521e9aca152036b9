"""Mixed load on the gateway for minutes, with all going wrong upstream: memory, books, and hung clients.

    python -m benchmarks.soak [--minutes 10] [--workers 1] [--json]

The official SDK (async), several virtual keys, limits on everybody, streams and messages, conversations that
grow, clients that leave in the middle; an emulator that refuses, overloads, cuts and dawdles. At the end
every call of the emulator's bill is in the ledger, once and to the picodollar; what broke off is an estimate
and marked as one; nothing is held; no client waited longer than it had said it would.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import linear_regression
from typing import Any

import anthropic
import msgspec
from rich.console import Console

from benchmarks.gateway.contenders import Proxy, running
from scrimp.cli.output import print_json
from scrimp.core.record import Record
from scrimp.emulator import Agent, Emulator, Fault
from scrimp.stores.keys import Key, KeyStore
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["Outcome", "soak"]

PATIENCE = 20.0
GRACE = 5.0
"""Seconds a call may take, and how much later its client may notice."""

WORKERS = 24
USERS = ("u_1", "u_2", "u_3", "u_4")
MODEL = "claude-haiku-4-5"
SLOPE, SLOPE_SECONDS = 30.0, 300.0
"""Megabytes an hour that it may grow by after the first third of a soak, judged when that lasts so long."""

_THINKING = 0.01
_STEPS, _CONVERSATIONS = 6, 25
"""Calls of a conversation, and how many a client has before the first comes again: what a gateway remembers
of conversations is bounded, but takes some hundred thousand calls to fill."""

_PORT = 18_390
_UPSTREAM_KEY = "upstream-key-of-the-soak"
_SYSTEM = "You are a careful assistant. " * 900
_TOOL = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}

_FAULTS = (
    Fault("overloaded", times=None, every=17),
    Fault("rate_limit", times=None, every=23, seconds=0.02),
    Fault("server_error", times=None, every=29),
    Fault("cut", times=None, every=37),
    Fault("disconnect", times=None, every=41),
    Fault("stream_error", times=None, every=43),
    Fault("slow_start", times=None, every=31, seconds=0.4),
    Fault("slow_events", times=None, every=47, seconds=0.05),
)

_CONFIG = """\
[serve]
port = {port}
auth = "keys"
upstream = "emulated"

[telemetry]
log = "off"

[upstream.emulated]
base_url = "{url}"
key_env = "SOAK_UPSTREAM_KEY"

[[budget]]
scope = "organisation"
amount = "100000"

[[budget]]
scope = "user:*"
amount = "100000"
window = "day"

[[budget]]
scope = "key:poor"
amount = "0.02"
"""


class Outcome(msgspec.Struct):
    """What a soak came to. Memory in megabytes; `slope` in megabytes an hour, after the first third."""

    seconds: float
    calls: int = 0
    ended: Counter[str] = msgspec.field(default_factory=Counter)
    slowest: float = 0.0
    late: int = 0
    memory: list[tuple[float, float]] = []
    slope: float = 0.0
    billed: int = 0
    records: int = 0
    faults: list[str] = []


class _Load:
    """Clients that call until the time is up."""

    def __init__(self, url: str, secrets: dict[str, str], outcome: Outcome, seed: int) -> None:
        self._until = time.monotonic() + outcome.seconds
        self._outcome = outcome
        self._random = random.Random(seed)
        self._clients = [
            anthropic.AsyncAnthropic(base_url=url, api_key=secret, timeout=PATIENCE, max_retries=2)
            for secret in secrets.values()
        ]

    async def run(self) -> None:
        """All of it."""
        await asyncio.gather(*(self._worker(number) for number in range(WORKERS)))
        for client in self._clients:
            await client.close()

    async def _worker(self, number: int) -> None:
        client = self._clients[number % len(self._clients)]
        turn = 0
        while time.monotonic() < self._until:
            conversation, step = divmod(turn, _STEPS)
            await self._call(client, _body(f"conversation {number}-{conversation % _CONVERSATIONS}", step))
            turn += 1
            await asyncio.sleep(_THINKING)

    async def _call(self, client: anthropic.AsyncAnthropic, body: dict[str, Any]) -> None:
        begin, outcome = time.monotonic(), self._outcome
        outcome.calls += 1
        try:
            # The SDK tries three times, each for as long as it may.
            async with asyncio.timeout(3 * PATIENCE + GRACE):
                ended = await self._way(client, body)
        except TimeoutError:
            outcome.late += 1
            ended = "hung"
        except anthropic.APIStatusError as error:
            ended = f"{error.status_code}"
        except (anthropic.APIError, OSError) as error:
            ended = type(error).__name__
        except Exception as error:  # noqa: BLE001 - each HTTP library has its own for a stream that breaks off
            ended = type(error).__name__
        outcome.ended[ended] += 1
        outcome.slowest = max(outcome.slowest, time.monotonic() - begin)

    async def _way(self, client: anthropic.AsyncAnthropic, body: dict[str, Any]) -> str:
        chance = self._random.random()
        if chance < 0.5:
            await client.messages.create(**body)
            return "message"
        if chance < 0.9:
            async with client.messages.stream(**body) as stream:
                await stream.get_final_message()
            return "stream"
        if chance < 0.95:
            async with client.messages.stream(**body) as stream:
                async for _ in stream:
                    return "left a stream"
        call = asyncio.ensure_future(client.messages.create(**body))
        await asyncio.sleep(self._random.random() * 0.02)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return "left a message"


def soak(seconds: float, *, folder: Path, seed: int = 1, port: int = _PORT, workers: int = 1) -> Outcome:
    """Load a gateway that runs in a process of its own for so long, then read its books."""
    outcome = Outcome(seconds)
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    with Emulator(Agent(), faults=_FAULTS, keys=[_UPSTREAM_KEY]) as emulator:
        (folder / "scrimp.toml").write_text(_CONFIG.format(port=port, url=emulator.url))
        secrets = _keys(home / "keys.sqlite")
        proxy = Proxy(
            name="scrimp",
            port=port,
            command=[
                *(sys.executable, "-m", "scrimp", "serve"),
                *("--config", "scrimp.toml", "--workers", str(workers)),
            ],
            headers={"x-api-key": secrets["u_1"]},
            env={"SCRIMP_HOME": str(home), "SOAK_UPSTREAM_KEY": _UPSTREAM_KEY},
            folder=folder,
        )
        with running(proxy, core=None) as up:
            load = _Load(f"http://127.0.0.1:{port}", secrets, outcome, seed)
            asyncio.run(_watched(load.run(), outcome, up.memory))
            time.sleep(min(1.0, seconds / 10))  # what clients left is noticed
        if up.process.returncode != 0:
            outcome.faults.append(f"the gateway ended with {up.process.returncode}")
        _judge(outcome, emulator, home / "ledger.sqlite", (folder / "log.txt").read_text(errors="replace"))
    return outcome


def _keys(path: Path) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(KeyStore(path)) as keys:
        named = {user: Key(name=user, user=user, created_at=time.time()) for user in USERS}
        named["poor"] = Key(name="poor", user="u_5", created_at=time.time())
        return {name: keys.create(key) for name, key in named.items()}


async def _watched(load: Any, outcome: Outcome, memory: Any) -> None:
    """Look at the gateway's memory while `load` runs."""
    begin = time.monotonic()
    task = asyncio.ensure_future(load)
    pause = max(0.2, min(2.0, outcome.seconds / 60))
    while not task.done():
        outcome.memory.append((time.monotonic() - begin, memory() / 1e6))
        await asyncio.wait([task], timeout=pause)
    await task
    late = [(at, size) for at, size in outcome.memory if at > outcome.seconds / 3]
    if len(late) > 2:
        outcome.slope = linear_regression(*zip(*late, strict=True)).slope * 3600


def _judge(outcome: Outcome, emulator: Emulator, ledger: Path, log: str) -> None:
    with closing(SqliteLedger(ledger)) as kept:
        records = list(kept.records())
        standings = kept.budgets.standings(time.time())
    outcome.billed, outcome.records = len(emulator.bill), len(records)
    outcome.faults += _differences(emulator, records)
    outcome.faults += [f"{one.limit.id}: {one.held} p$ held" for one in standings if one.held]
    outcome.faults += [f"{one.limit.id}: above its limit" for one in standings if one.left + one.overrun < 0]
    if outcome.seconds >= SLOPE_SECONDS and outcome.slope > SLOPE:
        outcome.faults.append(f"memory grows by {outcome.slope:.0f} MB an hour")
    if outcome.late:
        outcome.faults.append(f"{outcome.late} clients hung")
    if "Traceback" in log:
        outcome.faults.append(f"the log has a traceback: {log[log.index('Traceback') :][:1500]}")


def _differences(emulator: Emulator, records: Sequence[Record]) -> Iterator[str]:
    kept = {record.message_id: record for record in records if record.message_id}
    twice = [
        name for name, times in Counter(r.message_id for r in records if r.message_id).items() if times > 1
    ]
    if twice or len({record.id for record in records}) != len(records):
        yield f"{len(twice)} messages are there twice: {twice[:3]}"
    unseen = sum(record.message_id is None for record in records)
    lost = [one for one in emulator.bill if one.message_id not in kept]
    # Of a call whose client left, or whose connection broke, nothing says which message it was.
    if len(lost) > unseen:
        yield f"{len(lost)} billed messages are missing, {unseen} records are of calls without an answer"
    for one in emulator.bill:
        record = kept.get(one.message_id)
        if record is None:
            continue
        if one.outcome == "complete" and record.measured and record.cost != one.cost:
            yield f"{one.message_id}: {one.cost} p$ billed, {record.cost} recorded"
        if not record.measured and record.usage.total_input != one.usage.total_input:
            inputs = one.usage.total_input, record.usage.total_input
            yield f"{one.message_id}: input {inputs[0]} billed, {inputs[1]} recorded"


def _body(name: str, step: int) -> dict[str, Any]:
    turns = [
        {"role": "assistant" if n % 2 else "user", "content": name if n == 0 else f"turn {n}"}
        for n in range(2 * step + 1)
    ]
    return {"model": MODEL, "max_tokens": 64, "system": _SYSTEM, "messages": turns}


def _show(outcome: Outcome) -> None:
    console = Console(highlight=False, emoji=False)
    sizes = [size for _, size in outcome.memory] or [0.0]
    console.print(
        f"{outcome.calls:,} calls in {outcome.seconds:.0f} s, the slowest took {outcome.slowest:.1f} s"
    )
    console.print("  " + ", ".join(f"{times:,} × {name}" for name, times in outcome.ended.most_common()))
    console.print(
        f"memory {sizes[0]:.0f} MB at the start, {max(sizes):.0f} MB at most, {sizes[-1]:.0f} MB at the end; "
        f"{outcome.slope:+.1f} MB an hour after the first third"
    )
    console.print(f"{outcome.billed:,} billed, {outcome.records:,} in the ledger")
    for fault in outcome.faults:
        console.print(f"[red]FAIL[/red]  {fault}")
    if not outcome.faults:
        console.print("[green]PASS[/green]  nothing lost, nothing twice, nothing held, nobody hung")


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve (1)")
    parser.add_argument("--port", type=int, default=_PORT, help=f"a free port ({_PORT})")
    parser.add_argument("--seed", type=int, default=1, help="seed of what clients do (1)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="scrimp-soak-") as name:
        outcome = soak(
            options.minutes * 60,
            folder=Path(name),
            seed=options.seed,
            port=options.port,
            workers=options.workers,
        )
    if options.json:
        print_json(msgspec.to_builtins(outcome))
    else:
        _show(outcome)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
