"""Planning one request, from the bytes that came in to the bytes that go out.

The baseline is what every Python proxy pays that only parses a body and writes it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from benchmarks.conversations import Conversation, encoded
from benchmarks.timing import Contender, Section, compare
from scrimp.core.workspace import Planned, Workspace
from scrimp.facts import default
from scrimp.wire.loads import loads
from scrimp.wire.response import CacheCreation, Usage
from scrimp.wire.splice import splice_markers

__all__ = ["JSON", "NOW", "ORJSON", "STEP_SECONDS", "answer", "measure_planning", "plan_body", "plan_bytes"]

NOW = 1_795_000_000.0
"""When it is in the benchmarks, epoch seconds."""

STEP_SECONDS = 8.0
JSON, ORJSON = "json.loads + json.dumps", "orjson.loads + orjson.dumps"
COLD, WARM = "scrimp: first request of a conversation", "scrimp: next step of a conversation"


def plan_bytes(workspace: Workspace, raw: bytes, now: float) -> tuple[Planned, bytes]:
    """All that happens to a request before it is sent."""
    planned = plan_body(workspace, loads(raw), now)
    return planned, splice_markers(raw, planned.plan.edits)


def plan_body(workspace: Workspace, body: Any, now: float) -> Planned:
    """The plan for a parsed request that is no turn of a thread."""
    planned = workspace.plan(body, now)
    assert planned is not None
    return planned


def answer(workspace: Workspace, planned: Planned, now: float) -> None:
    """The provider answered as predicted: the entries are there, the bill is known."""
    workspace.sent(planned, now, now + 1)
    outcome = planned.plan.chosen.outcome
    usage = Usage(
        input_tokens=outcome.plain,
        output_tokens=400,
        cache_creation_input_tokens=outcome.written,
        cache_read_input_tokens=outcome.read,
        cache_creation=CacheCreation(outcome.write_5m, outcome.write_1h),
    )
    workspace.billed(planned, usage)


def measure_planning(*, size: int, rounds: int, seed: int) -> Section:
    """Microseconds per request of `size` bytes."""
    conversation = Conversation(seed).grow(size=size)
    before = encoded(conversation.body)
    conversation.step()
    raw = encoded(conversation.body)

    def first() -> Callable[[], object]:
        workspace = Workspace(default())
        return lambda: plan_bytes(workspace, raw, NOW)

    def next_step() -> Callable[[], object]:
        workspace = Workspace(default())
        planned, _ = plan_bytes(workspace, before, NOW)
        answer(workspace, planned, NOW)
        return lambda: plan_bytes(workspace, raw, NOW + STEP_SECONDS)

    contenders = [
        Contender(WARM, next_step),
        Contender(COLD, first),
        Contender(JSON, lambda: lambda: json.dumps(json.loads(raw))),
        Contender(ORJSON, lambda: lambda: orjson.dumps(orjson.loads(raw))),
    ]
    rows = compare(contenders, baseline=JSON, rounds=rounds, scale=1e6)
    about = f"{len(raw):,} bytes, {conversation.blocks} blocks; bytes in, plan, markers spliced, bytes out"
    return Section("planning", "Planning a request", "µs", about, rows)
