"""Reading Claude Code sessions: every rule of merging, linking and leaving out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scrimp.traces.files import Faults
from scrimp.traces.transcripts import Session, TranscriptCall, read_session, read_transcripts
from tests.traces.sessions import (
    START,
    agent,
    assistant,
    hook,
    result,
    system,
    text,
    tool_use,
    usage,
    user,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, *lines: dict[str, Any] | bytes) -> Session:
    faults: Faults = []
    session = read_session(write(path / "s1.jsonl", *lines), faults)
    assert faults == []
    return session


def main_calls(session: Session) -> list[TranscriptCall]:
    return next(conversation.calls for conversation in session.conversations if conversation.is_main)


def test_lines_of_one_message_are_one_call_with_its_last_usage(tmp_path: Path) -> None:
    session = read(
        tmp_path,
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10, output=1), text("Hi"), stop_reason=None),
        assistant("a2", "a1", 6, "m1", usage(read=10, output=70), tool_use("t1"), stop_reason="tool_use"),
    )
    (call,) = main_calls(session)
    assert (call.message_id, call.request_id, call.usage.output_tokens) == ("m1", "req_m1", 70)
    assert (call.started_at, call.first_at, call.ended_at) == (START, START + 4, START + 6)
    assert call.reply.read_blocks() == [text("Hi"), tool_use("t1")]
    assert (call.reply.tool_uses, call.reply.text_bytes, call.reply.blocks) == (1, 2, 2)
    assert call.new.read_blocks() == [text("hello")]
    assert (session.id, call.version, call.cwd) == ("s1", "2.1.205", "/srv/ada/project")


def test_an_earlier_line_with_more_output_is_not_overwritten(tmp_path: Path) -> None:
    (call,) = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 4, "m1", usage(read=10, output=70)),
            assistant("a2", "a1", 6, "m1", usage(read=10, output=1)),
        )
    )
    assert call.usage.output_tokens == 70


def test_output_is_reliable_only_where_a_stop_reason_was_recorded(tmp_path: Path) -> None:
    first, second = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 4, "m1", usage(output=2), stop_reason=None),
            assistant("a2", "a1", 6, "m2", usage(output=2), stop_reason="end_turn"),
        )
    )
    assert (first.output_reliable, second.output_reliable) == (False, True)


def test_a_call_extends_the_nearest_call_above_it(tmp_path: Path) -> None:
    calls = main_calls(
        read(
            tmp_path,
            user("u1", None, 0, "hello"),
            assistant("a1", "u1", 4, "m1", usage(), tool_use("t1", "Bash")),
            hook("p1", "a1", 5, "PostToolUse:Bash"),
            user("u2", "p1", 7, [result("t1", "x" * 40)]),
            {"type": "attachment", "uuid": "u3", "parentUuid": "u2", "attachment": {"type": "task_reminder"}},
            assistant("a2", "u3", 9, "m2", usage(), model="claude-sonnet-4-6"),
        )
    )
    first, second = calls
    assert (first.parent_id, second.parent_id) == (None, "m1")
    assert (second.started_at, second.first_at) == (START + 7, START + 9)
    assert (second.new.tools, second.new.result_bytes) == (("Bash",), 42)  # two quotes included
    assert (second.new.hooks, second.new.attachments) == (("PostToolUse:Bash",), ("task_reminder",))
    assert (first.model_switch, second.model_switch) == (False, True)


def test_results_of_parallel_tool_uses_all_count_and_some_lie_beyond_the_marker(tmp_path: Path) -> None:
    _, second = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage(), tool_use("t1"), stop_reason=None),
            assistant("a2", "a1", 2, "m1", usage(), tool_use("t2", "Bash"), stop_reason="tool_use"),
            user("r2", "a2", 3, [result("t2", [text("b" * 30)])]),
            user("r1", "a1", 5, [result("t1", [text("a" * 20)])]),
            assistant("a3", "r1", 9, "m2", usage()),
        )
    )
    assert second.new.tools == ("Bash", "Read")
    assert second.new.result_bytes == 50
    # The result of t1 arrived last and carries the marker; in the request it stands before that of t2.
    assert second.new.trailing_bytes == 30
    assert second.started_at == START + 5


def test_results_in_the_order_of_their_uses_leave_nothing_beyond_the_marker(tmp_path: Path) -> None:
    _, second = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage(), tool_use("t1"), tool_use("t2")),
            user("r", "a1", 3, [result("t1", "one"), result("t2", "two")]),
            assistant("a3", "r", 9, "m2", usage()),
        )
    )
    assert second.new.trailing_bytes == 0


def test_sub_agents_in_progress_lines_are_conversations_of_their_own(tmp_path: Path) -> None:
    asked = user("-", None, 0, "look around")
    answered = assistant("-", None, 0, "g1", usage(read=5), tool_use("g-t"))
    session = read(
        tmp_path,
        assistant("a1", None, 1, "m1", usage(), tool_use("t1", "Task")),
        agent("p1", "a1", 2, "agent-7", asked),
        agent("p2", "p1", 4, "agent-7", answered),
        agent("p3", "p2", 5, "agent-7", user("-", None, 0, [result("g-t")])),
        agent("p4", "p3", 8, "agent-7", assistant("-", None, 0, "g2", usage(read=9))),
        user("u2", "p4", 9, [result("t1")]),
        assistant("a2", "u2", 12, "m2", usage()),
    )
    by_name = {conversation.name: conversation.calls for conversation in session.conversations}
    assert set(by_name) == {"main", "agent-7"}
    first, second = by_name["agent-7"]
    assert (first.message_id, first.request_id, first.parent_id) == ("g1", "req_g1", None)
    assert (second.message_id, second.parent_id, second.started_at) == ("g2", "g1", START + 5)
    assert [call.parent_id for call in by_name["main"]] == [None, "m1"]


def test_a_sub_agents_own_file_is_its_conversation(tmp_path: Path) -> None:
    side = {"isSidechain": True, "agentId": "a12"}
    session = read(
        tmp_path,
        user("u1", None, 0, "look around", **side),
        assistant("a1", "u1", 4, "m1", usage(), **side),
    )
    assert [conversation.name for conversation in session.conversations] == ["a12"]


def test_a_compaction_links_to_the_call_it_followed(tmp_path: Path) -> None:
    _, second = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage(read=150_000)),
            system("b1", None, 5, "compact_boundary", logicalParentUuid="a1"),
            user("u2", "b1", 5, "This session is being continued", isMeta=True),
            assistant("a2", "u2", 9, "m2", usage(read=20_000)),
        )
    )
    assert (second.parent_id, second.after_compaction) == ("m1", True)


def test_a_rewind_shows_as_two_calls_of_one_parent(tmp_path: Path) -> None:
    calls = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage()),
            user("u2", "a1", 2, "this way"),
            assistant("a2", "u2", 3, "m2", usage()),
            user("u3", "a1", 5, "no, that way"),
            assistant("a3", "u3", 6, "m3", usage()),
        )
    )
    assert [(call.parent_id, call.edited_history) for call in calls] == [
        (None, False),
        ("m1", False),
        ("m1", True),
    ]


def test_what_was_not_billed_is_left_out_and_counted(tmp_path: Path) -> None:
    skipped: dict[str, int] = {}
    path = write(
        tmp_path / "s1.jsonl",
        assistant("a1", None, 1, "m1", usage(), model="<synthetic>"),
        assistant("a2", "a1", 2, "m2", usage(), isApiErrorMessage=True),
        {**assistant("a3", "a2", 3, "m3", usage()), "message": {"id": "m3", "role": "assistant"}},
        assistant("a4", "a3", 4, "m4", usage()),
        {"type": "summary", "summary": "A title", "leafUuid": "a4"},
    )
    faults: Faults = []
    (call,) = main_calls(read_session(path, faults, skipped))
    assert (call.message_id, call.parent_id, faults) == ("m4", None, [])
    assert skipped == {"synthetic message": 1, "API error": 1, "no usage": 1}


def test_copies_of_a_call_in_other_files_are_marked(tmp_path: Path) -> None:
    lines = [assistant("a1", None, 1, "m1", usage()), assistant("a2", "a1", 2, "m2", usage())]
    write(tmp_path / "a.jsonl", *lines)
    write(tmp_path / "b.jsonl", *lines, assistant("a3", "a2", 3, "m3", usage()))
    sessions = list(read_transcripts([tmp_path], []))
    marks = [[(c.message_id, c.duplicate) for c in main_calls(session)] for session in sessions]
    assert marks == [[("m1", False), ("m2", False)], [("m1", True), ("m2", True), ("m3", False)]]
    assert main_calls(sessions[1])[2].parent_id == "m2"


def test_bad_lines_are_named_and_the_chain_goes_on_past_them(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s1.jsonl",
        assistant("a1", None, 1, "m1", usage()),
        b'{"type":"user","uuid":"u2",',
        assistant("a2", "u2", 4, "m2", usage()),
        assistant("a3", "a2", 5, "m3", {"input_tokens": -1}),
    )
    faults: Faults = []
    calls = main_calls(read_session(path, faults))
    assert [(call.message_id, call.parent_id, call.parent_lost) for call in calls] == [
        ("m1", None, False),
        ("m2", "m1", True),
    ]
    assert [(fault.path, fault.line) for fault in faults] == [(path, 2), (path, 4)]


def test_a_message_of_an_unknown_shape_is_named_and_leaves_its_line_a_place(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s1.jsonl",
        assistant("a1", None, 1, "m1", usage()),
        {**user("u2", "a1", 2, "go"), "message": "go"},
        {**system("y1", "u2", 3, "stop_hook_summary"), "data": ["from the future"]},
        assistant("a2", "y1", 4, "m2", usage()),
    )
    faults: Faults = []
    _, call = main_calls(read_session(path, faults))
    assert (call.parent_id, call.parent_lost, call.new.prompts) == ("m1", False, 0)
    assert (call.new.turn_closed, call.started_at) == (True, START + 2)
    assert [fault.line for fault in faults] == [2]


def test_content_of_an_unknown_shape_adds_nothing_but_is_billed(tmp_path: Path) -> None:
    line = assistant("a1", None, 1, "m1", usage(read=7))
    line["message"]["content"] = [{"type": "text", "text": 5}]
    (call,) = main_calls(read(tmp_path, line))
    assert (call.usage.cache_read_input_tokens, call.reply.blocks, call.reply.text_bytes) == (7, 0, 0)


def test_sizes_are_bytes_of_utf8(tmp_path: Path) -> None:
    _, call = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage()),
            user("u2", "a1", 2, "na\u00efve \U0001f600"),
            user("u3", "u2", 3, [text("\u00e9"), result("t1", [text("\u20ac\n")])]),
            assistant("a2", "u3", 4, "m2", usage(), text("\u20ac")),
        )
    )
    assert (call.new.text_bytes, call.new.result_bytes, call.reply.text_bytes) == (11 + 2, 4, 3)


def test_a_file_that_begins_inside_a_conversation_says_so(tmp_path: Path) -> None:
    (call,) = main_calls(read(tmp_path, assistant("a1", "gone", 1, "m1", usage(read=90_000))))
    assert (call.parent_id, call.parent_lost) == (None, True)


@pytest.mark.parametrize(
    ("lines", "thinking"),
    [
        ([user("u2", "a1", 2, "go", thinkingMetadata={"maxThinkingTokens": 31999})], True),
        ([user("u2", "a1", 2, "go", thinkingMetadata={"level": "high", "disabled": True})], False),
        ([user("u2", "a1", 2, "go")], None),
        ([user("u2", "a1", 2, "Base directory for this skill: /x", isMeta=True)], False),
        ([user("u2", "a1", 2, "Implement the following plan:\n1. …")], False),
        ([user("u2", "a1", 2, "<local-command-caveat>…</local-command-caveat>", isMeta=True)], None),
    ],
)
def test_the_thinking_setting_is_taken_from_the_prompt(
    tmp_path: Path, lines: list[dict[str, Any]], *, thinking: bool | None
) -> None:
    _, call = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage()),
            *lines,
            assistant("a2", lines[-1]["uuid"], 4, "m2", usage()),
        )
    )
    assert call.new.thinking is thinking


def test_what_came_in_is_told_apart(tmp_path: Path) -> None:
    picture = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    _, call = main_calls(
        read(
            tmp_path,
            assistant("a1", None, 1, "m1", usage(), tool_use("t1", "ToolSearch")),
            user("u2", "a1", 2, [result("t1", [{"type": "tool_reference", "tool_name": "x"}, picture])]),
            user("u3", "u2", 3, [text("[Request interrupted by user]")]),
            user("u4", "u3", 3, "<command-name>/model</command-name>"),
            system("y1", "u4", 4, "away_summary"),
            system("y2", "y1", 4, "stop_hook_summary"),
            user("u5", "y2", 5, [text("see"), picture], permissionMode="plan"),
            assistant("a2", "u5", 9, "m2", usage()),
        )
    )
    new = call.new
    assert (new.prompts, new.images, new.tool_references, new.blocks) == (3, 2, 1, 5)
    assert (new.interrupted, new.commands, new.permission_mode) == (True, ("model",), "plan")
    assert (new.touched_at, new.turn_closed, new.microcompacted) == (START + 4, True, False)


def test_unknown_line_types_and_fields_pass_by(tmp_path: Path) -> None:
    session = read(
        tmp_path,
        {"type": "from-the-future", "uuid": "x1", "payload": [1, 2]},
        assistant("a1", "x1", 1, "m1", usage(), text("hi"), {"type": "novelty"}, novelty={"deep": True}),
    )
    assert [call.message_id for call in main_calls(session)] == ["m1"]
