"""Reading on from an earlier request gives what reading afresh gives, whatever became of the request."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.reading_memory import Read, ReadingMemory
from scrimp.core.settings import cache_settings
from scrimp.core.tokens.estimator import Estimator, Measured, Ruler, read_settings
from scrimp.core.workspace import Asked, Planned, Workspace, reading
from scrimp.core.worst_parts import PLAIN, look_at_messages
from scrimp.errors import RequestError
from scrimp.facts.models import default, resolve
from scrimp.wire.bodies import Bodies
from scrimp.wire.response import CacheCreation, Usage
from tests.copies import copied
from tests.core.decided import decided
from tests.emulator.random_requests import first_request, marked, next_request

READING = Reading(key="claude-opus-5-5", default_effort="medium")
READINGS = st.builds(
    Reading,
    key=st.sampled_from(["claude-opus-5-5", "claude-haiku-4-5"]),
    strips_thinking=st.booleans(),
    nested_positions=st.booleans(),
    images_break_messages=st.booleans(),
)
SPELLINGS = ("claude-opus-5-5", "claude-3-haiku-20240307")
ESTIMATORS = {name: Estimator(resolve(name), spelling=name) for name in SPELLINGS}
MARKERS = st.sampled_from([None, None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
INPUTS: list[dict[str, Any]] = [
    *({"a": 1}, {"a": True}, {"a": 1.0}, {"a": None}, {}),
    *({"a": 1, "b": [2]}, {"b": [2], "a": 1}, {"a": -0.0}, {"a": 0.0}, {"a": 2**70}, {"a": "\ud800"}),
]
TEXTS = ["", "a", "b", "go on", "ü", "line\n" * 20]
VALUES: list[dict[str, Any]] = [
    *({"type": "text", "text": text} for text in TEXTS),
    {"type": "text", "text": "a", "citations": None},
    {"text": "a", "type": "text"},
    *({"type": "tool_use", "id": "t1", "name": "ls", "input": given} for given in INPUTS),
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "c2ln"},
    {"type": "tool_result", "tool_use_id": "t1", "content": "x.py"},
    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a"}, IMAGE]},
    {"type": "tool_result", "tool_use_id": "t1", "content": []},
    {"type": "tool_result", "tool_use_id": "t1"},
    IMAGE,
]
TURN: list[dict[str, Any]] = [
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "tool_use", "id": "t1", "name": "ls", "input": {}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x.py"}]},
]
STEPS = ["grow", "grow", "turn", "turn", "ask", "ask", "remark", "cut", "edit", "fixed", "fixed", "same"]
BROKEN: list[Any] = [7, None, "text", ["text"]]
FIXED: dict[str, list[Any]] = {
    "tools": [
        [{"name": "ls", "description": "list", "input_schema": {"type": "object"}}],
        [{"type": "web_search_20250305", "name": "web_search"}, {"name": "ls", "input_schema": {}}],
        [{"name": "ls", "input_schema": {}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        [],
        None,
        7,
    ],
    "system": ["", "be brief", [{"type": "text", "text": "be brief"}], [IMAGE], ["be brief"], {}, None],
    "speed": ["fast", None],
    "tool_choice": [{"type": "auto"}, {"type": "any"}, None],
    "thinking": [{"type": "enabled", "budget_tokens": 2048}, {"type": "disabled"}, None],
    "output_config": [{"effort": "low"}, {"format": {"type": "json_schema", "schema": {"a": 1}}}, None],
    "context_management": [{"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, None],
    "output_format": [{"type": "json_schema", "schema": {"b": 1}}, None],
    "cache_control": [{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, None],
}


@st.composite
def some_block(draw: st.DrawFn) -> Any:
    value = copied(draw(st.sampled_from(VALUES)))
    marker = draw(MARKERS)
    if marker is not None:
        value["cache_control"] = dict(marker)
    return value


some_message = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "user", "assistant", "system"]),
    st.one_of(st.sampled_from(TEXTS), st.lists(some_block(), max_size=3), st.sampled_from(BROKEN)),
)


def new_body() -> dict[str, Any]:
    """A request with something in every part."""
    return {
        "model": "claude-opus-5-5",
        "tools": FIXED["tools"][0],
        "system": "be brief",
        "messages": [{"role": "user", "content": "hello"}],
    }


@st.composite
def changed(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The request after `body`: grown as conversations do, or with anything else in it changed."""
    body = copied(body)
    messages = body["messages"]
    step = draw(st.sampled_from(STEPS))
    if step == "grow":
        messages += draw(st.lists(some_message, min_size=1, max_size=3))
    elif step == "turn":
        messages += turns_of(draw(st.integers(1, 2)))
    elif step == "ask":
        messages += [{"role": "user", "content": "next"}]
    elif step == "cut":
        del messages[draw(st.integers(0, len(messages))) :]
    elif step == "edit" and messages:
        messages[draw(st.integers(0, len(messages) - 1))] = draw(some_message)
    elif step == "remark" and messages:
        remark(messages[draw(st.integers(max(0, len(messages) - 4), len(messages) - 1))], draw(MARKERS))
    elif step == "fixed":
        name = draw(st.sampled_from(sorted(FIXED)))
        body[name] = draw(st.sampled_from(FIXED[name]))
    return copied(body)


def remark(message: dict[str, Any], marker: Any) -> None:
    """Give the last block of a message another marker."""
    content = message["content"]
    if isinstance(content, list) and content and isinstance(content[-1], dict):
        content[-1].pop("cache_control", None)
        if marker is not None:
            content[-1]["cache_control"] = dict(marker)


def both(
    memory: ReadingMemory, body: dict[str, Any], how: Reading, spelling: str
) -> tuple[str, str, Read | None]:
    """What reading on and reading afresh give, written out: in `==` 1 is 1.0 and True, and keys any order."""
    try:
        afresh = repr(read_prompt(body, how))
    except RequestError as error:
        afresh = repr(error)
    try:
        read = memory.read(body, how, spelling)
    except RequestError as error:
        return repr(error), afresh, None
    return repr(read.prompt), afresh, read


@settings(max_examples=300)
@given(st.data(), st.sampled_from([4_000, 30_000, 1_000_000]))
def test_reading_on_is_reading_afresh(data: st.DataObject, most_bytes: int) -> None:
    memory, bodies = ReadingMemory(most_bytes), Bodies(short=0)
    seen = [new_body()]
    readings = data.draw(st.lists(READINGS, min_size=1, max_size=2))
    for _ in range(data.draw(st.integers(1, 12))):
        body = data.draw(changed(data.draw(st.sampled_from(seen[-3:]))))
        seen.append(body)
        if data.draw(st.booleans()):  # as a gateway reads it, which shares messages between bodies
            body = cast("dict[str, Any]", bodies.read(json.dumps(body).encode()).value)
        how = data.draw(st.sampled_from(readings))
        spelling = data.draw(st.sampled_from(SPELLINGS))
        found, afresh, read = both(memory, body, how, spelling)
        assert found == afresh
        assert memory.weight <= most_bytes
        assert memory._recent.keys() >= set(map(id, memory._begun.values()))
        if read is None:
            continue
        prompt, estimator = read.prompt, ESTIMATORS[spelling]
        assert read.settings == read_settings(body)
        measured = estimator.extend(read.kept.measured, read.kept.positions, prompt.blocks, prompt.digests)
        read.remember(measured)
        assert measured == estimator.extend(Measured(), 0, prompt.blocks, prompt.digests)
        sized = estimator.finish(measured, prompt.blocks, read.settings)
        assert sized == estimator.measure(prompt.blocks, read.settings)
        assert sized.sizes == pytest.approx(naive_sizes(sized.content, sized.around))


def naive_sizes(content: Any, around: Any) -> list[float]:
    sizes = [inside + outside for inside, outside in zip(content, around, strict=True)]
    return [*sizes[:-1], *(last - 3 for last in sizes[-1:])]


def conversation(turns: int, first: str = "hello", marked_at: int | None = None) -> dict[str, Any]:
    """A conversation of so many calls and results; the marker is on the last block of one message."""
    body = new_body()
    body["messages"] = [{"role": "user", "content": first}, *turns_of(turns)]
    if marked_at is not None:
        body["messages"][marked_at]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return body


def turns_of(amount: int) -> list[dict[str, Any]]:
    """So many calls with their results."""
    return [message for _ in range(amount) for message in copied(TURN)]


def positions_read(memory: ReadingMemory, body: dict[str, Any]) -> int:
    """How many positions of `body` were not taken over; they are measured for the next time."""
    read = memory.read(body, READING, SPELLINGS[0])
    blocks = read.prompt.blocks
    measured = ESTIMATORS[SPELLINGS[0]].extend(
        read.kept.measured, read.kept.positions, blocks, read.prompt.digests
    )
    read.remember(measured)
    return len(blocks) - read.kept.positions


def test_only_what_is_new_is_read() -> None:
    memory = ReadingMemory()
    assert positions_read(memory, conversation(1)) == 6  # tools, system, question, thinking, call, result
    assert [positions_read(memory, conversation(turns)) for turns in range(2, 300)] == [3] * 298
    assert positions_read(memory, conversation(299)) == 0
    assert positions_read(memory, conversation(100)) == 0


def test_a_marker_that_moved_costs_the_message_it_was_on() -> None:
    memory = ReadingMemory()
    positions_read(memory, conversation(1, marked_at=2))
    read = [positions_read(memory, conversation(turns, marked_at=2 * turns)) for turns in range(2, 50)]
    assert read == [4] * 48  # three new ones, and the result that was marked before


def test_conversations_side_by_side_go_on_each_for_itself() -> None:
    memory = ReadingMemory()
    openings = [f"task {number}" for number in range(40)]
    for turns in range(1, 6):
        read = [positions_read(memory, conversation(turns, opening)) for opening in openings]
        assert read == [6 if turns == 1 else 3] * len(openings)


def test_branches_of_one_conversation_go_on_each_for_itself() -> None:
    memory = ReadingMemory()
    positions_read(memory, conversation(30))
    for turns in range(1, 12):
        for branch in range(20):
            body = conversation(30)
            body["messages"] += [
                {"role": "user", "content": f"branch {branch}"},
                *turns_of(turns),
            ]
            read = positions_read(memory, body)
            assert read == 3 or turns < 4  # until then it may be a neighbour's that is gone on with


@pytest.mark.parametrize("value", [2**70, "\ud800", object()])
def test_what_cannot_be_encoded_is_read_afresh_every_time(value: object) -> None:
    memory = ReadingMemory()
    body = conversation(3)
    body["messages"][1]["content"][-1]["input"] = {"seen": value}
    assert [positions_read(memory, body) for _ in range(2)] == [12, 12]
    assert memory.weight == 0


def test_blocks_taken_over_are_the_ones_read_before() -> None:
    memory = ReadingMemory()
    before = memory.read(conversation(1), READING).prompt
    after = memory.read(conversation(2), READING).prompt
    assert all(one is other for one, other in zip(before.blocks, after.blocks, strict=False))
    assert after.prefixes[: len(before)] == before.prefixes


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_a_workspace_plans_as_one_that_reads_everything_afresh(data: st.DataObject) -> None:
    facts, now = default(), 1_795_000_000.0
    workspace, other = Workspace(facts), Workspace(facts)
    estimators: dict[str, Estimator] = {}
    ruler = Ruler()
    body = data.draw(first_request())
    for _ in range(data.draw(st.integers(2, 8))):
        request = data.draw(marked(body))
        now += data.draw(st.sampled_from([2.0, 2.0, 400.0, 4_000.0]))
        planned = workspace.plan(request, now, label="a")
        assert planned is not None
        model, day = planned.model, planned.asked.day
        prompt = read_prompt(request, reading(facts, model, day))
        spelling = request["model"]
        estimator = estimators.setdefault(spelling, Estimator(model, spelling=spelling, ruler=ruler))
        if planned.too_short and not planned.asked.sized.content:  # surely, so that nobody measured it
            assert planned.prompt == prompt
            assert planned.plan.total.high < planned.asked.rules.minimum
            afresh = planned
        else:  # of many long texts each counts as where it was met first: a ruler remembers
            sized = estimator.measure(prompt.blocks, read_settings(request), prompt.digests)
            afresh = other.decide(
                Asked(prompt, sized, model, planned.asked.rules, day, planned.asked.whole), now, label="a"
            )
        known = {name: getattr(afresh.asked, name) for name in ("looked", "opening", "asks", "plain")}
        assert msgspec.structs.replace(planned.asked, **known) == afresh.asked
        looked = look_at_messages(request["messages"])
        assert planned.asked.looked in (None, looked)
        assert not planned.asked.plain or msgspec.structs.replace(looked, chars=0) == PLAIN
        effort = model.features.default_effort or "high"
        assert planned.asked.asks in (
            None,
            cache_settings(request, model=prompt.model, default_effort=effort),
        )
        assert planned.situation.ends == afresh.situation.ends
        assert decided(planned.plan) == decided(afresh.plan)
        billed = data.draw(st.sampled_from([0, 1, 1, 1]))
        usage = usage_of(planned, data.draw(st.sampled_from([1.0, 1.0, 0.9, 1.3])))
        for one, plan in ((workspace, planned), (other, afresh)):
            one.sent(plan, now, now + 1)
            if billed:
                one.billed(plan, usage)
        body = data.draw(next_request(body))


def usage_of(planned: Planned, factor: float) -> Usage:
    """A bill like the plan foresees, or off by a factor."""
    outcome = planned.plan.chosen.outcome
    plain, read, short, long = (
        round(factor * tokens) for tokens in (outcome.plain, outcome.read, outcome.write_5m, outcome.write_1h)
    )
    return Usage(
        input_tokens=plain,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=short + long,
        cache_creation=CacheCreation(short, long),
    )
