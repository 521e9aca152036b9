"""The way of workers to the ledger: what they hand in, who writes it, and what they hear of it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.budget import Ask, Crossing, Held, Limit, Refusal, Scope, Settlement
from scrimp.core.record import Tags
from scrimp.errors import BudgetUnavailable, StoreError
from scrimp.gateway.workers.carrying import Carrying
from scrimp.gateway.workers.channel import Channel, Pieces, framed
from scrimp.gateway.workers.clerk import Clerk
from scrimp.gateway.workers.entries import (
    Answers,
    Flush,
    Flushed,
    Items,
    answers_to,
    from_clerk,
    results_of,
    sent,
    to_clerk,
)
from scrimp.office.listening import Audience
from scrimp.stores.ledger_items import Extended, Item, Kept, Released
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import CacheCreation, Iteration, ServerToolUse, Usage
from tests.patience import PATIENCE
from tests.telemetry.records import record


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it gives; it takes less than this, or it hangs."""
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


Fault = Callable[[str, BaseException], object]


def unheard(what: str, error: BaseException) -> None:
    """A fault nobody expects."""
    raise AssertionError(what) from error


class Wire:
    """A worker's way to a ledger with the supervisor's clerk at its other end."""

    def __init__(self, path: Path) -> None:
        self.ledger = SqliteLedger(path)
        self.clerk = Clerk(self.ledger, Audience([], unheard), unheard)
        self.cut = False
        self.gone = asyncio.Event()
        self.carrying = Carrying(asyncio.get_running_loop(), self._send)
        self.channel = Channel(self.carrying.heard, self.carrying.lost)
        self.theirs = SqliteLedger(path, carrier=self.carrying)

    async def open(self) -> None:
        ours, theirs = socket.socketpair()
        self.clerk.serve(theirs, self.gone.set)
        await asyncio.get_running_loop().create_unix_connection(lambda: self.channel, sock=ours)

    def _send(self, message: bytes) -> None:
        if not self.cut:
            self.channel.send(message)

    async def close(self) -> None:
        await asyncio.to_thread(self.theirs.close)
        self.channel.close()
        await self.gone.wait()
        await asyncio.to_thread(self.clerk.close)
        self.ledger.close()


@asynccontextmanager
async def wired(path: Path) -> AsyncIterator[Wire]:
    wire = Wire(path)
    await wire.open()
    try:
        yield wire
    finally:
        await wire.close()


def ask(number: int, amount: int = 10) -> Ask:
    return Ask(f"hold {number}", amount, 1.0, 1e12, (Scope("organisation"),))


LIMIT = Limit(scope=Scope("organisation"), amount=35)
CROSSED = Crossing(LIMIT, LIMIT.scope, 80, 30, 5.0)
FULL = record(
    id="full",
    tags=Tags(("nightly", "reviewer"), ("r1", "r2"), "user", "task", "agent", "team", "key", inferred=True),
    usage=Usage(
        input_tokens=5,
        cache_creation_input_tokens=7,
        cache_creation=CacheCreation(3, 4),
        server_tool_use=ServerToolUse(1, 2),
        iterations=(Iteration(type="message", input_tokens=5),),
    ),
    notes=("one", "another"),
    prompt=b"digest",
    fault="left alone",
    lost=-3,
)


def test_money_is_held_and_settled_through_the_supervisor(tmp_path: Path) -> None:
    async def through() -> None:
        async with wired(tmp_path / "ledger.sqlite") as wire:
            wire.ledger.budgets.put(LIMIT)
            asked = [wire.theirs.budgets.reserve(ask(number)) for number in range(5)]
            answers = [await one for one in asked]
            assert [type(one) for one in answers] == [Held, Held, Held, Refusal, Refusal]
            kept = wire.theirs.submit(record(id="hold 0", cost=4), Settlement("hold 0", 4))
            released = wire.theirs.budgets.release("hold 1")
            await kept
            await released
            await asyncio.to_thread(wire.theirs.flush)
            assert wire.theirs.waiting == 0
            [standing] = wire.theirs.budgets.standings(2.0)
            assert (standing.spent, standing.held) == (4, 10)
            assert [one.id for one in wire.theirs.records()] == ["hold 0"]

    run(through())


def test_from_other_threads_too(tmp_path: Path) -> None:
    async def through() -> None:
        async with wired(tmp_path / "ledger.sqlite") as wire:
            done: list[Any] = []

            def write() -> None:
                done.extend(wire.theirs.submit(record(id=f"{n}")).result(PATIENCE) for n in range(20))

            threads = [threading.Thread(target=write) for _ in range(1)]
            for thread in threads:
                thread.start()
            while threads[0].is_alive():
                await asyncio.sleep(0.01)
            assert len(done) == len(list(wire.ledger.records())) == 20

    run(through())


def test_what_the_supervisor_never_answers_is_written_here_once(tmp_path: Path) -> None:
    async def through() -> None:
        async with wired(tmp_path / "ledger.sqlite") as wire:
            wire.ledger.budgets.put(LIMIT)
            first = wire.theirs.submit(record(id="first", cost=1))
            await first
            wire.cut = True
            held = wire.theirs.budgets.reserve(ask(1))
            lost = wire.theirs.submit(record(id="lost", cost=1))
            await asyncio.sleep(0.05)
            assert not held.done()
            assert not lost.done()
            wire.carrying.lost()
            assert isinstance(await held, Held)
            await lost
            later = wire.theirs.submit(record(id="later", cost=1))
            await later
            await asyncio.to_thread(wire.theirs.flush)
            assert [one.id for one in wire.ledger.records()] == ["first", "lost", "later"]

    run(through())


class Raw:
    """A worker's end of a line to the clerk, byte by byte. `gone`: the clerk is done with it."""

    def __init__(self, clerk: Clerk) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # as little as the system allows
        self.gone = asyncio.Event()
        self._pieces = Pieces()
        clerk.serve(theirs, self.gone.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *messages: Items | Flush) -> None:
        self.socket.sendall(b"".join(framed(sent(message)) for message in messages))

    def read(self, count: int) -> list[Answers | Flushed]:
        found: list[Answers | Flushed] = []
        while len(found) < count:
            found += [from_clerk.decode(one) for one in self._pieces.add(self.socket.recv(100))]
        return found


@asynccontextmanager
async def clerk_of(ledger: SqliteLedger, fault: Fault = unheard) -> AsyncIterator[Clerk]:
    clerk = Clerk(ledger, Audience([], unheard), fault)
    try:
        yield clerk
    finally:
        await asyncio.to_thread(clerk.close)
        ledger.close()


def kept(number: int) -> Kept:
    return Kept(record(id=f"{number}", cost=1), None)


def test_a_worker_that_reads_late_gets_every_answer_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def through() -> None:
        async with clerk_of(SqliteLedger(tmp_path / "ledger.sqlite")) as clerk:
            with Raw(clerk) as late, Raw(clerk) as other:
                await asyncio.to_thread(late.send, *map(Flush, range(5_000)))
                other.send(Items.of(1, [kept(1)], awaited=True))
                assert await asyncio.to_thread(other.read, 1) == [Answers(1, [], [-1])]
                assert await asyncio.to_thread(late.read, 5_000) == [Flushed(n) for n in range(5_000)]

    run(through())


def test_who_says_what_cannot_be_understood_is_left_and_others_are_served(tmp_path: Path) -> None:
    async def through() -> None:
        async with clerk_of(SqliteLedger(tmp_path / "ledger.sqlite")) as clerk:
            with Raw(clerk) as odd, Raw(clerk) as other:
                odd.socket.sendall(framed(b"\xc1"))
                await odd.gone.wait()
                assert await asyncio.to_thread(odd.socket.recv, 1) == b""
                other.send(Flush(1))
                assert await asyncio.to_thread(other.read, 1) == [Flushed(1)]

    run(through())


def test_what_was_handed_in_is_written_when_the_worker_is_dead_and_when_the_clerk_is_told_to_end(
    tmp_path: Path,
) -> None:
    async def through() -> None:
        path = tmp_path / "ledger.sqlite"
        async with AsyncExitStack() as stack:
            clerk = await stack.enter_async_context(clerk_of(SqliteLedger(path)))
            with Raw(clerk) as dies:
                dies.send(Items.of(1, [kept(1)], awaited=False))
            await dies.gone.wait()
            lives = stack.enter_context(Raw(clerk))
            lives.send(Items.of(1, [kept(2)], awaited=False), Items.of(2, [kept(3)], awaited=False))
        ledger = SqliteLedger(path)
        assert sorted(one.id for one in ledger.records()) == ["1", "2", "3"]
        ledger.close()

    run(through())


class FailsOnce(SqliteLedger):
    """A ledger with a fault of ours in it."""

    failed = False

    def give(self, items: Sequence[Item]) -> Sequence[Any]:
        if not self.failed:
            self.failed = True
            raise RuntimeError("ours")
        return super().give(items)


def test_a_fault_of_ours_is_told_and_workers_are_served_all_the_same(tmp_path: Path) -> None:
    faults: list[tuple[str, str]] = []

    async def through() -> None:
        ledger = FailsOnce(tmp_path / "ledger.sqlite")
        async with clerk_of(ledger, lambda what, error: faults.append((what, str(error)))) as clerk:
            items = [ask(1), kept(1)]
            with Raw(clerk) as line:
                for number in range(2):
                    line.send(Items.of(number, items, awaited=True))
                told = await asyncio.to_thread(line.read, 2)
            results = [found for one in told if isinstance(one, Answers) for found in results_of(one, items)]
        assert [type(one) for one in results[:2]] == [BudgetUnavailable, StoreError]
        assert len(results) == 4

    run(through())
    assert faults == [("writing for the workers failed, and goes on", "ours")]


def test_what_comes_after_a_fault_is_written_when_the_clerk_is_told_to_end(tmp_path: Path) -> None:
    faults: list[str] = []
    path = tmp_path / "ledger.sqlite"

    async def through() -> None:
        ledger = FailsOnce(path)
        async with clerk_of(ledger, lambda what, error: faults.append(what)) as clerk:
            with Raw(clerk) as line:
                line.send(Items.of(1, [kept(1)], awaited=True))
                await asyncio.to_thread(line.read, 1)
                line.send(Items.of(2, [kept(2)], awaited=False))

    run(through())
    ledger = SqliteLedger(path)
    assert [one.id for one in ledger.records()] == ["2"]
    ledger.close()
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("item", "result", "wanted"),
    [
        (ask(1), Held("hold 1", 10, ("organisation/total",)), None),
        (ask(1), Refusal(LIMIT, LIMIT.scope, 1, 2, 3, 4.0), None),
        (ask(1), BudgetUnavailable("no disk"), BudgetUnavailable),
        (ask(1), Held("hold 1", 12, ("organisation/total",)), None),
        (ask(1), Held("hold 1", 10, ("organisation/total",), (CROSSED,)), None),
        (Kept(record(id="x"), None), (), None),
        (Kept(record(id="x"), None), (CROSSED,), None),
        (Kept(FULL, Settlement("y", 3)), (), None),
        (Kept(record(id="x"), Settlement("x", 3)), StoreError("no disk"), StoreError),
        (Released("hold 1"), None, None),
        (Extended("hold 1", 5.0), None, None),
    ],
)
def test_items_and_answers_are_the_same_at_the_other_end(
    item: Item, result: Any, wanted: type | None
) -> None:
    before = Released("before")
    there = to_clerk.decode(sent(Items.of(7, [before, item], awaited=True)))
    assert isinstance(there, Items)
    assert (there.number, there.items(), there.awaited) == (7, [before, item], True)
    back = from_clerk.decode(sent(answers_to(7, [before, item], [None, result])))
    assert isinstance(back, Answers)
    [nothing, found] = results_of(back, [before, item])
    assert (back.number, nothing) == (7, None)
    if wanted is None:
        assert found == result
    else:
        assert type(found) is wanted
        assert str(found) == str(result)


@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.integers(1, 50), min_size=1))
def test_messages_arrive_whole_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    heard: list[bytes] = []
    channel = Channel(lambda message: heard.append(bytes(message)), lambda: None)
    wire = b"".join(len(one).to_bytes(4, "big") + one for one in messages)
    at = turn = 0
    while at < len(wire):
        step = cuts[turn % len(cuts)]
        channel.data_received(wire[at : at + step])
        at, turn = at + step, turn + 1
    assert heard == messages
