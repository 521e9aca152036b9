"""Snapshots of prompts: what they keep, what they see, and what they say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import TextBlock
from hypothesis import given
from hypothesis import strategies as st

from scrimp.errors import InputError, RequestError
from scrimp.testing import Recording
from scrimp.testing.snapshot import Kept
from scrimp.testing.snapshot_diff import changes
from scrimp.testing.snapshot_file import PromptSnapshot
from tests.testing.agents import ask, round_emulator

SECRET = "the secret sauce "


def tool(name: str, does: str) -> dict[str, Any]:
    return {"name": name, "description": does, "input_schema": {"type": "object", "properties": {}}}


BODY: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "tools": [tool("ls", "List files."), tool("cat", "Show a file."), tool("grep", "Search.")],
    "system": [
        {"type": "text", "text": "You are careful. " + SECRET * 300},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [{"role": "user", "content": "Is it so?"}],
}


def kept(folder: Path, body: Any = BODY, **options: Any) -> Path:
    """Keep a prompt; the file it is kept in."""
    PromptSnapshot(folder / "test_agent.py", "test_prompt", update=True)(body, **options)
    return folder / "prompt_snapshots" / "test_agent.test_prompt.json"


def compared(folder: Path, body: Any, **options: Any) -> str:
    """What comparing fails with; empty where it does not."""
    try:
        PromptSnapshot(folder / "test_agent.py", "test_prompt", update=False)(body, **options)
    except AssertionError as failure:
        return str(failure)
    return ""


def edited(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(BODY), **changes}


def rows(said: str) -> list[str]:
    """The lines that name a change."""
    return [line.strip() for line in said.splitlines() if line.startswith("  ")]


def test_a_prompt_that_stayed_the_same_passes(tmp_path: Path) -> None:
    kept(tmp_path)
    assert compared(tmp_path, BODY) == ""


def test_what_is_no_change_of_the_prefix_passes(tmp_path: Path) -> None:
    kept(tmp_path)
    assert compared(tmp_path, edited(messages=[{"role": "user", "content": "Why?"}])) == ""
    assert compared(tmp_path, edited(max_tokens=7, stream=True, tool_choice={"type": "auto"})) == ""
    unmarked = edited()
    del unmarked["system"][1]["cache_control"]
    assert compared(tmp_path, unmarked) == ""


def test_a_snapshot_is_small_and_holds_no_prompt_text(tmp_path: Path) -> None:
    path = kept(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "secret" not in text
    assert "Be brief" not in text
    assert "List files" not in text
    assert len(text) < 2000
    found = json.loads(text)
    assert [block["path"] for block in found["blocks"]] == [
        "tools.0",
        "tools.1",
        "tools.2",
        "system.0",
        "system.1",
    ]
    assert [block.get("name") for block in found["blocks"]] == ["ls", "cat", "grep", None, None]
    # 300 times three words and a space or so: about 900 tokens by the older vocabulary, more by the newer.
    assert 900 <= found["blocks"][3]["tokens"] <= 1700


def test_a_changed_block_is_named_with_its_tokens_and_its_opening(tmp_path: Path) -> None:
    path = kept(tmp_path)
    was = json.loads(path.read_text(encoding="utf-8"))["blocks"][4]["tokens"]
    said = compared(tmp_path, edited(system=[BODY["system"][0], {"type": "text", "text": "Be very brief."}]))
    assert said.startswith(
        "the prefix of this prompt is not the one in prompt_snapshots/test_agent.test_prompt.json"
    )
    (row,) = rows(said)
    # One token more; what a block has is told from whole prompts, which are rounded.
    assert row in [
        f"changed  system.1, {was} → {was + more} tokens, now begins “Be very brief.”" for more in (1, 2)
    ]
    assert "reach to system.1 are not read any more; tiers of the cache lost: system, messages." in said
    assert "pytest --scrimp-update-snapshots" in said


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ([*BODY["tools"], tool("find", "Find.")], ["added    tools.3 (find)"]),
        ([tool("find", "Find."), *BODY["tools"]], ["added    tools.0 (find)"]),
        (BODY["tools"][:2], ["removed  tools.2 (grep)"]),
        ([BODY["tools"][2], *BODY["tools"][:2]], ["moved    tools.2 (grep) to tools.0"]),
        ([*BODY["tools"][:2], tool("grep", "Find text.")], ["changed  tools.2 (grep)"]),
        (
            [tool("cat", "Print a file."), BODY["tools"][0]],
            ["changed  tools.0 (cat)", "removed  tools.2 (grep)"],
        ),
    ],
)
def test_tools_added_removed_moved_and_changed(tools: Any, expected: list[str], tmp_path: Path) -> None:
    kept(tmp_path)
    said = compared(tmp_path, edited(tools=tools))
    found = rows(said)
    assert len(found) == len(expected), found
    for row, start in zip(found, expected, strict=True):
        assert row.startswith(start)
    assert "tiers of the cache lost: tools, system, messages." in said


def test_what_it_costs_is_worked_out_from_the_first_difference(tmp_path: Path) -> None:
    path = kept(tmp_path)
    sizes = [block["tokens"] for block in json.loads(path.read_text(encoding="utf-8"))["blocks"]]
    said = compared(tmp_path, edited(tools=[*BODY["tools"][:2], tool("grep", "Search!")]))
    found = json.loads(
        kept(tmp_path, edited(tools=[*BODY["tools"][:2], tool("grep", "Search!")])).read_text()
    )
    now = [block["tokens"] for block in found["blocks"]]
    total, anew = sum(now), sum(now) - sizes[0] - sizes[1]
    # Sonnet 5.5: $2.50 per million tokens written, $0.10 per million read.
    written, read = anew * 2_500_000, anew * 100_000
    assert f"Of about {total:,} tokens {anew:,} are written anew" in said
    assert f"${written / 10**12:.7f}".rstrip("0") in said
    assert f"${read / 10**12:.7f}".rstrip("0") in said


def test_a_prefix_under_the_minimum_is_told_so(tmp_path: Path) -> None:
    short = edited(system="Be brief.", tools=[])
    kept(tmp_path, short)
    said = compared(tmp_path, edited(system="Be very brief.", tools=[]))
    assert "too short to be cached by itself" in said
    assert "claude-sonnet-5-5 caches prefixes from 512 on" in said


@pytest.mark.parametrize(
    ("change", "row", "lost"),
    [
        (
            {"model": "claude-opus-5-5"},
            "model: claude-sonnet-5-5 → claude-opus-5-5",
            "tools, system, messages",
        ),
        ({"speed": "fast"}, "speed: None → fast", "system, messages"),
        ({"tool_choice": {"type": "any"}}, "tool_choice: None → {'type': 'any'}", "messages"),
        ({"output_config": {"effort": "low"}}, "effort: None → low", "messages"),
    ],
)
def test_parameters_that_break_a_tier_are_named(change: Any, row: str, lost: str, tmp_path: Path) -> None:
    kept(tmp_path)
    said = compared(tmp_path, edited(**change))
    assert rows(said) == [f"changed  {row}"]
    assert f"tiers of the cache lost: {lost}." in said


def test_messages_belong_to_the_prefix_where_they_are_asked_for(tmp_path: Path) -> None:
    kept(tmp_path, messages=True)
    assert compared(tmp_path, BODY, messages=True) == ""
    said = compared(tmp_path, edited(messages=[{"role": "user", "content": "Why?"}]), messages=True)
    assert rows(said)[0].startswith("changed  messages.0.content.0")
    assert "tiers of the cache lost: messages." in said


def test_the_first_request_of_a_run_is_what_is_kept(tmp_path: Path) -> None:
    with round_emulator() as emulator:
        with pytest.raises(AssertionError, match="no call was billed"):
            kept(tmp_path, Recording(emulator))
        ask(emulator, "Is it so?")
        ask(emulator, "Is it not?", system="Something else.")
        path = kept(tmp_path, Recording(emulator))
        assert compared(tmp_path, emulator) == ""
    assert [block["path"] for block in json.loads(path.read_text())["blocks"]] == ["system.0"]


def test_every_snapshot_of_a_test_has_a_file_of_its_own(tmp_path: Path) -> None:
    snapshot = PromptSnapshot(tmp_path / "test_agent.py", "test_prompt[a/b c]", update=True)
    snapshot(BODY)
    snapshot(BODY)
    snapshot(BODY, name="the planner")
    names = sorted(path.name for path in (tmp_path / "prompt_snapshots").iterdir())
    stem = "test_agent.test_prompt-a-b-c"
    assert names == [f"{stem}.2.json", f"{stem}.json", f"{stem}.the-planner.json"]


def test_a_missing_snapshot_fails_and_says_how_to_make_one(tmp_path: Path) -> None:
    said = compared(tmp_path, BODY)
    assert said.startswith(
        "no snapshot of this prompt is kept in prompt_snapshots/test_agent.test_prompt.json"
    )
    assert said.endswith("pytest --scrimp-update-snapshots")
    assert not (tmp_path / "prompt_snapshots").exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not a snapshot of a prompt"),
        ("[]", "not a snapshot"),
        ('{"format": 1}', "missing required field"),
    ],
)
def test_a_file_that_is_no_snapshot_is_named(text: str, fault: str, tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.write_text(text)
    with pytest.raises(InputError, match=fault) as caught:
        compared(tmp_path, BODY)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_snapshot_of_another_format_is_refused(tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(InputError, match="format 99, written by another version of scrimp"):
        compared(tmp_path, BODY)


def test_answers_of_the_sdk_may_be_in_the_messages(tmp_path: Path) -> None:
    said = TextBlock(type="text", text="Yes.")
    plain = {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}
    kept(tmp_path, edited(messages=[*BODY["messages"], plain]), messages=True)
    spoken = edited(
        messages=[*BODY["messages"], {"role": "assistant", "content": [said]}], extra_headers={"a": "b"}
    )
    assert compared(tmp_path, spoken, messages=True) == ""


def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="messages: expected a list"):
        kept(tmp_path, {"model": "claude-sonnet-5-5", "messages": "hello"}, messages=True)


def blocks_of(texts: list[int], names: list[str | None]) -> Iterator[Kept]:
    for at, (text, name) in enumerate(zip(texts, names, strict=True)):
        yield Kept(f"{'tools' if name else 'system'}.{at}", f"{text:02x}", f"{texts[: at + 1]}", 10, name)


@given(st.lists(st.integers(0, 6), max_size=8), st.lists(st.integers(0, 6), max_size=8))
def test_changes_account_for_every_block_that_is_not_as_it_was(old: list[int], new: list[int]) -> None:
    before = list(blocks_of(old, [None] * len(old)))
    after = list(blocks_of(new, [None] * len(new)))
    found = changes(before, after)
    gone = [change.before for change in found if change.before]
    came = [change.after for change in found if change.after]
    assert len({block.path for block in gone}) == len(gone)
    assert len({block.path for block in came}) == len(came)
    # What is in no change is, in this order, in both.
    assert [block.digest for block in before if block not in gone] == [
        block.digest for block in after if block not in came
    ]
    assert bool(found) == (old != new)
    for change in found:
        assert (change.what == "added") == (change.before is None)
        assert (change.what == "removed") == (change.after is None)
        if change.before and change.after:
            assert (change.what == "moved") == (change.before.digest == change.after.digest)
