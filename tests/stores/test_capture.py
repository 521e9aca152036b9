"""Capture: exchanges come back as they were, shared beginnings are stored once, secrets never."""

from __future__ import annotations

import copy
import json
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.errors import StoreError
from scrimp.stores.capture import Capture
from scrimp.stores.capture_pieces import put_together, take_apart
from scrimp.traces.exchanges import read_exchange
from scrimp.traces.files import read_lines
from tests.patience import PATIENCE

KEY = "sk-ant-api03-" + "s3cr3t" * 4

_text = st.text(st.characters(), max_size=8)  # lone surrogates too
_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_objects = st.dictionaries(_text | st.just("cache_control"), _json, max_size=4)
_messages = st.fixed_dictionaries(
    {"role": _text, "content": _json | st.lists(_objects | _json, max_size=3)}, optional={"x": _json}
)
_bodies = _json | st.dictionaries(
    st.sampled_from(["model", "max_tokens", "stream", "metadata"]) | _text, _json, max_size=3
).flatmap(
    lambda other: st.fixed_dictionaries(
        {},
        optional={
            "tools": _json | st.lists(_objects, max_size=3),
            "system": _json | st.lists(_objects, max_size=3),
            "messages": _json | st.lists(_messages | _json, max_size=3),
        },
    ).map(lambda parts: {**parts, **other})
)
_answers = _json | st.fixed_dictionaries(
    {"content": _json | st.lists(_objects, max_size=3)}, optional={"id": _text}
)
exchanges = st.fixed_dictionaries(
    {},
    optional={
        "run": _text,
        "seq": _json,
        "request": st.none() | st.fixed_dictionaries({}, optional={"body": _bodies, "x": _json}),
        "response": st.none() | st.fixed_dictionaries({"status": _json}, optional={"body": _answers}),
        "usage": _json,
        "unknown": _json,
    },
)


def in_order(value: Any) -> str:
    """A value with the order of its keys and the kinds of its numbers."""
    return json.dumps(value)


@settings(max_examples=400, deadline=None)
@given(exchanges)
def test_what_is_taken_apart_is_put_together_again(exchange: dict[str, Any]) -> None:
    before = copy.deepcopy(exchange)
    assert in_order(put_together(take_apart(exchange))) == in_order(before)
    assert exchange == before


@settings(max_examples=30, deadline=None)
@given(st.lists(exchanges, max_size=4))
def test_exchanges_come_back_as_they_were(sent: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        capture = Capture(Path(folder) / "capture.sqlite")
        for number, exchange in enumerate(sent):
            capture.record(exchange, record_id=str(number))
        assert list(map(in_order, capture.exchanges())) == list(map(in_order, sent))
        capture.close()


def step(number: int, text: str = "x" * 2000) -> dict[str, Any]:
    """Request `number` of a conversation whose marker moves with its end."""
    messages: list[dict[str, Any]] = []
    for turn in range(number + 1):
        messages.append({"role": "user", "content": [{"type": "text", "text": f"{turn} {text}"}]})
        if turn < number:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": f"answer {turn}"}]})
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    tool = {"name": "search", "description": "d" * 2000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    return {
        "run": "r1",
        "seq": number,
        "started_at": 1_780_000_000.5 + number,
        "ended_at": 1_780_000_001.0 + number,
        "provider": "anthropic",
        "request": {
            "url": "https://api.anthropic.com/v1/messages",
            "headers": {"anthropic-version": "2023-06-01"},
            "body": {
                "model": "claude-sonnet-4-5",
                "tools": [tool],
                "system": "be brief",
                "messages": messages,
            },
        },
        "response": {
            "status": 200,
            "body": {"model": "claude-sonnet-4-5", "content": [{"type": "text", "text": f"answer {number}"}]},
        },
        "usage": {"input_tokens": 3, "output_tokens": 4},
        "source": {"repo": "captured"},
    }


def test_shared_beginnings_are_stored_once(tmp_path: Path) -> None:
    steps = 60
    capture = Capture(tmp_path / "capture.sqlite")
    for number in range(steps):
        capture.submit(step(number), record_id=str(number))
    capture.flush()
    assert list(capture.exchanges("r1")) == [step(number) for number in range(steps)]
    capture.close()
    db = sqlite3.connect(tmp_path / "capture.sqlite")
    # One tool, the heads of user and assistant messages, a question and an answer for each step.
    assert db.execute("SELECT count(*) FROM pieces").fetchone() == (1 + 2 + 2 * steps,)
    # The longest request, and each answer, which in the request follows something else.
    assert db.execute("SELECT count(*) FROM links").fetchone() == (1 + 4 * steps - 2 + steps,)
    db.close()
    whole = sum(len(json.dumps(step(number))) for number in range(steps))
    assert (tmp_path / "capture.sqlite").stat().st_size < whole / 10


def test_a_captured_exchange_reads_as_the_recorded_one(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "capture.sqlite")
    capture.record(step(3), record_id="a")
    [found] = capture.exchanges()
    assert read_exchange(found, "here", "there") == read_exchange(step(3), "here", "there")
    capture.close()


def test_runs_are_told_apart_and_ids_count_once(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "capture.sqlite")
    for number, run in enumerate(["a", "b", "a"]):
        capture.record({"run": run, "seq": number}, record_id=str(number))
    capture.record({"run": "a", "seq": 9}, record_id="0")
    assert [found["seq"] for found in capture.exchanges("a")] == [0, 2]
    assert [found["seq"] for found in capture.exchanges()] == [0, 1, 2]
    capture.close()


def test_pages_end_where_the_exchanges_do(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "capture.sqlite")
    for number in range(200):
        capture.submit({"seq": number}, record_id=str(number))
    capture.flush()
    assert [found["seq"] for found in capture.exchanges()] == list(range(200))
    capture.close()


SECRETS: list[dict[str, Any]] = [
    {"request": {"headers": {"X-Api-Key": KEY, "anthropic-version": "v"}}},
    {"request": {"headers": {"Authorization": f"Bearer {KEY}"}}},
    {"request": {"headers": {"cookie": KEY, "x-goog-api-key": KEY, "X-Amz-Security-Token": KEY}}},
    {"request": {"headers": [["x-api-key", KEY], ["Content-Type", "application/json"]]}},
    {"request": {"headers": f"x-api-key: {KEY}"}},
    {"response": {"headers": {"set-cookie": KEY, "anthropic-organization-id": KEY, "request-id": "r"}}},
    {"request": {"url": f"https://me:{KEY}@proxy.example/v1/messages"}},
    {"request": {"url": f"https://host.example/v1/messages?beta=true&key={KEY}#{KEY}"}},
    {"request": {"url": f"https://[{KEY}@broken/v1?key={KEY}"}},
    {"request": {"body": {"mcp_servers": [{"name": "m", "authorization_token": KEY}], "messages": []}}},
]


@pytest.mark.parametrize("exchange", SECRETS)
def test_secrets_are_never_stored(tmp_path: Path, exchange: dict[str, Any]) -> None:
    before = copy.deepcopy(exchange)
    capture = Capture(tmp_path / "capture.sqlite")
    capture.record(exchange, record_id="a")
    [found] = capture.exchanges()
    assert KEY not in json.dumps(found)
    capture.close()
    assert KEY.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert exchange == before


def test_what_is_harmless_stays(tmp_path: Path) -> None:
    exchange = {
        "request": {
            "url": "https://host.example/v1/messages?beta=true&key=k",
            "headers": {"Anthropic-Beta": "b", "x-api-key": KEY, "X-Stainless-Lang": "python"},
            "body": {"mcp_servers": [{"name": "m", "authorization_token": KEY}, 5]},
        },
        "response": {"headers": [["request-id", "r"], ["x", "y"], 7], "status": 200},
    }
    capture = Capture(tmp_path / "capture.sqlite")
    capture.record(exchange, record_id="a")
    assert list(capture.exchanges()) == [
        {
            "request": {
                "url": "https://host.example/v1/messages?beta=true",
                "headers": {"Anthropic-Beta": "b", "X-Stainless-Lang": "python"},
                "body": {"mcp_servers": [{"name": "m"}, 5]},
            },
            "response": {"headers": [["request-id", "r"]], "status": 200},
        }
    ]
    capture.close()


def test_an_exchange_is_kept_as_it_was_when_submitted(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "capture.sqlite")
    exchange = step(1)
    done = capture.submit(exchange, record_id="a\ud800")
    exchange["request"]["body"]["messages"].clear()
    done.result(PATIENCE)
    assert list(capture.exchanges()) == [step(1)]
    capture.close()


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "capture.sqlite")
    with pytest.raises(StoreError, match="exchange 'a' cannot be captured"):
        capture.record({"request": {"body": {"messages": [object()]}}}, record_id="a")
    with pytest.raises(StoreError, match="exchange 'b' cannot be captured"):
        capture.submit({"seq": object()}, record_id="b").result(PATIENCE)
    assert list(capture.exchanges()) == []
    capture.close()


def without_token(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The one thing in these recordings that may not be stored."""
    return {name: value for name, value in pairs if name != "authorization_token"}


@pytest.mark.parametrize(
    ("file", "shared"),
    [("cassettes/pydantic__pydantic-ai", 1), ("openhands_swebench/astropy__astropy-13453", 4)],
)
def test_recorded_exchanges_come_back_as_they_were(
    tmp_path: Path, traces: Path, file: str, shared: int
) -> None:
    lines = [line for _, line in read_lines(traces / "exchanges" / f"{file}.jsonl.xz", [])]
    capture = Capture(tmp_path / "capture.sqlite")
    for number, line in enumerate(lines):
        capture.submit(json.loads(line), record_id=str(number))
    capture.flush()
    assert list(map(in_order, capture.exchanges())) == [
        in_order(json.loads(line, object_pairs_hook=without_token)) for line in lines
    ]
    capture.close()
    assert (tmp_path / "capture.sqlite").stat().st_size < sum(map(len, lines)) / shared
