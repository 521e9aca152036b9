"""A recorded agent as JSON Lines, small enough to check its bill by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MODEL = "claude-opus-5"
CLOSING = 3


def exchange(
    step: int, *, at: str, usage: dict[str, int], run: str = "agent", **request: Any
) -> dict[str, Any]:
    """Step `step` of an agent whose prompt grows by an answer and a result a step, marked at its tail."""
    texts = [f"task of {run} " + "word " * 1400] + [f"{run} turn {n} " + "word " * 400 for n in range(step)]
    messages: list[dict[str, Any]] = [
        {"role": "assistant" if n % 2 else "user", "content": [{"type": "text", "text": text}]}
        for n, text in enumerate(texts)
    ]
    messages[-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
    body = {"model": MODEL, "max_tokens": 100, "messages": messages, **request}
    return {
        "run": run,
        "seq": step,
        "started_at": at,
        "ended_at": None,
        "provider": "anthropic",
        "request": {"url": "/v1/messages", "headers": {}, "body": body},
        "response": {"status": 200, "body": {"id": f"msg_{run}_{step}", "model": MODEL}},
        "usage": {"output_tokens": 10, "input_tokens": CLOSING, **usage},
        "source": {"repo": "tests/agent", "path": "agent.jsonl", "licence": "MIT"},
    }


def quick_agent() -> list[dict[str, Any]]:
    """Two steps ten seconds apart: 2,000 tokens written, then 2,000 read and 600 written."""
    return [
        exchange(
            0,
            at="2026-08-01T10:00:00Z",
            usage={"cache_creation_input_tokens": 2000, "cache_read_input_tokens": 0},
        ),
        exchange(
            1,
            at="2026-08-01T10:00:10Z",
            usage={"cache_creation_input_tokens": 600, "cache_read_input_tokens": 2000},
        ),
    ]


def write(path: Path, records: list[Any]) -> Path:
    """Write one record a line; strings are written as they are."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
