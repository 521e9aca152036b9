"""What one call costs on its way through, stage by stage: all but the sockets, the budget and the disk.

The flow is driven as the gateway drives it, from the bytes of the request to the record of the bill, by an
upstream that answers at once. The baseline is what every Python proxy pays that only parses a body and writes
it again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import count, islice, repeat
from time import perf_counter
from typing import Any

import orjson

from benchmarks.gateway.bodies import MODEL, family
from benchmarks.timing import Row, Section, spread
from scrimp.core.commands import (
    Answer,
    Attempt,
    Began,
    Billed,
    Command,
    Dropped,
    Finished,
    Foresee,
    Keep,
    Meter,
    Plan,
    Reserve,
    Send,
)
from scrimp.core.diagnose import Watch
from scrimp.core.diagnose_planned import call_of
from scrimp.core.flow import flow
from scrimp.core.meter import meter_response
from scrimp.core.record import Record, Tags
from scrimp.core.workspace import Planned, Workspace
from scrimp.drive import Flow, drive
from scrimp.facts import default
from scrimp.stores.promise import Promise
from scrimp.wire.bodies import Bodies
from scrimp.wire.splice import splice_markers

__all__ = ["STAGES", "CallPath", "measure_call_path"]

JSON = "json.loads + json.dumps of the request"
TOTAL = "scrimp: the whole call"
STAGES = (
    *("read the body", "plan", "foresee a miss", "mark the bytes"),
    *("note the answer", "meter", "learn and judge", "flow and record"),
)

_NOW = 1_795_000_000.0
_FIRST_EVENT, _BETWEEN = 0.005, 0.01
_TAGS = Tags(run=("bench",), run_ids=("bench-1",), user="u", task_type="agent")
_STAGE_OF: dict[type, str] = {
    Plan: "plan",
    Foresee: "foresee a miss",
    Began: "note the answer",
    Meter: "meter",
    Billed: "learn and judge",
}


class CallPath:
    """A workspace and its watch, and the seconds that each stage of the last call took."""

    def __init__(self) -> None:
        self._workspace = Workspace(default())
        self._watch = Watch()
        self._bodies = Bodies()
        self._now = _NOW
        self._calls = 0
        self._planned: Planned | None = None
        self._answered = b""
        self.records: list[Record] = []
        self.seconds: dict[str, float] = {}

    def call(self, raw: bytes) -> bytes:
        """Take one request all the way; returns what would have been sent."""
        self._now += _BETWEEN
        self._calls += 1
        self.seconds = defaultdict(float)
        begun = perf_counter()
        decoded = self._bodies.read(raw)
        body, layout = decoded.value, decoded.layout
        self.seconds["read the body"] = perf_counter() - begun
        sent: list[bytes] = []

        def send(command: Send) -> Answer:
            start = perf_counter()
            sent.append(splice_markers(raw, command.edits, layout))
            self.seconds["mark the bytes"] += perf_counter() - start
            self._answered = self._response()
            return Answer(200, self._now, self._now + _FIRST_EVENT, "anthropic", "req_1")

        begun = perf_counter()
        attempt = Attempt(f"a{self._calls}", f"c{self._calls}", 0, _body(body), "safe", _TAGS, stream=False)
        drive(self._flow(attempt), self, send)
        whole = perf_counter() - begun - self.seconds.pop("the upstream")
        self.seconds["flow and record"] = whole - sum(
            taken for stage, taken in self.seconds.items() if stage != "read the body"
        )
        return sent[0]

    def answer(self, command: Command) -> Any:
        """See `drive.Desk`."""
        start = perf_counter()
        found = self._do(command)
        stage = _STAGE_OF.get(type(command))
        if stage is not None:
            self.seconds[stage] += perf_counter() - start
        return found

    def reserve(self, command: Reserve) -> Promise[Any] | None:  # noqa: ARG002 - nothing is limited
        """See `drive.Desk`."""
        return None

    def reserved(self, command: Reserve, decided: Promise[Any] | None) -> None:
        """See `drive.Desk`."""

    def later(self, flow: Flow, command: Meter) -> bool:  # noqa: ARG002 - the answer is there at once
        """See `drive.Desk`."""
        return False

    def _flow(self, attempt: Attempt) -> Flow:
        return flow(attempt, default(), lambda: self._now)

    def _do(self, command: Command) -> Any:
        match command:
            case Plan():
                self._planned = self._workspace.plan(command.body, self._now, label=command.label)
                return self._planned
            case Foresee():
                return self._watch.expect(
                    call_of(command.planned, command.body, label="agent", run="bench-1")
                )
            case Began():
                self._workspace.sent(command.planned, self._now, self._now + _FIRST_EVENT)
                if command.watched is not None:
                    self._watch.began(command.watched, self._now + _FIRST_EVENT)
            case Dropped():
                raise AssertionError("every call is answered")
            case Meter():
                return Finished(meter_response(self._answered), self._now + _BETWEEN)
            case Billed():
                self._workspace.billed(command.planned, command.usage, command.message_id)
                return self._watch.judge(command.watched, command.usage) if command.watched else None
            case Keep():
                self.records.append(command.record)
        return None

    def _response(self) -> bytes:
        """The upstream bills what the plan foresees."""
        start = perf_counter()
        assert self._planned is not None
        outcome = self._planned.plan.chosen.outcome
        found = orjson.dumps(
            {
                "id": f"msg_{self._calls}",
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [{"type": "text", "text": "Done. " * 20}],
                "stop_reason": "end_turn",
                "usage": {
                    "input_tokens": outcome.plain,
                    "output_tokens": 42,
                    "cache_creation_input_tokens": outcome.written,
                    "cache_read_input_tokens": outcome.read,
                },
            }
        )
        self.seconds["the upstream"] += perf_counter() - start
        return found


def measure_call_path(*, size: int, rounds: int, seed: int, grows: bool) -> Section:
    """Microseconds per stage of calls of about `size` bytes: one request over and over, or conversations."""
    path, raws = CallPath(), _requests(size, seed, grows=grows)
    taken: dict[str, list[float]] = defaultdict(list)
    first = next(raws)
    for _ in range(3):  # what is compiled or looked up once is there in a service too
        path.call(first)
    for raw in islice(raws, rounds):
        path.call(raw)
        for stage in STAGES:
            taken[stage].append(path.seconds[stage])
        taken[TOTAL].append(sum(path.seconds.values()))
        start = perf_counter()
        json.dumps(json.loads(raw))
        taken[JSON].append(perf_counter() - start)
    figures = {name: spread([one * 1e6 for one in times]) for name, times in taken.items()}
    floor = figures[JSON].median
    rows = [Row(name, figures[name], figures[name].median / floor) for name in (TOTAL, *STAGES)]
    rows.append(Row(JSON, figures[JSON], 1.0, is_baseline=True))
    what = "conversations that grow" if grows else "one request over and over"
    about = f"{what}, from {len(first):,} bytes; bytes in, bytes out, bill and record"
    name = f"call_path_{size // 1000}k_{'growing' if grows else 'repeated'}"
    return Section(name, "One call's own work", "µs", about, rows)


def _requests(size: int, seed: int, *, grows: bool) -> Iterator[bytes]:
    """One request over and over, or one conversation after another, each step by step."""
    conversations = family(size, seed=seed)
    for number in count() if grows else repeat(0):
        for step in range(len(conversations.steps) if grows else 1):
            yield conversations.body(step, number)


def _body(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a request body is an object")
    return value
