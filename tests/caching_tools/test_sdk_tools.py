"""Tools of the SDK that are cached, above or below its decorator, and what the ledger shows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.caching_tools import cached_tool
from scrimp.emulator import Emulator
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-haiku-4-5"


def asks(times: int) -> list[Any]:
    """An agent that reads the same file again and again, then answers."""
    uses = [
        {"type": "tool_use", "id": f"toolu_{n}", "name": "read_file", "input": {"path": "a.py"}}
        for n in range(times)
    ]
    return [*([use] for use in uses), "Done."]


CALLS: list[str] = []


def read_file(path: str, limit: int = 10) -> str:
    """Read a file.

    Args:
        path: Which one.
    """
    CALLS.append(path)
    return f"text of {path}"


@wraps(read_file)
async def read_file_async(path: str, limit: int = 10) -> str:
    return read_file(path, limit)


def above(**settings: Any) -> Any:
    return cached_tool(**settings)(anthropic.beta_tool(read_file))


def below(**settings: Any) -> Any:
    return anthropic.beta_tool(cached_tool(**settings)(read_file))


def above_async(**settings: Any) -> Any:
    return cached_tool(**settings)(anthropic.beta_async_tool(read_file_async))


def below_async(**settings: Any) -> Any:
    return anthropic.beta_async_tool(cached_tool(**settings)(read_file_async))


@pytest.fixture
def calls() -> list[str]:
    CALLS.clear()
    return CALLS


def notes_of(ledger: MemoryLedger) -> list[str]:
    ledger.flush()
    return [note for record in ledger.records() for note in record.notes if "from the cache" in note]


@pytest.mark.parametrize("make", [above, below])
def test_a_tool_of_the_sdk_is_described_as_without(make: Callable[..., Any]) -> None:
    described = make().to_dict()
    assert described == {
        "name": "read_file",
        "description": "Read a file.",
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "title": "Path", "description": "Which one."},
                "limit": {"type": "integer", "title": "Limit", "default": 10},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    }


@pytest.mark.parametrize("make", [above, below])
@pytest.mark.parametrize("thread", [True, False])
def test_the_sdks_tool_runner_is_served_from_memory(
    make: Callable[..., Any], calls: list[str], *, thread: bool
) -> None:
    ledger, tool = MemoryLedger(), make()
    with (
        Emulator(asks(3)) as api,
        anthropic.Anthropic(
            base_url=api.url, api_key="key", middleware=[scrimp.Middleware(ledger=ledger)]
        ) as client,
        scrimp.run("tools"),
    ):
        runner = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=64,
            tools=[tool],
            messages=[{"role": "user", "content": "Go."}],
            **({} if thread else {"thread": False}),
        )
        final = runner.until_done()
        billed = sum(one.usage.total_input for one in api.bill)
    assert final.content[0].text == "Done."
    assert calls == ["a.py"]
    assert tool.func.cache_info().hits == 2
    assert sum(record.usage.total_input for record in ledger.records()) == billed


@pytest.mark.parametrize("make", [above_async, below_async])
def test_the_sdks_async_tool_runner_is_served_from_memory(make: Callable[..., Any], calls: list[str]) -> None:
    tool, ledger = make(), MemoryLedger()

    async def run(url: str) -> str:
        client = anthropic.AsyncAnthropic(
            base_url=url, api_key="key", middleware=[scrimp.Middleware(ledger=ledger)]
        )
        async with client, scrimp.run("tools"):
            runner = client.beta.messages.tool_runner(
                model=MODEL, max_tokens=64, tools=[tool], messages=[{"role": "user", "content": "Go."}]
            )
            final = await runner.until_done()
            return str(final.content[0].text)

    with Emulator(asks(3)) as api:
        assert asyncio.run(run(api.url)) == "Done."
        billed = sum(one.usage.total_input for one in api.bill)
    assert calls == ["a.py"]
    assert sum(record.usage.total_input for record in ledger.records()) == billed


@pytest.mark.parametrize("make", [above, below])
def test_a_tool_of_the_sdk_refuses_wrong_input_itself(make: Callable[..., Any], calls: list[str]) -> None:
    tool = make()
    for wrong in ({"limit": 1}, {"path": "a", "limit": "many"}):
        with pytest.raises(ValueError, match="Invalid arguments"):
            tool.call(wrong)
    assert calls == []


def test_the_ledger_shows_the_hits(calls: list[str]) -> None:
    ledger = MemoryLedger()
    with (
        Emulator(asks(3)) as api,
        anthropic.Anthropic(
            base_url=api.url, api_key="key", middleware=[scrimp.Middleware(ledger=ledger)]
        ) as client,
        scrimp.run("tools"),
    ):
        client.beta.messages.tool_runner(
            model=MODEL, max_tokens=64, tools=[above()], messages=[{"role": "user", "content": "Go."}]
        ).until_done()
    assert notes_of(ledger) == ["1 tool result from the cache: read_file ×1"] * 2
