"""Bodies decoded with what is known: always what decoding them afresh gives, edited in the same places."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.errors import RequestError
from scrimp.wire.bodies import Bodies, Decoded
from scrimp.wire.loads import loads
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.splice import splice_markers

TEXTS = st.sampled_from(
    [
        "a",
        "b" * 300,
        'say "messages":[ twice',
        "é",
        "\ud800",
        "c" * 300,
        ']},{"messages":[',
        '},{"role":',
        "\\",
    ]
)
BLOCKS = st.fixed_dictionaries(
    {"type": st.just("text"), "text": TEXTS},
    optional={"x": st.sampled_from([{"messages": [1]}, [{"role": "user"}, {"role": "user"}]])},
)
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant"]),
        "content": st.one_of(TEXTS, st.lists(BLOCKS, max_size=3)),
    }
)
FIELDS = st.dictionaries(
    st.sampled_from(["model", "tools", "system", "metadata"]),
    st.one_of(TEXTS, st.lists(BLOCKS, max_size=2), st.just({"messages": [2]}), st.integers(-(2**70), 2**70)),
    max_size=3,
)
PLACES = st.one_of(
    st.just(()),
    st.tuples(st.sampled_from(["tools", "system"]), st.integers(0, 2)),
    st.tuples(st.just("messages"), st.integers(-1, 5), st.just("content"), st.integers(0, 3)),
)
EDITS = st.lists(st.builds(MarkerEdit, PLACES, st.sampled_from(["5m", "1h", None])), max_size=3)


@st.composite
def written(draw: st.DrawFn, messages: list[Any]) -> bytes:
    """A body with these messages as some client writes it, whole or not."""
    before, after = draw(FIELDS), draw(FIELDS)
    if draw(st.integers(0, 9)) == 0:
        after["messages"] = []
    inner = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in before.items()]
    space = draw(st.sampled_from(["", "", " ", "\n  "]))
    ascii_only = draw(st.booleans())
    marks = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    each = f",{space}".join(
        json.dumps(message, ensure_ascii=ascii_only, separators=marks) for message in messages
    )
    inner.append(f'"messages":{space}[{space}{each}{draw(st.sampled_from(["", "", ",", " "]))}]')
    inner += [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in after.items()]
    raw = ("{" + f",{space}".join(inner) + "}\n").encode("utf-8", "surrogatepass")
    kept = draw(st.sampled_from([None] * 5 + [-2, -3, -40]))
    return raw[:kept]


def read(bodies: Bodies | None, raw: bytes) -> Any:
    try:
        return loads(raw) if bodies is None else bodies.read(raw).value
    except ValueError:
        return "no JSON"


def edited(*given: Any) -> Any:
    try:
        return splice_markers(*given)
    except RequestError:
        return "refused"


@given(st.data())
@settings(max_examples=300)
def test_any_sequence_of_bodies_is_read_and_edited_as_if_each_were_the_first(data: st.DataObject) -> None:
    most, long = data.draw(st.sampled_from([300, 5_000, 10**6])), data.draw(st.sampled_from([0, 0, 2_000]))
    bodies = Bodies(most, short=0, long=long)
    messages = data.draw(st.lists(MESSAGES, max_size=3))
    for _ in range(data.draw(st.integers(1, 6))):
        kept = data.draw(st.integers(0, len(messages)))
        messages = messages[:kept] + data.draw(st.lists(MESSAGES, max_size=3))
        raw = data.draw(written(messages))
        assert read(bodies, raw) == read(None, raw)
        if read(None, raw) == "no JSON":
            continue
        layout, edits = bodies.read(raw).layout, data.draw(EDITS)
        assert edited(raw, edits, layout) == edited(raw, edits)


def body(*texts: str, **fields: Any) -> bytes:
    return json.dumps({**fields, "messages": [{"role": "user", "content": text} for text in texts]}).encode()


def test_messages_are_taken_over_and_their_places_known() -> None:
    bodies = Bodies(short=0)
    first: Any = bodies.read(body("a", "b" * 500, max_tokens=1)).value
    raw = body("a", "b" * 500, "c", max_tokens=2)
    value: Any
    found = bodies.read(raw)
    value, layout = found.value, found.layout
    assert value == json.loads(raw)
    assert [one is other for one, other in zip(value["messages"], first["messages"], strict=False)] == [
        True
    ] * 2
    assert layout is not None
    assert raw[layout.start : layout.start + layout.ends[0]] == b'{"role": "user", "content": "a"}'
    assert raw[layout.close :] == b"]}"


@pytest.mark.parametrize("inner", ["", '{"role":"user"},{"role":"user"}', '{"role":"user"}},{"role":"user"}'])
def test_messages_are_guessed_only_where_they_are_found_so(inner: str) -> None:
    bodies = Bodies(short=0, long=0)
    bodies.read(b'{"messages":[{"role":"user","content":"first"}],"stream":true}')
    raws = [
        '{"messages":[{"role":"user","content":[%s]},{"role":"user","content":"%s"}],"stream":true}',
        '{"messages":[{"role":"user","content":[%s]} , {"role":"user","content":"%s"} ],"stream":true}',
        '{"messages":[{"role":"user","content":[%s]},{"role":"user","content":"%s"}],"x":[],"stream":true}',
    ]
    for raw in [(raw % (inner, json.dumps(inner)[1:-1])).encode() for raw in raws]:
        assert read(bodies, raw) == read(None, raw)
        layout = None if read(None, raw) == "no JSON" else bodies.read(raw).layout
        pieces = [] if layout is None else [raw[layout.start : layout.start + end] for end in layout.ends]
        assert [piece[-1:] for piece in pieces] == [b"}"] * len(pieces)
        assert layout is None or raw[layout.close : layout.close + 1] == b"]"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[],"messages":[1]}',
        b'{"tools":[{"messages":[]}]}',
        b'{"mess\\u0061ges":[1],"x":2}',
        b'{"messages":{"messages":[]}}',
        b"[]",
        b"3",
    ],
)
def test_what_is_no_usual_body_is_read_all_the_same(raw: bytes) -> None:
    bodies = Bodies(short=0)
    assert bodies.read(raw) == bodies.read(raw) == Decoded(json.loads(raw))


def test_the_bodies_remembered_are_bounded_and_the_least_recent_go() -> None:
    raws = [body(f"{number} " + "x" * 400) for number in range(9)]
    most = 3 * (len(raws[0]) + 1_000)
    bodies = Bodies(most_bytes=most, short=0)
    read_first = [bodies.read(raw).value for raw in raws]
    assert 0 < bodies.weight <= most
    again: Any = bodies.read(raws[-1]).value
    assert again["messages"][0] is read_first[-1]["messages"][0]  # type: ignore[index]  # it is an object
    assert bodies.weight <= most


def test_many_short_messages_weigh_more_than_their_text() -> None:
    short, long = Bodies(short=0), Bodies(short=0)
    short.read(body(*(f"{number}" for number in range(1_000))))
    long.read(body("x" * len(body(*(f"{number}" for number in range(1_000))))))
    assert short.weight > 5 * long.weight  # each message is an object of some 300 bytes


def test_what_comes_before_messages_is_bounded_in_bytes() -> None:
    bodies = Bodies(short=0)
    for number in range(40):  # a megabyte each: eight of them at the most
        assert bodies.read(body("a", system=f"{number}" + "x" * 2**20)).layout is not None
    for few in (bodies._heads, bodies._values):
        kept = sum(map(len, few.known))
        assert 0 < kept <= 8 * 2**20
        assert kept == few.weight


def test_long_fields_that_are_alike_are_one_object_wherever_they_stand() -> None:
    bodies = Bodies(short=0)
    tools = [{"name": "a", "description": "b" * 300, "input_schema": {"maxLength": 1}}]
    other = [{**tools[0], "input_schema": {"maxLength": 1.0}}]
    before = [
        bodies.read(body("a", max_tokens=number, tools=given, system="b")).value
        for number, given in enumerate([tools, tools, other, tools])
    ]
    behind = [
        bodies.read(b'{"messages":[] , %b' % json.dumps({"tools": given, "max_tokens": number}).encode()[1:])
        for number, given in enumerate([tools, other])
    ]
    first, again, third, fourth, fifth, sixth = (
        value["tools"]  # type: ignore[index]  # they are objects
        for value in (*before, *(found.value for found in behind))
    )
    assert first is again is fourth is fifth
    assert third is sixth
    assert (repr(first), repr(third)) == (repr(tools), repr(other))


@pytest.mark.parametrize("name", [b"messages to come", b"messages to\\u0020come"])
@pytest.mark.parametrize("value", [b"[]", b"[1]", b'[{"role": "user", "content": "a"}]', b"3"])
def test_no_field_is_taken_for_the_messages(name: bytes, value: bytes) -> None:
    bodies, raw = Bodies(short=0), body("a", "b")[:-1] + b',"%b":%b}' % (name, value)
    for each in (raw, body("a"), raw, b'{"%b":%b,%b' % (name, value, body("a")[1:])):
        assert bodies.read(each).value == json.loads(each)
