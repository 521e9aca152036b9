"""`[carry]` of the gateway: old results are cleared for any client, dropped summaries put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrimp.core.passes.carry import Carry
from scrimp.emulator import Emulator, Scripted, tool_use
from scrimp.errors import InputError
from scrimp.gateway.carry_settings import CarrySettings, carry_lever
from scrimp.gateway.settings_loading import load
from scrimp.gateway.trim_settings import TrimSettings
from tests.gateway.doors import door

GO: Any = {"role": "user", "content": "Read all files."}
ASKED: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1_000,
    "system": "Follow the rules of the house. " * 600,
    "tools": [{"name": "read", "input_schema": {"type": "object"}}],
}
BOLD = CarrySettings(enabled=True, risk=0.5)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where what was cleared is kept."""
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))


def script(steps: int) -> Scripted:
    return Scripted([[tool_use("read", {"n": step})] for step in range(steps)])


def work(found: Any, steps: int, *, stream: bool = False) -> None:
    """A tool loop through the gateway; the client keeps nothing but tool calls."""
    client, messages = found.sdk(max_retries=0), [GO]
    for _ in range(steps):
        if stream:
            with client.messages.stream(**ASKED, messages=messages) as events:
                message = events.get_final_message()
        else:
            message = client.messages.create(**ASKED, messages=messages)
        [use] = [block for block in message.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": f"{use.id} " + "line " * 2_000}
        said = {"type": "tool_use", "id": use.id, "name": use.name, "input": use.input}
        messages += [{"role": "assistant", "content": [said]}, {"role": "user", "content": [result]}]


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_conversation_is_billed_less_and_written_down_to_the_cent(stream: bool) -> None:
    spent = []
    for settings in (CarrySettings(), BOLD):
        with door(Emulator(script(40)), serve={"mode": "save"}, tables={"carry": settings}) as found:
            work(found, 30, stream=stream)
            records = found.records(30)
            assert sum(record.cost for record in records) == found.emulator.total
            spent.append(found.emulator.total)
            notes = [note for record in records for note in record.notes if note.startswith("carry: cleared")]
            assert bool(notes) is settings.enabled
            assert ("context_management" in found.emulator.requests[-1].body) is settings.enabled
    assert spent[1] < 0.9 * spent[0]


@pytest.mark.filterwarnings("ignore:scrimp. an answer began with a summary:scrimp.errors.ScrimpWarning")
def test_a_summary_that_the_client_drops_is_put_back() -> None:
    settings = CarrySettings(enabled=True, risk=0.9, exclude_tools=("read",), compact=True, restore=True)
    with door(Emulator(script(60)), serve={"mode": "save"}, tables={"carry": settings}) as found:
        work(found, 50)
        records = sorted(found.records(50), key=lambda record: record.started_at)
        requests = found.emulator.requests
    [at, *_] = [n for n, record in enumerate(records) if len(record.usage.iterations or ()) == 2]
    assert records[at + 1].usage.total_input < records[at - 1].usage.total_input / 3
    restored = [block for message in requests[at + 1].body["messages"] for block in message["content"]]
    assert any(isinstance(block, dict) and block.get("type") == "compaction" for block in restored)


def test_old_turns_are_left_out_for_any_client() -> None:
    settings = TrimSettings(enabled=True, trigger=20_000)
    with door(Emulator(script(30)), serve={"mode": "save"}, tables={"trim": settings}) as found:
        work(found, 24)
        assert len(found.emulator.requests[-1].body["messages"]) < 24
        notes = [note for record in found.records(24) for note in record.notes]
    assert any(note.startswith("trim: left ") for note in notes)


def test_callers_in_safe_mode_are_left_alone() -> None:
    with door(Emulator(script(40)), tables={"carry": BOLD}) as found:
        work(found, 20)
        assert all("context_management" not in request.body for request in found.emulator.requests)


def test_the_table_says_what_the_lever_does(tmp_path: Path) -> None:
    path = tmp_path / "scrimp.toml"
    path.write_text('[carry]\nenabled = true\nkeep = 5\nexclude_tools = ["write"]\ncompact = true\n')
    carry = load(path, {}, {}, keys_needed=False).settings.carry
    assert (carry.enabled, carry.keep, carry.exclude_tools, carry.compact) == (True, 5, ("write",), True)
    assert isinstance(carry_lever(carry, "an account"), Carry)
    path.write_text("[carry]\nkeep = 0\n")
    with pytest.raises(InputError, match="keep"):
        load(path, {}, {}, keys_needed=False)
