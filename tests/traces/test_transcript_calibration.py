"""Calibration on sessions: what is predicted, what is counted apart, and the bars on recorded traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scrimp.traces.claude_code import home_of, is_resumed, loads_tools, thinking_after, version_of
from scrimp.traces.transcript_calibration import calibrate_transcripts
from scrimp.traces.transcripts import TranscriptCall, read_session
from tests.traces.sessions import assistant, hook, result, system, text, tool_use, usage, user, write

if TYPE_CHECKING:
    from pathlib import Path


def loop(gap: float, second: dict[str, Any]) -> list[dict[str, Any]]:
    """A session of two calls, the second `gap` seconds after the first."""
    return [
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10_000, write_1h=5_000), tool_use("t1")),
        user("u2", "a1", gap, [result("t1")]),
        assistant("a2", "u2", gap + 4, "m2", second),
    ]


def test_first_calls_are_counted_apart_and_the_others_judged(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *loop(60, usage(read=15_000, write_1h=400)))
    found = calibrate_transcripts([tmp_path])
    assert (found.runs, found.calls, found.cache.calls, found.first.calls) == (1, 2, 1, 1)
    assert (found.cache.within, found.cache.read_exact, found.disagreements) == (1, 1, [])
    assert found.skipped == {"first call of a conversation": 1}
    summary = found.summary()
    assert summary["cache"] == {
        "calls": 1,
        "within_1pct": 1.0,
        "read_exact": 1.0,
        "full_miss": {"precision": 0.0, "recall": 0.0, "f1": 0.0},
    }


def test_an_expired_entry_is_foreseen(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *loop(3_700, usage(read=10_000, write_1h=5_400)))
    found = calibrate_transcripts([tmp_path])
    # The first call found 10,000 tokens in the cache; the same is expected to be there again.
    assert (found.cache.within, found.cache.foreseen, found.cache.unforeseen) == (1, 0, 0)


def test_disagreements_name_file_and_call(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *loop(60, usage(read=1_000, write_1h=14_400)))
    (one,) = calibrate_transcripts([path]).disagreements
    assert (one.path, one.message_id, one.kind) == (path, "m2", "evicted early, or changed unseen")
    assert (one.predicted_read, one.billed_read, one.billed_write) == (15_000, 1_000, 14_400)


def test_copies_of_calls_and_bad_lines_are_reported_not_judged(tmp_path: Path) -> None:
    lines = loop(60, usage(read=15_000, write_1h=400))
    write(tmp_path / "a.jsonl", *lines)
    write(tmp_path / "b.jsonl", *lines, b"not json")
    found = calibrate_transcripts([tmp_path])
    assert (found.runs, found.calls, found.cache.calls) == (2, 2, 1)
    assert found.skipped["copy of a call in another file"] == 2
    assert [(fault.path.name, fault.line) for fault in found.faults] == [("b.jsonl", 5)]


def test_a_forecast_does_not_see_its_own_bill_nor_later_ones(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    predicted = []
    for folder, (read, written) in zip(folders, [(1_000, 14_400), (9_000, 6_400)], strict=True):
        folder.mkdir()
        last = [
            user("u3", "a2", 90, [result("t2")]),
            assistant("a3", "u3", 95, "m3", usage(read=read, write_1h=999)),
        ]
        write(folder / "a.jsonl", *loop(60, usage(read=read, write_1h=written)), *last)
        found = calibrate_transcripts([folder])
        predicted.append([d.predicted_read for d in found.disagreements if d.message_id == "m2"])
    assert predicted == [[15_000], [15_000]]


def second_call(path: Path, *between: dict[str, Any], **fields: Any) -> TranscriptCall:
    lines = [
        assistant("a1", None, 1, "m1", usage(), text("done"), **fields),
        *between,
        assistant("a2", between[-1]["uuid"], 9, "m2", usage(), **fields),
    ]
    (conversation,) = read_session(write(path / "s.jsonl", *lines), []).conversations
    return conversation.calls[1]


def test_a_restarted_client_is_known_by_its_hook(tmp_path: Path) -> None:
    assert is_resumed(
        second_call(tmp_path, hook("h", "a1", 2, "SessionStart:resume"), user("u", "h", 3, "go"))
    )
    assert not is_resumed(second_call(tmp_path, hook("h", "a1", 2, "Stop"), user("u", "h", 3, "go")))


def test_a_restarted_desktop_app_is_known_by_a_turn_it_did_not_close(tmp_path: Path) -> None:
    closing = system("y", "a1", 2, "stop_hook_summary")
    desktop = {"entrypoint": "claude-desktop"}
    assert is_resumed(second_call(tmp_path, user("u", "a1", 3, "go"), **desktop))
    assert not is_resumed(second_call(tmp_path, closing, user("u", "y", 3, "go"), **desktop))
    assert not is_resumed(second_call(tmp_path, user("u", "a1", 3, "go"), entrypoint="cli"))


@pytest.mark.parametrize(
    ("version", "prompt", "before", "after"),
    [
        ("2.1.30", {"thinkingMetadata": {"maxThinkingTokens": 31999}}, False, True),
        ("2.1.30", {}, False, False),
        ("2.1.30", {}, None, True),
        ("2.1.45", {"thinkingMetadata": {"maxThinkingTokens": 31999}}, False, None),
        (None, {}, True, None),
    ],
)
def test_thinking_goes_by_the_prompt_in_the_versions_that_did_so(
    tmp_path: Path, version: str | None, prompt: dict[str, Any], *, before: bool | None, after: bool | None
) -> None:
    call = second_call(tmp_path, user("u", "a1", 3, "go", **prompt), version=version)
    assert thinking_after(call, before=before) is after


@pytest.mark.parametrize(("version", "loads"), [("2.1.108", False), ("2.1.112", True), ("2.1.209", False)])
def test_loaded_tools_stand_before_the_messages_in_some_versions(
    tmp_path: Path, version: str, *, loads: bool
) -> None:
    found = [{"type": "tool_reference", "tool_name": "x"}]
    call = second_call(tmp_path, user("u", "a1", 3, [result("t1", found)]), version=version)
    assert loads_tools(call) is loads


def test_an_effort_switch_breaks_the_messages(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("command", "recorded", "neither")]
    lines = loop(60, usage(read=10_000, write_1h=5_400))
    changes: list[dict[str, Any]] = [{}, {"effort": "low"}, {}]
    texts = ["<command-name>/effort</command-name>", "go", "go"]
    broken = []
    for folder, change, words in zip(folders, changes, texts, strict=True):
        folder.mkdir()
        first, second = {**lines[1], "effort": "high"}, {**lines[3], "effort": "high", **change}
        asked = user("u2", "a1", 60, [result("t1"), text(words)])
        write(folder / "a.jsonl", lines[0], first, asked, second)
        found = calibrate_transcripts([folder])
        broken.append(found.cache.within == 1)
    # 10,000 tokens of the first call were shared; without a switch all 15,000 would be read.
    assert broken == [True, True, False]


def test_versions_and_homes() -> None:
    assert version_of("2.1.9-beta") < version_of("2.1.10")
    assert version_of(None) == ()
    assert home_of("/srv/ada/code/x") == "/srv/ada"
    assert home_of("\\srv\\ada\\code") == "/srv/ada"
