"""Scripts, the agent, cache diagnostics and threads: what is said, and what is remembered between calls."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest

from scrimp.cli.emulate import read_fault
from scrimp.emulator import Agent, Answer, Emulator, Fault, Refusal, text, tool_use
from scrimp.emulator.script_file import read_script
from scrimp.errors import InputError
from tests.emulator.asgi import body, call, user

NOVEMBER = 1_795_000_000.0
LONG = "word " * 2000


def marked(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content, "cache_control": {"type": "ephemeral"}}


def test_a_script_is_said_in_order_and_its_last_line_again() -> None:
    emulator = Emulator(
        ["one", Refusal(402, "pay first"), [text("two"), tool_use("f")], Answer([text("three")])]
    )
    answers = [call(emulator, body()) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 402, 200, 200, 200]
    assert answers[1].error == {"type": "billing_error", "message": "pay first"}
    assert [answer.body["stop_reason"] for answer in answers if answer.status == 200] == [
        "end_turn",
        "tool_use",
        "end_turn",
        "end_turn",
    ]
    assert [answer.body["content"][0]["text"] for answer in answers[3:]] == ["three", "three"]


def test_a_function_answers_the_body() -> None:
    emulator = Emulator(lambda asked: f"{len(asked['messages'])} messages")
    assert call(emulator, body()).body["content"] == [text("1 messages")]


def test_an_answer_ends_at_max_tokens_and_at_stop_sequences() -> None:
    emulator = Emulator(["one two three " * 200])
    cut = call(emulator, body(max_tokens=30)).body
    assert (cut["stop_reason"], cut["usage"]["output_tokens"]) == ("max_tokens", 30)
    assert 40 < len(cut["content"][0]["text"]) < 120
    stopped = call(emulator, body(max_tokens=3000, stop_sequences=["four", "three"])).body
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "three")
    assert stopped["content"] == [text("one two ")]


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "minimum": 3, "maximum": 5},
        "unit": {"enum": ["C", "F"]},
        "places": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": {"type": "null"}}, "required": ["id"]},
        },
        "exact": {"type": "boolean"},
        "either": {"anyOf": [{"type": "number"}, {"type": "string"}]},
        "maybe": {"type": "string"},
    },
    "required": ["city", "days", "unit", "places", "exact", "either"],
}


def test_the_agent_calls_each_tool_in_turn_with_inputs_of_its_schema_then_answers() -> None:
    tools = [{"name": name, "input_schema": SCHEMA} for name in ("weather", "news")]
    names: list[str] = []
    messages = [user("Plan my trip.")]
    emulator = Emulator(Agent(seed=7))
    while True:
        answer = call(emulator, body(*messages, tools=tools, max_tokens=500)).body
        messages.append({"role": "assistant", "content": answer["content"]})
        if answer["stop_reason"] != "tool_use":
            break
        (called,) = answer["content"]
        given = called["input"]
        assert set(given) == set(SCHEMA["required"])
        assert isinstance(given["city"], str)
        assert 3 <= given["days"] <= 5
        assert given["unit"] in ("C", "F")
        assert given["places"] == [{"id": None}]
        assert isinstance(given["exact"], bool)
        assert isinstance(given["either"], int)
        names.append(called["name"])
        messages.append(user({"type": "tool_result", "tool_use_id": called["id"], "content": "fine"}))
    assert names == ["weather", "news"]
    assert answer["stop_reason"] == "end_turn"


def test_the_agent_repeats_itself_for_a_seed_thinks_where_asked_and_heeds_tool_choice() -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}, {"name": "news", "input_schema": SCHEMA}]

    def ask(seed: int, **fields: Any) -> list[dict[str, Any]]:
        asked = body(tools=tools, max_tokens=500, **fields)
        content: list[dict[str, Any]] = call(Emulator(Agent(seed=seed)), asked).body["content"]
        return content

    assert ask(1)[0]["input"] == ask(1)[0]["input"] != ask(2)[0]["input"]
    assert [block["type"] for block in ask(1, thinking={"type": "adaptive"})] == ["thinking", "tool_use"]
    assert ask(1, tool_choice={"type": "none"})[0]["type"] == "text"
    assert ask(1, tool_choice={"type": "tool", "name": "news"})[0]["name"] == "news"


Changed = tuple[str, dict[str, Any]]
CHANGES: list[Changed] = [
    ("model_changed", {"model": "claude-opus-5-5"}),
    ("model_changed", {"speed": "fast"}),
    ("tools_changed", {"tools": [{"name": "g", "input_schema": {"type": "object"}}]}),
    ("system_changed", {"system": [marked("other " + LONG)]}),
    ("messages_changed", {"messages": [user(marked("another"))]}),
    ("unavailable", {"tool_choice": {"type": "any"}}),
]


@pytest.mark.parametrize(("reason", "change"), CHANGES, ids=[str(change)[:40] for _, change in CHANGES])
def test_diagnostics_name_what_changed(reason: str, change: dict[str, Any]) -> None:
    emulator = Emulator()
    emulator.clock.set(NOVEMBER)
    first = body(
        user(marked("question")),
        system=[marked(LONG)],
        tools=[{"name": "f", "input_schema": {"type": "object"}}],
        diagnostics={"previous_message_id": None},
    )
    answer = call(emulator, first).body
    assert answer["diagnostics"] is None
    after = {"previous_message_id": answer["id"]}
    assert call(emulator, {**first, "diagnostics": after}).body["diagnostics"] is None
    told = call(emulator, {**first, **change, "diagnostics": after}).body["diagnostics"]
    assert told["cache_miss_reason"]["type"] == reason
    assert ("cache_missed_input_tokens" in told["cache_miss_reason"]) == (reason != "unavailable")


def test_diagnostics_of_a_message_nobody_knows_and_in_streams() -> None:
    emulator = Emulator()
    asked = body(diagnostics={"previous_message_id": "msg_unknown"}, stream=True)
    start = call(emulator, asked).events[0].json()["message"]
    assert start["diagnostics"] == {"cache_miss_reason": {"type": "previous_message_not_found"}}
    assert call(emulator, body()).body["diagnostics"] is None


def test_a_thread_continues_once_within_five_minutes_and_bills_the_whole_conversation() -> None:
    emulator = Emulator(["first", "second", "third"])
    emulator.clock.set(NOVEMBER)
    created = call(emulator, body(system="Be brief.", thread={"type": "create"})).body

    def go_on(previous: str, **fields: Any) -> Any:
        thread = {"type": "continue", "previous_message_id": previous}
        asked = {"max_tokens": 100, "messages": [user("and?")], "model": "claude-opus-5", "thread": thread}
        return call(emulator, asked | fields)

    assert code(go_on(created["id"], system="Be long.")) == (400, "thread_fingerprint_mismatch")
    second = go_on(created["id"])
    assert second.status == 200
    alone = body(user("hi"), {"role": "assistant", "content": "first"}, user("and?"), system="Be brief.")
    assert call(Emulator(), alone).usage["input_tokens"] == second.usage["input_tokens"]
    assert code(go_on(created["id"])) == (400, "thread_already_continued")
    assert code(go_on("msg_unknown")) == (404, "thread_not_found")
    emulator.clock.advance(300)
    assert code(go_on(second.body["id"])) == (404, "thread_not_found")


def test_a_thread_that_failed_can_be_continued_again() -> None:
    emulator = Emulator()
    created = call(emulator, body(thread={"type": "create"})).body
    thread = {"type": "continue", "previous_message_id": created["id"]}
    emulator.inject(Fault("stream_error"))
    asked = body(user("and?"), thread=thread, stream=True)
    assert call(emulator, asked).events[-1].name == "error"
    assert call(emulator, asked).events[-1].name == "message_stop"


def code(answer: Any) -> tuple[int, str]:
    return answer.status, answer.error["details"]["error_code"]


def test_a_script_file_says_what_its_lines_say(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text(
        '"plain"\n{"type": "text", "text": "a block"}\n\n[{"type": "tool_use", "name": "f", "input": {}}]\n'
        '{"content": "whole", "stop_reason": "refusal", "output_tokens": 3}\n'
    )
    emulator = Emulator(read_script(path))
    answers = [call(emulator, body()).body for _ in range(4)]
    assert [answer["content"][0].get("text") for answer in answers] == ["plain", "a block", None, "whole"]
    assert (answers[3]["stop_reason"], answers[3]["usage"]["output_tokens"]) == ("refusal", 3)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("3", "expected a text"),
        ('{"content": [], "stopped": 1}', "unknown field 'stopped'"),
    ],
)
def test_a_bad_script_names_the_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text(f'"fine"\n{line}\n')
    with pytest.raises(InputError, match=words) as caught:
        read_script(path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_faults_on_the_command_line() -> None:
    assert read_fault("cut") == Fault("cut")
    assert read_fault("rate_limit:times=3,seconds=0.5") == Fault("rate_limit", times=3, seconds=0.5)
    assert read_fault("cut:times=all,events=6") == Fault("cut", times=None, events=6)
    for bad in ("earthquake", "cut:magnitude=9", "cut:times=x"):
        with pytest.raises(InputError, match="fault"):
            read_fault(bad)


def test_the_command_serves_until_it_is_stopped_and_prints_the_bill() -> None:
    command = [sys.executable, "-m", "scrimp", "emulate", "--port", "0", "--agent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split()[-1]
            assert f"ANTHROPIC_BASE_URL={url}" in process.stdout.readline()
            with anthropic.Anthropic(base_url=url, api_key="k") as sdk:
                asked: Any = {"max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
                answer = sdk.messages.create(model="claude-opus-5", **asked)
        finally:
            process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
    assert process.returncode == 0
    assert "claude-opus-5" in printed
    assert f"{answer.usage.output_tokens:,}" in printed


def test_an_option_nobody_knows() -> None:
    with pytest.raises(TypeError, match="no option 'prot'"):
        Emulator(prot=1)  # type: ignore[call-arg]  # that is the point
