"""Failures in the log: a line for each, and a number where there are too many."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import Any

from scrimp.errors import ScrimpWarning
from scrimp.telemetry.building import Told
from scrimp.telemetry.failures import Failure, FewEachSecond
from scrimp.telemetry.settings import TelemetrySettings


def failure(at: float = 1_000.0, **more: Any) -> Failure:
    fields = {"route": "/v1/messages", "method": "POST", "status": 401, "error": "authentication_error"}
    return Failure(at=at, **{**fields, "whose": "gateway", "duration": 0.25, **more})


def test_who_hammers_shows_as_a_number() -> None:
    few = FewEachSecond(most=3)
    taken = [few.take(failure(1_000.0 + number / 100)) for number in range(50)]
    assert taken == [0, 0, 0, *[None] * 47]
    assert few.take(failure(1_000.9, status=404)) == 0
    assert few.take(failure(1_001.0)) == 47
    assert few.take(failure(1_001.1)) == 0


def test_a_line_says_what_failed_and_whose_error_it_was() -> None:
    stream = io.StringIO()
    told = Told(TelemetrySettings(), base_url="https://api.anthropic.com", stream=stream)
    assert told.log is not None
    told.log.failed(failure(request_id="req_1", key="ci", upstream="anthropic", whose="upstream"))
    told.close()
    assert json.loads(stream.getvalue()) == {
        "time": "1970-01-01T00:16:40.000Z",
        "event": "failed",
        "request_id": "req_1",
        "key": "ci",
        "route": "/v1/messages",
        "method": "POST",
        "status": 401,
        "error": "authentication_error",
        "whose": "upstream",
        "upstream": "anthropic",
        "duration_s": 0.25,
    }


def test_every_line_of_a_log_of_json_is_json() -> None:
    stream = io.StringIO()
    shown, handlers = warnings.showwarning, list(logging.getLogger("scrimp").handlers)
    told = Told(TelemetrySettings(), base_url="https://api.anthropic.com", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown_within = warnings.showwarning
        with told.whole():
            warnings.warn("scrimp: the ledger is full", ScrimpWarning, stacklevel=1)
            logging.getLogger("scrimp.alerts").warning("%s spent %s", "ci", "$5")
        assert warnings.showwarning is shown_within
    told.close()
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["source"], line["message"]) for line in said] == [
        ("message", "warning", "ScrimpWarning", "scrimp: the ledger is full"),
        ("message", "warning", "scrimp.alerts", "ci spent $5"),
    ]
    assert warnings.showwarning is shown
    assert logging.getLogger("scrimp").handlers == handlers
    assert logging.getLogger("scrimp").propagate


def test_a_log_of_text_leaves_warnings_where_they_are() -> None:
    told = Told(TelemetrySettings(log="text"), base_url="https://api.anthropic.com", stream=io.StringIO())
    shown = warnings.showwarning
    with told.whole():
        assert warnings.showwarning is shown
    told.close()
