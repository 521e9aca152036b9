"""Fan-outs of the real SDK over real HTTP: what the emulator bills, and what the callers get."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anthropic
import pydantic
import pytest

import scrimp
from scrimp.asgi.shapes import Message, Receive, Scope, Send
from scrimp.core.record import Record
from scrimp.emulator import Answer, Emulator, Fault, Refusal, text, thinking, tool_use
from scrimp.emulator.books import Billed
from scrimp.errors import FanoutError, InputError
from scrimp.stores.memory import MemoryLedger
from tests.patience import PATIENCE, HeldBack, until

MODEL = "claude-sonnet-5"
SYSTEM = "You are a careful assistant. " * 500
DOCUMENT = "A long report about nothing in particular. " * 500
TOOL = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
LONG = 600.0

Run = Callable[..., list[Any]]


def ask(question: object, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"question {question}"}]
    return {"model": MODEL, "max_tokens": 64, "system": SYSTEM, "messages": messages, **more}


def echo(body: dict[str, Any]) -> Answer:
    """Says what was asked, so that every answer can be told from the others."""
    content = body["messages"][-1]["content"]
    said = content if isinstance(content, str) else content[-1]["text"]
    return Answer((text(f"answer to {said}, at some length, so that it streams in several pieces"),))


class Pausing(HeldBack):
    """Goes on with its first answer, after the first event of it, when three others have been answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def pausing(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                await until(lambda: len(self.bill) >= 3)

        await super().__call__(scope, receive, send if self.come else pausing)


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with getattr(request, "param", Emulator)(echo) as running:
        yield running


def where(emulator: Callable[..., Emulator]) -> pytest.MarkDecorator:
    """For a test with an emulator like this."""
    return pytest.mark.parametrize("emulator", [emulator], indirect=True, ids=[""])


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest, emulator: Emulator) -> Run:
    """`scrimp.fanout` with a client of either kind; streams among the answers are read to their end."""

    def sync_run(
        requests: list[dict[str, Any]], *middleware: Any, retries: int = 0, **options: Any
    ) -> list[Any]:
        with anthropic.Anthropic(
            base_url=emulator.url, api_key="key", middleware=middleware, max_retries=retries
        ) as client:
            answers = scrimp.fanout(client, requests, **options)
            return [list(a) if isinstance(a, anthropic.Stream) else a for a in answers]

    async def async_run(
        requests: list[dict[str, Any]], *middleware: Any, retries: int = 0, **options: Any
    ) -> list[Any]:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="key", middleware=middleware, max_retries=retries
        ) as client:
            answers = await scrimp.fanout(client, requests, **options)
            return [[e async for e in a] if isinstance(a, anthropic.AsyncStream) else a for a in answers]

    if request.param == "sync":
        return sync_run
    return lambda *args, **options: asyncio.run(async_run(*args, **options))


def writers(emulator: Emulator) -> list[Billed]:
    return [entry for entry in emulator.bill if entry.usage.cache_creation_input_tokens]


def readers(emulator: Emulator) -> list[Billed]:
    return [entry for entry in emulator.bill if entry.usage.cache_read_input_tokens]


def said(answers: list[Any]) -> list[str]:
    return [answer.content[0].text for answer in answers]


def expected(*questions: object) -> list[str]:
    return [
        f"answer to question {q}, at some length, so that it streams in several pieces" for q in questions
    ]


def test_thirty_two_requests_are_one_write_and_thirty_one_reads(run: Run, emulator: Emulator) -> None:
    answers = run([ask(n) for n in range(32)])
    assert said(answers) == expected(*range(32))
    assert (len(emulator.bill), len(writers(emulator)), len(readers(emulator))) == (32, 1, 31)
    (first,) = writers(emulator)
    assert all(
        e.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens for e in readers(emulator)
    )
    assert all(entry.started_at >= first.first_event_at for entry in readers(emulator))


@where(partial(Pausing, times=0))
def test_the_others_do_not_wait_for_the_end_of_the_first(run: Run, emulator: Emulator) -> None:
    run([ask(n) for n in range(4)])
    (first,) = writers(emulator)
    assert all(first.first_event_at <= entry.started_at < first.ended_at for entry in readers(emulator))


@where(partial(HeldBack, after=1, until=3))
def test_no_more_than_the_limit_go_at_once(run: Run, emulator: Emulator) -> None:
    emulator.inject(Fault("slow_start", times=None, seconds=0.05))
    run([ask(n) for n in range(9)], limit=3)
    spans = [(entry.started_at, entry.ended_at) for entry in emulator.bill]
    assert max(sum(a <= at < b for a, b in spans) for at, _ in spans) == 3


def test_content_stays_as_it_is_and_only_markers_are_set(run: Run, emulator: Emulator) -> None:
    requests = [ask(n, metadata={"user_id": "u"}, extra_body={"unknown_field": [1]}) for n in range(2)]
    run(requests)
    for received in emulator.requests:
        body = received.body
        assert body["system"] == [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
        assert body["metadata"] == {"user_id": "u"}
        assert body["unknown_field"] == [1]
    assert requests[0] == ask(0, metadata={"user_id": "u"}, extra_body={"unknown_field": [1]})


@where(partial(HeldBack, until=4))
def test_requests_that_share_nothing_go_untouched_and_wait_for_nobody(run: Run, emulator: HeldBack) -> None:
    emulator.inject(Fault("slow_start", times=None, seconds=0.1))
    run([ask(n, system=f"{n} {SYSTEM}") for n in range(4)])
    assert not writers(emulator)
    assert not emulator.in_vain
    assert max(e.started_at for e in emulator.bill) < min(e.ended_at for e in emulator.bill)
    assert all("cache_control" not in received.raw.decode() for received in emulator.requests)


@where(partial(HeldBack, until=4))
def test_prefixes_below_the_least_that_is_cached_are_not_waited_for(run: Run, emulator: HeldBack) -> None:
    emulator.inject(Fault("slow_start", times=None, seconds=0.1))
    run([ask(n, system="Be brief.") for n in range(4)])
    assert not emulator.in_vain
    assert max(e.started_at for e in emulator.bill) < min(e.ended_at for e in emulator.bill)
    assert all("cache_control" not in received.raw.decode() for received in emulator.requests)


def test_each_group_writes_its_own_prefix_once(run: Run, emulator: Emulator) -> None:
    requests = [ask(n, system=f"{n % 3} {SYSTEM}") for n in range(12)]
    assert said(run(requests)) == expected(*range(12))
    assert (len(writers(emulator)), len(readers(emulator))) == (3, 9)


def about(document: str, question: object) -> dict[str, Any]:
    content = [text(document), text(f"question {question}")]
    return ask("", messages=[{"role": "user", "content": content}])


def bare(document: str, question: object) -> dict[str, Any]:
    return {name: value for name, value in about(document, question).items() if name != "system"}


def test_groups_within_a_group_write_the_rest_once_each(run: Run, emulator: Emulator) -> None:
    run([about(f"{n % 2} {DOCUMENT}", n) for n in range(8)])
    first, second = writers(emulator)
    system = second.usage.cache_read_input_tokens
    assert 0 < system < first.usage.cache_creation_input_tokens
    wholes = [first.usage.cache_creation_input_tokens, system + second.usage.cache_creation_input_tokens]
    others = [entry.usage.cache_read_input_tokens for entry in readers(emulator) if entry is not second]
    assert sorted(others) == sorted(3 * wholes)


def test_a_marker_of_the_caller_is_kept(run: Run, emulator: Emulator) -> None:
    hour = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    run([ask(n, system=hour) for n in range(4)])
    assert all(received.body["system"] == hour for received in emulator.requests)
    (first,) = writers(emulator)
    assert first.usage.write_1h
    assert len(readers(emulator)) == 3


def test_streams_are_handed_out_from_their_first_event_on(run: Run, emulator: Emulator) -> None:
    answers = run([ask(n, stream=True) for n in range(4)])
    for events in answers:
        assert events[0].type == "message_start"
        assert events[-1].type == "message_stop"
    deltas = ["".join(e.delta.text for e in events if e.type == "content_block_delta") for events in answers]
    assert deltas == expected(*range(4))
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 3)


def test_stream_helpers_are_handed_out(emulator: Emulator) -> None:
    async def main() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key") as client:
            streams = await scrimp.fanout(client, [ask(n) for n in range(3)], helper=True)
            return [(await stream.get_final_message()).content[0].text for stream in streams]

    assert asyncio.run(main()) == expected(*range(3))
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client:
        streams = scrimp.fanout(client, [ask(n, system=DOCUMENT) for n in range(3)], helper=True)
        assert [stream.get_final_message().content[0].text for stream in streams] == expected(*range(3))
    assert (len(writers(emulator)), len(readers(emulator))) == (2, 4)


class Verdict(pydantic.BaseModel):
    """What is asked for."""

    good: bool


def test_stream_helpers_take_an_output_format(emulator: Emulator) -> None:
    emulator.reply(['{"good": true}'])
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client:
        streams = scrimp.fanout(client, [ask(n, output_format=Verdict) for n in range(2)], helper=True)
        assert [stream.get_final_message().parsed_output for stream in streams] == [Verdict(good=True)] * 2
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 1)


RICH = Answer(
    (
        thinking("Let me see.", "c2lnbmF0dXJl"),
        text("I will look."),
        tool_use("look", {"where": ["here", {"deep": 1.5}], "why": "because"}, identity="toolu_1"),
    ),
    output_tokens=40,
)


def test_a_leader_gets_what_a_call_of_its_own_would_have_got(run: Run, emulator: Emulator) -> None:
    emulator.reply(lambda body: RICH)
    more = {"tools": [TOOL], "thinking": {"type": "adaptive"}}
    leader, *followers = run([ask(n, **more) for n in range(3)])
    assert type(leader) is type(followers[0]) is anthropic.types.Message
    assert leader.usage.cache_creation_input_tokens
    as_sent = [{**a.to_dict(), "id": "", "usage": {}, "diagnostics": None} for a in (leader, *followers)]
    assert as_sent[0] == as_sent[1] == as_sent[2]
    assert leader.content[2].input == {"where": ["here", {"deep": 1.5}], "why": "because"}
    assert set(leader.usage.to_dict()) == set(followers[0].usage.to_dict())
    assert leader.usage.output_tokens == followers[0].usage.output_tokens == 40
    assert leader._request_id.startswith("req_")


def test_beta_requests_go_to_the_beta_api(run: Run, emulator: Emulator) -> None:
    answers = run([ask(n, betas=["context-management-2025-06-27"]) for n in range(3)])
    assert {type(answer) for answer in answers} == {anthropic.types.beta.BetaMessage}
    assert [received.headers["anthropic-beta"] for received in emulator.requests] == [
        "context-management-2025-06-27"
    ] * 3
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 2)


def test_answers_of_the_sdk_may_be_sent_back(run: Run, emulator: Emulator) -> None:
    (first,) = run([ask("first")])
    turns = [*ask("first")["messages"], {"role": "assistant", "content": first.content}]
    run([ask("", messages=[*turns, {"role": "user", "content": f"question {n}"}]) for n in range(3)])
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 2)


def test_a_failed_leader_is_replaced_and_nothing_is_lost(run: Run, emulator: Emulator) -> None:
    emulator.inject(Fault("overloaded", times=2))
    answers = run([ask(n) for n in range(6)], return_exceptions=True)
    assert [type(answer).__name__ for answer in answers[:2]] == ["OverloadedError"] * 2
    assert said(answers[2:]) == expected(*range(2, 6))
    assert (len(emulator.bill), len(writers(emulator)), len(readers(emulator))) == (4, 1, 3)


def test_an_error_is_raised_with_the_answers_of_the_others(run: Run, emulator: Emulator) -> None:
    emulator.inject(Fault("server_error", times=1, after=2))
    with pytest.raises(FanoutError, match="1 of 5 requests failed") as caught:
        run([ask(n) for n in range(5)], limit=1)
    assert isinstance(caught.value.__cause__, anthropic.InternalServerError)
    assert caught.value.results[2] is caught.value.__cause__
    assert said([r for n, r in enumerate(caught.value.results) if n != 2]) == expected(0, 1, 3, 4)


def test_retries_are_left_to_the_sdk(run: Run, emulator: Emulator) -> None:
    emulator.inject(Fault("rate_limit", times=1, seconds=0.01))
    assert said(run([ask(n) for n in range(3)], retries=2)) == expected(*range(3))
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 2)


@pytest.mark.parametrize("kind", ["cut", "stream_error"])
def test_a_leader_that_breaks_off_after_its_start_is_asked_again(
    run: Run, emulator: Emulator, kind: Any
) -> None:
    emulator.inject(Fault(kind, times=1, match=lambda body: bool(body.get("stream"))))
    assert said(run([ask(n) for n in range(4)])) == expected(*range(4))
    (first,) = writers(emulator)
    assert first.outcome == "cut off"
    assert len(readers(emulator)) == 4


def test_a_request_that_is_none_gets_the_answer_of_the_api(run: Run, emulator: Emulator) -> None:
    odd = {"model": MODEL, "max_tokens": 8, "messages": ["what is this"]}
    answers = run([ask(0), odd, ask(1)], return_exceptions=True)
    assert isinstance(answers[1], anthropic.BadRequestError)
    assert said([answers[0], answers[2]]) == expected(0, 1)


def test_requests_may_come_from_generators(emulator: Emulator) -> None:
    def turns(question: int) -> Iterator[dict[str, Any]]:
        yield {"role": "user", "content": f"question {question}"}

    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client:
        answers = scrimp.fanout(client, (ask(n, messages=turns(n)) for n in range(3)))
    assert said(answers) == expected(*range(3))
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 2)


def test_a_warm_up_leads_without_a_stream(run: Run, emulator: Emulator) -> None:
    answers = run([ask(n, max_tokens=0) for n in range(3)])
    assert [answer.content for answer in answers] == [[]] * 3
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 2)


def test_nothing_gives_nothing(run: Run) -> None:
    assert run([]) == []


def test_bad_arguments_are_named(emulator: Emulator) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client:
        with pytest.raises(InputError, match="limit=0"):
            scrimp.fanout(client, [], limit=0)
        with pytest.raises(InputError, match="a request is a mapping"):
            scrimp.fanout(client, ["hello"])
        with pytest.raises(InputError, match="pass an Anthropic"):
            scrimp.fanout(client.messages.with_raw_response, [ask(0)])
        assert said(scrimp.fanout(client.beta, [ask(0)])) == expected(0)


def test_with_an_async_client_it_is_awaited(emulator: Emulator) -> None:
    async def main() -> bool:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key") as client:
            coming = scrimp.fanout(client, [])
            return inspect.isawaitable(coming) and await coming == []

    assert asyncio.run(main())


@pytest.mark.parametrize(
    ("slow", "after", "more", "reached"),
    [
        ("slow_start", 1, {}, 5),
        ("slow_start", 1, {"stream": True}, 5),
        ("slow_events", 0, {}, 1),
        ("slow_events", 0, {"stream": True}, 1),
    ],
)
def test_cancelling_ends_everything_that_is_under_way(
    emulator: Emulator, slow: Any, after: int, more: dict[str, Any], reached: int
) -> None:
    emulator.inject(Fault(slow, times=None, after=after, seconds=LONG))

    async def main() -> set[asyncio.Task[Any]]:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key", max_retries=0) as client:
            fanning = asyncio.create_task(scrimp.fanout(client, [ask(n, **more) for n in range(8)], limit=4))
            while len(emulator.requests) < reached:
                await asyncio.sleep(0.01)
            fanning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fanning
            return asyncio.all_tasks() - {asyncio.current_task()}

    before = time.monotonic()
    assert asyncio.run(main()) == set()
    assert time.monotonic() - before < LONG / 2
    assert len(emulator.requests) == reached


class InterruptError(Exception):
    """As KeyboardInterrupt, which pytest takes for its own."""


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Interrupts the main thread, which notices."""

    noticed = threading.Event()

    def interrupted(number: int, frame: Any) -> None:
        noticed.set()
        raise InterruptError

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert noticed.wait(PATIENCE)

    before = signal.signal(signal.SIGUSR1, interrupted)
    yield interrupt
    signal.signal(signal.SIGUSR1, before)


def test_after_an_interrupt_nothing_more_is_sent(emulator: Emulator, interrupt: Callable[[], None]) -> None:
    def reply(body: dict[str, Any]) -> Answer:
        if body["messages"][0]["content"] == "question 1":
            interrupt()
            time.sleep(0.2)  # for what is interrupted to end
        return echo(body)

    emulator.reply(reply)
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client, pytest.raises(InterruptError):
        scrimp.fanout(client, [ask(n) for n in range(20)], limit=1)
    assert len(emulator.requests) == 2
    assert not [t for t in threading.enumerate() if t.name.startswith("scrimp-fanout")]


def records(ledger: MemoryLedger) -> list[Record]:
    ledger.flush()
    return list(ledger.records())


def test_with_the_middleware_the_prefix_is_still_written_once_and_every_call_is_booked(
    run: Run, emulator: Emulator
) -> None:
    ledger = MemoryLedger()
    with scrimp.run("fan-out") as whole:
        answers = run([ask(n) for n in range(32)], scrimp.Middleware(ledger=ledger))
    assert said(answers) == expected(*range(32))
    shared = max(entry.usage.cache_read_input_tokens for entry in emulator.bill)
    assert sum(entry.usage.cache_creation_input_tokens >= shared for entry in emulator.bill) == 1
    assert sum(entry.usage.cache_read_input_tokens >= shared for entry in emulator.bill) == 31
    assert sum(record.cost for record in records(ledger)) == emulator.total
    assert whole.usage.calls == 32
    assert {record.tags.run for record in records(ledger)} == {("fan-out",)}


def test_with_the_middleware_a_bare_document_is_written_once_too(run: Run, emulator: Emulator) -> None:
    run([bare(DOCUMENT, n) for n in range(8)], scrimp.Middleware(ledger=MemoryLedger()))
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 7)


def test_refusals_of_one_request_do_not_stop_the_others(run: Run, emulator: Emulator) -> None:
    def reply(body: dict[str, Any]) -> Any:
        return Refusal(400, "no") if body["messages"][0]["content"].endswith("0") else echo(body)

    emulator.reply(reply)
    answers = run([ask(n) for n in range(4)], return_exceptions=True)
    assert isinstance(answers[0], anthropic.BadRequestError)
    assert said(answers[1:]) == expected(1, 2, 3)
    assert (len(writers(emulator)), len(readers(emulator))) == (1, 2)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_breaks_each_request_has_its_result_and_each_prefix_one_write(
    run: Run, emulator: Emulator, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same faults every time
    groups = [chance.choice(["one", "two", "three", None]) for _ in range(40)]
    requests = [
        ask(n, system=f"{group or n} {SYSTEM}", **({"stream": True} if chance.random() < 0.3 else {}))
        for n, group in enumerate(groups)
    ]
    emulator.inject(Fault("overloaded", times=None, after=chance.randrange(3), every=7))
    emulator.inject(Fault("cut", times=None, every=5, match=lambda body: not body.get("stream")))
    emulator.inject(Fault("disconnect", times=None, after=4, every=9))
    answers = run(requests, return_exceptions=True, limit=chance.randrange(1, 9))
    for n, answer in enumerate(answers):
        if isinstance(answer, list):
            streamed = [event.delta.text for event in answer if event.type == "content_block_delta"]
            assert "".join(streamed) == expected(n)[0]
        elif not isinstance(answer, anthropic.APIError):
            assert said([answer]) == expected(n)
    failures = sum(isinstance(answer, anthropic.APIError) for answer in answers)
    assert 0 < failures < 30
    assert len(writers(emulator)) == len({group for group in groups if group})


def test_a_middleware_that_has_learned_to_write_nothing_lets_the_leader_write(
    run: Run, emulator: Emulator
) -> None:
    """Forty documents that were asked about once each: alone, no marker was worth its premium."""
    middleware = scrimp.Middleware(ledger=MemoryLedger())
    alone = [bare(f"{n} {DOCUMENT}", n) for n in range(40)]
    run(alone, middleware, limit=1)
    before = len(emulator.bill)
    assert not emulator.bill[-1].usage.cache_creation_input_tokens
    together = [bare(DOCUMENT, n) for n in range(8)]
    run(together, middleware)
    fanned = emulator.bill[before:]
    assert sum(entry.usage.cache_creation_input_tokens > 0 for entry in fanned) == 1
    assert sum(entry.usage.cache_read_input_tokens > 0 for entry in fanned) == 7
