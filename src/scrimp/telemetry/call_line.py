"""What the log says of one call: names, counts and money."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from math import floor
from typing import final

import msgspec

from scrimp.core.money import usd
from scrimp.core.record import Record
from scrimp.telemetry.misses import miss_of

__all__ = ["CallLine", "call_line", "time_of"]

_PARTS = 10**4


class _Tokens(msgspec.Struct, frozen=True, gc=False):
    plain: int
    write_5m: int
    write_1h: int
    read: int
    output: int


@final
class CallLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the line of a call says, in this order; None is left out.

    Made by position: finding thirty names takes longer than all else about a line.
    """

    time: str
    event: str
    id: str
    call_id: str
    request_id: str | None = None
    key: str | None = None
    team: str | None = None
    user: str | None = None
    run: str | None = None
    run_id: str | None = None
    task_type: str | None = None
    agent: str | None = None
    model: str | None = None
    mode: str | None = None
    outcome: str | None = None
    status: int | None = None
    stream: bool | None = None
    attempt: int | None = None
    tokens: _Tokens | None = None
    read_share: float | None = None
    window_used: float | None = None
    cost_usd: str | None = None
    measured: bool | None = None
    saved_usd: str | None = None
    first_event_s: float | None = None
    duration_s: float | None = None
    miss: str | None = None
    lost_usd: str | None = None
    predicted_read: int | None = None
    fault: str | None = None


def call_line(record: Record) -> CallLine:
    """The line of a record."""
    usage, tags, began, window = record.usage, record.tags, record.started_at, record.window
    prompt, read, written = (
        usage.total_input,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )
    hour = usage.write_1h if written else 0
    saved, miss = record.saved, record.miss and miss_of(record)
    first, ended = record.first_event_at, record.ended_at
    return CallLine(
        time_of(ended or began),
        "call",
        record.id,
        record.call_id,
        record.request_id,
        tags.key,
        tags.team,
        tags.user,
        "/".join(tags.run) if tags.run else None,
        tags.run_ids[-1] if tags.run_ids else None,
        tags.task_type,
        tags.agent,
        record.model,
        record.mode,
        record.outcome,
        record.status,
        record.stream,
        record.attempt or None,
        _Tokens(usage.input_tokens, written - hour, hour, read, usage.output_tokens),
        # To four places: `round` with places takes several times as long.
        round(read / prompt * _PARTS) / _PARTS if prompt else None,
        round(prompt / window * _PARTS) / _PARTS if window else None,
        usd(record.cost),
        record.measured,
        None if saved is None else usd(saved),
        None if first is None else round((first - began) * _PARTS) / _PARTS,
        None if ended is None else round((ended - began) * _PARTS) / _PARTS,
        miss,
        usd(record.lost) if record.lost is not None and miss is not None else None,
        record.predicted_read,
        record.fault,
    )


def time_of(at: float) -> str:
    """Epoch seconds as a time in UTC, to the millisecond."""
    second, micros = divmod(floor(at * _MICROS + 0.5), _MICROS)
    return _second(second) + _MILLIS[micros // 1000]


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


_MICROS = 10**6
_MILLIS = [f".{millis:03d}Z" for millis in range(1000)]
