"""The model's fetches served inside the real SDK: one answer, every round billed, the next turn reads on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.offload.fetch_tool import DEFINITION
from scrimp.core.offload.hidden import Hidden
from scrimp.emulator import Emulator, Fault, Scripted
from scrimp.emulator.replies import text, thinking
from scrimp.errors import BudgetExceeded, ScrimpWarning
from scrimp.stores.memory import MemoryLedger
from tests.core.test_hidden import Store
from tests.fetching_agents import (
    BESIDE,
    FETCHED,
    Offering,
    ask,
    fetch,
    kinds,
    results,
    said,
    user,
)

WHY = user("Why does it fail?")


class Desk:
    """A client of the SDK before an emulator that follows a script."""

    def __init__(self, emulator: Emulator, client: anthropic.Anthropic, ledger: MemoryLedger) -> None:
        self.emulator = emulator
        self.messages = client.messages
        self.beta = client.beta.messages
        self.ledger = ledger

    def bodies(self) -> list[Any]:
        return [one.body for one in self.emulator.requests]

    def check_books(self, rounds: int) -> None:
        """Every round is a record of its own, as it was billed."""
        self.ledger.flush()
        records = list(self.ledger.records())
        assert len(records) == rounds
        billed = {one.message_id: one.cost for one in self.emulator.bill}
        assert {record.message_id: record.cost for record in records} == billed
        assert all(record.measured and record.fault is None for record in records)


@contextmanager
def desk(*script: Any, lever: Any = None, retries: int = 0) -> Iterator[Desk]:
    ledger = MemoryLedger()
    with Emulator(Scripted(script)) as emulator:
        middleware = scrimp.Middleware(ledger=ledger, levers=[lever or Offering()])
        with anthropic.Anthropic(
            base_url=emulator.url, api_key="k", max_retries=retries, middleware=[middleware]
        ) as client:
            yield Desk(emulator, client, ledger)


def created(messages: Any, request: dict[str, Any]) -> Any:
    return messages.create(**request)


def streamed(messages: Any, request: dict[str, Any]) -> Any:
    with messages.stream(**request) as stream:
        return stream.get_final_message()


def raw(messages: Any, request: dict[str, Any]) -> Any:
    return messages.with_raw_response.create(**request).parse()


def streaming_response(messages: Any, request: dict[str, Any]) -> Any:
    with messages.with_streaming_response.create(**request) as response:
        return response.parse()


WAYS = [created, streamed, raw, streaming_response]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("surface", ["messages", "beta"])
def test_the_caller_gets_one_answer_and_the_ledger_has_every_round(
    way: Callable[[Any, Any], Any], surface: str
) -> None:
    with desk(*FETCHED) as found, scrimp.run("debug", user="u_1") as run:
        message = way(getattr(found, surface), ask([WHY]))
        assert kinds(message) == ["thinking", "text", "thinking", "text"]
        assert [block.text for block in message.content if block.type == "text"] == [
            "Let me look.",
            "It fails in line 7.",
        ]
        assert message.stop_reason == "end_turn"
        bill = found.emulator.bill
        assert message.id == bill[0].message_id
        assert message.usage.input_tokens == sum(one.usage.input_tokens for one in bill)
        assert message.usage.cache_read_input_tokens == sum(one.usage.cache_read_input_tokens for one in bill)
        assert message.usage.cache_creation_input_tokens == sum(
            one.usage.cache_creation_input_tokens for one in bill
        )
        assert message.usage.output_tokens == sum(one.usage.output_tokens for one in bill)
        assert bill[1].usage.cache_read_input_tokens > 4_000
        first, second = found.bodies()
        assert DEFINITION in first["tools"]
        assert second["messages"][-1]["content"][0]["content"] == "\n".join(
            f"line {number} of the log" for number in (7, 8, 9)
        )
        found.check_books(2)
        records = list(found.ledger.records())
        assert len({record.call_id for record in records}) == 1
        assert [record.saved == -record.cost for record in records] == [False, True]
        assert len({record.tags for record in records}) == 1
        assert run.usage.calls == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("script", [FETCHED, BESIDE])
def test_the_next_turn_is_accepted_and_reads_all_of_it(way: Callable[[Any, Any], Any], script: Any) -> None:
    with desk(*script, [{"type": "text", "text": "Gladly."}]) as found:
        messages = [WHY]
        message = way(found.messages, ask(messages))
        messages += [said(message), user("Please fix it.") if script is FETCHED else results(message)]
        if script is BESIDE:
            assert kinds(message) == ["thinking", "tool_use", "tool_use"]
            message = way(found.messages, ask(messages))
            assert kinds(message) == ["thinking", "text"]
            messages += [said(message), user("Please fix it.")]
        message = way(found.messages, ask(messages))
        assert kinds(message) == ["text"]
        before, last = found.emulator.bill[-2:]
        assert last.usage.cache_read_input_tokens >= before.usage.total_input - before.usage.input_tokens
        assert last.usage.cache_read_input_tokens > 4_000
        sent = [block["type"] for one in found.bodies()[-1]["messages"][1:-1] for block in one["content"]]
        expected = {
            id(FETCHED): ["thinking", "text", "tool_use", "tool_result", "thinking", "text"],
            id(BESIDE): ["thinking", *["tool_use"] * 3, *["tool_result"] * 3, "thinking", "text"],
        }
        assert sent == expected[id(script)]
        found.check_books(3)


def test_events_come_as_the_api_would_send_them() -> None:
    with desk(*FETCHED) as found:
        events = list(found.messages.create(**ask([WHY]), stream=True))
        names = [event.type for event in events]
        assert (
            names.count("message_start") == names.count("message_delta") == names.count("message_stop") == 1
        )
        starts = [event for event in events if event.type == "content_block_start"]
        assert [event.index for event in starts] == [0, 1, 2, 3]
        assert [event.content_block.type for event in starts] == ["thinking", "text", "thinking", "text"]
        assert "scrimp_fetch" not in repr(events)
        final = next(event for event in events if event.type == "message_delta")
        assert final.usage.cache_creation["ephemeral_5m_input_tokens"] == sum(
            one.usage.write_5m for one in found.emulator.bill
        )
        assert len(final.usage.iterations) == 2
        found.check_books(2)


async def _conversation(emulator: Emulator, ledger: MemoryLedger, *, stream: bool) -> Any:
    middleware = scrimp.Middleware(ledger=ledger, levers=[Offering()])
    async with anthropic.AsyncAnthropic(
        base_url=emulator.url, api_key="k", max_retries=0, middleware=[middleware]
    ) as client:

        async def say(messages: list[Any]) -> Any:
            if not stream:
                return await client.messages.create(**ask(messages))
            async with client.messages.stream(**ask(messages)) as events:
                return await events.get_final_message()

        async with scrimp.run("async"):
            first = await say([WHY])
            return first, await say([WHY, said(first), user("Please fix it.")])


@pytest.mark.parametrize("stream", [False, True])
def test_async_clients_are_served_as_well(*, stream: bool) -> None:
    ledger = MemoryLedger()
    with Emulator(Scripted([*FETCHED, "Gladly."])) as emulator:
        first, second = asyncio.run(_conversation(emulator, ledger, stream=stream))
        assert kinds(first) == ["thinking", "text", "thinking", "text"]
        assert kinds(second) == ["text"]
        Desk(emulator, anthropic.Anthropic(api_key="k"), ledger).check_books(3)
        assert second.usage.cache_read_input_tokens > 4_000
        assert {record.tags.run for record in ledger.records()} == {("async",)}


def test_many_rounds_are_one_answer() -> None:
    with desk([fetch("1-2")], [fetch("3-4")], [fetch("5-6")], "Done.") as found:
        message = found.messages.create(**ask([WHY]))
        assert kinds(message) == ["text"]
        found.check_books(4)


def test_a_stream_read_outside_of_its_run_still_belongs_to_it() -> None:
    with desk(*FETCHED) as found:
        with scrimp.run("inner"):
            stream = found.messages.create(**ask([WHY]), stream=True)
        assert [event.type for event in stream][-1] == "message_stop"
        found.check_books(2)
        assert {record.tags.run for record in found.ledger.records()} == {("inner",)}


def test_a_later_round_that_failed_is_tried_again_alone() -> None:
    with desk(*FETCHED, retries=2) as found:
        found.emulator.inject(Fault("overloaded", after=1, times=1))
        message = found.messages.create(**ask([WHY]))
        assert kinds(message) == ["thinking", "text", "thinking", "text"]
        assert len(found.bodies()) == 3
        found.check_books(2)


def test_the_caller_sees_the_error_of_a_later_round() -> None:
    with desk(*FETCHED) as found:
        found.emulator.inject(Fault("overloaded", after=1, times=1))
        with pytest.raises(anthropic.InternalServerError):
            found.messages.create(**ask([WHY]))
        found.check_books(1)


def test_the_error_of_a_later_round_of_a_stream_comes_as_one_in_a_stream() -> None:
    with desk(*FETCHED) as found:
        found.emulator.inject(Fault("overloaded", after=1, times=1))
        with (
            pytest.raises(anthropic.APIStatusError, match="overloaded"),
            found.messages.stream(**ask([WHY])) as stream,
        ):
            stream.get_final_message()
        found.check_books(1)


class Spending(Offering):
    """Takes what is left of a budget while it answers."""

    def __init__(self, run: scrimp.Run) -> None:
        super().__init__()
        self.run = run

    def answer(self, asked: Any, scope: str) -> Any:
        assert self.run._purse is not None
        self.run._purse.reserve("other", self.run._purse.left - 1)
        return super().answer(asked, scope)


@pytest.mark.parametrize("way", WAYS)
def test_where_a_budget_ends_the_caller_gets_what_there_is(way: Callable[[Any, Any], Any]) -> None:
    with scrimp.run("tight", budget="5") as run, desk(*FETCHED, lever=Spending(run)) as found:
        message = way(found.messages, ask([WHY]))
        assert kinds(message) == ["thinking", "text"]
        assert message.stop_reason == "pause_turn"
        with pytest.raises(BudgetExceeded):
            way(found.messages, ask([WHY, said(message)]))
        found.check_books(1)


@pytest.mark.parametrize("way", [created, streamed])
def test_a_budget_that_ends_before_anything_was_said_is_an_error(way: Callable[[Any, Any], Any]) -> None:
    with scrimp.run("tight", budget="5") as run, desk([fetch()], "No.", lever=Spending(run)) as found:
        with pytest.raises(BudgetExceeded):
            way(found.messages, ask([WHY]))
        found.check_books(1)


def test_a_paused_answer_goes_on_when_it_is_sent_back() -> None:
    with desk(
        *[[{"type": "text", "text": f"Step {n}."}, fetch(f"{n}-{n}")] for n in range(1, 9)], "Done."
    ) as found:
        paused = found.messages.create(**ask([WHY]))
        assert paused.stop_reason == "pause_turn"
        assert len(paused.content) == 8
        done = found.messages.create(**ask([WHY, said(paused)]))
        assert [block.text for block in done.content] == ["Done."]
        assert found.bodies()[-1]["messages"][-1]["content"][0]["type"] == "tool_result"
        found.check_books(9)


def test_a_stream_closed_in_a_later_round_is_written_down() -> None:
    with desk(FETCHED[0], "word " * 20_000) as found:  # two thousand events
        found.emulator.inject(Fault("slow_events", after=1, seconds=0.05))
        with found.messages.stream(**ask([WHY], max_tokens=30_000)) as stream:
            for event in stream:
                if event.type == "content_block_start" and event.index == 2:
                    break
        found.ledger.flush()
        first, second = found.ledger.records()
        assert (first.outcome, second.outcome) == ("complete", "cut off")


def test_the_agents_own_tool_of_that_name_is_left_to_it() -> None:
    with desk(*FETCHED) as found:
        message = found.messages.create(**{**ask([WHY]), "tools": [dict(DEFINITION)]})
        assert kinds(message) == ["thinking", "text", "tool_use"]
        found.check_books(1)


def test_an_unknown_handle_is_told_to_the_model() -> None:
    lost = {"type": "tool_use", "name": "scrimp_fetch", "input": {"handle": "lost"}}
    with desk([lost], "Then not.") as found:
        assert kinds(found.messages.create(**ask([WHY]))) == ["text"]
        assert found.bodies()[1]["messages"][-1]["content"][0]["is_error"] is True


def test_scopes_of_callers_reach_the_lever() -> None:
    lever = Offering()
    with desk(*FETCHED, *FETCHED, lever=lever) as found:
        with scrimp.run("a", user="u_1"):
            found.messages.create(**ask([WHY]))
        with scrimp.run("b", user="u_2"):
            found.messages.create(**ask([WHY]))
    assert len({scope for _, scope in lever.asked}) == 2


@pytest.mark.parametrize("way", [created, streamed])
def test_where_memory_is_lost_the_conversation_goes_on_without_its_thinking(
    way: Callable[[Any, Any], Any],
) -> None:
    lever = Offering()
    gladly = [thinking("Easy."), text("Gladly.")]
    with desk(*FETCHED, gladly, "You are welcome.", lever=lever) as found:
        first = way(found.messages, ask([WHY]))
        lever.hidden = Hidden()
        turns = [WHY, said(first), user("Please fix it.")]
        with pytest.warns(ScrimpWarning) as told:
            second = way(found.messages, ask(turns))
        assert any("thinking that the API takes no more" in str(one.message) for one in told)
        assert kinds(second) == ["thinking", "text"]
        (kept,) = [one["content"] for one in found.bodies()[-1]["messages"] if one["role"] == "assistant"]
        assert [block["type"] for block in kept] == ["text", "text"]
        asked = len(found.bodies())
        third = way(found.messages, ask([*turns, said(second), user("Thanks!")]))
        assert kinds(third) == ["text"]
        assert len(found.bodies()) == asked + 1
        assert third.usage.cache_read_input_tokens >= found.emulator.bill[-2].usage.total_input - 100


def test_what_is_hidden_survives_a_restart() -> None:
    store = Store()
    with desk(*FETCHED, lever=Offering(store)) as found:
        first = found.messages.create(**ask([WHY]))
        bound = found.bodies()[-1]["messages"][1:]
    with desk("Gladly.", lever=Offering(store)) as found:
        found.messages.create(**ask([WHY, said(first), user("Please fix it.")]))
        sent = found.bodies()[-1]["messages"][1:]
    assert [plain(one) for one in sent[:2]] == [plain(one) for one in bound]


def plain(message: Any) -> Any:
    """A message without markers."""
    content = [
        {name: value for name, value in block.items() if name != "cache_control"}
        for block in message["content"]
    ]
    return {**message, "content": content}
