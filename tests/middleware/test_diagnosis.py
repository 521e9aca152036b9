"""A cache miss in live traffic: told once, before it happens, and written down without prompt text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.causes import Cause
from scrimp.emulator import Clock, Emulator, Scripted
from scrimp.errors import ScrimpWarning
from scrimp.stores.memory import MemoryLedger

NOON = 1_795_000_000.0
RULES = "Follow the rules of the house, and say which. " * 400


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Scripted(["An answer."]), clock=Clock(NOON)) as running:
        yield running


def ask(client: anthropic.Anthropic, step: int, time: str) -> list[str]:
    """One step of a conversation whose marked system prompt tells the time; the warnings it gave."""
    control = {"type": "ephemeral"}
    system = [{"type": "text", "text": f"Confidential. It is {time}. {RULES}", "cache_control": control}]
    turns: list[Any] = [
        {"role": "assistant" if n % 2 else "user", "content": f"turn {n}"} for n in range(2 * step + 1)
    ]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ScrimpWarning)
        client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=64,
            system=system,
            messages=turns,  # type: ignore[arg-type]  # plain dicts
        )
    return [str(one.message) for one in told]


def test_a_bust_is_told_before_it_is_sent_and_once(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(ledger=ledger, mode="observe", clock=emulator.clock.now)
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as client:
        assert ask(client, 0, "10:00:00") == []
        emulator.clock.advance(20)
        assert ask(client, 1, "10:00:00") == []
        emulator.clock.advance(20)
        [told] = ask(client, 2, "10:00:40")
        emulator.clock.advance(20)
        assert ask(client, 3, "10:01:00") == []  # the same again: told already
        emulator.clock.advance(20)
        assert ask(client, 4, "10:01:00") == []  # reads what it should
        emulator.clock.advance(20)
        [anew] = ask(client, 5, "10:01:40")
    assert told.startswith("scrimp: timestamp in the prefix at system.0, byte 26: 0 of ")
    assert "will be read" in told
    assert "Confidential" not in told
    assert anew.startswith("scrimp: timestamp in the prefix")
    records = list(ledger.records())
    missed = Cause.TIMESTAMP.value
    assert [record.miss for record in records] == ["first call", None, missed, missed, None, missed]
    # Haiku 4.5: 1.25 USD per million for a 5m write, 0.10 for a read.
    written = records[2].usage.cache_creation_input_tokens
    assert records[2].lost == written * (1_250_000 - 100_000)


def test_where_warnings_are_errors_a_miss_still_harms_no_call(emulator: Emulator) -> None:
    middleware = scrimp.Middleware(ledger=MemoryLedger(), mode="observe", clock=emulator.clock.now)
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as client:
        ask(client, 0, "10:00:00")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = client.messages.create(
                model="claude-haiku-4-5",
                max_tokens=64,
                system=[
                    {
                        "type": "text",
                        "text": f"Confidential. It is 10:00:10. {RULES}",
                        "cache_control": {"type": "ephemeral"},
                    }
                ],
                messages=[{"role": "user", "content": "turn 0"}],
            )
    assert answer.content
