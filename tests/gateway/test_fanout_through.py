"""Many clients at once with one prefix, through the gateway: one write, the others read."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import anthropic
import pytest

from scrimp.emulator import Emulator, Fault
from scrimp.gateway.cache_settings import FanoutSettings
from tests.gateway.doors import MODEL, SYSTEM, Door, door
from tests.patience import HeldBack, eventually

AT_ONCE = 32


def marked(question: str, system: str = SYSTEM) -> dict[str, Any]:
    """A request whose system prompt its caller marks."""
    block = {"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}
    return {
        "model": MODEL,
        "max_tokens": 64,
        "system": [block],
        "messages": [{"role": "user", "content": question}],
    }


def all_at_once(entry: Door, bodies: list[dict[str, Any]], *, stream: bool = True, keys: int = 1) -> None:
    """Send every request. `keys` share the requests among them."""

    async def one(client: anthropic.AsyncAnthropic, body: dict[str, Any]) -> None:
        if not stream:
            await client.messages.create(**body)
            return
        async with client.messages.stream(**body) as events:
            await events.get_final_message()

    async def every() -> None:
        async with AsyncExitStack() as opened:
            new = partial(anthropic.AsyncAnthropic, base_url=entry.url)
            clients = [await opened.enter_async_context(new(api_key=f"sk-{n}")) for n in range(keys)]
            await asyncio.gather(*(one(clients[n % keys], body) for n, body in enumerate(bodies)))

    asyncio.run(every())


def shares(entry: Door) -> tuple[int, int]:
    """How many billed calls wrote the system prompt, and how many read it."""
    usages = [billed.usage for billed in entry.emulator.bill]
    writes = sum(usage.cache_creation_input_tokens > 4_000 for usage in usages)
    return writes, sum(usage.cache_read_input_tokens > 4_000 for usage in usages)


@pytest.mark.parametrize("stream", [True, False])
def test_of_32_at_once_one_writes_and_31_read(*, stream: bool) -> None:
    emulator, patient = HeldBack(times=1), FanoutSettings(timeout=300.0, second=1)
    with door(emulator, tables={"fanout": patient}) as entry, ThreadPoolExecutor(1) as pool:
        bodies = [marked(f"Question {n}?") for n in range(AT_ONCE)]
        asked = pool.submit(all_at_once, entry, bodies, stream=stream)
        eventually(lambda: entry.gateway._parts._gating.following == AT_ONCE - 1)
        emulator.may_answer.set()
        asked.result()
        records = entry.records(AT_ONCE)
        page = entry.raw("GET", "/metrics").body.decode()
    assert shares(entry) == (1, AT_ONCE - 1)
    assert sum(record.cost for record in records) == entry.emulator.total
    assert f'scrimp_fanout_total{{end="read"}} {AT_ONCE - 1}\n' in page


def test_a_leader_refused_by_the_upstream_hands_over() -> None:
    faults = [Fault("slow_start", times=1, seconds=0.3), Fault("overloaded", times=1)]
    with door(Emulator(faults=faults)) as entry:
        all_at_once(entry, [marked(f"Question {n}?") for n in range(8)])
        entry.records(8)
    assert shares(entry) == (1, 7)


def test_accounts_do_not_wait_for_each_other() -> None:
    with door(Emulator(faults=[Fault("slow_start", times=2, seconds=0.3)])) as entry:
        all_at_once(entry, [marked(f"Question {n}?") for n in range(8)], keys=2)
        entry.records(8)
    assert shares(entry) == (2, 6)


def test_in_observe_mode_nobody_waits() -> None:
    emulator = HeldBack(faults=[Fault("slow_start", times=4, seconds=0.3)])
    with door(emulator, serve={"mode": "observe"}) as entry, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(all_at_once, entry, [marked(f"Question {n}?") for n in range(4)])
        eventually(lambda: emulator.held == 4)
        emulator.may_answer.set()
        asked.result()
        page = entry.raw("GET", "/metrics").body.decode()
    assert shares(entry) == (4, 0)
    assert "scrimp_fanout_total{" not in page
