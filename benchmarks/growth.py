"""What a step costs to plan while its conversation grows: the cost should follow the bytes."""

from __future__ import annotations

import json
from functools import partial

from benchmarks.conversations import BLOCKS_PER_STEP, Conversation, encoded
from benchmarks.planning import JSON, NOW, STEP_SECONDS, answer, plan_bytes
from benchmarks.timing import Row, Section, seconds, spread
from scrimp.core.workspace import Workspace
from scrimp.facts import default

__all__ = ["measure_growth"]

_SIZES = (10, 100, 500, 1_000, 2_000)
_TOOLS, _RESULT_BYTES = 4, (150, 800)
_WINDOW = 12
"""Steps up to a size whose median is that size's figure."""


def measure_growth(*, most_blocks: int, seed: int) -> Section:
    """Microseconds per step while one conversation grows to `most_blocks` blocks, side by side."""
    conversation = Conversation(seed, tools=_TOOLS, result_bytes=_RESULT_BYTES)
    workspace = Workspace(default())
    sizes = [blocks for blocks in _SIZES if blocks < most_blocks] + [most_blocks]
    ours: list[float] = []
    theirs: list[float] = []
    rows: list[Row] = []
    now = NOW
    while sizes:
        raw = encoded(conversation.body)
        plan = partial(plan_bytes, workspace, raw, now)
        taken, (planned, _) = seconds(plan)
        answer(workspace, planned, now)
        ours.append(taken)
        theirs.append(seconds(partial(_parsed_and_written, raw))[0])
        if conversation.blocks >= sizes[0]:
            rows += _rows(sizes.pop(0), len(raw), ours[-_WINDOW:], theirs[-_WINDOW:])
        conversation.step()
        now += STEP_SECONDS
    about = f"one conversation, three new blocks a step; medians of the last {_WINDOW} steps before each size"
    return Section("growth", "Planning a step as its conversation grows", "µs", about, rows)


def _parsed_and_written(raw: bytes) -> str:
    return json.dumps(json.loads(raw))


def _rows(blocks: int, size: int, ours: list[float], theirs: list[float]) -> list[Row]:
    mine, floor = spread([s * 1e6 for s in ours]), spread([s * 1e6 for s in theirs])
    note = f"{mine.median / BLOCKS_PER_STEP:,.0f} µs per new block"
    name = f"{blocks:,} blocks, {size / 1000:,.0f} KB"
    return [
        Row(f"scrimp, {name}", mine, mine.median / floor.median, note=note),
        Row(JSON, floor, 1.0, is_baseline=True),
    ]
