"""What the log says of one call: names, counts and money."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from scrimp.core.money import usd
from scrimp.core.record import Record
from scrimp.telemetry.misses import miss_of

__all__ = ["CallLine", "call_line", "time_of"]


class _Tokens(msgspec.Struct, frozen=True):
    plain: int
    write_5m: int
    write_1h: int
    read: int
    output: int


class CallLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the line of a call says, in this order; None is left out."""

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
    model: str
    mode: str
    outcome: str
    status: int | None = None
    stream: bool
    attempt: int | None = None
    tokens: _Tokens
    read_share: float | None = None
    window_used: float | None = None
    cost_usd: str
    measured: bool
    saved_usd: str | None = None
    first_event_s: float | None = None
    duration_s: float | None = None
    miss: str | None = None
    lost_usd: str | None = None
    predicted_read: int | None = None
    fault: str | None = None


def call_line(record: Record) -> CallLine:
    """The line of a record."""
    usage, tags, began = record.usage, record.tags, record.started_at
    prompt, read, hour = usage.total_input, usage.cache_read_input_tokens, usage.write_1h
    used, saved, miss = record.window_used, record.saved, miss_of(record)
    written = usage.cache_creation_input_tokens
    return CallLine(
        time=time_of(record.ended_at or began),
        event="call",
        id=record.id,
        call_id=record.call_id,
        request_id=record.request_id,
        key=tags.key,
        team=tags.team,
        user=tags.user,
        run="/".join(tags.run) or None,
        run_id=tags.run_ids[-1] if tags.run_ids else None,
        task_type=tags.task_type,
        agent=tags.agent,
        model=record.model,
        mode=record.mode,
        outcome=record.outcome,
        status=record.status,
        stream=record.stream,
        attempt=record.attempt or None,
        tokens=_Tokens(usage.input_tokens, written - hour, hour, read, usage.output_tokens),
        read_share=_rounded(read / prompt) if prompt else None,
        window_used=None if used is None else _rounded(used),
        cost_usd=usd(record.cost),
        measured=record.measured,
        saved_usd=None if saved is None else usd(saved),
        first_event_s=_seconds(began, record.first_event_at),
        duration_s=_seconds(began, record.ended_at),
        miss=miss,
        lost_usd=usd(record.lost) if record.lost is not None and miss is not None else None,
        predicted_read=record.predicted_read,
        fault=record.fault,
    )


def time_of(at: float) -> str:
    """Epoch seconds as a time in UTC, to the millisecond."""
    second, micros = divmod(round(at * _MICROS), _MICROS)
    return f"{_second(second)}.{micros // 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


_MICROS = 10**6
_PARTS = 10**4


def _seconds(since: float, until: float | None) -> float | None:
    return None if until is None else _rounded(until - since)


def _rounded(value: float) -> float:
    """To four places, for a fraction of what `round` with places takes."""
    return round(value * _PARTS) / _PARTS
