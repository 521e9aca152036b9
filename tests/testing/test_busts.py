"""`assert_no_bust`: quiet where everything was read that should be, and otherwise says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.emulator import Agent, Clock, Emulator, Fault
from scrimp.errors import InputError
from scrimp.stores.memory import MemoryLedger
from scrimp.testing import Recording, assert_cache_read_share, assert_no_bust
from tests.patience import HeldBack
from tests.testing.agents import MODEL, NOW

RULES = "Be kind and brief, and say what you do not know. " * 100
TOOLS = [
    {"name": name, "description": f"To {name}.", "input_schema": {"type": "object", "properties": {}}}
    for name in ("list", "read", "find")
]


def bench(kind: Callable[..., Emulator] = Emulator) -> Emulator:
    return kind(Agent(), clock=Clock(NOW), seed="busts")


def marked(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def body(*questions: str, **changes: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": question} for question in questions or ("Is it so?",)]
    return {"model": MODEL, "max_tokens": 100, "system": marked(RULES), "messages": turns, **changes}


def send(emulator: Emulator, *bodies: dict[str, Any], pause: float = 1.0) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="any") as client:
        for asked in bodies:
            client.messages.create(**asked)
            emulator.clock.advance(pause)


def told(run: Any) -> str:
    """What `assert_no_bust` fails with."""
    with pytest.raises(AssertionError) as caught:
        assert_no_bust(run)
    return str(caught.value)


def test_a_run_that_reads_what_it_should_passes() -> None:
    with bench() as emulator:
        send(emulator, body(), body("And this?"), body("And that?"))
        assert_no_bust(emulator)
        assert_no_bust(Recording(emulator))


def test_a_run_through_scrimp_passes_whatever_it_asks() -> None:
    with bench() as emulator:
        middleware = scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now)
        client = anthropic.Anthropic(base_url=emulator.url, api_key="any", middleware=[middleware])
        with client:
            for number in range(5):
                client.messages.create(**body(f"Question {number}?", system=RULES, tools=TOOLS))
                emulator.clock.advance(20)
        assert_no_bust(emulator)


def test_a_clock_in_the_prefix() -> None:
    with bench() as emulator:
        at = [f"It is 2026-11-18 12:0{minute}:00. {RULES}" for minute in range(4)]
        send(emulator, *(body(system=marked(text)) for text in at))
        said = told(emulator)
    assert said.startswith("this run: 3 calls of 4 did not read what was cached for them, $0.0")
    assert "call 2: timestamp in the prefix at system.0" in said
    assert "before: '" in said
    assert "12:01:00" in said
    assert "fix: Move the time behind the last marker" in said
    assert said.count("fix:") == 1
    assert "the same of calls 3, 4: $0.0" in said


def test_the_money_lost_is_the_price_of_writing_less_that_of_reading() -> None:
    with bench() as emulator:
        send(emulator, body(), body(), pause=400)
        billed = emulator.bill[1].usage
        said = told(emulator)
    # Sonnet 5.5: $2.50 per million tokens written, $0.10 per million read.
    lost = billed.write_5m * (2_500_000 - 100_000) / 10**12
    assert f"1 call of 2 did not read what was cached for them, ${lost:.10f}".rstrip("0") in said
    assert "call 2: TTL expired: 0 of" in said
    assert "400 s after its last use; the entry lived 5m" in said


def test_tools_that_change() -> None:
    with bench() as emulator:
        send(emulator, body(tools=TOOLS), body(tools=TOOLS[:2]), body(tools=[TOOLS[2], *TOOLS[:2]]))
        said = told(emulator)
    assert "call 2: tool set changed at tools.2" in said
    assert "call 3: " in said


@pytest.mark.parametrize("running", [False, True])
def test_calls_at_once_that_all_write(*, running: bool) -> None:
    async def at_once(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="any") as client:
            await asyncio.gather(*(client.messages.create(**body()) for _ in range(4)))

    with bench(partial(HeldBack, until=4)) as emulator:
        if running:
            emulator.clock.run()
        emulator.inject(Fault("slow_start", times=None, seconds=0.1))
        asyncio.run(at_once(emulator.url))
        assert [entry.usage.cache_read_input_tokens for entry in emulator.bill] == [0, 0, 0, 0]
        said = told(emulator)
    assert "concurrent writer not started" in said
    assert "3 calls of 4" in said
    assert "scrimp.fanout" in said


def test_what_was_never_cached_is_no_bust_but_is_told_where_it_is_asked_for() -> None:
    with bench() as emulator:
        send(emulator, body(system=RULES), body(system=RULES))
        assert_no_bust(emulator)
        with pytest.raises(AssertionError, match="call 2: no marker") as caught:
            assert assert_cache_read_share(emulator) > 0
    assert "Put a cache_control marker" in str(caught.value)


def test_a_part_of_a_run_owes_what_was_cached_before_it() -> None:
    with bench() as emulator:
        run = Recording(emulator)
        send(emulator, body(), pause=400)
        with run.part("after the pause") as part:
            send(emulator, body())
        said = told(part)
        assert said.startswith("after the pause: 1 call of 1 did not read")
        assert "call 1: TTL expired" in said
        with run.part() as later:
            send(emulator, body())
        assert_no_bust(later)


def test_workspaces_do_not_read_from_one_another() -> None:
    with bench() as emulator:
        for key in ("one", "two"):
            with anthropic.Anthropic(base_url=emulator.url, api_key=key) as client:
                client.messages.create(**body())
        assert_no_bust(emulator)


def test_turns_of_a_thread_are_not_held_against_a_run() -> None:
    betas = ["message-threads-2026-08-12"]
    with bench() as emulator, anthropic.Anthropic(base_url=emulator.url, api_key="any") as client:
        ask = client.beta.messages.create
        for opening, system in (("Is it so?", RULES * 3), ("Who are you?", "You find houses. " * 300)):
            asked = body(opening, system=marked(system))
            first = ask(**asked, thread={"type": "create"}, betas=betas)
            thread = {"type": "continue", "previous_message_id": first.id}
            # The next turn alone says nothing of what stands before it, and looks like anybody's.
            ask(**body("Why?", system=anthropic.omit), thread=thread, betas=betas)
        assert [bool(entry.usage.cache_read_input_tokens) for entry in emulator.bill] == [0, 1, 0, 1]
        assert_no_bust(emulator)


def test_each_reason_is_told_once() -> None:
    with bench() as emulator:
        prefixes = [[*TOOLS, {**TOOLS[0], "name": f"tool_{number}"}] for number in range(3)]
        send(emulator, *(body(tools=tools) for tools in prefixes))
        send(emulator, *(body(tools=TOOLS) for _ in range(2)), pause=400)
        said = told(emulator)
    assert said.count("  fix: ") == 2
    assert "tool set changed" in said


def test_sums_alone_cannot_be_judged() -> None:
    with bench() as emulator:
        middleware = scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now)
        client = anthropic.Anthropic(base_url=emulator.url, api_key="any", middleware=[middleware])
        with client, scrimp.run("nightly") as run:
            client.messages.create(**body())
    with pytest.raises(InputError, match=r"a scrimp\.run keeps sums only: pass the fixture scrimp_run"):
        assert_no_bust(run)


def test_nothing_billed_is_no_pass() -> None:
    with bench() as emulator, pytest.raises(AssertionError, match="no call was billed"):
        assert_no_bust(emulator)
