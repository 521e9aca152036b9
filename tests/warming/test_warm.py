"""Warming through the real SDK over real HTTP: what is sent, what is billed, and who of many sends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.record import Record
from scrimp.emulator import Emulator, Fault
from scrimp.emulator.line import App
from scrimp.emulator.server import Server
from scrimp.errors import InputError, ScrimpWarning
from scrimp.stores.leases import Leases
from scrimp.stores.memory import MemoryLedger
from tests.warming.children import REQUEST

PROJECT = Path(__file__).parents[2]
TOOL = {"name": "look", "description": "Look. " * 900, "input_schema": {"type": "object", "properties": {}}}

Warm = Callable[..., Any]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(params=["sync", "async"])
def warm(request: pytest.FixtureRequest, emulator: Emulator) -> Warm:
    """`scrimp.warm` with a client of either kind."""

    def sync_warm(asked: dict[str, Any], *middleware: Any, **options: Any) -> Any:
        with anthropic.Anthropic(
            base_url=emulator.url, api_key="key", middleware=middleware, max_retries=0
        ) as client:
            return scrimp.warm(client, asked, **options)

    async def async_warm(asked: dict[str, Any], *middleware: Any, **options: Any) -> Any:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="key", middleware=middleware, max_retries=0
        ) as client:
            return await scrimp.warm(client, asked, **options)

    if request.param == "sync":
        return sync_warm
    return lambda *args, **options: asyncio.run(async_warm(*args, **options))


def ask(**more: Any) -> dict[str, Any]:
    return {**REQUEST, "max_tokens": 64, "messages": [{"role": "user", "content": "What now?"}], **more}


def really_ask(emulator: Emulator, *middleware: Any, **more: Any) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="key", middleware=middleware) as client:
        client.messages.create(**ask(**more))


def marked(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": body["system"], "cache_control": {"type": "ephemeral"}}]


def test_the_first_call_reads_what_was_warmed(warm: Warm, emulator: Emulator) -> None:
    before = time.time()
    warmth = warm(ask())
    really_ask(emulator, system=marked(REQUEST))
    first, second = emulator.bill
    assert warmth.sent
    assert (
        warmth.written
        == first.usage.cache_creation_input_tokens
        == second.usage.cache_read_input_tokens
        > 2000
    )
    assert second.usage.cache_creation_input_tokens == 0
    assert warmth.cost == Decimal(first.cost) / 10**12
    assert first.usage.output_tokens == 0
    assert before + 300 <= warmth.expires_at <= time.time() + 300


def test_what_is_warm_is_not_warmed_again(warm: Warm, emulator: Emulator) -> None:
    first = warm(ask())
    again = warm(ask(messages=[{"role": "user", "content": "Something else?"}]))
    assert (again.sent, again.why, again.expires_at) == (False, "it is warm already", first.expires_at)
    assert len(emulator.bill) == 1


def test_an_entry_of_another_lifetime_is_not_taken_for_an_hours(warm: Warm, emulator: Emulator) -> None:
    warm(ask())
    hour = warm(ask(), ttl="1h")
    assert (hour.written, emulator.bill[1].usage.cache_read_input_tokens) == (0, hour.read)
    assert hour.expires_at < time.time() + 301
    fresh = warm(ask(system=REQUEST["system"] * 2), ttl="1h")
    assert fresh.written == emulator.bill[2].usage.write_1h
    assert fresh.expires_at > time.time() + 3500


def test_what_has_expired_is_warmed_again(warm: Warm, emulator: Emulator) -> None:
    emulator.clock.set(time.time())
    for passed, sent in ((0, True), (269, False), (2, True), (200, False), (99, True)):
        emulator.clock.advance(passed)
        assert warm(ask(), clock=emulator.clock.now).sent == sent
    assert [bool(entry.usage.cache_read_input_tokens) for entry in emulator.bill] == [False, True, True]


def test_another_workspace_is_another_cache(emulator: Emulator) -> None:
    for key in ("one", "two"):
        with anthropic.Anthropic(base_url=emulator.url, api_key=key) as client:
            assert scrimp.warm(client, REQUEST).written
    assert len(emulator.bill) == 2


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"stream": True},
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {
            "model": "claude-haiku-4-5",
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "max_tokens": 2000,
        },
        {"metadata": {"user_id": "u"}, "stop_sequences": ["END"], "service_tier": "standard_only"},
        {"cache_control": {"type": "ephemeral"}},
        {"betas": ["context-management-2025-06-27"]},
        {"extra_headers": {"x-mine": "1"}, "extra_body": {"unknown_field": 1}, "timeout": 30},
    ],
    ids=lambda more: "+".join(more) or "plain",
)
def test_whatever_the_request_asks_its_prefix_is_warmed(emulator: Emulator, more: dict[str, Any]) -> None:
    system = REQUEST["system"] * 3
    with anthropic.Anthropic(base_url=emulator.url, api_key="key", max_retries=0) as client:
        warmth = scrimp.warm(client, ask(system=system, **more))
    assert warmth.written > 5000
    assert emulator.requests[0].body["max_tokens"] in (0, 1)
    own = {name: value for name, value in more.items() if name not in ("stream", "cache_control", "betas")}
    really_ask(emulator, **{**own, "system": marked({"system": system})})
    assert emulator.bill[-1].usage.cache_read_input_tokens == warmth.written


def without_silence(app: App) -> App:
    """An API that does not know `max_tokens: 0`, as older ones and some gateways."""

    async def strict(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if json.loads(body)["max_tokens"]:
            parts = iter([{"type": "http.request", "body": body, "more_body": False}])
            await app(scope, lambda: asyncio.sleep(0, next(parts)), send)
            return
        refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens"}}
        await send(
            {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(refusal).encode()})

    return strict


def test_where_asking_for_no_answer_is_refused_one_token_is_asked_for(emulator: Emulator) -> None:
    server = Server(without_silence(emulator.app))
    server.start()
    with anthropic.Anthropic(base_url=f"http://{server.host}:{server.port}", api_key="key") as client:
        assert scrimp.warm(client, ask()).written

    async def main() -> int:
        async with anthropic.AsyncAnthropic(base_url=str(client.base_url), api_key="other") as other:
            return (await scrimp.warm(other, ask())).written

    assert asyncio.run(main())
    server.stop()
    assert [received.body["max_tokens"] for received in emulator.requests] == [1, 1]


def test_what_is_too_short_to_be_cached_is_not_sent(warm: Warm, emulator: Emulator) -> None:
    warmth = warm(ask(system="Be brief."))
    assert not warmth.sent
    assert "1,024 is the least that is cached" in warmth.why
    assert emulator.requests == []


def test_what_does_not_pay_is_not_sent(warm: Warm, emulator: Emulator) -> None:
    assert "does not pay" in warm(ask(), at_once=1).why
    assert emulator.requests == []
    assert warm(ask(), at_once=2).sent


def test_a_failure_is_the_callers_and_the_next_one_may_try(warm: Warm, emulator: Emulator) -> None:
    emulator.inject(Fault("overloaded", times=1))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        warm(ask())
    assert warm(ask()).written


def test_a_request_the_api_refuses_is_refused_after_a_second_try(warm: Warm, emulator: Emulator) -> None:
    with pytest.raises(anthropic.BadRequestError):
        warm(ask(output_config={"effort": "silly"}))
    assert [received.body["max_tokens"] for received in emulator.requests] == [0, 1]
    assert warm(ask()).written


def test_of_many_tasks_one_warms(emulator: Emulator) -> None:
    emulator.inject(Fault("slow_start", times=1, seconds=0.3))

    async def main() -> list[Any]:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key") as client:
            return await asyncio.gather(*(scrimp.warm(client, ask()) for _ in range(20)))

    found = asyncio.run(main())
    assert [warmth.sent for warmth in found].count(True) == 1
    assert all(warmth.expires_at == found[0].expires_at for warmth in found)
    assert len(emulator.requests) == 1


def test_of_many_threads_one_warms(emulator: Emulator) -> None:
    emulator.inject(Fault("slow_start", times=1, seconds=0.3))
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: scrimp.warm(client, ask()), range(8)))
    assert [warmth.sent for warmth in found].count(True) == 1
    assert len(emulator.requests) == 1


@pytest.fixture(scope="module")
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process that begins others."""
    command = [sys.executable, "-m", "tests.warming.children"]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


class Children:
    """Processes that warm with leases of so many seconds, and what they say."""

    def __init__(self, parent: subprocess.Popen[str], url: str, leases: Path) -> None:
        assert parent.stdin
        assert parent.stdout
        self._asked, self._said = parent.stdin, parent.stdout
        self._words = f"{url} {leases}"

    def begin(self, seconds: float, processes: int = 1) -> None:
        self._asked.write(f"{self._words} {seconds}\n" * processes)
        self._asked.flush()

    def line(self) -> str:
        return self._said.readline().strip()


@pytest.fixture
def children(parent: subprocess.Popen[str], emulator: Emulator, tmp_path: Path) -> Iterator[Children]:
    watch = threading.Timer(60, parent.kill)  # a child that fails says nothing
    watch.start()
    yield Children(parent, emulator.url, tmp_path / "l")
    watch.cancel()


def test_of_many_processes_one_warms(emulator: Emulator, children: Children) -> None:
    emulator.inject(Fault("slow_start", times=1, seconds=0.5))
    children.begin(60, processes=4)
    said = sorted(children.line() for _ in range(8))
    assert said[4:] == ["False it is warm already"] * 3 + ["True it was written"]
    assert len({int(number) for number in said[:4]}) == 4
    assert len(emulator.bill) == 1


def test_one_that_died_blocks_nobody_for_longer_than_its_lease(
    emulator: Emulator, children: Children
) -> None:
    emulator.inject(Fault("slow_start", times=1, seconds=60))
    children.begin(1.5)
    dying = int(children.line())
    while not emulator.requests:
        time.sleep(0.01)
    children.begin(1.5)
    assert int(children.line()) != dying
    os.kill(dying, signal.SIGKILL)
    assert children.line() == "True it was written"
    assert len(emulator.bill) == 1
    assert len(emulator.requests) == 2


def records(ledger: MemoryLedger) -> list[Record]:
    ledger.flush()
    return list(ledger.records())


def test_the_middleware_books_it_and_keeps_its_marker(warm: Warm, emulator: Emulator) -> None:
    ledger = MemoryLedger()
    with scrimp.run("start-up") as run:
        warmth = warm(ask(), scrimp.Middleware(ledger=ledger))
    (record,) = records(ledger)
    (billed,) = emulator.bill
    assert record.cost == billed.cost == int(warmth.cost * 10**12)
    assert run.cost == warmth.cost
    assert record.measured
    assert (record.outcome, record.usage.output_tokens) == ("complete", 0)
    assert record.usage.cache_creation_input_tokens == warmth.written
    assert emulator.requests[0].body["system"] == marked(REQUEST)


def test_the_middleware_reads_what_was_warmed(emulator: Emulator) -> None:
    middleware = scrimp.Middleware(ledger=MemoryLedger())
    with anthropic.Anthropic(base_url=emulator.url, api_key="key", middleware=[middleware]) as client:
        warmth = scrimp.warm(client, ask())
        client.messages.create(**ask())
    assert emulator.bill[-1].usage.cache_read_input_tokens >= warmth.written


def test_without_its_table_it_warms_all_the_same(warm: Warm, emulator: Emulator, tmp_path: Path) -> None:
    with pytest.warns(ScrimpWarning, match="nobody else was"):
        assert warm(ask(), leases=Leases(tmp_path)).written


def test_cancelling_gives_the_lease_back(emulator: Emulator) -> None:
    emulator.inject(Fault("slow_start", times=1, seconds=60))

    async def main() -> bool:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key") as client:
            warming = asyncio.create_task(scrimp.warm(client, ask()))
            while not emulator.requests:
                await asyncio.sleep(0.01)
            warming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await warming
            return (await scrimp.warm(client, ask())).sent

    assert asyncio.run(main())


def test_cancelling_while_asking_for_the_lease_gives_it_back(emulator: Emulator) -> None:
    async def main() -> bool:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key") as client:
            warming = asyncio.create_task(scrimp.warm(client, ask()))
            await asyncio.sleep(0)
            warming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await warming
            return (await asyncio.wait_for(scrimp.warm(client, ask()), 20)).sent

    assert asyncio.run(main())
    assert len(emulator.bill) == 1


def test_what_is_no_request_is_named(emulator: Emulator) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client:
        with pytest.raises(InputError, match="a request is a mapping"):
            scrimp.warm(client, "hello")
        with pytest.raises(InputError, match="messages: expected a list"):
            scrimp.warm(client, ask(messages=5))


def test_nothing_runs_on_afterwards(emulator: Emulator, home: Path) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="sk-secret") as client:
        scrimp.warm(client, ask())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("scrimp-warm")]
    kept = b"".join(path.read_bytes() for path in home.iterdir())
    assert b"sk-secret" not in kept
    assert b"careful assistant" not in kept
