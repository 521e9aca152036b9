"""Rounds behind one answer: what the agent gets, streamed or whole, and what goes out next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.meter import Meter
from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.fetch_tool import with_fetch
from scrimp.core.offload.serving import Rounds, serves
from scrimp.core.offload.serving_stream import Splice
from scrimp.emulator.messages import Said
from scrimp.emulator.sse import pieces
from scrimp.wire.events import Event, SSEParser
from scrimp.wire.rebuild import MessageBuilder
from scrimp.wire.response import CacheCreation, Usage, read_usage

BODY = {"model": "claude-opus-5", "messages": [{"role": "user", "content": "Why does it fail?"}]}
NUMBERS = st.integers(0, 10**6)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=90).filter(str.strip)


def speech(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": f"sig-{len(text)}"}


def fetch(number: int) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": f"toolu_f{number}",
        "name": "scrimp_fetch",
        "input": {"handle": "abcdefghijklmnop", "range": f"{number}-"},
    }


def ls(number: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_l{number}", "name": "ls", "input": {"path": f"/{number}"}}


def searched(number: int) -> dict[str, Any]:
    return {
        "type": "web_search_tool_result",
        "tool_use_id": f"srvtoolu_{number}",
        "content": [{"type": "web_search_result", "index": number, "title": "a"}],
    }


@st.composite
def rounds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Answers of the API: all but the last call the tool alone, the last may do anything."""
    numbers = iter(range(1000))
    plain = st.one_of(WORDS.map(speech), WORDS.map(thought), st.builds(lambda: searched(next(numbers))))
    calls = st.builds(lambda: fetch(next(numbers)))
    others = st.builds(lambda: ls(next(numbers)))
    contents = []
    for _ in range(draw(st.integers(0, 3))):
        content = draw(st.lists(st.one_of(plain, calls), max_size=5))
        contents.append([*content, draw(calls), *draw(st.lists(plain, max_size=1))])
    last = draw(st.lists(st.one_of(plain, calls, others), max_size=6))
    if any(block.get("name") == "scrimp_fetch" for block in last):
        last.append(draw(others))
    contents.append(last)
    return [answer(number, content, draw(usages())) for number, content in enumerate(contents)]


def usages() -> st.SearchStrategy[Usage]:
    return st.builds(
        lambda plain, short, long, read, output: Usage(
            input_tokens=plain,
            output_tokens=output,
            cache_creation_input_tokens=short + long,
            cache_read_input_tokens=read,
            cache_creation=CacheCreation(short, long),
            service_tier="standard",
        ),
        *[NUMBERS] * 5,
    )


def answer(number: int, content: list[dict[str, Any]], usage: Usage) -> dict[str, Any]:
    called = any(block["type"] == "tool_use" for block in content)
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": content,
        "stop_reason": "tool_use" if called else "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": usage.input_tokens,
            "cache_creation_input_tokens": usage.cache_creation_input_tokens,
            "cache_read_input_tokens": usage.cache_read_input_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage.write_5m,
                "ephemeral_1h_input_tokens": usage.write_1h,
            },
            "output_tokens": usage.output_tokens,
            "service_tier": usage.service_tier,
            "inference_geo": None,
        },
    }


def streamed(message: dict[str, Any]) -> bytes:
    """The events of an answer, as the emulator writes them."""
    said = Said(message["content"], message["stop_reason"], None, message["usage"]["output_tokens"], 0)
    return b"".join(piece.data for piece in pieces(message, said, read_usage(message["usage"]), {}))


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The bytes in pieces of these sizes, over and over."""
    parts, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        parts.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return parts


def told(calls: Any) -> list[Fetched]:
    return [Fetched(f"lines of {call['input']['range']}") for call in calls]


def whole(answers: list[dict[str, Any]]) -> tuple[Rounds, list[Any]]:
    """The rounds of answers that are not streamed, and every body that went out."""
    found, sent = Rounds(BODY), list[Any]()
    for message in answers:
        sent.append(found.body)
        calls = found.took(message)
        if not calls or not found.answered(told(calls)):
            break
    return found, sent


def spliced(answers: list[dict[str, Any]], sizes: list[int]) -> tuple[bytes, Rounds]:
    """The stream that the agent gets."""
    splice, out = Splice(Rounds(BODY)), []
    for message in answers:
        out += [splice.feed(part) for part in cut(streamed(message), sizes)]
        out.append(splice.over())
        if not splice.asked:
            break
        if not splice.answered(told(splice.asked)):
            out.append(splice.closing())
            break
    return b"".join(out), splice.rounds


def rebuilt(events: list[Event]) -> dict[str, Any]:
    builder = MessageBuilder()
    for event in events:
        builder.feed(event)
    message = builder.message()
    assert message is not None
    return message


def check_valid(events: list[Event]) -> None:
    """The order that the API promises ("Streaming")."""
    names = [event.name for event in events if event.name != "ping"]
    assert (names[0], names[-1]) == ("message_start", "message_stop")
    assert names.count("message_start") == names.count("message_delta") == names.count("message_stop") == 1
    assert names[-2] == "message_delta"
    opened, begun = None, 0
    for event in events:
        if event.name == "content_block_start":
            assert opened is None
            opened = event.json()["index"]
            assert opened == begun
            begun += 1
        elif event.name.startswith("content_block"):
            assert event.json()["index"] == opened
            opened = None if event.name == "content_block_stop" else opened
    assert opened is None


@given(rounds(), st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_a_stream_of_any_rounds_is_valid_and_says_what_the_whole_answers_say(
    answers: list[dict[str, Any]], sizes: list[int]
) -> None:
    out, streams = spliced(answers, sizes)
    events = SSEParser().feed(out)
    check_valid(events)
    expected, _ = whole(answers)
    assert rebuilt(events) == expected.message()
    assert streams.body == expected.body
    assert streams.turn == expected.turn


@given(rounds())
def test_the_agent_gets_all_but_the_calls_in_order_and_usage_adds_up(answers: list[dict[str, Any]]) -> None:
    found, _ = whole(answers)
    message = found.message()
    said = [block for one in answers for block in one["content"]]
    assert message["content"] == [block for block in said if block.get("name") != "scrimp_fetch"]
    assert message["id"] == "msg_0"
    assert message["stop_reason"] == answers[-1]["stop_reason"]
    usage, billed = read_usage(message["usage"]), [read_usage(one["usage"]) for one in answers]
    assert usage.input_tokens == sum(one.input_tokens for one in billed)
    assert usage.output_tokens == sum(one.output_tokens for one in billed)
    assert usage.cache_read_input_tokens == sum(one.cache_read_input_tokens for one in billed)
    assert usage.write_5m == sum(one.write_5m for one in billed)
    assert usage.write_1h == sum(one.write_1h for one in billed)
    if len(answers) > 1:
        assert usage.iterations is not None
        assert [one.total_input for one in usage.iterations] == [one.total_input for one in billed]


@given(rounds(), st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_the_stream_can_be_metered(answers: list[dict[str, Any]], sizes: list[int]) -> None:
    out, _ = spliced(answers, sizes)
    meter = Meter()
    for event in SSEParser().feed(out):
        meter.feed(event)
    metered = meter.finish()
    assert metered.complete
    assert metered.usage is not None
    assert metered.usage.total_input == sum(read_usage(one["usage"]).total_input for one in answers)


@given(rounds(), st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_what_is_not_held_back_passes_byte_for_byte_as_soon_as_it_is_whole(
    answers: list[dict[str, Any]], sizes: list[int]
) -> None:
    message = {
        **answers[-1],
        "content": [b for b in answers[-1]["content"] if b.get("name") != "scrimp_fetch"],
    }
    splice, passed, came = Splice(Rounds(BODY)), b"", b""
    for part in cut(streamed(message), sizes):
        came += part
        passed += splice.feed(part)
        assert passed == came[: came.rfind(b"\n\n") + 2 if b"\n\n" in came else 0]
    assert passed + splice.over() == streamed(message)
    assert not splice.asked


def test_a_request_goes_out_with_the_whole_answer_and_the_results() -> None:
    first = answer(0, [thought("Hm."), speech("Let me look."), fetch(1), fetch(2)], Usage(10, 5))
    last = answer(1, [speech("It is line 7.")], Usage(20, 6))
    found, sent = whole([first, last])
    assert sent[0] == BODY
    assert sent[1]["messages"] == [
        *BODY["messages"],
        {"role": "assistant", "content": first["content"]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_f1", "content": "lines of 1-"},
                {"type": "tool_result", "tool_use_id": "toolu_f2", "content": "lines of 2-"},
            ],
        },
    ]
    assert {name: sent[1][name] for name in sent[1] if name != "messages"} == {"model": "claude-opus-5"}
    assert BODY == {"model": "claude-opus-5", "messages": [{"role": "user", "content": "Why does it fail?"}]}
    assert found.message()["content"] == [thought("Hm."), speech("Let me look."), speech("It is line 7.")]


def test_empty_text_of_the_api_is_not_sent_back() -> None:
    found, sent = whole([answer(0, [speech(""), fetch(1)], Usage()), answer(1, [], Usage())])
    assert sent[1]["messages"][1]["content"] == [fetch(1)]
    assert found.message()["content"] == [speech("")]


def test_a_failed_fetch_is_an_error_result() -> None:
    found = Rounds(BODY)
    found.took(answer(0, [fetch(1)], Usage()))
    assert found.answered([Fetched("Nothing is kept under it.", is_error=True)])
    (result,) = found.body["messages"][-1]["content"]
    assert result["is_error"] is True


def test_a_call_that_was_cut_off_is_neither_shown_nor_answered() -> None:
    cut_off = {**answer(0, [speech("Let me"), fetch(1)], Usage(10, 5)), "stop_reason": "max_tokens"}
    found, _ = whole([cut_off])
    assert found.message()["content"] == [speech("Let me")]
    assert found.message()["stop_reason"] == "max_tokens"
    assert found.turn is None
    out, streams = spliced([cut_off], [50])
    events = SSEParser().feed(out)
    check_valid(events)
    assert rebuilt(events) == found.message()
    assert streams.turn is None


def test_an_answer_that_fetches_for_ever_is_paused() -> None:
    found = Rounds(BODY, most=3)
    for number in range(3):
        calls = found.took(answer(number, [speech(f"step {number}"), fetch(number)], Usage(10, 5)))
        goes_on = found.answered(told(calls))
        assert goes_on == (number < 2)
    message = found.message()
    assert message["stop_reason"] == "pause_turn"
    assert [block["text"] for block in message["content"]] == ["step 0", "step 1", "step 2"]
    assert message["usage"]["input_tokens"] == 30


def test_a_stream_of_which_no_more_may_be_asked_for_is_paused() -> None:
    splice = Splice(Rounds(BODY))
    splice.feed(streamed(answer(0, [speech("Let me look."), fetch(1)], Usage(10, 5))))
    splice.over()
    assert splice.answered(told(splice.asked))
    start = streamed(answer(0, [speech("Let me look.")], Usage(10, 5)))
    shown = start[: start.index(b"event: message_delta")]
    events = SSEParser().feed(shown + splice.closing())
    check_valid(events)
    message = rebuilt(events)
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("pause_turn", 5)


def test_the_error_of_a_further_request_comes_as_in_the_middle_of_a_stream() -> None:
    body = json.dumps({"type": "error", "error": {"type": "overloaded_error"}}, indent=1).encode()
    (event,) = SSEParser().feed(Splice.failed(body))
    assert (event.name, event.json()["error"]["type"]) == ("error", "overloaded_error")


@pytest.mark.parametrize("at", [40, 400, 900])
def test_a_stream_that_breaks_off_is_not_followed(at: int) -> None:
    splice = Splice(Rounds(BODY))
    came = streamed(answer(0, [speech("Let me look."), fetch(1)], Usage(10, 5)))
    out = splice.feed(came[:at]) + splice.over()
    assert not splice.asked
    assert b"scrimp_fetch" not in out


def test_an_error_in_a_stream_passes_and_nothing_follows() -> None:
    splice = Splice(Rounds(BODY))
    came = streamed(answer(0, [fetch(1)], Usage(10, 5)))
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
    out = splice.feed(came[: came.index(b"event: message_delta")] + error)
    assert out.endswith(error)
    assert splice.over() == b""
    assert not splice.asked


def test_an_error_behind_the_end_that_was_held_back_ends_it_all() -> None:
    splice = Splice(Rounds(BODY))
    came = streamed(answer(0, [fetch(1)], Usage(10, 5)))
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
    assert splice.feed(came[: came.index(b"event: message_stop")] + error).endswith(error)
    splice.over()
    assert not splice.asked


def test_the_end_of_a_stream_repeats_nothing_that_only_its_start_says() -> None:
    answers = [answer(0, [fetch(1)], Usage(10, 5)), answer(1, [speech("Done.")], Usage(20, 6))]
    usage = next(
        event.json()["usage"]
        for event in SSEParser().feed(spliced(answers, [90])[0])
        if event.name == "message_delta"
    )
    assert usage.keys() == {
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "output_tokens",
        "iterations",
    }


def test_an_input_that_is_no_json_is_sent_back_as_an_empty_one() -> None:
    found = Rounds(BODY)
    (call,) = found.took(answer(0, [{**fetch(1), "input": '{"handle": '}], Usage()))
    assert call["input"] == {}
    assert found.answered([Fetched("There is no such handle.", is_error=True)])
    assert found.body["messages"][1]["content"] == [{**fetch(1), "input": {}}]


def test_every_iteration_has_all_counts() -> None:
    first = {**answer(0, [fetch(1)], Usage()), "usage": {"input_tokens": 7, "output_tokens": 3}}
    last = answer(1, [speech("Done.")], Usage(20, 6, cache_read_input_tokens=9))
    found, _ = whole([first, last])
    one, two = found.message()["usage"]["iterations"]
    assert one == {
        "type": "message",
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 3,
    }
    assert (two["input_tokens"], two["cache_read_input_tokens"], two["output_tokens"]) == (20, 9, 6)


def test_iterations_of_the_api_are_kept() -> None:
    own = [{"type": "compaction", "input_tokens": 90}, {"type": "message", "input_tokens": 7}]
    first = answer(0, [fetch(1)], Usage(7, 3))
    first["usage"]["iterations"] = own
    found, _ = whole([first, answer(1, [speech("Done.")], Usage(20, 6))])
    assert found.message()["usage"]["iterations"][:2] == own
    assert len(found.message()["usage"]["iterations"]) == 3


def test_comments_and_unknown_events_pass() -> None:
    odd = b': keep alive\n\nevent: new_thing\ndata: {"type":"new_thing","index":3}\n\n'
    first = streamed(answer(0, [fetch(1), ls(2)], Usage(10, 5)))
    at = first.index(b"event: content_block_stop")
    out, rest = Splice(Rounds(BODY)), first[:at] + odd + first[at:]
    assert odd in out.feed(rest)


def test_a_caller_that_offers_the_tool_answers_it_itself() -> None:
    assert serves(BODY)
    assert not serves(with_fetch(BODY))
    assert not serves({**BODY, "thread": {"type": "create"}})
    assert not serves({"model": "claude-opus-5"})
    assert not serves({**BODY, "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"})
