"""A prompt in layers: what stands where, what is marked, what is refused; equal input gives equal bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scrimp
from scrimp.core.layers import Layers
from scrimp.emulator import Emulator
from scrimp.errors import RequestError
from tests.emulator.asgi import call

MODEL = "claude-opus-4-8"  # caches from 1,024 tokens on, and does not bind its thinking
LONG = "word " * 1500
HI = [{"role": "user", "content": "hi"}]
PDF = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": LONG}}


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"{name} {LONG}", "input_schema": {"type": "object"}, **more}


def layers(**more: Any) -> Layers:
    given = {
        "tools": [tool("zip"), tool("ask")],
        "instructions": "I " + LONG,
        "documents": "D " + LONG,
        "examples": "E " + LONG,
    }
    return Layers(model=MODEL, **{**given, **more})


def marks(request: dict[str, Any]) -> list[str]:
    """The first letter of every marked text, the name of every marked tool, with the lifetime."""
    found = []
    parts = [*request.get("tools", ()), *request.get("system", ())]
    for message in request["messages"]:
        parts += message["content"] if isinstance(message["content"], list) else []
    for part in parts:
        control = part.get("cache_control")
        if control is not None:
            found.append(f"{part.get('name') or part.get('text', 'P')[:1]} {control.get('ttl', '5m')}")
    return found


def test_layers_stand_from_slowest_to_fastest() -> None:
    request = layers().request([{"role": "user", "content": "question"}], user="Ada", turn="noon")
    assert [one["name"] for one in request["tools"]] == ["ask", "zip"]
    assert [block["text"][0] for block in request["system"]] == ["I", "D", "E", "A"]
    assert [block["text"] for block in request["messages"][0]["content"]] == ["question", "noon"]


def test_a_layer_that_changes_faster_than_usual_moves_back() -> None:
    request = layers(changes={"documents": "hours"}).request(HI)
    assert [block["text"][0] for block in request["system"]] == ["I", "E", "D"]


def test_the_four_markers_go_where_most_is_read() -> None:
    # The end of the conversation, what everybody shares, what stays when examples (days) and when documents
    # (weeks) are edited; that of the tools is the one there is no slot for.
    assert marks(layers().request(HI)) == ["I 5m", "D 5m", "E 5m", "h 5m"]
    # A user's long text is read by that user's next conversation: worth more than a rare edit.
    assert marks(layers().request(HI, user="U " + LONG)) == ["D 5m", "E 5m", "U 5m", "h 5m"]
    assert marks(layers(thread=True).request(HI)) == ["D 5m", "E 5m", "h 5m"]
    assert marks(layers(follow_up=False).request(HI)) == ["zip 5m", "I 5m", "D 5m", "E 5m"]


def test_a_users_text_is_never_before_a_shared_marker() -> None:
    request = layers().request(HI, user="U " + LONG, turn="noon")
    texts = [block["text"][0] for block in request["system"]]
    assert texts.index("U") == len(texts) - 1
    assert "cache_control" not in request["messages"][-1]["content"][-1]


@pytest.mark.parametrize(
    ("gap", "user_gap", "expected"),
    [
        (10, 20, ["I 5m", "D 5m", "E 5m", "h 5m"]),
        (299, 299, ["I 5m", "D 5m", "E 5m", "h 5m"]),
        (300, 300, ["I 1h", "D 1h", "E 1h", "h 1h"]),
        # A user comes back after ten minutes: what stands before a 1h marker is 1h as well, as the API asks.
        (10, 600, ["I 1h", "D 1h", "E 1h", "h 1h"]),
        # Users never come back in time, but others do: nothing of one user's is written.
        (10, 3600, ["zip 5m", "I 5m", "D 5m", "E 5m"]),
        (3600, 7200, []),
    ],
)
def test_lifetimes_follow_the_pauses(gap: float, user_gap: float, expected: list[str]) -> None:
    assert marks(layers(gap=gap, user_gap=user_gap).request(HI)) == expected


def test_what_is_too_short_to_be_cached_gets_no_marker() -> None:
    short = Layers(model=MODEL, instructions="Be brief.", documents="D " + LONG)
    assert marks(short.request(HI)) == ["D 5m", "h 5m"]


def test_documents_that_are_not_text_open_the_first_message_with_all_behind_them() -> None:
    conversation = [*HI, {"role": "assistant", "content": "yes?"}, {"role": "user", "content": "go on"}]
    request = layers(documents=[PDF]).request(conversation, user="Ada")
    assert [block["text"][0] for block in request["system"]] == ["I"]
    first = request["messages"][0]["content"]
    assert [block.get("text", "PDF")[:3].strip() for block in first] == ["PDF", "E w", "Ada", "hi"]
    assert marks(request) == ["I 5m", "P 5m", "E 5m", "g 5m"]
    assert request["messages"][1] == conversation[1]


def test_json_and_schemas_are_the_same_whatever_the_order_of_their_keys() -> None:
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}}
    turned = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "type": "object"}
    one = Layers(
        model=MODEL, tools=[tool("ask", input_schema=schema), tool("zip")], documents=[{"z": 1, "a": 2}]
    )
    two = Layers(
        model=MODEL, tools=[tool("zip"), tool("ask", input_schema=turned)], documents=[{"a": 2, "z": 1}]
    )
    assert json.dumps(one.request(HI)) == json.dumps(two.request(HI))
    kept = Layers(model=MODEL, documents=[{"z": 1, "a": 2}], sort_keys=False).request(HI)
    assert kept["system"][0]["text"] == '{"z": 1, "a": 2}'


def test_what_the_caller_does_to_its_lists_later_changes_nothing() -> None:
    tools, documents = [tool("ask")], ["D " + LONG]
    prompt = Layers(model=MODEL, tools=tools, documents=documents)
    before = json.dumps(prompt.request(HI))
    tools[0]["input_schema"]["type"] = "changed"
    tools.append(tool("zip"))
    documents.clear()
    assert json.dumps(prompt.request(HI)) == before


def test_deferred_tools_stand_last_and_unmarked() -> None:
    request = Layers(model=MODEL, tools=[tool("b"), tool("a", defer_loading=True), tool("c")]).request(HI)
    assert [one["name"] for one in request["tools"]] == ["b", "c", "a"]
    assert marks(request) == ["c 5m", "h 5m"]


def test_an_object_that_knows_its_definition_is_asked() -> None:
    class Decorated:
        def to_dict(self) -> dict[str, Any]:
            return tool("ask")

    assert Layers(model=MODEL, tools=[Decorated()]).request(HI)["tools"][0]["name"] == "ask"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"tools": "ask"}, "tools: expected a list of definitions, found str"),
        ({"tools": [3]}, "tools.0: expected a tool definition, found int"),
        ({"tools": [tool("a"), tool("a")]}, "tools: two tools are named 'a'; names must be unique"),
        (
            {"tools": [tool("a", cache_control={"type": "ephemeral"})]},
            "tools.0: has a cache_control of its own; ",
        ),
        ({"documents": {"a", "b"}}, "documents: expected text, a content block, a JSON object, or a list"),
        ({"documents": b"bytes"}, "documents: expected text, a content block, a JSON object, or a list"),
        (
            {"documents": ["one", 2]},
            "documents.1: expected text, a content block or a JSON object, found int",
        ),
        ({"documents": [{"when": {1, 2}}]}, "documents.0: not a JSON value"),
        ({"examples": ["  "]}, "examples.0: the text is empty; leave it out"),
        ({"changes": {"tools": "days"}}, "changes.tools: expected one of instructions, documents, examples"),
        ({"changes": {"examples": "often"}}, "changes.examples: expected one of months, weeks, days, hours"),
        ({"gap": -1}, "gap, user_gap: a pause is a number of seconds, not below 0"),
    ],
)
def test_what_cannot_be_a_layer_is_refused_in_one_line(more: dict[str, Any], expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        layers(**more)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_a_conversation_is_refused_in_one_line() -> None:
    with pytest.raises(RequestError, match=r"^messages: at least one message is needed$"):
        layers().request([])
    marked = [
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}
    ]
    with pytest.raises(RequestError, match=r"^messages\.0\.content\.0: has a cache_control of its own"):
        layers().request(marked)
    with pytest.raises(RequestError, match=r"^messages\.0: documents that are not text"):
        layers(documents=[PDF]).request([{"role": "assistant", "content": "a"}])
    with pytest.raises(RequestError, match=r"^turn: claude-fable-5-2 binds its thinking"):
        Layers(model="claude-fable-5-2", instructions="I").request(HI, turn="noon")


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(str.strip)
content = st.one_of(
    st.just(""),
    texts,
    st.lists(texts, max_size=25),
    st.just("x" * 9000),
    st.just([PDF]),
    st.dictionaries(texts, st.integers(), min_size=1, max_size=3),
)
tools = st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), unique=True, max_size=3).map(
    lambda names: [tool(name) for name in names]
)


@given(
    contents=st.fixed_dictionaries(
        {"tools": tools, "instructions": content, "documents": content, "examples": content}
    ),
    user=content,
    turn=st.one_of(st.just(""), texts),
    pauses=st.tuples(*[st.sampled_from([0, 20, 400, 5000])] * 2),
    steps=st.integers(1, 4),
    follow_up=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_request_is_accepted_and_the_same_twice(
    contents: dict[str, Any],
    user: Any,
    turn: str,
    pauses: tuple[float, float],
    steps: int,
    follow_up: bool,
) -> None:
    conversation = [
        {"role": "assistant" if n % 2 else "user", "content": f"turn {n}"} for n in range(2 * steps - 1)
    ]
    gap, user_gap = pauses

    def made() -> dict[str, Any]:
        prompt = Layers(model=MODEL, gap=gap, user_gap=user_gap, follow_up=follow_up, **contents)
        return prompt.request(conversation, user=user, turn=turn)

    sent = {"model": MODEL, "max_tokens": 10, **made()}
    answer = call(Emulator(), sent)
    assert answer.status == 200, answer.raw
    assert json.dumps(made()) == json.dumps(made())
    assert scrimp.Layers is Layers
