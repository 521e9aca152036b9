"""The official SDK as the client: answers arrive as its own models, sync and async, streamed or not."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, ModelInfo, RawMessageStreamEvent
from pydantic import TypeAdapter

from scrimp.emulator import Agent, Answer, Emulator, Fault, Scripted, text, thinking, tool_use
from tests.emulator.asgi import MODEL, body, call, get

QUESTION: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 2000,
    "messages": [{"role": "user", "content": "Which llamas are there?"}],
}
INPUT = {"query": "llamas " * 20, "limit": 3, "deep": {"a": [1, None, "ü"]}}
SCRIPT = [
    Answer(
        [
            thinking("Let me look. " * 9),
            text("I will search for it now, dear. " * 3),
            tool_use("search", INPUT),
        ]
    )
]
TEXT = "I will search for it now, dear. " * 3


def client(emulator: Emulator, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=emulator.url, api_key="sk-test", **options)


def check(message: Any) -> None:
    thought, said, called = message.content
    assert thought.thinking == "Let me look. " * 9
    assert thought.signature
    assert said.text == TEXT
    assert (called.name, called.input) == ("search", INPUT)
    assert called.id.startswith("toolu_")
    assert message.stop_reason == "tool_use"
    assert message.id.startswith("msg_")
    assert message.usage.output_tokens > message.usage.output_tokens_details.thinking_tokens > 0


def test_the_same_answer_every_way_the_sdk_asks() -> None:
    with Emulator(Scripted(SCRIPT)) as emulator, client(emulator) as sdk:
        plain = sdk.messages.create(**QUESTION)
        with sdk.messages.stream(**QUESTION) as stream:
            streamed = stream.get_final_message()
            request_id = stream.request_id
        events = list(sdk.messages.create(**QUESTION, stream=True))
        raw = sdk.messages.with_raw_response.create(**QUESTION)
        beta = sdk.beta.messages.create(**QUESTION)
        with sdk.beta.messages.stream(**QUESTION) as beta_stream:
            beta_streamed = beta_stream.get_final_message()
        for message in (plain, streamed, raw.parse(), beta, beta_streamed):
            check(message)
        assert [event.type for event in events[:2]] == ["message_start", "content_block_start"]
        assert raw.headers["request-id"] == raw.parse()._request_id
        assert request_id in {entry.request_id for entry in emulator.bill}
        assert len({entry.message_id for entry in emulator.bill}) == 6
        assert len({entry.usage for entry in emulator.bill}) == 1


def test_the_same_answer_every_way_the_async_sdk_asks() -> None:
    async def ask(emulator: Emulator) -> None:
        async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="sk-test") as sdk:
            check(await sdk.messages.create(**QUESTION))
            async with sdk.messages.stream(**QUESTION) as stream:
                check(await stream.get_final_message())
            answers = await asyncio.gather(*(sdk.messages.create(**QUESTION) for _ in range(20)))
            for answer in answers:
                check(answer)

    with Emulator(Scripted(SCRIPT)) as emulator:
        asyncio.run(ask(emulator))
        assert len(emulator.bill) == 22


def test_usage_of_a_stream_is_whole_at_its_start_and_cumulative_at_its_end() -> None:
    marked = body(system=[{**text("word " * 3000), "cache_control": {"type": "ephemeral"}}], stream=True)
    emulator = Emulator(Scripted(SCRIPT))
    plain = call(emulator, marked | {"stream": False, "max_tokens": 2000}).usage
    emulator = Emulator(Scripted(SCRIPT))
    events = call(emulator, marked | {"max_tokens": 2000}).events
    start, delta = events[0].json()["message"]["usage"], events[-2].json()["usage"]
    assert [event.name for event in events[-2:]] == ["message_delta", "message_stop"]
    assert {**start, **delta} == plain
    assert start["cache_creation"]["ephemeral_5m_input_tokens"] > 3000
    assert start["output_tokens"] <= 4
    assert "cache_creation" not in delta
    assert "service_tier" not in delta


def test_every_event_and_body_has_the_shape_of_the_sdks_models() -> None:
    emulator = Emulator(Scripted(SCRIPT))
    Message.model_validate(call(emulator, body(max_tokens=2000)).body, strict=True)
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    events = [
        event for event in call(emulator, body(max_tokens=2000, stream=True)).events if event.name != "ping"
    ]
    assert {type(adapter.validate_python(event.json())).__name__ for event in events} == {
        "RawMessageStartEvent",
        "RawContentBlockStartEvent",
        "RawContentBlockDeltaEvent",
        "RawContentBlockStopEvent",
        "RawMessageDeltaEvent",
        "RawMessageStopEvent",
    }
    for model in get(emulator, "/v1/models?limit=1000").body["data"]:
        ModelInfo.model_validate(model)


def test_the_beta_query_is_taken() -> None:
    assert call(Emulator(), body(), "/v1/messages?beta=true").status == 200


def test_models_are_listed_in_pages() -> None:
    with Emulator() as emulator, client(emulator) as sdk:
        every = [model.id for model in sdk.models.list(limit=5)]
        assert len(every) == len(set(every)) > 10
        assert every[0].startswith(("claude-fable-5-2", "claude-mythos-5-2"))
        assert sdk.models.retrieve("claude-haiku-4-5-20251001").id == "claude-haiku-4-5"
        with pytest.raises(anthropic.NotFoundError):
            sdk.models.retrieve("claude-nonsense-9")


def test_counting_agrees_with_the_bill_and_costs_nothing() -> None:
    with Emulator() as emulator, client(emulator) as sdk:
        asked = {name: value for name, value in QUESTION.items() if name != "max_tokens"}
        counted = sdk.messages.count_tokens(**asked).input_tokens
        assert emulator.bill == []
        assert sdk.messages.create(**QUESTION).usage.input_tokens == counted


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("rate_limit", anthropic.RateLimitError, 429),
        ("spend_limit", anthropic.RateLimitError, 429),
        ("overloaded", anthropic.APIStatusError, 529),
        ("server_error", anthropic.InternalServerError, 500),
    ],
)
def test_a_refusal_is_the_sdks_exception_and_bills_nothing(
    kind: Any, error: type[anthropic.APIStatusError], status: int
) -> None:
    with (
        Emulator(faults=[Fault(kind, seconds=7)]) as emulator,
        client(emulator, max_retries=0) as sdk,
    ):
        with pytest.raises(error) as caught:
            sdk.messages.create(**QUESTION)
        assert caught.value.status_code == status
        assert caught.value.response.headers.get("retry-after") == ("7" if kind == "rate_limit" else None)
        details = caught.value.body["error"].get("details")  # type: ignore[index]  # the SDK types it as object
        expected = {"error_code": "enforced_spend_limit_reached"} if kind == "spend_limit" else None
        assert details == expected
        assert emulator.total == 0


def test_the_sdk_retries_what_goes_wrong_before_the_first_byte() -> None:
    faults = [Fault("disconnect"), Fault("rate_limit", seconds=0.01)]
    with Emulator(faults=faults) as emulator, client(emulator) as sdk:
        sdk.messages.create(**QUESTION)
        assert len(emulator.requests) == 3
        assert len(emulator.bill) == 1


def test_the_tool_runner_gets_through_with_and_without_threads() -> None:
    @anthropic.beta_tool
    def add(left: int, right: int) -> str:
        """Add two numbers."""
        return str(left + right)

    for threaded in (True, False):
        with Emulator(Agent(steps=3)) as emulator, client(emulator) as sdk:
            options: dict[str, Any] = {} if threaded else {"thread": False}
            runner = sdk.beta.messages.tool_runner(**QUESTION, tools=[add], **options)
            final = runner.until_done()
            assert final.stop_reason == "end_turn"
            bodies = [request.body for request in emulator.requests]
            assert len(bodies) == 4
            assert [len(sent["messages"]) for sent in bodies] == ([1, 1, 1, 1] if threaded else [1, 3, 5, 7])
            inputs = [entry.usage.total_input for entry in emulator.bill]
            assert inputs == sorted(set(inputs))


def test_both_ways_to_name_a_key() -> None:
    emulator = Emulator(keys={"good"})
    for headers in ({"x_api_key": "good"}, {"x_api_key": "", "authorization": "Bearer good"}):
        assert call(emulator, body(), **headers).status == 200
    refused = {
        "x-api-key header is required": {"x_api_key": ""},
        "invalid x-api-key": {"x_api_key": "bad"},
        "Invalid bearer token": {"x_api_key": "", "authorization": "Bearer bad"},
    }
    for message, headers in refused.items():
        answer = call(emulator, body(), **headers)
        assert (answer.status, answer.error) == (401, {"type": "authentication_error", "message": message})
    assert not any("good" in str(request) for request in emulator.requests)


def test_headers_say_who_and_how_much_is_left() -> None:
    emulator = Emulator()
    first, second = (call(emulator, body(max_tokens=50)).headers for _ in range(2))
    assert first["request-id"] != second["request-id"]
    assert first["anthropic-organization-id"] == second["anthropic-organization-id"]
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        assert int(first[f"anthropic-ratelimit-{kind}-limit"]) >= int(
            first[f"anthropic-ratelimit-{kind}-remaining"]
        )
        assert first[f"anthropic-ratelimit-{kind}-reset"].endswith("Z")


@pytest.mark.parametrize(
    ("method_path", "status", "kind"),
    [("/v1/complete", 404, "not_found_error"), ("/v1/models", 405, "invalid_request_error")],
)
def test_other_paths_and_methods(method_path: str, status: int, kind: str) -> None:
    answer = call(Emulator(), {}, method_path)
    assert (answer.status, answer.error["type"]) == (status, kind)


@pytest.mark.parametrize("version", ["", "2022-01-01"])
def test_a_version_is_needed(version: str) -> None:
    answer = call(Emulator(), body(), anthropic_version=version)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert "anthropic-version" in answer.error["message"]
