"""Large results shortened by the real lever and fetched by the model, in the SDK and in the gateway."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.emulator import Emulator
from scrimp.emulator.replies import text, thinking, tool_use
from scrimp.offloading import Offload
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.offload import OffloadStore
from scrimp.stores.offload_memory import MemoryOffload
from tests.fetching_agents import SYSTEM, ask, kinds, said, user
from tests.gateway.doors import door

LOG = "\n".join(
    f"2026-11-21T10:{n // 60:02}:{n % 60:02} worker-{n % 7} handled {n * 7919 % 100_003} in {n % 97} ms"
    for n in range(1_200)
)
WANTED = "501-503"
LINES = "\n".join(LOG.splitlines()[500:503])


def speak(body: dict[str, Any]) -> Any:
    """Reads the log, fetches a part of it that was left out, and tells what it says."""
    last = body["messages"][-1]["content"]
    if isinstance(last, str) or last[-1]["type"] == "text":
        asked = last if isinstance(last, str) else last[-1]["text"]
        return [thinking("A log."), tool_use("ls", {"path": "log"})] if "Why" in asked else "Gladly."
    found = last[-1]["content"]
    found = found if isinstance(found, str) else found[0]["text"]
    handle = re.search(r"\b[a-z2-7]{16}\b", found)
    if handle is None:
        return [thinking("So that is it."), text(f"It says: {found.strip()}")]
    return [
        thinking("The middle is left out."),
        text("Let me look."),
        tool_use("scrimp_fetch", {"handle": handle[0], "range": WANTED}),
    ]


def created(sdk: anthropic.Anthropic, request: dict[str, Any]) -> Any:
    return sdk.messages.create(**request)


def streamed(sdk: anthropic.Anthropic, request: dict[str, Any]) -> Any:
    with sdk.messages.stream(**request) as stream:
        return stream.get_final_message()


@contextmanager
def in_sdk(
    monkeypatch: pytest.MonkeyPatch, store: OffloadStore
) -> Iterator[tuple[Any, Emulator, MemoryLedger]]:
    ledger = MemoryLedger()
    with Emulator(speak) as emulator:
        middleware = scrimp.Middleware(ledger=ledger, levers=[Offload(always=True, store=store)])
        with anthropic.Anthropic(
            base_url=emulator.url, api_key="k", max_retries=0, middleware=[middleware]
        ) as sdk:
            yield sdk, emulator, ledger


@contextmanager
def in_gateway(
    monkeypatch: pytest.MonkeyPatch, store: OffloadStore
) -> Iterator[tuple[Any, Emulator, MemoryLedger]]:
    monkeypatch.setattr("scrimp.gateway.parts.levers_of", lambda *_: [Offload(always=True, store=store)])
    with door(Emulator(speak), serve={"mode": "save"}) as found, found.sdk(max_retries=0) as sdk:
        yield sdk, found.emulator, found.ledger


def read_log(sdk: Any, way: Callable[[Any, Any], Any]) -> list[Any]:
    """A conversation up to the answer that needed a fetch."""
    messages: list[Any] = [user("Why does it fail?")]
    message = way(sdk, ask(messages))
    call = next(block for block in message.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": LOG}
    messages += [said(message), user([result])]
    message = way(sdk, ask(messages))
    assert kinds(message) == ["thinking", "text", "thinking", "text"]
    assert message.content[-1].text == f"It says: {LINES}"
    return [*messages, said(message)]


@pytest.mark.parametrize("way", [created, streamed])
@pytest.mark.parametrize("through", [in_sdk, in_gateway])
def test_the_model_gets_the_lines_it_asks_for_and_the_agent_one_answer(
    monkeypatch: pytest.MonkeyPatch, through: Any, way: Callable[[Any, Any], Any]
) -> None:
    store = MemoryOffload()
    with through(monkeypatch, store) as (sdk, emulator, ledger):
        messages = [*read_log(sdk, way), user("Please fix it.")]
        assert kinds(way(sdk, ask(messages))) == ["text"]
        assert max(len(one.raw) for one in emulator.requests) < len(SYSTEM) + len(LOG) // 2
        before, last = emulator.bill[-2:]
        assert last.usage.cache_read_input_tokens >= before.usage.total_input - before.usage.input_tokens
        check_books(emulator, ledger, rounds=4)
        before_restart = emulator.requests[-1].body["messages"]
    messages.append({"role": "assistant", "content": "Gladly."})
    with through(monkeypatch, store) as (sdk, emulator, ledger):
        assert kinds(way(sdk, ask([*messages, user("Thanks.")]))) == ["text"]
        sent = emulator.requests[-1].body["messages"]
        assert [plain(one) for one in sent[: len(before_restart)]] == [plain(one) for one in before_restart]


def check_books(emulator: Emulator, ledger: MemoryLedger, *, rounds: int) -> None:
    ledger.flush()
    found = sorted((record.message_id or "", record.cost) for record in ledger.records())
    assert found == sorted((one.message_id, one.cost) for one in emulator.bill)
    assert len(found) == rounds


def plain(message: Any) -> Any:
    """A message as it reads, markers left out."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return message["role"], [
        {name: value for name, value in block.items() if name != "cache_control"} for block in blocks
    ]
