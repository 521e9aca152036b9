"""What is said of a prompt that goes on with one too short for the cache, without measuring it."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.tokens.counts import count_block
from scrimp.core.tokens.estimator import Ruler
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
    told(workspace, asked("Hello", *["."] * 20), 200)
    assert counted != []
    counted.clear()
    told(workspace, asked("Hello", *["."] * 34), 300)
    assert counted == []
