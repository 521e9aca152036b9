"""What the API refuses, with its status, type and text, and what passes beside each refusal."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from scrimp.emulator import Emulator, PromptLength
from tests.emulator.asgi import Answered, body, call, user

NEWER = "2026-10-21"
SEPTEMBER = 1_788_000_000.0  # every model in these tables was served then


def answered(request: Any, **headers: str) -> Answered:
    emulator = Emulator()
    emulator.clock.set(SEPTEMBER)
    return call(emulator, request, **headers)


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def used(*identities: str) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": identity, "name": "f", "input": {}} for identity in identities]
    return {"role": "assistant", "content": calls}


def results(*identities: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": i} for i in identities]}


def text(content: str, ttl: str | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": content}
    return block if ttl is None else {**block, "cache_control": {"type": "ephemeral", "ttl": ttl}}


def marks(count: int) -> list[dict[str, Any]]:
    return [text(f"part {number}", "5m") for number in range(count)]


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in body().items() if name != field}


TOOL = {"name": "f", "input_schema": {"type": "object"}}
DEFERRED = {**TOOL, "defer_loading": True}
AUTO = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}

UNANSWERED = (
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_x. "
    "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
)
STRAY = (
    "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_x. "
    "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
)
LONG_AFTER_SHORT = (
    "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
    "cache_control block. Note that blocks are processed in the following order: "
    "`tools`, `system`, `messages`."
)
NO_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
ONLY_ADAPTIVE = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.'
)
ALL_DEFERRED = "At least one tool must have defer_loading=false. All tools cannot be deferred."
TOO_MUCH_OUTPUT = (
    "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens "
    "for claude-haiku-4-5-20251001"
)

DOCUMENTED: list[tuple[dict[str, Any], str]] = [
    (body(user(*marks(5))), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (
        body(user(*marks(4), text("tail")), **AUTO),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    (body(user(text("a", "5m"), text("b", "1h"))), LONG_AFTER_SHORT),
    (
        body(user(text("", "5m"), text("b"))),
        "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
    ),
    (body(user("a"), used("toolu_x"), user("b")), UNANSWERED),
    (body(results("toolu_x")), STRAY),
    (body(model="claude-haiku-4-5-20251001", max_tokens=128_000), TOO_MUCH_OUTPUT),
    (body(user(text(""), text("b"))), "messages: text content blocks must be non-empty"),
    (
        body(user("a"), used("toolu_x", "toolu_x"), results("toolu_x")),
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    (without("messages") | {"messages": []}, "messages: at least one message is required"),
    (body(user("a"), said("b"), model="claude-sonnet-4-6"), NO_PREFILL),
    (body(model="claude-opus-4-7", max_tokens=2000, **ENABLED), ONLY_ADAPTIVE),
    (body(model="claude-haiku-4-5", **ADAPTIVE), "adaptive thinking is not supported on this model"),
    (body(tools=[DEFERRED]), ALL_DEFERRED),
    (
        body(
            user("a"),
            used("toolu_x"),
            user(
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_x",
                    "content": [{"type": "tool_reference", "tool_name": "unknown_tool"}],
                }
            ),
            tools=[TOOL],
        ),
        "Tool reference 'unknown_tool' not found in available tools",
    ),
    (
        body(user("a"), {"role": "system", "content": "b"}, model="claude-haiku-4-5"),
        "role 'system' is not supported on this model",
    ),
]
"""Requests whose refusal the documents or recorded errors put in these words."""


@pytest.mark.parametrize(("request_body", "message"), DOCUMENTED)
def test_a_refusal_has_the_providers_words(request_body: dict[str, Any], message: str) -> None:
    refused = answered(request_body)
    assert refused.status == 400
    assert refused.body["type"] == "error"
    assert refused.error == {"type": "invalid_request_error", "message": message}
    assert refused.body["request_id"] == refused.headers["request-id"]


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("max_tokens: Field required", without("max_tokens")),
    ("model: Field required", without("model")),
    ("messages: Field required", without("messages")),
    ("max_tokens", body(max_tokens="100")),
    ("max_tokens", body(max_tokens=-1)),
    ("messages.0.role", body({"role": "tool", "content": "a"})),
    ("messages.0.content: Field required", body({"role": "user"})),
    ("messages.0.content.0.type", body(user({"text": "a"}, text("b")))),
    ("messages.0.content.0.text.text", body(user({"type": "text"}, text("b")))),
    ("must have non-empty content", body(user(""), user("b"))),
    ("differs from", body(user(text("a", "5m")), **HOUR)),
    ("cache_control.ephemeral.ttl", body(user(text("a", "2h")))),
    (
        "thinking.cache_control",
        body(
            user("a"),
            _thought := {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "t", "signature": "s", **AUTO}, text("b")],
            },
            user("c"),
        ),
    ),
    ("defer_loading", body(tools=[TOOL, {**DEFERRED, "name": "g", **AUTO}])),
    ("unique", body(tools=[TOOL, TOOL])),
    ("input_schema: Field required", body(tools=[{"name": "f"}])),
    ("tool_choice", body(model="claude-opus-5-5", tools=[TOOL], tool_choice={"type": "any"})),
    ("not found in provided tools", body(tools=[TOOL], tool_choice={"type": "tool", "name": "g"})),
    ("disabled", body(model="claude-fable-5-2", thinking={"type": "disabled"})),
    (
        "greater than or equal to 1024",
        body(model="claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 100}),
    ),
    ("must be greater than `thinking.budget_tokens`", body(model="claude-sonnet-4-5", **ENABLED)),
    ("output_config.effort", body(model="claude-opus-4-6", output_config={"effort": "xhigh"})),
    ("effort", body(model="claude-sonnet-4-5", output_config={"effort": "high"})),
    (
        "between_tools",
        body(model="claude-sonnet-5-5", thinking={"type": "between_tools"}, output_config={"effort": "max"}),
    ),
    ("inference_geo", body(model="claude-sonnet-4-5", inference_geo="us")),
    ("fast mode", body(model="claude-opus-4-7", speed="fast")),
    ("max_tokens: 0", body(max_tokens=0, stream=True)),
    ("max_tokens: 0", body(max_tokens=0, tools=[TOOL], tool_choice={"type": "any"})),
    ("max_tokens: 0", body(max_tokens=0, output_config={"format": {"type": "json_schema", "schema": {}}})),
    ("system message must follow", body({"role": "system", "content": "a"}, user("b"))),
    ("last or followed by an assistant", body(user("a"), {"role": "system", "content": "b"}, user("c"))),
    ("`temperature`", body(model="claude-opus-4-7", temperature=0.5)),
    (
        "both be specified",
        body(model="claude-sonnet-4-5", temperature=0.5, top_p=0.5),
    ),
    ("less than or equal to 1", body(model="claude-sonnet-4-5", temperature=1.5)),
    ("only be set to 1", body(model="claude-sonnet-4-5", max_tokens=2000, temperature=0, **ENABLED)),
    ("input_schema.type: Field required", body(tools=[{"name": "f", "input_schema": {}}])),
    ("non-whitespace", body(stop_sequences=["\n"])),
    ("email address", body(metadata={"user_id": "someone@example.com"})),
    ("trailing whitespace", body(user("a"), said("b "), model="claude-haiku-4-5")),
    (
        "Expected `thinking`",
        body(
            user("a"),
            used("toolu_x"),
            results("toolu_x"),
            model="claude-sonnet-4-5",
            max_tokens=2000,
            **ENABLED,
        ),
    ),
    ("thread_unsupported_request", body(user(*marks(4)), thread={"type": "create"})),
]
"""Words to look for, and a request that is refused for that."""


@pytest.mark.parametrize(("words", "request_body"), REFUSED, ids=[words for words, _ in REFUSED])
def test_what_the_documents_forbid_is_refused(words: str, request_body: dict[str, Any]) -> None:
    refused = answered(request_body)
    assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
    assert words in str(refused.error)


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("four markers", body(user(*marks(4)))),
    ("automatic beside three", body(user(*marks(3), text("tail")), **AUTO)),
    ("automatic where a marker already is", body(user(*marks(4)), **AUTO)),
    ("1h before 5m", body(user(text("a", "1h"), text("b", "5m")))),
    ("calls answered", body(user("a"), used("toolu_x"), results("toolu_x"))),
    (
        "calls answered after other calls",
        body(user("a"), used("toolu_x"), used("toolu_y"), results("toolu_x"), results("toolu_y")),
    ),
    (
        "an id used again later",
        body(user("a"), used("toolu_x"), results("toolu_x"), used("toolu_x"), results("toolu_x")),
    ),
    ("prefill where the model has it", body(user("a"), said("b"), model="claude-haiku-4-5")),
    (
        "a paused turn resumed",
        body(
            user("a"),
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": "srvtoolu_x", "name": "web_search", "input": {}}
                ],
            },
        ),
    ),
    ("system after user", body(user("a"), {"role": "system", "content": "b"})),
    (
        "effort of one message",
        body(user("a"), {"role": "system", "content": [], "output_config": {"effort": "low"}}),
    ),
    ("default temperature on a newer model", body(model="claude-opus-4-7", temperature=1)),
    (
        "the thinking that led to calls",
        body(
            user("a"),
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "s"},
                    *used("toolu_x")["content"],
                ],
            },
            results("toolu_x"),
            model="claude-sonnet-4-5",
            max_tokens=2000,
            **ENABLED,
        ),
    ),
    ("temperature on an older model", body(model="claude-sonnet-4-5", temperature=0.2, top_k=5)),
    ("thinking with room", body(model="claude-sonnet-4-5", max_tokens=2000, **ENABLED)),
    ("three markers in a thread", body(user(*marks(3)), thread={"type": "create"})),
    ("fields nobody knows", body(tomorrow={"a": 1}, metadata={"user_id": "u", "b": 2})),
    ("blocks nobody knows", body(user({"type": "hologram", "data": "x"}, text("b")))),
    ("fast mode silently standard", body(model="claude-opus-4-6", speed="fast")),
]


@pytest.mark.parametrize("request_body", [given for _, given in ACCEPTED], ids=[name for name, _ in ACCEPTED])
def test_what_the_documents_allow_passes(request_body: dict[str, Any]) -> None:
    assert answered(request_body).status == 200


@pytest.mark.parametrize(
    "request_body",
    [
        body(model="claude-sonnet-4-5", temperature=1),
        body(user("a"), {"role": "assistant", "content": [{"type": "document", "source": {}}]}, user("b")),
        body(user({**text("a"), "citations": [{"type": "char_location"}]}, text("b"))),
    ],
    ids=["sampling", "document of the assistant", "citations of the user"],
)
def test_the_newer_version_refuses_what_the_older_takes(request_body: dict[str, Any]) -> None:
    assert answered(request_body).status == 200
    refused = answered(request_body, anthropic_version=NEWER)
    assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")


def test_fast_mode_that_is_not_sold_says_so_in_the_usage() -> None:
    assert answered(body(model="claude-opus-4-6", speed="fast")).usage["speed"] == "standard"
    assert answered(body(model="claude-opus-5", speed="fast")).usage["speed"] == "fast"


def test_a_prompt_longer_than_the_window() -> None:
    emulator = Emulator(measure=lambda prompt, *_: PromptLength([1] * len(prompt), 213_462))
    emulator.clock.set(SEPTEMBER)
    refused = call(emulator, body(model="claude-haiku-4-5"))
    assert refused.error["message"] == "prompt is too long: 213462 tokens > 200000 maximum"
    assert emulator.total == 0


@pytest.mark.parametrize(
    ("model", "status"), [("claude-sonnet-4-5", 200), ("claude-3-7-sonnet-20250219", 400)]
)
def test_a_prompt_and_an_answer_that_overflow_the_window_together(model: str, status: int) -> None:
    emulator = Emulator(measure=lambda prompt, *_: PromptLength([1] * len(prompt), 188_059))
    emulator.clock.set(SEPTEMBER)
    answer = call(emulator, body(model=model, max_tokens=20_000))
    assert answer.status == status
    if status == 400:
        assert answer.error["message"].startswith(
            "input length and `max_tokens` exceed context limit: 188059 + 20000 > 200000, "
        )


def test_a_model_nobody_knows_is_not_found() -> None:
    refused = answered(body(model="claude-nonsense-9"))
    assert refused.status == 404
    assert refused.error == {"type": "not_found_error", "message": "model: claude-nonsense-9"}


def test_a_retired_model_is_gone_from_the_day_after_where_that_is_wanted() -> None:
    last_day = datetime(2026, 8, 5, tzinfo=UTC).timestamp()
    for retires, statuses in ((True, [200, 404]), (False, [200, 200])):
        emulator = Emulator(retires=retires)
        found = []
        for now in (last_day, last_day + 86_400):
            emulator.clock.set(now)
            found.append(call(emulator, body(model="claude-opus-4-1")).status)
        assert found == statuses


def test_a_body_that_is_no_json_object() -> None:
    for raw in (b"{", b"[]", b"\xff"):
        refused = answered(raw)
        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")


def test_a_body_beyond_32_megabytes() -> None:
    limit = 32 * 1024 * 1024
    padding = b'{"model": "claude-opus-5", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]'
    fits = padding + b" " * (limit - len(padding) - 1) + b"}"
    assert answered(fits).status == 200
    refused = answered(fits + b" ")
    assert (refused.status, refused.error["type"]) == (413, "request_too_large")


def test_a_packed_body_is_unpacked_and_a_bad_one_refused() -> None:
    plain = json.dumps(body()).encode()
    limit = 32 * 1024 * 1024
    for encoding, packed in (("gzip", gzip.compress(plain)), ("deflate", zlib.compress(plain))):
        assert answered(packed, content_encoding=encoding).status == 200
    refusals = [
        ("br", plain, 400, "request_body_encoding_unsupported"),
        ("gzip", plain, 400, "request_body_encoding_invalid"),
        ("gzip", gzip.compress(plain)[:-9], 400, "request_body_encoding_invalid"),
        ("gzip", gzip.compress(plain + b" " * limit), 413, "request_body_too_large_after_decoding"),
    ]
    for encoding, packed, status, code in refusals:
        refused = answered(packed, content_encoding=encoding)
        assert (refused.status, refused.error["details"]["error_code"]) == (status, code)
