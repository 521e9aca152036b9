"""`scrimp.Carry` and `scrimp.compact` through the real SDK: billed less, and to the emulator's own count."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.compacting import Compacted, compact
from scrimp.core.passes.carry import Carry
from scrimp.core.passes.trim import Trim
from scrimp.core.record import Record
from scrimp.emulator import Clock, Emulator, Fault, Scripted, text, thinking, tool_use
from scrimp.errors import CacheMissWarning, InputError, ScrimpWarning
from scrimp.stores.carry_home import HomeCuts
from scrimp.stores.memory import MemoryLedger

NOON = 1_795_000_000.0
SYSTEM = "Follow the rules of the house. " * 600
TOOLS: Any = [
    {
        "name": "read",
        "description": "Read a file. " * 40,
        "input_schema": {"type": "object", "properties": {}},
    }
]
GO: Any = {"role": "user", "content": "Read all files."}
SUMS_AT_ONCE = "compact-2026-09-04"


def script(steps: int) -> Scripted:
    return Scripted([[thinking("hm"), text("so"), tool_use("read", {"n": step})] for step in range(steps)])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(script(60), clock=Clock(NOON)) as running:
        yield running


def request(messages: list[Any], **fields: Any) -> dict[str, Any]:
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 1_000, "system": SYSTEM, "tools": TOOLS}
    return {**asked, "thinking": {"type": "adaptive"}, "messages": messages, **fields}


def went_on(messages: list[Any], message: Any, *, drops: bool = False, words: int = 2_000) -> list[Any]:
    """The history with an answer, its summary left out where the client `drops` it, and tool results."""
    content = [block.model_dump(exclude_none=True) for block in message.content]
    kept = [block for block in content if not (drops and block["type"] == "compaction")]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": f"{block['id']} " + "line " * words}
        for block in content
        if block["type"] == "tool_use"
    ]
    return [*messages, {"role": "assistant", "content": kept}, {"role": "user", "content": results}]


def work(
    emulator: Emulator,
    middleware: scrimp.Middleware,
    steps: int,
    *,
    stream: bool = False,
    fields: Any = None,
    **how: Any,
) -> None:
    """A tool loop by a sync client, its requests with these `fields`."""
    messages: list[Any] = [GO]
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as client:
        for _ in range(steps):
            if stream:
                with client.messages.stream(**request(messages)) as events:
                    message: Any = events.get_final_message()
            else:
                message = client.messages.create(**request(messages, **(fields or {})))
            messages = went_on(messages, message, **how)
            emulator.clock.advance(20)


async def work_async(emulator: Emulator, middleware: scrimp.Middleware, steps: int) -> None:
    """The same by an async client, every other step streamed."""
    messages: list[Any] = [GO]
    async with anthropic.AsyncAnthropic(
        base_url=emulator.url, api_key="k", middleware=[middleware]
    ) as client:
        for step in range(steps):
            if step % 2:
                async with client.messages.stream(**request(messages)) as events:
                    message: Any = await events.get_final_message()
            else:
                message = await client.messages.create(**request(messages))
            messages = went_on(messages, message)
            emulator.clock.advance(20)


def middleware(emulator: Emulator, ledger: MemoryLedger, **lever: Any) -> scrimp.Middleware:
    levers = [Carry(**lever)] if lever else []
    return scrimp.Middleware(ledger=ledger, clock=emulator.clock.now, levers=levers)


def fields_of(*, marked: bool) -> dict[str, Any]:
    """No thinking; with markers of the caller's own or without."""
    return {"thinking": {"type": "disabled"}} | ({"cache_control": {"type": "ephemeral"}} if marked else {})


@cache
def plain(steps: int, *, marked: bool | None = None) -> tuple[Record, ...]:
    """The records of the same work with no lever, whose requests are the same however they are sent."""
    ledger, fields = MemoryLedger(), None if marked is None else fields_of(marked=marked)
    with Emulator(script(60), clock=Clock(NOON)) as other:
        work(other, middleware(other, ledger), steps, fields=fields)
    ledger.flush()
    return tuple(ledger.records())


@pytest.mark.parametrize("way", ["sync", "stream", "async"])
def test_a_growing_conversation_is_billed_less_and_to_the_last_token(emulator: Emulator, way: str) -> None:
    ledger, steps = MemoryLedger(), 36
    carrying = middleware(emulator, ledger, risk=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CacheMissWarning)  # what was cleared on purpose alarms nobody
        if way == "async":
            asyncio.run(work_async(emulator, carrying, steps))
        else:
            work(emulator, carrying, steps, stream=way == "stream")
    ledger.flush()
    records = list(ledger.records())
    assert [record.cost for record in records] == [booked.cost for booked in emulator.bill]
    assert not [record.fault for record in records if record.fault]
    billed = sum(record.usage.total_input for record in records)
    assert billed < 0.7 * sum(record.usage.total_input for record in plain(steps))
    assert sum(record.cost for record in records) < 0.9 * sum(record.cost for record in plain(steps))
    notes = [note for record in records for note in record.notes]
    assert any(note.startswith("carry: cleared ") for note in notes)
    misses = {record.miss for record in records if record.miss} - {"first call"}
    assert not misses, "a step that clears on purpose has missed nothing"
    assert all(abs((r.predicted_read or 0) - r.usage.cache_read_input_tokens) <= 4 for r in records)


@pytest.mark.parametrize("lever", [Carry(risk=0.5), Trim(trigger=30_000)], ids=["carry", "trim"])
@pytest.mark.parametrize("marked", [True, False])
def test_what_the_callers_own_requests_would_have_cost_is_in_the_ledger(
    emulator: Emulator, lever: Any, marked: bool
) -> None:
    """Step by step the estimate is what the same work without the lever has there: a cut breaks nothing in
    what the caller would have sent, and what a caller without markers sends again is paid in full."""
    ledger = MemoryLedger()
    cutting = scrimp.Middleware(ledger=ledger, clock=emulator.clock.now, levers=[lever])
    work(emulator, cutting, 30, fields=fields_of(marked=marked))
    ledger.flush()
    records, others = list(ledger.records()), plain(30, marked=marked)
    assert sum(bool(record.notes) for record in records) >= 2, "nothing was cut"
    assert [record.own_cost for record in records] == pytest.approx(
        [one.own_cost for one in others], rel=0.03
    )
    if marked:  # and what the same work was really billed
        own, billed = (sum(one.own_cost or 0 for one in records), sum(one.cost for one in others))
        assert own == pytest.approx(billed, rel=0.01)


def test_after_a_restart_what_was_cleared_stays_so(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The home folder has it, an hour long: the first request of the next process reads what was written."""
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    messages: list[Any] = [GO]
    for steps in (25, 1):
        cuts, ledger = HomeCuts(), MemoryLedger()
        carrying = middleware(emulator, ledger, risk=0.5, store=cuts)
        with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[carrying]) as client:
            for _ in range(steps):
                message = client.messages.create(**request(messages))
                messages = went_on(messages, message)
                emulator.clock.advance(20)
        cuts.close()
    before, after = emulator.bill[-2:]
    assert emulator.requests[-1].body["context_management"]["edits"]
    assert after.usage.cache_read_input_tokens >= before.usage.total_input - 10


@pytest.mark.parametrize("stream", [False, True])
def test_a_dropped_summary_is_told_and_put_back(emulator: Emulator, stream: bool) -> None:
    ledger = MemoryLedger()
    lever = {"risk": 0.9, "exclude_tools": ["read"], "thinking": False, "compact": True, "restore": True}
    with pytest.warns(ScrimpWarning, match="was not sent back.*it was put back"):
        work(emulator, middleware(emulator, ledger, **lever), 40, stream=stream, drops=True)
    ledger.flush()
    records = list(ledger.records())
    assert [record.cost for record in records] == [booked.cost for booked in emulator.bill]
    summed = [at for at, one in enumerate(records) if len(one.usage.iterations or ()) == 2]
    assert summed
    before, after = records[summed[0] - 1], records[summed[0] + 1]
    assert after.usage.total_input < before.usage.total_input / 3


def asked(messages: list[Any], **fields: Any) -> dict[str, Any]:
    return {
        "model": "claude-opus-5",
        "max_tokens": 1_000,
        "system": SYSTEM,
        "tools": TOOLS,
        "messages": messages,
    }


def history(steps: int, words: int = 4_000) -> list[Any]:
    """A conversation that waits for its next answer."""
    found: list[Any] = [GO]
    for step in range(steps):
        use = tool_use("read", {"n": step}, identity=f"toolu_{step}")
        found.append({"role": "assistant", "content": [use]})
        result = {"type": "tool_result", "tool_use_id": f"toolu_{step}", "content": "line " * words}
        found.append({"role": "user", "content": [result]})
    return found


def summed_up(emulator: Emulator, way: str, messages: list[Any], **how: Any) -> Compacted:
    """`scrimp.compact` by a sync or an async client, after the agent's own last request."""
    carrying = scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now)

    async def wait() -> Compacted:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="k", middleware=[carrying], max_retries=0
        ) as client:
            await client.messages.create(**asked(messages))
            found: Compacted = await compact(client, **asked(messages), **how)
            return found

    if way == "async":
        return asyncio.run(wait())
    with anthropic.Anthropic(
        base_url=emulator.url, api_key="k", middleware=[carrying], max_retries=0
    ) as client:
        client.messages.create(**asked(messages))
        found: Compacted = compact(client, **asked(messages), **how)
        return found


@pytest.mark.parametrize("way", ["sync", "async"])
def test_compact_reads_the_cache_and_what_goes_on_is_taken(emulator: Emulator, way: str) -> None:
    messages = history(14)
    found = summed_up(emulator, way, messages)
    own, summary = emulator.bill[-2:]
    [iteration] = summary.usage.iterations or ()
    assert iteration.cache_read_input_tokens == own.usage.total_input - 3
    assert (found.compacted, int(found.cost * 10**12)) == (True, summary.cost)
    assert found.saves > 0
    assert found.messages[1:] == messages[-2:]
    assert found.messages[0]["content"][0]["type"] == "compaction"
    with anthropic.Anthropic(base_url=emulator.url, api_key="k") as client:
        client.beta.messages.create(**asked(found.messages), betas=[SUMS_AT_ONCE])
    assert emulator.bill[-1].usage.total_input < own.usage.total_input / 4


@pytest.mark.parametrize(
    ("fault", "why"),
    [("no_summary", "compaction_unavailable"), ("failed_summary", "gave no summary")],
)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_where_no_summary_comes_the_messages_stay(emulator: Emulator, way: str, fault: Any, why: str) -> None:
    messages = history(14)
    emulator.inject(Fault(fault))
    found = summed_up(emulator, way, messages)
    assert not found.compacted
    assert found.messages is messages
    assert why in found.why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"messages": history(1, 10)}, "not expected to save"),
        ({"messages": [GO]}, "nothing to sum up"),
        ({"messages": history(14)[:-1]}, "waits for the results"),
        ({"model": "claude-haiku-4-5"}, "does not compact on demand"),
        ({"model": "claude-unheard-of-9"}, "does not compact on demand"),
    ],
)
def test_nothing_is_sent_where_it_cannot_be_or_does_not_pay(
    emulator: Emulator, fields: Any, why: str
) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="k") as client:
        found = compact(client, **{**asked(history(14)), **fields})
    assert not found.compacted
    assert why in found.why
    assert emulator.bill == []


def test_compact_forced_asks_whatever_it_saves_and_drops_what_cannot_come_with_it(emulator: Emulator) -> None:
    extra = {"stop_sequences": ["x"], "tool_choice": {"type": "any"}, "betas": [SUMS_AT_ONCE]}
    with anthropic.Anthropic(base_url=emulator.url, api_key="k") as client:
        found = compact(
            client, **asked(history(3, 10)), **extra, force=True, instructions="Be brief.", keep_turns=2
        )
    assert found.compacted
    assert len(found.messages) == 1 + 4
    with pytest.raises(InputError, match="calls"):
        compact(client, **asked(history(3)), calls=-1)


def test_errors_of_another_kind_are_raised(emulator: Emulator) -> None:
    emulator.inject(Fault("overloaded"))
    with (
        anthropic.Anthropic(base_url=emulator.url, api_key="k", max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError),
    ):
        compact(client, **asked(history(14)))
