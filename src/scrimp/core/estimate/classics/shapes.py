"""What a run of the usual kinds of agent costs."""

from __future__ import annotations

from typing import Any

from scrimp.core.estimate.classics.example import SONNET, Classic, Row, Today, pair, row, spent
from scrimp.core.estimate.terms import stated

__all__ = ["agent_types"]

_STATED = stated("the model", "3", "15")
_SHAPES: dict[str, dict[str, Any]] = {
    "classifier": {"steps": 1, "prefix": 1_500, "task": 500, "output": 20, "tool_calls": 0},
    "question on documents": {"steps": 1, "prefix": 1_500, "task": 8_000, "output": 500, "tool_calls": 0},
    "chat of 8 turns": {
        "steps": 8,
        "prefix": 2_000,
        "task": 200,
        "output": 300,
        "tool_calls": 0,
        "growth": 200,
        "gap": 60,
    },
    "support agent": {"steps": 6, "prefix": 6_000, "task": 500, "output": 300, "tool_result": 1_000},
    "research agent": {"steps": 15, "prefix": 8_000, "task": 500, "output": 500, "tool_result": 4_000},
    "coding agent": {"steps": 40, "prefix": 20_000, "task": 1_000, "output": 500, "tool_result": 2_000},
}


def agent_types(today: Today) -> Classic:
    """One run of each, sent plainly as told, and cached as it would be; a single call is not marked."""
    return Classic(
        "agent-types",
        "Cost per run of the usual agent types",
        "; ".join(f"{name}: {_told(shape)}" for name, shape in _SHAPES.items()),
        "all of these sizes, as none are told with the kinds. What follows is sent without a cache at $3 and "
        f"$15 per million; the true figure is that of {SONNET}: runs of several calls are cached for 5 "
        "minutes and begin cold, single calls are not marked",
        tuple(_row(name, shape, today) for name, shape in _SHAPES.items()),
    )


def _row(name: str, shape: dict[str, Any], today: Today) -> Row:
    plain = spent(_STATED, **shape, runs_per_day=1, caching="none")
    single = shape["steps"] == 1
    true = spent(today.terms(SONNET), **shape, runs_per_day=1, caching="none" if single else "full")
    if single:
        why = "A single call has nothing to read: only the price is another one."
    else:
        why = f"{plain.prompt:,} tokens are sent in all, {true.read_share:.0%} of them sent before and read."
    return row(name, pair((plain.cost, true.cost)), "usd", why)


def _told(shape: dict[str, Any]) -> str:
    calls = "1 call" if shape["steps"] == 1 else f"{shape['steps']} calls"
    begins = f"{shape['prefix']:,} + {shape['task']:,} tokens"
    grows = shape.get("tool_result", 0) * shape.get("tool_calls", 1) + shape.get("growth", 0)
    more = f", {grows:,} more each" if shape["steps"] > 1 else ""
    return f"{calls}, {begins}{more}, {shape['output']:,} out"
