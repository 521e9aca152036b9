"""A call as an exchange, where capture is switched on: what `scrimp replay` and `calibrate` read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from scrimp.core.record import Record

__all__ = ["exchange_of"]


def exchange_of(record: Record, body: Mapping[str, Any], message: Any) -> dict[str, Any]:
    """The exchange of one attempt: the request as it was sent, the whole response, the billed usage."""
    usage = msgspec.to_builtins(record.usage)
    return {
        "run": "/".join(record.tags.run) + (f"@{record.tags.run_ids[-1]}" if record.tags.run_ids else ""),
        "seq": record.attempt,
        "started_at": _iso(record.started_at),
        "ended_at": _iso(record.ended_at),
        "provider": record.provider,
        "kind": "messages",
        "task_type": record.tags.task_type,
        "request": {"url": "/v1/messages", "headers": {}, "body": body},
        "response": {"status": record.status, "stream": record.stream, "body": message},
        "usage": {name: value for name, value in usage.items() if value is not None and name in _BILLED},
        "source": {"repo": "captured", "record": record.id},
    }


_BILLED = frozenset(
    {
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "server_tool_use",
        "output_tokens_details",
        "iterations",
        "service_tier",
        "speed",
        "inference_geo",
    }
)


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
