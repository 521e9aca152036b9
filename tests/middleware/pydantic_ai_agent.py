"""An agent of pydantic-ai with one tool, run in the interpreter of an environment that has it.

    python tests/middleware/pydantic_ai_agent.py BASE_URL bare|middleware

Prints one line of JSON: what the agent said and counted, and what the ledger holds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import anthropic
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

import scrimp
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-haiku-4-5"
SYSTEM = "You are a careful assistant. " * 900


def agent_of(provider: AnthropicProvider, called: list[str]) -> Agent[None, str]:
    """An agent whose tool notes what it was called with."""
    agent = Agent(AnthropicModel(MODEL, provider=provider), instructions=SYSTEM)

    @agent.tool_plain
    def list_files(folder: str) -> str:
        """List the files of a folder."""
        called.append(folder)
        return f"{folder}: a.py b.py"

    return agent


async def talk(agent: Agent[None, str]) -> dict[str, Any]:
    """One run whole, one streamed; the second goes on where the first ended."""
    # A small limit: with its own, pydantic-ai streams behind the scenes, as the SDK wants for long answers.
    whole = await agent.run("Look around.", model_settings={"max_tokens": 256})
    async with agent.run_stream("And again.", message_history=whole.all_messages()) as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True)]
    usages = [whole.usage, stream.usage]
    return {
        "answers": [whole.output, "".join(pieces)],
        "requests": sum(usage.requests for usage in usages),
        "input": sum(usage.input_tokens for usage in usages),
        "read": sum(usage.cache_read_tokens for usage in usages),
        "output": sum(usage.output_tokens for usage in usages),
    }


async def main(url: str, kind: str) -> None:
    """Run the agent and print what happened."""
    ledger = MemoryLedger()
    called: list[str] = []
    if kind == "bare":
        found = await talk(agent_of(AnthropicProvider(api_key="key-peer", base_url=url), called))
    else:
        client = anthropic.AsyncAnthropic(
            api_key="key-peer", base_url=url, middleware=[scrimp.Middleware(ledger=ledger)]
        )
        async with scrimp.run("peer"):
            found = await talk(agent_of(AnthropicProvider(anthropic_client=client), called))
        await client.close()
    ledger.flush()
    kept = [(record.message_id, record.cost, record.fault) for record in ledger.records()]
    print(json.dumps({**found, "called": called, "kept": kept}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
