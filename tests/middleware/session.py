"""A mixed session of the real SDK through the middleware, run by any SDK version in its own interpreter.

    python tests/middleware/session.py BASE_URL mixed|many|tools [CALLS]

Prints one line of JSON: the SDK's version, what the ledger holds, and what went to the caller.
"""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anthropic

import scrimp
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-haiku-4-5"
PATIENCE = 600.0
"""Seconds for a connection as for an answer: the SDK's own five would be another call on a busy machine."""

SYSTEM = "You are a careful assistant. " * 900
TOOL = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}


def ask(step: int, **more: object) -> dict[str, object]:
    """A request of a conversation at its `step`-th turn."""
    turns = [{"role": "assistant" if n % 2 else "user", "content": f"turn {n}"} for n in range(2 * step + 1)]
    return {"model": MODEL, "max_tokens": 64, "system": SYSTEM, "messages": turns, **more}


def sync_session(url: str, middleware: object) -> int:
    """Every way a sync client is used; returns how many calls were made."""
    client = anthropic.Anthropic(
        base_url=url, api_key="key-sync", middleware=[middleware], max_retries=3, timeout=PATIENCE
    )
    with scrimp.run("sync", user="u_1"):
        assert client.messages.create(**ask(0)).content
        assert client.beta.messages.create(**ask(1)).content
        with client.messages.stream(**ask(2)) as stream:
            assert stream.get_final_message().usage.input_tokens
        events = [event.type for event in client.messages.create(**ask(3), stream=True)]
        assert events[0] == "message_start"
        assert events[-1] == "message_stop"
        raw = client.messages.with_raw_response.create(**ask(4))
        assert raw.parse().content
        with client.messages.with_streaming_response.create(**ask(5)) as response:
            assert json.loads(response.read())["type"] == "message"
        assert client.messages.count_tokens(
            model=MODEL, messages=[{"role": "user", "content": "hi"}]
        ).input_tokens
        with client.messages.stream(**ask(6)) as stream:
            next(iter(stream))
    return 7


async def async_session(url: str, middleware: object) -> int:
    """The same for an async client, and twenty calls at once."""
    client = anthropic.AsyncAnthropic(
        base_url=url, api_key="key-async", middleware=[middleware], max_retries=3, timeout=PATIENCE
    )
    async with scrimp.run("async", user="u_2"):
        assert (await client.messages.create(**ask(0))).content
        async with client.messages.stream(**ask(1)) as stream:
            assert (await stream.get_final_message()).usage.input_tokens
        seen = [event.type async for event in await client.messages.create(**ask(2), stream=True)]
        assert seen[-1] == "message_stop"
        await asyncio.gather(*(client.messages.create(**ask(3, tools=[TOOL])) for _ in range(20)))
    await client.close()
    return 23


def many_session(url: str, middleware: object, calls: int) -> int:
    """Half of the calls from sixteen threads, then half from sixteen tasks; broken ones are let go."""
    client = anthropic.Anthropic(
        base_url=url, api_key="key", middleware=[middleware], max_retries=4, timeout=PATIENCE
    )
    with scrimp.run("sync") as run, ThreadPoolExecutor(16) as pool:
        list(pool.map(run.bind(partial(one_of_many, client)), range(calls // 2)))
    client.close()
    asyncio.run(many_at_once(url, middleware, calls // 2))
    return calls


def one_of_many(client: anthropic.Anthropic, number: int) -> None:
    """Two in five calls are streamed, a third have no prefix to cache."""
    try:
        if number % 5 < 2:
            with client.messages.stream(**one_body(number)) as stream:
                stream.get_final_message()
        else:
            client.messages.create(**one_body(number))
    except Exception:  # noqa: BLE001 - the emulator was told to break some, each in its own way
        return


async def many_at_once(url: str, middleware: object, calls: int) -> None:
    """The same for an async client."""
    gate = asyncio.Semaphore(16)

    async def one(client: anthropic.AsyncAnthropic, number: int) -> None:
        async with gate:
            try:
                if number % 5 < 2:
                    async with client.messages.stream(**one_body(number)) as stream:
                        await stream.get_final_message()
                else:
                    await client.messages.create(**one_body(number))
            except Exception:  # noqa: BLE001 - as above
                return

    async with (
        anthropic.AsyncAnthropic(
            base_url=url, api_key="key", middleware=[middleware], max_retries=4, timeout=PATIENCE
        ) as client,
        scrimp.run("async"),
    ):
        await asyncio.gather(*(one(client, number) for number in range(calls)))


def one_body(number: int) -> dict[str, object]:
    """The request of one of many calls."""
    return ask(number % 4, system=SYSTEM if number % 3 else "short")


def tool_session(url: str, middleware: object) -> int:
    """The SDK's own tool runner, until the agent is done; returns how many tool calls it made."""
    client = anthropic.Anthropic(base_url=url, api_key="key-tools", middleware=[middleware], timeout=PATIENCE)
    called = 0

    @anthropic.beta_tool
    def list_files(path: str) -> str:
        """List the files of a folder.

        Args:
            path: The folder.
        """
        nonlocal called
        called += 1
        return f"{path}: a.py b.py"

    with scrimp.run("tools", user="u_3"):
        runner = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=256,
            system=SYSTEM,
            tools=[list_files],
            messages=[{"role": "user", "content": "Look around."}],
        )
        assert runner.until_done().content
    assert called
    return called


def main(url: str, kind: str, many: str = "2000") -> None:
    """Run one kind of session and print what the ledger holds."""
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(ledger=ledger)
    if kind == "tools":
        calls = tool_session(url, middleware)
    elif kind == "many":
        calls = many_session(url, middleware, int(many))
    else:
        calls = sync_session(url, middleware) + asyncio.run(async_session(url, middleware))
    ledger.flush()
    records = list(ledger.records())
    found = {
        "version": anthropic.__version__,
        "calls": calls,
        "records": len(records),
        "cut_off": sum(record.outcome == "cut off" for record in records),
        "faults": sorted({record.fault for record in records if record.fault}),
        "exact": sorted((record.message_id or "", record.cost) for record in records if record.measured),
        "broken": sorted(
            (record.message_id or "", record.usage.total_input, record.usage.cache_read_input_tokens)
            for record in records
            if not record.measured
        ),
        "runs": sorted({record.tags.run[-1] for record in records}),
        "read": sum(record.usage.cache_read_input_tokens for record in records),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
