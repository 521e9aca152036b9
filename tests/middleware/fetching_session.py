"""A conversation whose model fetches, with any SDK version in its own interpreter, by every way to call.

    python tests/middleware/fetching_session.py BASE_URL

Prints one line of JSON: the SDK's version, what the caller saw, and what the ledger holds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import anthropic

import scrimp
from scrimp.stores.memory import MemoryLedger
from tests.fetching_agents import Offering, ask, kinds, said, user


def sync_ways(client: anthropic.Anthropic, request: dict[str, Any]) -> list[Any]:
    """One answer by each way of a sync client."""
    with client.messages.stream(**request) as stream:
        streamed = stream.get_final_message()
    with client.messages.with_streaming_response.create(**request) as response:
        streaming = response.parse()
    return [
        client.messages.create(**request),
        client.beta.messages.create(**request),
        streamed,
        streaming,
        client.messages.with_raw_response.create(**request).parse(),
    ]


async def async_ways(client: anthropic.AsyncAnthropic, request: dict[str, Any]) -> list[Any]:
    """One answer by each way of an async client."""
    async with client.messages.stream(**request) as stream:
        streamed = await stream.get_final_message()
    async with client.messages.with_streaming_response.create(**request) as response:
        streaming = await response.parse()
    raw = (await client.messages.with_raw_response.create(**request)).parse()
    return [await client.messages.create(**request), streamed, streaming, await _awaited(raw)]


async def _awaited(value: Any) -> Any:
    """Some versions parse at once, others when asked to wait."""
    return await value if asyncio.iscoroutine(value) else value


async def async_session(url: str, middleware: Any, first: dict[str, Any]) -> list[Any]:
    """All ways of an async client."""
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
        return await async_ways(client, first)


def main(url: str) -> None:
    """Ask by every way, then go on with the first answer."""
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(ledger=ledger, levers=[Offering()])
    asked = [user("Why does it fail?")]
    with anthropic.Anthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
        messages = sync_ways(client, ask(asked))
        following = client.messages.create(**ask([*asked, said(messages[2]), user("Please fix it.")]))
    messages += asyncio.run(async_session(url, middleware, ask(asked)))
    ledger.flush()
    found = {
        "version": anthropic.__version__,
        "kinds": [kinds(message) for message in messages],
        "texts": sorted({block.text for one in messages for block in one.content if block.type == "text"}),
        "following": kinds(following),
        "read": following.usage.cache_read_input_tokens,
        "costs": sorted((record.message_id or "", record.cost) for record in ledger.records()),
        "faults": [record.fault for record in ledger.records() if record.fault],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
