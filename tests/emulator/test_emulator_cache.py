"""The emulator's cache and bill against the naive oracle and the documents' own arithmetic."""

from __future__ import annotations

import asyncio
import re
from itertools import accumulate
from typing import Any

from hypothesis import given, settings

from scrimp.core.prompt import Prompt
from scrimp.emulator import Answer, Emulator, Fault, PromptLength, text
from scrimp.facts.model import Model
from tests.core.oracle import Oracle
from tests.core.test_cache import traffic
from tests.emulator.asgi import acall, body, call, user

CLOSING = 3
NOVEMBER = 1_795_000_000.0
PICODOLLARS_PER_CENT = 10**10
MINIMUM_OPUS_5 = 512


def told_length(prompt: Prompt, _: dict[str, Any], __: Model, ___: str) -> PromptLength:
    """Every block says how long it is: the digits in its text."""
    sizes = [int(re.sub(r"\D", "", said_in(block.value))) for block in prompt.blocks]
    ends = list(accumulate(sizes))
    return PromptLength(ends, ends[-1] + CLOSING)


def said_in(value: Any) -> str:
    return value if isinstance(value, str) else str(value["text"])


def marked(text: str, ttl: str | None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    return block if ttl is None else {**block, "cache_control": {"type": "ephemeral", "ttl": ttl}}


@given(traffic())
@settings(max_examples=80, deadline=None)
def test_every_bill_is_the_oracles(calls: list) -> None:  # type: ignore[type-arg]  # see traffic
    oracle = Oracle(lookback=20, minimum=MINIMUM_OPUS_5)
    emulator = Emulator(measure=told_length)
    for blocks, markers, start, _ in calls:
        emulator.clock.set(NOVEMBER + start)
        content = [marked(f"{text}{tokens}", markers.get(n)) for n, (text, tokens) in enumerate(blocks)]
        usage = call(emulator, body({"role": "user", "content": content})).usage
        texts = [(f"{text}{tokens}", tokens) for text, tokens in blocks]
        expected = oracle.call(texts, markers, start, start)
        assert usage["cache_read_input_tokens"] == expected["read"]
        assert usage["cache_creation"]["ephemeral_5m_input_tokens"] == expected["write_5m"]
        assert usage["cache_creation"]["ephemeral_1h_input_tokens"] == expected["write_1h"]
        assert usage["input_tokens"] == expected["plain"] + CLOSING


def opus_5_5(**fields: Any) -> dict[str, Any]:
    return body(model="claude-opus-5-5", max_tokens=1000, **fields)


def test_the_worked_example_of_two_turns_is_billed_to_the_picodollar() -> None:
    # 10,000 tokens for 1h, 5,000 for 5m, 197 and what closes the prompt plain, 500 out; then 1,000 more.
    reply = Answer([text("x")], output_tokens=500)
    emulator = Emulator([reply], measure=told_length)
    emulator.clock.set(NOVEMBER)
    system = [marked("s10000", "1h")]
    first = [marked("a5000", "5m"), marked("b197", None)]
    usage = call(emulator, opus_5_5(system=system) | {"messages": [user(*first)]}).usage
    assert usage["cache_creation"] == {
        "ephemeral_1h_input_tokens": 10_000,
        "ephemeral_5m_input_tokens": 5_000,
    }
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (200, 0)
    assert emulator.total == 1158 * PICODOLLARS_PER_CENT // 100


def test_an_entry_can_be_read_only_once_its_writer_began_to_answer() -> None:
    emulator = Emulator(measure=told_length, faults=[Fault("slow_start", times=3, seconds=0.05)])
    emulator.clock.set(NOVEMBER)
    request = body(user(marked("a4000", "5m"), marked("b10", None)))

    async def fan_out() -> list[int]:
        answers = await asyncio.gather(*(acall(emulator, request) for _ in range(3)))
        return [answer.usage["cache_creation_input_tokens"] for answer in answers]

    assert asyncio.run(fan_out()) == [4000, 4000, 4000]
    assert call(emulator, request).usage["cache_read_input_tokens"] == 4000


def test_every_key_is_a_workspace_with_a_cache_of_its_own() -> None:
    emulator = Emulator(measure=told_length)
    request = body(user(marked("a4000", "5m"), marked("b10", None)))
    reads = [
        call(emulator, request, x_api_key=key).usage["cache_read_input_tokens"]
        for key in ("one", "two", "one")
    ]
    assert reads == [0, 0, 4000]
    assert len({entry.workspace for entry in emulator.bill}) == 2


def test_a_read_renews_and_time_expires() -> None:
    emulator = Emulator(measure=told_length)
    request = body(user(marked("a4000", "5m"), marked("b10", None)))
    reads = []
    for now in (0.0, 299.0, 598.0, 898.0):
        emulator.clock.set(NOVEMBER + now)
        reads.append(call(emulator, request).usage["cache_read_input_tokens"])
    assert reads == [0, 4000, 4000, 0]


def test_a_request_may_say_when_it_started_where_that_is_allowed() -> None:
    request = body(user(marked("a4000", "5m"), marked("b10", None)))
    for allowed, expected in ((True, [0, 0, 4000]), (False, [0, 4000, 4000])):
        emulator = Emulator(measure=told_length, now_header=allowed)
        emulator.clock.set(NOVEMBER)
        answers = [call(emulator, request, x_scrimp_now=str(NOVEMBER + now)) for now in (0, 400, 500)]
        assert [answer.usage["cache_read_input_tokens"] for answer in answers] == expected


def test_nothing_to_generate_warms_the_cache() -> None:
    emulator = Emulator(measure=told_length)
    request = body(user(marked("a4000", "5m"), marked("b10", None)))
    warmed = call(emulator, request | {"max_tokens": 0})
    assert warmed.body["content"] == []
    assert warmed.body["stop_reason"] == "max_tokens"
    assert (warmed.usage["output_tokens"], warmed.usage["cache_creation_input_tokens"]) == (0, 4000)
    assert call(emulator, request).usage["cache_read_input_tokens"] == 4000


def test_the_haiku_cliff_reprices_the_whole_request() -> None:
    costs = []
    for tokens in (99_997, 99_998):
        emulator = Emulator([Answer([text("x")], output_tokens=1000)], measure=told_length)
        emulator.clock.set(NOVEMBER)
        call(emulator, body(user(f"a{tokens}"), model="claude-haiku-5-5", max_tokens=2000))
        costs.append(emulator.total)
    assert costs == [10_500_000_000, 52_500_500_000]


def test_region_and_speed_are_in_the_usage_and_in_the_price() -> None:
    # 1,003 in and 100 out at $5 and $25 per million; a tenth more in the US, double when fast.
    plain = 1003 * 5_000_000 + 100 * 25_000_000
    fields: list[tuple[dict[str, Any], int]] = [
        ({}, plain),
        ({"inference_geo": "us"}, plain * 11 // 10),
        ({"speed": "fast"}, plain * 2),
    ]
    for field, cost in fields:
        emulator = Emulator([Answer([text("x")], output_tokens=100)], measure=told_length)
        emulator.clock.set(NOVEMBER)
        usage = call(emulator, body(user("a1000"), **field)).usage
        assert usage.items() >= field.items()
        assert emulator.total == cost
