"""Sessions of the pi coding agent: what each call sent, worked out from the entries before its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from scrimp.traces.corpus import read_corpus
from scrimp.traces.pi_sessions import is_pi_session, pi_lines

HEADER = {"type": "session", "id": "s1", "cwd": "/here", "thinkingLevel": "off"}
NEVER = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}


def entry(role: str, content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": role, "content": content, **more}
    return {"type": "message", "timestamp": "2025-12-08T22:41:09.389Z", "message": message}


def user(text: str) -> dict[str, Any]:
    return entry("user", [{"type": "text", "text": text}])


def answer(*content: dict[str, Any], usage: dict[str, int], **more: Any) -> dict[str, Any]:
    return entry(
        "assistant", list(content), model="claude-opus-4-5", usage=usage, timestamp=1_765_233_665_294, **more
    )


def call(use: str) -> dict[str, Any]:
    return {"type": "toolCall", "id": use, "name": "read", "arguments": {"path": "a.py"}}


def result(use: str, text: str) -> dict[str, Any]:
    return entry("toolResult", [{"type": "text", "text": text}], toolCallId=use, toolName="read")


def billed(plain: int, read: int = 0, written: int = 0) -> dict[str, int]:
    return {"input": plain, "output": 7, "cacheRead": read, "cacheWrite": written}


def test_a_call_sends_what_came_before_its_answer_in_the_terms_of_the_api() -> None:
    entries = [
        HEADER,
        user("read it"),
        answer(call("t1"), call("t2"), usage=billed(2_000)),
        result("t1", "one"),
        result("t2", "two"),
        {"type": "thinking_level_change", "thinkingLevel": "low"},
        answer({"type": "text", "text": "done"}, usage=billed(1, 2_000, 90)),
        entry("bashExecution", None, command="ls", output="a.py"),
        user("more"),
        answer({"type": "text", "text": "more"}, usage=NEVER, stopReason="aborted"),
    ]
    first, second = pi_lines(entries, source="someone/agent")
    body = first["request"]["body"]
    assert first["source"] == {"repo": "someone/agent"}
    assert (first["run"], first["seq"], second["seq"]) == ("s1", 0, 1)
    assert first["started_at"] == "2025-12-08T22:41:05.294000+00:00"
    assert body["model"] == "claude-opus-4-5"
    assert body["messages"] == [
        {
            "role": "user",
            "content": [{"type": "text", "text": "read it", "cache_control": {"type": "ephemeral"}}],
        }
    ]
    assert "thinking" not in body
    # 2,000 tokens were billed and hardly any stand in the message: the rest is what was not recorded.
    assert 2_000 * 3.5 < len(body["system"][0]["text"]) < 2_000 * 4.5
    assert first["partial_request"]

    later = second["request"]["body"]
    assert later["system"] == body["system"]
    assert later["thinking"] == {"type": "enabled", "budget_tokens": 2_048}
    roles = [message["role"] for message in later["messages"]]
    assert roles == ["user", "assistant", "user"]
    uses = [block["id"] for block in later["messages"][1]["content"]]
    results = [block["tool_use_id"] for block in later["messages"][2]["content"]]
    assert uses == results == ["t1", "t2"]
    assert second["usage"] == {
        "input_tokens": 1,
        "output_tokens": 7,
        "cache_read_input_tokens": 2_000,
        "cache_creation_input_tokens": 90,
    }


def test_a_tool_use_without_a_result_is_not_sent() -> None:
    entries = [
        HEADER,
        user("go"),
        answer({"type": "text", "text": "so"}, call("t1"), usage=billed(50), stopReason="aborted"),
        user("stop"),
        answer({"type": "text", "text": "ok"}, usage=billed(60)),
    ]
    sent = list(pi_lines(entries))[-1]["request"]["body"]["messages"]
    assert [block["type"] for block in sent[1]["content"]] == ["text"]


@pytest.mark.parametrize("named", [False, True])
def test_after_a_summary_only_that_and_what_was_kept_is_sent(*, named: bool) -> None:
    summary: dict[str, Any] = {"type": "compaction", "summary": "we did a lot"}
    entries: list[dict[str, Any]] = [
        HEADER,
        user("one"),
        answer({"type": "text", "text": "first"}, usage=billed(100)),
        user("two"),
        answer({"type": "text", "text": "second"}, usage=billed(120)),
        summary,
        user("three"),
        answer({"type": "text", "text": "third"}, usage=billed(90)),
    ]
    if named:  # newer files name entries and what each follows
        entries = [{**each, "id": str(at), "parentId": str(at - 1)} for at, each in enumerate(entries)]
        entries[5]["firstKeptEntryId"] = "3"
    else:
        summary["firstKeptEntryIndex"] = 3
    sent = list(pi_lines(entries))[-1]["request"]["body"]["messages"]
    texts = [block["text"] for message in sent for block in message["content"]]
    assert "we did a lot" in texts[0]
    assert texts[1:] == ["two", "second", "three"]


def test_sessions_are_known_by_their_header_and_read_line_by_line_or_as_one(tmp_path: Path) -> None:
    entries = [HEADER, user("hi"), answer({"type": "text", "text": "hello"}, usage=billed(40))]
    assert is_pi_session(HEADER)
    assert is_pi_session({"entries": entries})
    assert not is_pi_session({"type": "user", "cwd": "/here", "sessionId": "x"})
    assert not is_pi_session({"request": {}, "entries": 3})
    lines = tmp_path / "session.jsonl"
    lines.write_bytes(b"\n".join(map(orjson.dumps, entries)))
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(orjson.dumps({"source_repo": "someone/agent", "entries": entries}))
    corpus = read_corpus([lines, whole])
    assert corpus.faults == []
    assert {source: len(found) for source, found in corpus.sources.items()} == {
        tmp_path.name: 1,
        "someone/agent": 1,
    }
