"""The log: one line a call, nothing of the prompt, and nobody waits for it."""

from __future__ import annotations

import io
import json
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scrimp.core.budget import Crossing, Scope
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.record import Tags
from scrimp.telemetry.call_line import time_of
from scrimp.telemetry.call_log import CallLog
from tests.patience import PATIENCE
from tests.telemetry.records import LIMIT, REFUSAL, TAGS, record


def test_a_call_is_one_line_of_json() -> None:
    stream = io.StringIO()
    log = CallLog("json", stream)
    log.recorded(record(miss="tool order", lost=2_000_000_000, window=1_000_000))
    log.close()
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "time": "1970-01-01T00:16:42.000Z",
        "event": "call",
        "id": "attempt-1",
        "call_id": "call-1",
        "request_id": "req_1",
        "key": "ci",
        "team": "research",
        "user": "u_42",
        "run": "nightly/reviewer",
        "run_id": "r2",
        "task_type": "report",
        "agent": "writer",
        "model": "claude-sonnet-5",
        "mode": "safe",
        "outcome": "complete",
        "status": 200,
        "stream": True,
        "tokens": {"plain": 100, "write_5m": 700, "write_1h": 300, "read": 5_000, "output": 50},
        "read_share": 0.8197,
        "window_used": 0.0061,
        "cost_usd": "0.012345678901",
        "measured": True,
        "saved_usd": "0.007654321099",
        "first_event_s": 0.25,
        "duration_s": 2.0,
        "miss": "tool order",
        "lost_usd": "0.002",
    }


@given(at=st.floats(0, 4e9))
@example(at=0.9999999)
def test_a_line_has_its_time_to_the_millisecond(at: float) -> None:
    told = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    assert time_of(at) == told.replace("+00:00", "Z")


def test_misses_limits_and_refusals_have_lines_of_their_own() -> None:
    stream = io.StringIO()
    log = CallLog("json", stream)
    log.missed(Diagnosis(cause=Cause.TOOL_ORDER, promised=9, read=0, lost=10**9), TAGS)
    log.crossed(Crossing(LIMIT, Scope("user", "u_42"), 80, spent=4 * 10**12))
    log.refused(REFUSAL, TAGS)
    log.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["miss", "budget", "refused"]
    assert (lines[0]["miss"], lines[0]["lost_usd"]) == ("tool order", "0.001")
    assert (lines[1]["limit"], lines[1]["percent"], lines[1]["spent_usd"]) == ("user:*/day", 80, "4")
    assert (lines[2]["scope"], lines[2]["held_usd"], lines[2]["asked_usd"]) == (
        "user:u_42",
        "1",
        "0.000000000003",
    )


@pytest.mark.parametrize("form", ["json", "text"])
@given(name=st.text())
@example(name="\ud800")
def test_no_name_breaks_a_line(form: str, name: str) -> None:
    stream = io.StringIO()
    log = CallLog("json" if form == "json" else "text", stream)
    log.recorded(record(tags=Tags(user=name, run=(name,))))
    log.recorded(record())
    log.close()
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert "\r" not in stream.getvalue()
    if form == "json" and name:
        assert json.loads(lines[0])["user"] == name


def test_the_text_form_is_for_people() -> None:
    stream = io.StringIO()
    log = CallLog("text", stream)
    log.recorded(record(tags=Tags(user="two words"), fault="planning failed"))
    log.close()
    line = stream.getvalue()
    assert line.startswith("1970-01-01T00:16:42.000Z call id=attempt-1 ")
    assert ' user="two words" ' in line
    assert " cost_usd=0.012345678901 " in line
    assert " read=5000 " in line


def test_a_stream_that_does_not_move_holds_nobody_up() -> None:
    free = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            free.wait(PATIENCE)
            return super().write(text)

    stream = Stuck()
    log = CallLog("json", stream)
    for _ in range(10_500):
        log.recorded(record())
    dropped = log.dropped
    assert 490 <= dropped <= 500
    free.set()
    log.close()
    assert len(stream.getvalue().splitlines()) == 10_500 - dropped


def test_what_came_before_the_thread_had_begun_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CallLog._run

    def late(log: CallLog) -> None:
        assert log._closing.wait(PATIENCE)
        run(log)

    monkeypatch.setattr(CallLog, "_run", late)
    stream = io.StringIO()
    log = CallLog("json", stream)
    log.recorded(record())
    log.close()
    assert len(stream.getvalue().splitlines()) == 1


def test_money_in_the_log_is_exact() -> None:
    stream = io.StringIO()
    log = CallLog("json", stream)
    log.recorded(record(cost=123_456_789_012_345_678_901))
    log.close()
    assert Decimal(json.loads(stream.getvalue())["cost_usd"]) == Decimal("123456789.012345678901")
