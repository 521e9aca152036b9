"""`scrimp.summarize`: valid, whole, the same again, and never without what must not be lost."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import anthropic
import pytest
from benchmarks.summaries import long_runs, walked
from hypothesis import given, settings

import scrimp
from scrimp.core.summarize.asking import own_prompt_is_cheaper
from scrimp.core.summarize.parting import Limits, Sizes, parted
from scrimp.emulator import Emulator, Fault, Scripted
from scrimp.emulator.asked import Asked
from scrimp.emulator.replies import Answer
from scrimp.emulator.validate import validate
from scrimp.errors import RequestError, ScrimpWarning
from scrimp.facts.models import resolve
from scrimp.stores.memory import MemoryLedger
from scrimp.summarizing import Summarized, SummaryWriter, summarize, summarized
from tests.core.test_trim import LIMITS, WORDS, bound, conversations

MODEL = "claude-opus-4-5"
COMPACTED = {"role": "assistant", "content": [{"type": "compaction", "content": "s"}]}
TOOL = {"name": "read", "input_schema": {"type": "object"}}


def asked(messages: list[Any], model: str = MODEL) -> Asked:
    body = {"model": model, "max_tokens": 100, "messages": messages, "tools": [TOOL]}
    return Asked(body=body, name=model, model=resolve(model), day=date(2026, 11, 21))


def quietly(messages: list[Any], **settings: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScrimpWarning)
        return summarized(messages, **{"model": MODEL, **settings})


def session(steps: int = 12) -> list[dict[str, Any]]:
    """An agent that reads files and says what it finds; people say what they want in between."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Mend the build."}]
    for step in range(steps):
        use = {
            "type": "tool_use",
            "id": f"toolu_{step}",
            "name": "read",
            "input": {"path": f"src/m{step}.py"},
        }
        said = {"type": "text", "text": f"The cause is `part_{step}`."}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{step}", "content": f"{step} " + WORDS * 2}
        messages.append({"role": "assistant", "content": [said, use]})
        messages.append({"role": "user", "content": [result]})
        if step == 2:
            messages.append({"role": "assistant", "content": "Shall I go on?"})
            messages.append({"role": "user", "content": "Yes, but never touch src/lock.py."})
    return messages


def text_of(message: Any) -> str:
    return str(message["content"][0]["text"])


@given(conversations(system=True), LIMITS)
@settings(deadline=None)
def test_what_is_left_is_valid_and_the_same_again(
    messages: list[dict[str, Any]], limits: tuple[int, int, int]
) -> None:
    trigger, share, turns = limits
    how = {
        "model": "claude-opus-4-8",
        "trigger": trigger,
        "keep": trigger * share // 100,
        "keep_turns": turns,
    }
    found = quietly(messages, **how)
    assert validate(asked(found.messages, "claude-opus-4-8")) is None
    again = quietly(found.messages, **how)
    assert again.messages == found.messages
    if found.state is None:
        assert found.messages == messages
    else:
        stays = [one for one in found.messages if one["content"] != [{"type": "text", "text": found.state}]]
        assert len(stays) == len(found.messages) - 1
        assert all(any(one is other for other in messages) for one in stays)
        assert found.added < found.removed
        assert all(one.text in found.state for one in found.obligations)


def test_old_turns_become_one_message_that_says_what_they_came_to() -> None:
    messages = session()
    left = summarize(messages, model=MODEL, trigger=4_000, keep=1_500)
    assert left[0] is messages[0]
    state = text_of(left[1])
    assert left[2:] == messages[len(messages) - len(left) + 2 :]
    assert "- Yes, but never touch src/lock.py." in state
    assert "- The cause is `part_1`." in state
    for path in ("src/m0.py", "src/m1.py", "src/lock.py"):
        assert path in state
    assert WORDS not in state


def test_the_whole_history_gives_the_same_bytes_until_the_next_cut() -> None:
    messages = session(40)
    ends = [at for at in range(1, len(messages)) if messages[at]["role"] == "assistant"]
    states: list[str] = []
    for end in ends:
        left = quietly(messages[:end], trigger=6_000, keep=2_000).messages
        states.append(text_of(left[1]) if len(left) < end else "")
    changes = sum(one != other for one, other in pairwise(states))
    cuts = len(set(states) - {""})
    assert changes == cuts
    assert 2 <= cuts <= 6


def test_going_on_from_its_own_result_carries_everything_over() -> None:
    messages, own, taken = session(40), [], 0
    for end in range(1, len(messages), 2):
        own, taken = [*own, *messages[taken:end]], end
        own = quietly(own, trigger=6_000, keep=2_000).messages
    states = [text_of(one) for one in own if one["role"] == "user" and "session-state" in str(one["content"])]
    assert len(states) == 1
    assert "never touch src/lock.py" in states[0]
    said = states[0] + str(own)
    assert all(f"src/m{step}.py" in said for step in range(39))  # the last was not sent yet


def test_a_short_conversation_is_left_alone() -> None:
    messages = session()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert summarize(messages, model=MODEL) == messages
    assert said == []


@pytest.mark.parametrize(
    ("messages", "model", "why"),
    [
        (bound(), "claude-fable-5-2", "binds its thinking"),
        ([*bound()[:1], COMPACTED, *bound()[2:]], MODEL, "compaction block"),
    ],
)
def test_what_may_not_be_cut_stays_and_is_said(messages: list[Any], model: str, why: str) -> None:
    with pytest.warns(ScrimpWarning, match=why):
        assert summarize(messages, model=model, trigger=1_000) == messages


@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-opus-5-5"])
def test_what_has_not_been_thought_yet_may_be_bound_as_well(model: str) -> None:
    with pytest.warns(ScrimpWarning, match="binds its thinking"):
        assert summarize(session(), model=model, trigger=1_000) == session()


def test_turns_stay_where_a_state_would_save_too_little() -> None:
    messages: list[Any] = [{"role": "user", "content": "task"}]
    for step in range(30):
        messages.append({"role": "assistant", "content": f"Going on {step}."})
        messages.append(
            {"role": "user", "content": f"You must also write to lib/part/file_{step}.py, always."}
        )
    with pytest.warns(ScrimpWarning, match="more than half as long"):
        assert summarize(messages, model=MODEL, trigger=300) == messages


@pytest.mark.parametrize(
    ("messages", "limits", "words"),
    [
        ("hello", {}, "expected a list of messages"),
        ([{"role": "user"}], {}, "messages.0: expected an object with role and content"),
        ([], {"trigger": 10, "keep": 20}, r"keep \(20\) should be between 0 and trigger \(10\)"),
    ],
)
def test_what_cannot_be_summarised_is_one_line(messages: Any, limits: dict[str, int], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        summarize(messages, model=MODEL, **limits)


WRITTEN = "The build fails on part_1; retries were chosen."


def write(url: str, messages: list[Any], ledger: MemoryLedger, **more: Any) -> Summarized:
    middleware = scrimp.Middleware(ledger=ledger)
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0, middleware=[middleware]) as client:
        return quietly(messages, trigger=4_000, keep=1_500, writer=SummaryWriter(client, **more))


def write_async(url: str, messages: list[Any], ledger: MemoryLedger, **more: Any) -> Summarized:
    async def run() -> Summarized:
        middleware = scrimp.Middleware(ledger=ledger)
        async with anthropic.AsyncAnthropic(
            base_url=url, api_key="k", max_retries=0, middleware=[middleware]
        ) as client:
            writer = SummaryWriter(client, **more)
            found = await quietly(messages, trigger=4_000, keep=1_500, writer=writer)
            assert isinstance(found, Summarized)
            return found

    return asyncio.run(run())


@pytest.mark.parametrize("ask", [write, write_async])
def test_a_model_writes_it_and_what_its_words_leave_out_stands_behind_them(ask: Any) -> None:
    ledger, messages = MemoryLedger(), session()
    with Emulator(Scripted([WRITTEN])) as api:
        found = ask(api.url, messages, ledger)
        (sent,) = [one.body for one in api.requests]
        (billed,) = api.bill
    assert found.by_model
    assert WRITTEN in found.state
    assert "never touch src/lock.py" in found.state
    assert all(one.text in found.state for one in found.obligations)
    assert sent["model"] == "claude-haiku-4-5"
    assert "part_0" in str(sent["messages"])
    assert validate(asked(found.messages)) is None
    ledger.flush()
    (record,) = ledger.records()
    assert (record.usage.total_input, record.cost) == (billed.usage.total_input, billed.cost)


@pytest.mark.parametrize("ask", [write, write_async])
@pytest.mark.parametrize(
    ("reply", "faults"),
    [
        (WRITTEN, [Fault("overloaded")]),
        (WRITTEN, [Fault("server_error")]),
        (WRITTEN, [Fault("disconnect")]),
        (Answer(({"type": "text", "text": WRITTEN},), stop_reason="max_tokens"), []),
        ({"type": "tool_use", "id": "toolu_x", "name": "read", "input": {}}, []),
        ("", []),
        ("Too long. " * 3_000, []),
    ],
)
def test_where_no_model_writes_it_it_is_what_was_said(ask: Any, reply: Any, faults: list[Fault]) -> None:
    messages = session()
    expected = quietly(messages, trigger=4_000, keep=1_500)
    with Emulator(Scripted([reply]), faults=faults) as api:
        found = ask(api.url, messages, MemoryLedger())
    assert not found.by_model
    assert found.messages == expected.messages
    assert found.state is not None


def test_a_budget_that_says_no_is_no_reason_to_fail() -> None:
    messages = session()
    with Emulator(Scripted([WRITTEN])) as api, scrimp.run("poor", budget="0.000001"):
        found = write(api.url, messages, MemoryLedger())
        assert api.bill == []
    assert found.messages == quietly(messages, trigger=4_000, keep=1_500).messages


def test_a_fallback_is_said_and_the_public_function_gives_messages() -> None:
    messages = session()
    with (
        Emulator(Scripted([WRITTEN]), faults=[Fault("server_error")]) as api,
        anthropic.Anthropic(base_url=api.url, api_key="k", max_retries=0) as client,
        pytest.warns(ScrimpWarning, match="no model wrote the session state"),
    ):
        left = summarize(messages, model=MODEL, trigger=4_000, keep=1_500, writer=SummaryWriter(client))
    assert left == quietly(messages, trigger=4_000, keep=1_500).messages


def test_the_agents_own_model_is_asked_on_its_own_prompt_where_the_cache_makes_that_cheaper() -> None:
    messages = session()
    agent = {"model": MODEL, "max_tokens": 9, "system": "You mend.", "tools": [TOOL], "stream": True}
    with Emulator(Scripted([WRITTEN])) as api:
        write(api.url, messages, MemoryLedger(), request=agent, cached=9_000, model="claude-opus-4-1")
        write(api.url, messages, MemoryLedger(), request=agent, cached=0, model="claude-haiku-4-5")
        own, other = [one.body for one in api.requests]
    assert (own["model"], other["model"]) == (MODEL, "claude-haiku-4-5")
    assert [str(one["content"])[:40] for one in own["messages"][:-1]] == [
        str(one["content"])[:40] for one in messages
    ]
    assert own["tools"][0]["name"] == "read"
    assert "stream" not in own
    assert own["max_tokens"] == 4_000


def test_which_is_cheaper_is_worked_out_from_prices() -> None:
    """Opus 4.5: $5 in, $0.50 read, $25 out; Haiku 4.5: $1 in, $5 out; an answer of 1,500 tokens."""
    messages = session(60)
    limits = Limits(trigger=4_000, keep=1_500, turns=3)
    opus, haiku = resolve(MODEL), resolve("claude-haiku-4-5")
    found = parted(messages, Sizes(opus), limits)
    cheap = found.removed * 1.0 + 1_500 * 5
    for cached in (0, 20_000, 30_000, 200_000):
        whole = max(cached, found.removed + 2_000)
        own = cached * 0.5 + (whole - cached) * 5 + 1_500 * 25
        expected = own < cheap
        assert (
            own_prompt_is_cheaper(found, messages, sizes=Sizes(opus), cached=cached, other=haiku) == expected
        )
    dear = resolve("claude-opus-4-1")
    assert own_prompt_is_cheaper(found, messages, sizes=Sizes(opus), cached=found.removed, other=dear)


def test_recorded_long_runs_stay_valid_and_lose_nothing_that_was_promised(traces: Path) -> None:
    seen: Counter[str] = Counter()
    for run in long_runs(traces, "exchanges", "trajectories"):
        one = walked(run)
        for name in ("cuts", "whole", "left", "obligations", "survived", "invalid", "needed", "there"):
            seen[name] += getattr(one, name)
    assert seen["cuts"] >= 10
    assert seen["invalid"] == 0
    assert seen["survived"] == seen["obligations"] > 1_000
    assert seen["left"] < 0.7 * seen["whole"]
    assert seen["there"] > 0.25 * seen["needed"]
