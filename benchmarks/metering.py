"""Metering one response: what it was billed, read from its JSON body or from the events of its stream.

The baseline decodes the same JSON with the standard library and looks at nothing but `usage`.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from benchmarks.conversations import MODEL, prose
from benchmarks.timing import Contender, Section, compare, repeated
from scrimp.core.meter import Meter, Metered, meter_response
from scrimp.wire.events import SSEParser

__all__ = ["measure_metering_body", "measure_metering_stream"]

_REPEATED = 20
_USAGE = {
    "input_tokens": 4,
    "cache_creation_input_tokens": 1_912,
    "cache_read_input_tokens": 61_034,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_912, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 812,
    "service_tier": "standard",
}
_MESSAGE = {"id": "msg_01", "type": "message", "role": "assistant", "model": MODEL, "stop_sequence": None}


def measure_metering_body(*, rounds: int, seed: int) -> Section:
    """Microseconds per response that came as one JSON body."""
    content = [{"type": "text", "text": prose(Random(seed), 4_000)}]
    raw = json.dumps({**_MESSAGE, "content": content, "stop_reason": "end_turn", "usage": _USAGE}).encode()
    ours, theirs = "scrimp: meter_response", "json.loads, then usage"
    contenders = [
        Contender(ours, lambda: repeated(meter_response, raw, _REPEATED), _REPEATED),
        Contender(theirs, lambda: repeated(_usage_of, raw, _REPEATED), _REPEATED),
    ]
    rows = compare(contenders, baseline=theirs, rounds=rounds, scale=1e6)
    return Section("metering_body", "Metering a JSON response", "µs", f"{len(raw):,} bytes", rows)


def measure_metering_stream(*, events: int, rounds: int, seed: int) -> Section:
    """Microseconds per stream of `events` events that arrive one by one."""
    chunks = _stream(events, Random(seed))
    ours, theirs = "scrimp: SSEParser + Meter", "json.loads of every event, then usage"
    contenders = [
        Contender(ours, lambda: repeated(_metered, chunks, _REPEATED), _REPEATED),
        Contender(theirs, lambda: repeated(_usage_of_stream, chunks, _REPEATED), _REPEATED),
    ]
    rows = compare(contenders, baseline=theirs, rounds=rounds, scale=1e6)
    about = f"{len(chunks)} events in as many chunks, {sum(map(len, chunks)):,} bytes"
    return Section("metering_stream", "Metering a streamed response", "µs", about, rows)


def _metered(chunks: list[bytes]) -> Metered:
    parser, meter = SSEParser(), Meter()
    for chunk in chunks:
        for event in parser.feed(chunk):
            meter.feed(event)
    return meter.finish()


def _usage_of(raw: bytes) -> Any:
    return json.loads(raw)["usage"]


def _usage_of_stream(chunks: list[bytes]) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    for chunk in chunks:
        event = json.loads(chunk.partition(b"\ndata: ")[2])
        if event["type"] == "message_start":
            usage = event["message"]["usage"]
        elif event["type"] == "message_delta":
            usage |= event["usage"]
    return usage


def _stream(events: int, random: Random) -> list[bytes]:
    """A streamed answer: five events around as many text deltas as are left, some 40 bytes of text each."""
    opened: dict[str, Any] = {
        **_MESSAGE,
        "content": [],
        "stop_reason": None,
        "usage": {**_USAGE, "output_tokens": 1},
    }
    deltas = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": prose(random, 40)},
        }
        for _ in range(events - 5)
    ]
    closed = {"stop_reason": "end_turn", "stop_sequence": None}
    payloads: list[dict[str, Any]] = [
        {"type": "message_start", "message": opened},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": closed, "usage": {"output_tokens": 812}},
        {"type": "message_stop"},
    ]
    return [f"event: {p['type']}\ndata: {json.dumps(p)}\n\n".encode() for p in payloads]
