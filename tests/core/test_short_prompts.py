"""What is said of a prompt that goes on with one too short for the cache, without measuring it."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.short_prompts import Ends, most_said
from scrimp.core.tokens.counts import count_block
from scrimp.core.tokens.estimator import Estimator, Ruler, Settings
from scrimp.core.workspace import Planned, Workspace
from scrimp.facts import default
from scrimp.wire.response import Usage

NOW = 1_795_000_000.0
MINIMUM = 1_024  # of the model asked here
AROUND = 16

Body = dict[str, Any]


def asked(*said: str, **fields: Any) -> Body:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(said)]
    system = "You are brief. " * 10
    return {"model": "claude-sonnet-4-5", "max_tokens": 64, "system": system, "messages": messages, **fields}


def told(workspace: Workspace, body: Body, billed: int) -> Planned:
    planned = workspace.plan(body, NOW)
    assert planned is not None
    workspace.sent(planned, NOW, NOW + 1)
    workspace.billed(planned, Usage(billed, 9, reports_cache=True))
    return planned


def bytes_of(*said: str) -> int:
    return sum(len(text.encode()) + 2 + AROUND for text in said)  # in quotes, as JSON has them


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that tokens were counted of."""
    texts: list[str] = []

    def counting(self: Ruler, block: Any, digest: Any = None) -> Any:
        texts.append(block.value)
        return count_block(block)

    monkeypatch.setattr(Ruler, "counts", counting)
    return texts


def test_positions_that_are_alike_share_out_what_they_have() -> None:
    ends = Ends(static=100, begun=3, rest=50, said=4)
    assert list(ends) == [33, 66, 100, 112, 125, 137, 150]
    assert ends[-1] == ends[6] == 150
    assert ends[1:4] == [66, 100, 112]
    assert len(ends) == 7
    with pytest.raises(IndexError):
        ends[7]


@pytest.mark.parametrize(("begun", "said", "expected"), [(0, 2, [35, 70]), (2, 0, [10, 20]), (0, 0, [])])
def test_a_part_without_positions_shares_out_nothing(begun: int, said: int, expected: list[int]) -> None:
    static = 20 if begun else 0
    assert list(Ends(static, begun, 70, said)) == expected


def test_what_goes_on_with_a_short_prompt_is_not_counted(counted: list[str]) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    assert "Hello" in counted
    counted.clear()
    planned = told(workspace, asked("Hello", "Hi. What now?", "Nothing."), 75)
    total = planned.plan.total
    assert planned.too_short
    assert counted == []
    assert total.low == 60
    assert 60 < total.mid < total.high == 60 + bytes_of("Hi. What now?", "Nothing.")
    again = told(workspace, asked("Hello", "Hi. What now?", "Nothing."), 75)
    assert (again.plan.total.low, again.plan.total.mid, again.plan.total.high) == (75, 75, 75)
    assert again.plan.input_cost.mid == 75 * again.situation.rates.input
    assert counted == []


@pytest.mark.parametrize("more", [-1, 0])
def test_one_byte_may_be_enough_to_be_measured(counted: list[str], more: int) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    text = "x" * (MINIMUM - 60 - bytes_of("Hi.", "") + more)
    told(workspace, asked("Hello", "Hi.", text), 300)
    assert counted == ([] if more < 0 else ["Hi.", text])


def test_letters_that_are_read_longer_than_they_are_written_count_as_read(counted: list[str]) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    told(workspace, asked("Hello", "Hi.", "\ufdfa" * 60), 300)  # of 3 bytes each, or 33
    assert len(counted) == 2


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


@pytest.mark.parametrize(
    "content",
    [
        [IMAGE],
        [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [IMAGE]}],
        [{"type": "something_new"}],
    ],
)
def test_what_bytes_do_not_bound_is_measured(counted: list[str], content: list[Any]) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    body = asked("Hello", "Hi.")
    body["messages"].append({"role": "user", "content": content})
    told(workspace, body, 300)
    assert len(counted) >= 2


@pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": {"type": "ephemeral"}},
        {"tool_choice": {"type": "none"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
    ],
)
def test_markers_other_settings_and_edits_are_measured(counted: list[str], fields: Body) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    told(workspace, asked("Hello", "Hi.", "Bye.", **fields), 80)
    assert len(counted) >= 2


def test_tools_and_system_keep_the_share_that_was_measured() -> None:
    workspace = Workspace(default())
    first = told(workspace, asked("Hello " * 20), 100)
    share = first.static_tokens / first.plan.total.mid
    sizes = {
        told(workspace, asked("Hello " * 20, *["Go on."] * (2 * step)), 100 + 9 * step).static_tokens
        for step in range(1, 8)
    }
    assert len(sizes) == 1
    assert sizes.pop() == pytest.approx(100 * share, abs=1.5)


def test_a_conversation_that_grows_long_is_measured_from_where_it_was_not(counted: list[str]) -> None:
    grown, afresh, long = Workspace(default()), Workspace(default()), "word " * 1_500
    told(grown, asked("Hello"), 60)
    told(grown, asked("Hello", "Hi.", "Bye."), 80)
    counted.clear()
    planned = grown.plan(asked("Hello", "Hi.", "Bye.", "Oh.", long), NOW)
    assert planned is not None
    assert counted == ["Hi.", "Bye.", "Oh.", long]
    other = afresh.plan(asked("Hello", "Hi.", "Bye.", "Oh.", long), NOW)
    assert other is not None
    assert planned.asked == other.asked


def test_a_long_prompt_is_not_searched_for_a_short_beginning(counted: list[str]) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    told(workspace, asked("Hello", *["1" * 40] * 20), 500)  # which might be long enough
    assert counted != []
    counted.clear()
    told(workspace, asked("Hello", *["1" * 40] * 20, *["."] * 14), 500)
    assert counted == []


PROSE = "What the weather will be like is asked here in so many words, and in no others. "


def test_a_conversation_that_begins_as_a_short_one_did_is_not_counted(counted: list[str]) -> None:
    workspace = Workspace(default())
    first = told(workspace, asked("Hello"), 60)
    assert first.asked.sized.content
    counted.clear()
    planned = told(workspace, asked(PROSE * 8), 230)
    assert planned.too_short
    assert counted == []
    total = planned.plan.total
    assert 30 < total.low < 60  # the system prompt, of which no more was billed
    assert total.low + 150 < total.mid < 230 * 1.3
    assert total.low + len(PROSE) * 8 / 2 < total.high < MINIMUM
    assert planned.static_tokens == pytest.approx(first.static_tokens * 60 / first.plan.total.mid, abs=1)
    after = told(workspace, asked(PROSE * 8, "It rains.", "Oh."), 245)
    assert (after.plan.total.low, counted) == (230, [])


@pytest.mark.parametrize(
    "text",
    [
        PROSE * 40,
        "1234567890" * 100,
        "dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZw" * 25,
        "日本語" * 120,
    ],
    ids=["long", "digits", "base64", "Japanese"],
)
def test_what_may_be_long_enough_by_its_bytes_is_counted(counted: list[str], text: str) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    told(workspace, asked(text), 900)
    assert text in counted


@pytest.mark.parametrize(
    "content",
    [
        [IMAGE],
        [
            {"type": "thinking", "thinking": "Well.", "signature": "EvUBCmMIDRgC"},
            {"type": "text", "text": "!"},
        ],
        [{"type": "something_new"}],
    ],
)
def test_beginnings_whose_bytes_tell_nothing_are_counted(counted: list[str], content: list[Any]) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    body = asked("Hello again", "")
    body["messages"][1]["content"] = content
    told(workspace, body, 100)
    assert "Hello again" in counted


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "You are not brief."},
        {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"model": "claude-sonnet-4-6"},
        {"cache_control": {"type": "ephemeral"}},
    ],
)
def test_a_conversation_that_begins_otherwise_is_counted(counted: list[str], fields: Body) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    counted.clear()
    told(workspace, asked("Good morning", **fields), 60)
    assert "Good morning" in counted


def test_a_bill_that_shows_more_than_was_thought_possible_is_remembered(counted: list[str]) -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 60)
    told(workspace, asked("Good morning"), 3_000)  # a tool of the provider may have found as much
    counted.clear()
    told(workspace, asked("Good evening"), 60)
    assert "Good evening" in counted
    counted.clear()
    told(workspace, asked("Good night"), 60)
    assert counted == []


def test_a_bill_that_shows_less_than_was_thought_is_remembered() -> None:
    workspace = Workspace(default())
    told(workspace, asked("Hello"), 600)
    assert told(workspace, asked("Good morning"), 60).plan.total.low > 300
    assert told(workspace, asked("Good evening"), 60).plan.total.low == 60


RECORDED = ("crmne__ruby_llm", "pydantic__pydantic-ai", "crewAIInc__crewAI")


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-8"])
def test_no_recorded_beginning_has_more_tokens_than_its_bytes_tell(traces: Path, model: str) -> None:
    known, ruler, judged = default().resolve(model), Ruler(), 0
    estimator, reading = Estimator(known, ruler=ruler), Reading(model)
    for name in RECORDED:
        with lzma.open(
            traces / "exchanges" / "cassettes" / f"{name}.jsonl.xz", "rt", encoding="utf-8"
        ) as lines:
            for body in (json.loads(line)["request"]["body"] for line in lines):
                messages = body.get("messages") if isinstance(body, dict) else None
                said = msgspec.msgpack.encode(messages)
                if not messages or len(said) > 4 * MINIMUM:
                    continue
                prompt = read_prompt({"messages": messages}, reading)
                tokens = sum(estimator.measure(prompt.blocks, Settings(), prompt.digests).sizes)
                judged += 1
                assert tokens < most_said(prompt, said)
    assert judged > 1_000
