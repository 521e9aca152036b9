"""The event parser: any cut of the bytes gives the same events, in every form the SSE standard allows."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.errors import ResponseError
from scrimp.wire.events import Event, SSEParser
from tests.patience import within

STREAM = (
    'event: message_start\ndata: {"type":"message_start"}\n\n'
    ": a comment\n\n"
    'event: ping\r\ndata: {"type": "ping"}\r\n\r\n'
    'event:content_block_delta\rdata:{"type":"content_block_delta","delta":{"text":"é🙂\\n"}}\r\r'
    'event: tomorrow\nid: 7\nretry: 10\ndata: {"a":\ndata:  1}\n\n'
    "data: [DONE]\n\n"
    "event: nothing\n\n"
    "data\n\n"
    'event: message_stop\ndata: {"type":"message_stop"}\n\n'
).encode()
EVENTS = [
    Event("message_start", b'{"type":"message_start"}'),
    Event("ping", b'{"type": "ping"}'),
    Event("content_block_delta", '{"type":"content_block_delta","delta":{"text":"é🙂\\n"}}'.encode()),
    Event("tomorrow", b'{"a":\n 1}'),
    Event("message", b"[DONE]"),
    Event("message", b""),
    Event("message_stop", b'{"type":"message_stop"}'),
]


def parsed(chunks: list[bytes]) -> list[Event]:
    parser = SSEParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.finish()


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(raw) + 1) for place in places)
    return [raw[a:b] for a, b in zip([0, *ends], [*ends, len(raw)], strict=True)]


def test_every_form_of_the_standard_is_read():
    assert parsed([STREAM]) == EVENTS


def test_a_byte_order_mark_is_skipped():
    assert parsed([b"\xef", b"\xbb\xbf" + STREAM]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_any_cut_of_the_stream_gives_the_same_events(places: list[int]):
    assert parsed(cut(STREAM, places)) == EVENTS


def test_single_bytes_give_the_same_events():
    assert parsed([bytes([byte]) for byte in STREAM]) == EVENTS


lines = st.one_of(
    st.binary(max_size=12),
    st.builds(lambda data: b"data: " + data, st.binary(max_size=12)),
    st.just(b"event: x"),
    st.just(b""),
)
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(lines, ends)), st.lists(st.integers(0, 500), max_size=10))
def test_any_bytes_cut_anywhere_give_the_events_of_the_whole(
    parts: list[tuple[bytes, bytes]], places: list[int]
):
    raw = b"".join(line + end for line, end in parts)
    assert parsed(cut(raw, places)) == parsed([raw])


payloads = st.dictionaries(st.text(), st.text() | st.integers(), max_size=3)
names = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.startswith(" ")
)


@given(st.lists(st.tuples(names, st.binary().filter(lambda b: not {10, 13} & set(b)))), ends)
def test_what_was_written_is_read_back(written: list[tuple[str, bytes]], end: bytes):
    raw = b"".join(b"event: " + n.encode() + end + b"data: " + d + end + end for n, d in written)
    assert SSEParser().feed(raw + b":") == [Event(name, data) for name, data in written]


def test_a_last_event_without_its_blank_line_is_an_event():
    assert parsed([b'event: message_stop\ndata: {"type":"message_stop"}']) == [EVENTS[-1]]


def test_a_last_event_cut_in_its_data_is_none():
    assert parsed([b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_to']) == []


def test_data_is_decoded_on_demand_and_refused_by_name():
    assert Event("ping", b'{"type":"ping","x":1}').json() == {"type": "ping", "x": 1}
    with pytest.raises(ResponseError, match="event ping: data is not JSON"):
        Event("ping", b"{").json()
    with pytest.raises(ResponseError, match="event ping: data is list"):
        Event("ping", b"[]").json()


def test_many_small_chunks_cost_no_more_than_their_bytes():
    """A parser that joins its buffer on every chunk would need minutes for this one line."""
    parser = SSEParser()
    parser.feed(b"data: ")
    began = time.process_time()
    for _ in range(1_000_000):
        parser.feed(b"xxxx")
    (event,) = parser.feed(b"\n\n")
    assert len(event.data) == 4_000_000
    assert within(time.process_time() - began, 10)
