"""Agents of other frameworks behind a gateway that serves fetches: their histories stay whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrimp.emulator import Emulator
from scrimp.emulator.replies import text, thinking, tool_use
from tests.fetching_agents import Offering, fetch
from tests.forks import Forks
from tests.gateway.doors import Door, door
from tests.middleware.test_peers import outcome


def speak(body: dict[str, Any]) -> Any:
    """Fetches beside the agent's tool, fetches alone, and answers."""
    last = body["messages"][-1]["content"]
    blocks = [text(last)] if isinstance(last, str) else last
    results = [block for block in blocks if block["type"] == "tool_result"]
    if not results:
        return [thinking("Both."), tool_use("list_files", {"folder": "src"}), fetch("1-2")]
    if len(results) == 2:
        return [thinking("More."), text("Then that."), fetch("3-4")]
    return [thinking("Enough."), text("Done.")]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr("scrimp.gateway.parts.levers_of", lambda *_: [Offering()])
    with door(Emulator(speak), serve={"mode": "save"}) as opened:
        yield opened


def check(found: Door, said: dict[str, Any], turns: int) -> None:
    """Every call that was hidden is in the last request with its result, and every token was counted."""
    assert said["answers"] == ["Then that.Done."] * turns
    assert said["requests"] == 2 * turns
    bill = found.emulator.bill
    assert len(bill) == 3 * turns
    assert said["input"] == sum(one.usage.total_input for one in bill)
    assert said["output"] == sum(one.usage.output_tokens for one in bill)
    last = found.emulator.requests[-1].body["messages"]
    blocks = [block for one in last if isinstance(one["content"], list) for block in one["content"]]
    kinds = [block["type"] for block in blocks]
    assert kinds.count("tool_use") == kinds.count("tool_result") == 3 * turns
    assert [block.get("name") for block in blocks].count("scrimp_fetch") == 2 * turns


def test_langchain(found: Door, forks_of: Callable[..., Forks]) -> None:
    check(found, outcome(forks_of, "langchain-anthropic", "langchain_agent.py", found.url), 4)


def test_pydantic_ai(found: Door, forks_of: Callable[..., Forks]) -> None:
    check(found, outcome(forks_of, "pydantic-ai", "pydantic_ai_agent.py", found.url, "bare"), 2)
