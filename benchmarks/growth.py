"""What a step costs to plan while its conversation grows: it should follow what is new, not what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import orjson

from benchmarks.conversations import BLOCKS_PER_STEP, Conversation, encoded
from benchmarks.planning import JSON, NOW, ORJSON, STEP_SECONDS, answer, plan_body
from benchmarks.timing import Row, Section, seconds, spread
from scrimp.core.workspace import Workspace
from scrimp.facts import default
from scrimp.wire.loads import loads
from scrimp.wire.splice import splice_markers

__all__ = ["PLAN", "WHOLE", "measure_growth"]

PLAN, WHOLE = "scrimp plan", "scrimp parse + plan + splice"

_SIZES = (10, 50, 200, 500, 1_000, 2_000)
_TOOLS, _RESULT_BYTES = 4, (150, 800)
_WINDOW = 12 * BLOCKS_PER_STEP
"""Blocks below a size whose steps give that size's figure."""
_SHORT, _SHORT_ONES = 60, 6
"""So many conversations are grown up to here: a single one has few steps that are short."""


class _Step(NamedTuple):
    """Seconds of one step, by contender."""

    blocks: int
    size: int
    plan: float
    whole: float
    json: float
    orjson: float


def measure_growth(*, most_blocks: int, seed: int) -> Section:
    """Microseconds per step while one conversation grows to `most_blocks` blocks, side by side."""
    sizes = [blocks for blocks in _SIZES if blocks < most_blocks] + [most_blocks]
    workspace = Workspace(default())
    steps: list[_Step] = []
    for number in range(_SHORT_ONES):
        # The first step is one of a new conversation: it is left out, here and below.
        steps += list(_grown(workspace, seed + 1 + number, min(_SHORT, most_blocks)))[1:]
    steps += list(_grown(workspace, seed, most_blocks))[1:]
    rows: list[Row] = []
    for size in sizes:
        within = [step for step in steps if size - _WINDOW < step.blocks <= size + BLOCKS_PER_STEP]
        rows += _rows(size, within, first=rows[0].figure.median if rows else None)
    about = (
        f"one conversation, {BLOCKS_PER_STEP} new blocks a step; beside the plan: µs for each new block, "
        f"and × what it took at {_SIZES[0]} blocks"
    )
    return Section("growth", "Planning a step as its conversation grows", "µs", about, rows)


def _grown(workspace: Workspace, seed: int, most_blocks: int) -> Iterator[_Step]:
    """Every step of a conversation until it has so many blocks, planned, answered and billed."""
    conversation = Conversation(seed, tools=_TOOLS, result_bytes=_RESULT_BYTES)
    now = NOW
    while True:
        raw = encoded(conversation.body)
        by_json, _ = seconds(partial(_parsed_and_written, raw))
        by_orjson, _ = seconds(partial(_parsed_and_written_quickly, raw))
        parsing, body = seconds(partial(loads, raw))
        planning, planned = seconds(partial(plan_body, workspace, body, now))
        splicing, _ = seconds(partial(splice_markers, raw, planned.plan.edits))
        answer(workspace, planned, now)
        whole = parsing + planning + splicing
        yield _Step(conversation.blocks, len(raw), planning, whole, by_json, by_orjson)
        if conversation.blocks >= most_blocks:
            return
        conversation.step()
        now += STEP_SECONDS


def _parsed_and_written(raw: bytes) -> str:
    return json.dumps(json.loads(raw))


def _parsed_and_written_quickly(raw: bytes) -> bytes:
    return orjson.dumps(orjson.loads(raw))


def _rows(blocks: int, steps: list[_Step], *, first: float | None) -> list[Row]:
    """The rows of one size; `first` is what planning took at the smallest one."""
    plan, whole, by_json, by_orjson = (
        spread([taken * 1e6 for taken in column]) for column in list(zip(*steps, strict=True))[2:]
    )
    size = sorted(step.size for step in steps)[len(steps) // 2]
    note = f"{plan.median / BLOCKS_PER_STEP:,.0f} µs a block"
    if first is not None:
        note += f", {plan.median / first:.1f} ×"
    name = f"{PLAN}, {blocks:,} blocks ({size / 1000:,.0f} KB)"
    floor = by_json.median
    return [
        Row(name, plan, plan.median / floor, note=note),
        Row(WHOLE, whole, whole.median / floor),
        Row(JSON, by_json, 1.0, is_baseline=True),
        Row(ORJSON, by_orjson, by_orjson.median / floor),
    ]
