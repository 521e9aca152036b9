"""`[loop]` and `[context]` through the gateway: refusals that nobody retries, and what is billed."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from scrimp.core.loop_guard import WRAP_UP
from scrimp.emulator import Emulator, Scripted
from scrimp.gateway.context_settings import ContextSettings
from scrimp.gateway.loop_settings import LoopSettings
from tests.core.test_context_budget import WORDS
from tests.gateway.doors import Door, door
from tests.middleware.test_context_budget_sdk import request

PATHS = {"same": lambda n: "a.py", "other": lambda n: f"src/m{n}.py"}


def emulated(path: str, steps: int, *said: str) -> Emulator:
    of = PATHS[path]
    uses: list[Any] = [
        [{"type": "tool_use", "id": f"toolu_{n}", "name": "read", "input": {"path": of(n)}}]
        for n in range(steps)
    ]
    return Emulator(Scripted([*uses, *said]))


def agent(found: Door, result: str, steps: int) -> Any:
    """An agent's own loop through the gateway, with a client that would retry; its last answer."""
    messages: list[Any] = [{"role": "user", "content": "Mend the build."}]
    answer = None
    with found.sdk(max_retries=3) as client:
        for _ in range(steps):
            answer = client.messages.create(**request(messages))
            uses = [block for block in answer.content if block.type == "tool_use"]
            if not uses:
                return answer
            results = [{"type": "tool_result", "tool_use_id": use.id, "content": result} for use in uses]
            messages += [
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": results},
            ]
    return answer


def billed(found: Door) -> list[tuple[int, int, int]]:
    bills = [(one.usage.total_input, one.usage.output_tokens, one.cost) for one in found.emulator.bill]
    records = found.records(len(bills))
    assert [(one.usage.total_input, one.usage.output_tokens, one.cost) for one in records] == bills
    return bills


def test_a_loop_is_refused_once_and_for_good() -> None:
    with door(emulated("same", 20), tables={"loop": LoopSettings(enabled=True)}) as found:
        with pytest.raises(anthropic.BadRequestError, match="the tool read called 4 times") as raised:
            agent(found, "text", 20)
        assert raised.value.response.headers["x-should-retry"] == "false"
        assert raised.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]  # as sent
        assert len(billed(found)) == 4


def test_a_last_turn_through_the_gateway() -> None:
    tables = {"loop": LoopSettings(enabled=True, on_loop="wrap_up")}
    with door(emulated("same", 4, "It fails."), tables=tables, serve={"mode": "save"}) as found:
        answer = agent(found, "text", 20)
        assert answer.content[0].text == "It fails."
        bodies = [one.body for one in found.emulator.requests if one.method == "POST"]
        assert [WRAP_UP in str(body) for body in bodies] == [False] * 4 + [True]
        assert len(billed(found)) == 5


def test_without_the_table_nobody_is_watched() -> None:
    with door(emulated("same", 20)) as found:
        agent(found, "text", 8)
        assert len(billed(found)) == 8


def test_a_long_conversation_is_compacted_where_keys_save() -> None:
    tables = {"context": ContextSettings(enabled=True, soft=14_000, hard=20_000)}
    with door(emulated("other", 50), tables=tables, serve={"mode": "save"}) as found:
        agent(found, WORDS, 45)
        assert max(tokens for tokens, _, _ in billed(found)) < 15_000
        assert "<session-state>" in str(found.emulator.requests[-1].body["messages"])
        assert {record.window for record in found.records()} == {200_000}


def test_the_ceiling_holds_in_every_mode_that_changes_anything() -> None:
    tables = {"context": ContextSettings(enabled=True, soft=14_000, hard=20_000)}
    with door(emulated("other", 50), tables=tables) as found:
        with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 20000"):
            agent(found, WORDS, 50)
        assert 18_000 < max(tokens for tokens, _, _ in billed(found)) < 20_500
