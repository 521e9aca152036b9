"""One line for each call and each failure on its way to standard error, written by a thread of its own.

A line has names, counts and money, never a prompt or a key. Calls never wait for it: they leave what is to be
said, and the thread puts it into words and writes it, many lines at a time, for a thread that wakes at each
call takes turns with those that serve them. Where lines come faster than they can be written, what does not
fit is left out and counted.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, TextIO

import msgspec

from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.money import usd
from scrimp.core.record import Record, Tags
from scrimp.telemetry.call_line import CallLine, call_line, time_of
from scrimp.telemetry.failures import Failure, FewEachSecond

__all__ = ["CallLog"]

_WAITING = 10_000
"""Lines that may wait to be written: some megabytes at most."""

_BATCH_SECONDS = 0.05
_BATCH_LINES = 200
"""As many are put into words at a time: the other threads get their turn in between."""

_Fields = dict[str, Any]
_Lines = Sequence[_Fields | CallLine]


class CallLog:
    """A listener that logs to `stream` (by default standard error); close it to have every line written."""

    def __init__(self, form: Literal["json", "text"] = "json", stream: TextIO | None = None) -> None:
        self.dropped = 0
        """Lines left out because too many were waiting."""
        self._stream = sys.stderr if stream is None else stream
        self._say: Callable[[_Lines], str] = _json if form == "json" else _text
        self._few = FewEachSecond()
        self._waiting: deque[Record | Callable[[], _Fields]] = deque()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrimp log", daemon=True)
        self._thread.start()

    def recorded(self, record: Record) -> None:
        """Log a call."""
        self._wait(record)

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        """Log a cache miss that somebody is told of."""
        if diagnosis.alarming:
            self._log(time.time(), lambda: _miss(diagnosis, tags))

    def crossed(self, crossing: Crossing) -> None:
        """Log a limit whose spending reached one of its fractions."""
        self._log(time.time(), lambda: _crossing(crossing))

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        """Log a call that a limit did not let out."""
        self._log(time.time(), lambda: _refusal(refusal, tags))

    def failed(self, failure: Failure) -> None:
        """Log a request that ended with an error status; the event loop's thread tells."""
        left_out = self._few.take(failure)
        if left_out is not None:
            self._log(failure.at, lambda: failure.fields(left_out))

    def said(self, level: str, source: str, message: str) -> None:
        """Log something else; `source` is a logger or a kind of warning."""
        fields = {"event": "message", "level": level, "source": source, "message": message}
        self._log(time.time(), lambda: fields)

    def close(self) -> None:
        """Write what is waiting, and end the thread."""
        self._closing.set()
        self._some.set()
        self._thread.join()

    def _log(self, at: float, fields: Callable[[], _Fields]) -> None:
        self._wait(lambda: {"time": time_of(at), **fields()})

    def _wait(self, entry: Record | Callable[[], _Fields]) -> None:
        if len(self._waiting) >= _WAITING:
            self.dropped += 1
            return
        self._waiting.append(entry)
        if not self._some.is_set():
            self._some.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._closing.wait(_BATCH_SECONDS)
            self._some.clear()  # before looking: whoever comes from now on sets it again
            self._write_all()
        self._write_all()  # what came since that look, or before this thread had begun

    def _write_all(self) -> None:
        while self._waiting:
            self._write(min(len(self._waiting), _BATCH_LINES))

    def _write(self, count: int) -> None:
        """Write the first `count`; they count as waiting until they are written."""
        entries = [self._waiting[place] for place in range(count)]  # by place: others append meanwhile
        lines = self._say([call_line(one) if isinstance(one, Record) else one() for one in entries])
        with suppress(OSError, ValueError):  # nobody reads it any more: the calls go on
            self._stream.write(lines)
            self._stream.flush()
        for _ in range(count):
            self._waiting.popleft()


def _json(lines: _Lines) -> str:
    """All in one piece: each by itself takes half as long again."""
    told = [fields if type(fields) is CallLine else _without_none(fields) for fields in lines]
    try:
        return _encoder.encode_lines(told).decode()
    except UnicodeEncodeError:
        return "".join(f"{_dumped(fields)}\n" for fields in told)


def _text(lines: _Lines) -> str:
    return "".join(f"{_pairs(fields)}\n" for fields in lines)


def _without_none(fields: _Fields) -> _Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _pairs(fields: _Fields | CallLine) -> str:
    """`name=value` pairs behind time and event; what is not plain is quoted as in JSON."""
    said = _without_none(fields if isinstance(fields, dict) else msgspec.to_builtins(fields))
    told = {name: value for name, value in said.items() if name not in _FIRST}
    tokens = told.pop("tokens", {})
    pairs = (f"{name}={_plain(value)}" for name, value in {**told, **tokens}.items())
    return " ".join([said["time"], said["event"], *pairs])


_FIRST = frozenset({"time", "event"})


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else _dumped(value)
    if text and all(char.isalnum() or char in "-_./:@$+%" for char in text):
        return text
    return _dumped(text)


def _dumped(value: object) -> str:
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:  # half a surrogate pair in somebody's name
        return json.dumps(msgspec.to_builtins(value))


_encoder = msgspec.json.Encoder()


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
