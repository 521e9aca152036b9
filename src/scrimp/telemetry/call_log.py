"""One line for each call on its way to standard error, written by a thread of its own.

A line has names, counts and money, never a prompt or a key. Calls never wait for it: where lines come faster
than they can be written, what does not fit is left out and counted.
"""

from __future__ import annotations

import json
import logging
import queue
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Literal, TextIO

import orjson

from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.money import usd
from scrimp.core.record import Record, Tags

__all__ = ["CallLog"]

_WAITING = 10_000
"""Lines that may wait to be written: some megabytes at most."""

_Fields = dict[str, Any]


class CallLog:
    """A listener that logs to `stream` (by default standard error); close it to have every line written."""

    def __init__(self, form: Literal["json", "text"] = "json", stream: TextIO | None = None) -> None:
        self._waiting: queue.Queue[Any] = queue.Queue(_WAITING)
        self._handler = _Dropping(self._waiting)
        writer = logging.StreamHandler(sys.stderr if stream is None else stream)
        writer.setFormatter(_Lines(_json if form == "json" else _text))
        self._writer = _Writing(self._waiting, writer)
        self._writer.start()

    @property
    def dropped(self) -> int:
        """Lines left out because too many were waiting."""
        return self._handler.dropped

    def recorded(self, record: Record) -> None:
        """Log a call."""
        self._log(record.ended_at or record.started_at, lambda: _call(record))

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        """Log a cache miss that somebody is told of."""
        if diagnosis.alarming:
            self._log(None, lambda: _miss(diagnosis, tags))

    def crossed(self, crossing: Crossing) -> None:
        """Log a limit whose spending reached one of its fractions."""
        self._log(None, lambda: _crossing(crossing))

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        """Log a call that a limit did not let out."""
        self._log(None, lambda: _refusal(refusal, tags))

    def close(self) -> None:
        """Write what is waiting, and end the thread."""
        self._writer.stop()

    def _log(self, at: float | None, fields: Callable[[], _Fields]) -> None:
        entry = logging.LogRecord("scrimp.calls", logging.INFO, "", 0, "", None, None)
        if at is not None:
            entry.created = at
        entry.__dict__["fields"] = fields
        self._handler.handle(entry)


class _Dropping(QueueHandler):
    """Hands records over as they are: they are put into words by the thread that writes them."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Writing(QueueListener):
    """Waits for room for the sign that ends it: it has to arrive."""

    def __init__(self, waiting: queue.Queue[Any], writer: logging.Handler) -> None:
        super().__init__(waiting, writer)
        self._entries = waiting

    def enqueue_sentinel(self) -> None:
        self._entries.put(None)


class _Lines(logging.Formatter):
    def __init__(self, say: Callable[[_Fields], str]) -> None:
        super().__init__()
        self._say = say

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: Callable[[], _Fields] = record.__dict__["fields"]
        return self._say({"time": at.replace("+00:00", "Z"), **fields()})


def _json(fields: _Fields) -> str:
    return _dumped({name: value for name, value in fields.items() if value is not None})


def _text(fields: _Fields) -> str:
    """`name=value` pairs behind time and event; what is not plain is quoted as in JSON."""
    time, event = fields["time"], fields["event"]
    told = {name: value for name, value in fields.items() if value is not None and name not in _FIRST}
    tokens = told.pop("tokens", {})
    return " ".join([time, event, *(f"{name}={_plain(value)}" for name, value in {**told, **tokens}.items())])


_FIRST = frozenset({"time", "event"})


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else _dumped(value)
    if text and all(char.isalnum() or char in "-_./:@$+%" for char in text):
        return text
    return _dumped(text)


def _dumped(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair in somebody's name
        return json.dumps(value)


def _call(record: Record) -> _Fields:
    usage = record.usage
    share = usage.cache_read_input_tokens / usage.total_input if usage.total_input else None
    return {
        "event": "call",
        "id": record.id,
        "call_id": record.call_id,
        "request_id": record.request_id,
        **_whose(record.tags),
        "model": record.model,
        "mode": record.mode,
        "outcome": record.outcome,
        "status": record.status,
        "stream": record.stream,
        "attempt": record.attempt or None,
        "tokens": {
            "plain": usage.input_tokens,
            "write_5m": usage.write_5m,
            "write_1h": usage.write_1h,
            "read": usage.cache_read_input_tokens,
            "output": usage.output_tokens,
        },
        "read_share": None if share is None else round(share, 4),
        "cost_usd": usd(record.cost),
        "measured": record.measured,
        "saved_usd": None if record.saved is None else usd(record.saved),
        "first_event_s": _seconds(record.started_at, record.first_event_at),
        "duration_s": _seconds(record.started_at, record.ended_at),
        "miss": record.miss,
        "lost_usd": None if record.lost is None else usd(record.lost),
        "predicted_read": record.predicted_read,
        "fault": record.fault,
    }


def _miss(diagnosis: Diagnosis, tags: Tags) -> _Fields:
    return {
        "event": "miss",
        **_whose(tags),
        "miss": diagnosis.cause.value,
        "foreseen": diagnosis.foreseen,
        "read": diagnosis.read,
        "promised": diagnosis.promised,
        "lost_usd": usd(diagnosis.lost),
        "block": diagnosis.path or None,
        "fix": diagnosis.fix,
    }


def _crossing(crossing: Crossing) -> _Fields:
    return {
        "event": "budget",
        "limit": crossing.limit.id,
        "scope": str(crossing.scope),
        "percent": crossing.percent,
        "limit_usd": usd(crossing.limit.amount),
        "spent_usd": usd(crossing.spent),
    }


def _refusal(refusal: Refusal, tags: Tags) -> _Fields:
    return {
        "event": "refused",
        **_whose(tags),
        "limit": refusal.limit.id,
        "scope": str(refusal.scope),
        "limit_usd": usd(refusal.limit.amount),
        "spent_usd": usd(refusal.spent),
        "held_usd": usd(refusal.held),
        "asked_usd": usd(refusal.asked),
    }


def _whose(tags: Tags) -> _Fields:
    return {
        "key": tags.key,
        "team": tags.team,
        "user": tags.user,
        "run": "/".join(tags.run) or None,
        "run_id": tags.run_ids[-1] if tags.run_ids else None,
        "task_type": tags.task_type,
        "agent": tags.agent,
    }


def _seconds(since: float, until: float | None) -> float | None:
    return None if until is None else round(until - since, 4)
