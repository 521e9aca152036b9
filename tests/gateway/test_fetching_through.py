"""The model's fetches served by the gateway itself: clients need to know nothing of it."""

from __future__ import annotations

import asyncio
import json
import re
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
from tests.fetching_agents import BESIDE, FETCHED, Offering, ask, fetch, kinds, results, said, user
from tests.gateway.doors import ENDLESS, Door, door, encoded, fixed_upstream

WHY = user("Why does it fail?")


@contextmanager
def serving(
    monkeypatch: pytest.MonkeyPatch, *script: Any, lever: Offering | None = None, **options: Any
) -> Iterator[tuple[Door, anthropic.Anthropic]]:
    """A gateway whose levers are one that offers the tool, whatever its settings say."""
    monkeypatch.setattr("scrimp.gateway.parts.levers_of", lambda *_: [lever or Offering()])
    emulator = Emulator(Scripted(script))
    with door(emulator, serve={"mode": "save"}, **options) as found, found.sdk(max_retries=0) as sdk:
        yield found, sdk


def created(sdk: anthropic.Anthropic, request: dict[str, Any]) -> Any:
    return sdk.messages.create(**request)


def streamed(sdk: anthropic.Anthropic, request: dict[str, Any]) -> Any:
    with sdk.messages.stream(**request) as stream:
        return stream.get_final_message()


WAYS = [created, streamed]


def check_books(found: Door, rounds: int) -> None:
    """Every round is a record of its own, as it was billed."""
    records = found.records(rounds)
    assert sorted((record.message_id, record.cost) for record in records) == sorted(
        (one.message_id, one.cost) for one in found.emulator.bill
    )
    assert len(records) == rounds
    assert all(record.measured and record.fault is None for record in records)


@pytest.mark.parametrize("way", WAYS)
def test_the_client_gets_one_answer_and_the_ledger_has_every_round(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[Any, Any], Any]
) -> None:
    with serving(monkeypatch, *FETCHED) as (found, sdk):
        message = way(sdk, ask([WHY]))
        assert kinds(message) == ["thinking", "text", "thinking", "text"]
        bill = found.emulator.bill
        assert message.usage.output_tokens == sum(one.usage.output_tokens for one in bill)
        assert message.usage.cache_read_input_tokens == bill[1].usage.cache_read_input_tokens > 4_000
        check_books(found, 2)
        assert len({record.call_id for record in found.records()}) == 1
        assert [record.saved == -record.cost for record in found.records()] == [False, True]
        assert DEFINITION in found.emulator.requests[0].body["tools"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("script", [FETCHED, BESIDE])
def test_the_next_turn_is_accepted_and_reads_all_of_it(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[Any, Any], Any], script: Any
) -> None:
    with serving(monkeypatch, *script, "Gladly.") as (found, sdk):
        messages = [WHY]
        message = way(sdk, ask(messages))
        messages += [said(message), user("Please fix it.") if script is FETCHED else results(message)]
        if script is BESIDE:
            message = way(sdk, ask(messages))
            messages += [said(message), user("Please fix it.")]
        assert kinds(way(sdk, ask(messages))) == ["text"]
        before, last = found.emulator.bill[-2:]
        assert last.usage.cache_read_input_tokens >= before.usage.total_input - before.usage.input_tokens
        check_books(found, 3)


def test_many_clients_at_once_each_get_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def speak(body: dict[str, Any]) -> Any:
        last = body["messages"][-1]["content"]
        if isinstance(last, list) and last[0]["type"] == "tool_result":
            return [text(f"Found: {last[0]['content'].splitlines()[0]}")]
        line = re.search(r"is (\d+)", json.dumps(body["messages"][0]))
        assert line
        return [thinking("Hm."), fetch(f"{line[1]}-20")]

    async def one(sdk: anthropic.AsyncAnthropic, number: int) -> tuple[int, str]:
        request = ask([user(f"Where is {number}")])
        if number % 2:
            async with sdk.messages.stream(**request) as stream:
                message = await stream.get_final_message()
        else:
            message = await sdk.messages.create(**request)
        return number, message.content[-1].text  # type: ignore[union-attr]  # the script says text

    async def many(url: str) -> list[tuple[int, str]]:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as sdk:
            return await asyncio.gather(*(one(sdk, number) for number in range(1, 17)))

    monkeypatch.setattr("scrimp.gateway.parts.levers_of", lambda *_: [Offering()])
    with door(Emulator(speak), serve={"mode": "save"}) as found:
        answers = asyncio.run(many(found.url))
        assert answers == [(n, f"Found: line {n} of the log") for n in range(1, 17)]
        check_books(found, 32)


def test_a_stream_without_fetches_passes_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    events = b"".join(
        b'event: %b\ndata: {"type":"%b", "odd" : 1.50%b}\n\n' % (name, name, rest)
        for name, rest in [
            (b"message_start", b',"message":{"id":"msg_1","usage":{"input_tokens":5,"output_tokens":1}}'),
            (b"ping", b""),
            (b"content_block_start", b',"index":0,"content_block":{"type":"text","text":""}'),
            (b"content_block_delta", b',"index":0,"delta":{"type":"text_delta","text":"\\u00fc"}'),
            (b"content_block_stop", b',"index":0'),
            (b"message_delta", b',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}'),
            (b"message_stop", b""),
        ]
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = [events[at : at + 37] for at in range(0, len(events), 37)]
    with (
        fixed_upstream(head, *parts, b"") as upstream,
        serving(monkeypatch, "Never.", upstream=upstream.url) as (found, _),
    ):
        assert found.raw("POST", "/v1/messages", encoded(ask([WHY], stream=True))).body == events
        (record,) = found.records(1)
        assert record.usage.output_tokens == 4


def test_the_error_of_a_later_round_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, *FETCHED) as (found, sdk):
        found.emulator.inject(Fault("overloaded", after=1, times=2))
        with pytest.raises(anthropic.InternalServerError):
            sdk.messages.create(**ask([WHY]))
        assert len(found.emulator.bill) == 1
    with serving(monkeypatch, *FETCHED) as (found, sdk):
        found.emulator.inject(Fault("overloaded", after=1, times=2))
        with pytest.raises(anthropic.APIStatusError, match="verloaded"):
            streamed(sdk, ask([WHY]))
        check_books(found, 1)


def test_a_client_that_never_retries_has_only_the_failed_round_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(monkeypatch, *FETCHED) as (found, _):
        found.emulator.inject(Fault("server_error", after=1, times=1))
        answer = found.raw("POST", "/v1/messages", encoded(ask([WHY])))
        assert [block["type"] for block in json.loads(answer.body)["content"]] == ["thinking", "text"] * 2
        assert len(found.emulator.requests) == 3
        check_books(found, 2)


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
def test_where_a_budget_ends_the_client_gets_what_there_is(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[Any, Any], Any]
) -> None:
    with (
        scrimp.run("tight", budget="5") as run,
        serving(monkeypatch, *FETCHED, lever=Spending(run), run=run) as (found, sdk),
    ):
        message = way(sdk, ask([WHY]))
        assert kinds(message) == ["thinking", "text"]
        assert message.stop_reason == "pause_turn"
        with pytest.raises(anthropic.APIStatusError) as refused:
            way(sdk, ask([WHY, said(message)]))
        assert refused.value.status_code == 402
        check_books(found, 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_budget_that_ends_before_anything_was_said_is_an_error(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[Any, Any], Any]
) -> None:
    with (
        scrimp.run("tight", budget="5") as run,
        serving(monkeypatch, [fetch()], "No.", lever=Spending(run), run=run) as (found, sdk),
    ):
        with pytest.raises(anthropic.APIStatusError, match="budget"):
            way(sdk, ask([WHY]))
        check_books(found, 1)


@pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")
@pytest.mark.parametrize("way", WAYS)
def test_where_memory_is_lost_the_conversation_goes_on_without_its_thinking(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[Any, Any], Any]
) -> None:
    lever = Offering()
    with serving(monkeypatch, *FETCHED, "Gladly.", lever=lever) as (found, sdk):
        first = way(sdk, ask([WHY]))
        lever.hidden = Hidden()
        second = way(sdk, ask([WHY, said(first), user("Please fix it.")]))
        assert kinds(second) == ["text"]
        sent = found.emulator.requests[-1].body["messages"]
        assert [block["type"] for block in sent[1]["content"]] == ["text", "text"]


def test_a_client_that_leaves_in_a_later_round_is_billed_for_what_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(monkeypatch, FETCHED[0], ENDLESS) as (found, sdk):
        found.emulator.inject(Fault("slow_events", after=1, seconds=0.05))
        with sdk.messages.stream(**ask([WHY], max_tokens=30_000)) as stream:
            for event in stream:
                if event.type == "content_block_start" and event.index == 2:
                    break
        assert [record.outcome for record in found.records(2)] == ["complete", "cut off"]


def test_a_mode_that_changes_nothing_serves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.gateway.parts.levers_of", lambda *_: [Offering()])
    with door(Emulator(Scripted(FETCHED)), serve={"mode": "observe"}) as found, found.sdk() as sdk:
        assert kinds(sdk.messages.create(**ask([WHY]))) == ["thinking", "text", "tool_use"]


@pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")
def test_a_refused_request_is_answered_as_the_api_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(monkeypatch, "Never.") as (_, sdk),
        pytest.raises(anthropic.BadRequestError, match="tool_choice"),
    ):
        sdk.messages.create(**ask([WHY], tool_choice={"type": "tool"}))
