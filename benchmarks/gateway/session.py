"""A session of the official SDK with nothing but a base URL, run by any version in its own interpreter.

    python benchmarks/gateway/session.py BASE_URL every|many [CALLS]

The key comes from the environment, as the SDK reads it. Imports nothing but the SDK. Prints one line of JSON:
its version, the calls made, and what became of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic

MODEL = "claude-haiku-4-5"
SYSTEM = "You are a careful assistant. " * 900
TOOL = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}
PATIENCE = 30.0
"""Seconds a call may take before its client gives up."""


def ask(step: int, **more: Any) -> dict[str, Any]:
    """A request of a conversation at its `step`-th turn."""
    turns = [{"role": "assistant" if n % 2 else "user", "content": f"turn {n}"} for n in range(2 * step + 1)]
    return {"model": MODEL, "max_tokens": 64, "system": SYSTEM, "messages": turns, **more}


def sync_calls(url: str) -> list[str]:
    """Every way a sync client is used; returns the ids of the messages."""
    client = anthropic.Anthropic(base_url=url, timeout=PATIENCE)
    ids = [client.messages.create(**ask(0)).id]
    ids.append(client.beta.messages.create(**ask(1), betas=["token-counting-2024-11-01"]).id)
    with client.messages.stream(**ask(2)) as stream:
        ids.append(stream.get_final_message().id)
    events = list(client.messages.create(**ask(3), stream=True))
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    ids.append(events[0].message.id)
    raw = client.messages.with_raw_response.create(**ask(4))
    assert raw.headers["request-id"]
    ids.append(raw.parse().id)
    with client.messages.with_streaming_response.create(**ask(5)) as response:
        ids.append(json.loads(response.read())["id"])
    counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert counted.input_tokens
    assert client.models.list().data
    client.close()
    return ids


async def async_calls(url: str) -> list[str]:
    """The same for an async client that shows its key as a bearer token, and twelve calls at once."""
    key = os.environ["ANTHROPIC_API_KEY"]
    client = anthropic.AsyncAnthropic(base_url=url, timeout=PATIENCE, api_key=None, auth_token=key)
    ids = [(await client.messages.create(**ask(0))).id]
    async with client.messages.stream(**ask(1)) as stream:
        ids.append((await stream.get_final_message()).id)
    events = [event async for event in await client.messages.create(**ask(2), stream=True)]
    ids.append(events[0].message.id)
    together = (client.messages.create(**ask(3, tools=[TOOL])) for _ in range(12))
    ids += [message.id for message in await asyncio.gather(*together)]
    await client.close()
    return ids


def tool_calls(url: str) -> tuple[int, list[str]]:
    """The SDK's own tool runner, until the agent is done: tool calls, and the ids of its messages."""
    client = anthropic.Anthropic(base_url=url, timeout=PATIENCE)
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

    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=256,
        system=SYSTEM,
        tools=[list_files],
        messages=[{"role": "user", "content": "Look around."}],
    )
    ids = [message.id for message in runner]
    client.close()
    return called, ids


class Many:
    """Many calls: half from sixteen threads, then half from sixteen tasks; what breaks is counted."""

    def __init__(self, url: str, calls: int) -> None:
        self._url = url
        self._calls = calls
        self.ids: list[str] = []
        self.broken: Counter[str] = Counter()
        self.slowest = 0.0

    def run(self) -> None:
        """All of them."""
        client = anthropic.Anthropic(base_url=self._url, max_retries=4, timeout=PATIENCE)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: self._one(client, number), range(self._calls // 2)))
        client.close()
        asyncio.run(self._at_once(self._calls - self._calls // 2))

    def _one(self, client: anthropic.Anthropic, number: int) -> None:
        begin = time.monotonic()
        try:
            if number % 5 < 2:
                with client.messages.stream(**_body(number)) as stream:
                    self.ids.append(stream.get_final_message().id)
            else:
                self.ids.append(client.messages.create(**_body(number)).id)
        except Exception as error:  # noqa: BLE001 - the emulator was told to break some, each in its own way
            self._broke(error)
        self._took(begin)

    async def _at_once(self, calls: int) -> None:
        gate = asyncio.Semaphore(16)

        async def one(client: anthropic.AsyncAnthropic, number: int) -> None:
            async with gate:
                begin = time.monotonic()
                try:
                    if number % 5 < 2:
                        async with client.messages.stream(**_body(number)) as stream:
                            self.ids.append((await stream.get_final_message()).id)
                    else:
                        self.ids.append((await client.messages.create(**_body(number))).id)
                except Exception as error:  # noqa: BLE001 - as above
                    self._broke(error)
                self._took(begin)

        async with anthropic.AsyncAnthropic(base_url=self._url, max_retries=4, timeout=PATIENCE) as client:
            await asyncio.gather(*(one(client, number) for number in range(calls)))

    def _broke(self, error: Exception) -> None:
        self.broken[f"{type(error).__name__}: {str(error)[:80]}"] += 1

    def _took(self, begin: float) -> None:
        self.slowest = max(self.slowest, time.monotonic() - begin)


def _body(number: int) -> dict[str, Any]:
    """Two in five calls are streamed, a third have no prefix to cache."""
    return ask(number % 4, system=SYSTEM if number % 3 else "short")


def main(url: str, kind: str, calls: str = "1000") -> None:
    """Run one kind of session and print what became of it."""
    found: dict[str, Any] = {"version": anthropic.__version__}
    if kind == "many":
        many = Many(url, int(calls))
        many.run()
        found |= {"ids": many.ids, "broken": dict(many.broken), "slowest": many.slowest}
    else:
        found["called"], ids = tool_calls(url)
        found["ids"] = [*ids, *sync_calls(url), *asyncio.run(async_calls(url))]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
