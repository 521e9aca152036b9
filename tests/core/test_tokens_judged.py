"""Which recorded calls can judge an estimate."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.tokens import JUDGED_FROM, why_not_judged
from scrimp.wire.request import blocks
from scrimp.wire.response import read_usage

USAGE = {"input_tokens": 100, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 100}
CALL = {"type": "tool_use", "id": "toolu_REDACTED_1", "name": "weather", "input": {"city": "Oslo"}}
SIGNED = {"type": "thinking", "thinking": "Oslo is cold.", "signature": "signature_REDACTED_1"}


def reason(
    *content: Any, usage: dict[str, Any] | None = None, partial: str | None = None, **body: Any
) -> str | None:
    whole = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, *content]}], **body}
    return why_not_judged(whole, blocks(whole), read_usage(usage or USAGE), partial=partial)


def test_a_whole_prompt_of_500_billed_tokens_is_judged() -> None:
    assert JUDGED_FROM == 500
    assert reason() is None
    assert reason(usage={**USAGE, "input_tokens": 99}) == "fewer than 500 billed tokens"


@pytest.mark.parametrize(
    "content",
    [
        CALL,
        SIGNED,
        {"type": "tool_result", "tool_use_id": "toolu_REDACTED_1", "content": "-3 degrees"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "text", "text": "Answer inside <FINAL_ANSWER> or <b>, please."},
    ],
)
def test_ordinary_content_is_judged(content: dict[str, Any]) -> None:
    assert reason(content) is None


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "f", "input_schema": {}},
        {"type": "custom", "name": "f"},
        {"type": "bash_20250124", "name": "bash"},
    ],
)
def test_tools_the_caller_runs_are_judged(tool: dict[str, Any]) -> None:
    assert reason(tools=[tool]) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"type": "document", "source": {"type": "text", "data": "plain"}}, "documents, URLs or files"),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x.y/z.png"}},
            "documents, URLs or files",
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, "documents, URLs or files"),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": {}}]},
            "documents, URLs or files",
        ),
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, "server tools"),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, "server tools"),
        ({"type": "compaction", "content": "what was said"}, "compacted history"),
        ({"type": "text", "text": "my key is [REDACTED]"}, "redaction placeholders"),
        ({"type": "text", "text": "<MASSIVE_TEXT_FOR_PROMPT_CACHING> go"}, "redaction placeholders"),
        ({**CALL, "input": {"city": "REDACTED"}}, "redaction placeholders"),
        ({**SIGNED, "thinking": ""}, "redaction placeholders"),
    ],
)
def test_what_cannot_be_counted_is_not_judged(content: dict[str, Any], why: str) -> None:
    assert reason(content) == why


@pytest.mark.parametrize(
    "kind", ["web_search_20250305", "code_execution_20260120", "tool_search_tool_bm25_20251119"]
)
def test_tools_the_provider_runs_are_not_judged(kind: str) -> None:
    assert reason(tools=[{"type": kind, "name": "t"}]) == "server tools"
    assert reason(mcp_servers=[{"type": "url", "url": "https://x.y"}]) == "server tools"


def test_sums_over_samplings_are_not_judged() -> None:
    sampling = {"type": "message", "input_tokens": 500, "output_tokens": 1}
    assert reason(usage={**USAGE, "iterations": [sampling]}) is None
    assert reason(usage={**USAGE, "iterations": [sampling, sampling]}) == "usage sums several samplings"
    compaction = {**sampling, "type": "compaction"}
    assert reason(usage={**USAGE, "iterations": [compaction]}) == "usage sums several samplings"


def test_a_request_recorded_in_part_is_not_judged() -> None:
    assert reason(partial="tool definitions not recorded") == "request recorded in part"
