"""What waiting for the leader of a fan-out costs in time, and what it saves in money.

The real async SDK sends requests with one shared prefix, new in every round, over HTTP to the emulator, which
begins to answer after a fixed time. The baseline sends all of them at once, each with the same marker: every
one of them writes the prefix. `python -m benchmarks.fanout` prints the table alone.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import anthropic

import scrimp
from benchmarks.report import print_tables
from benchmarks.timing import Row, Section, spread
from scrimp.core.money import usd
from scrimp.emulator import Answer, Emulator, Fault, text
from scrimp.emulator.books import Billed

__all__ = ["BASELINE", "measure_fanout"]

BASELINE = "asyncio.gather, all marked"
_MODEL = "claude-sonnet-5"
_MARKER = {"cache_control": {"type": "ephemeral"}}
_ANSWER_TOKENS = 64

Requests = Sequence[dict[str, Any]]
Send = Callable[[anthropic.AsyncAnthropic, Requests], Awaitable[Any]]


def measure_fanout(*, requests: int, first_event: float, rounds: int, seed: int) -> Section:
    """Seconds for all answers; `first_event` is how long every answer takes to begin."""
    words = random.Random(seed).choices(["account", "balance", "claim", "delay", "entry", "filing"], k=8_000)
    shared = " ".join(words)
    ways: dict[str, Send] = {BASELINE: _gather, "scrimp.fanout": scrimp.fanout}
    times: dict[str, list[float]] = {name: [] for name in ways}
    bills: dict[str, list[Billed]] = {}
    number = count()
    for _ in range(rounds + 1):
        for name, send in ways.items():
            prefix = f"{next(number)} {shared}"
            asked = [_request(prefix, question) for question in range(requests)]
            taken, bills[name] = _round(send, asked, first_event)
            times[name].append(taken)
    return Section(
        "fanout",
        "Fan-out",
        "s",
        f"{requests} requests of the async SDK that share {len(shared) // 1000} KB; "
        f"every answer begins after {first_event:g} s",
        [_row(name, times, bills[name]) for name in ways],
    )


def _round(send: Send, asked: Requests, first_event: float) -> tuple[float, list[Billed]]:
    with Emulator(lambda _: Answer((text("word " * _ANSWER_TOKENS),))) as emulator:
        emulator.inject(Fault("slow_start", times=None, seconds=first_event))

        async def main() -> float:
            async with anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key") as client:
                start = asyncio.get_running_loop().time()
                await send(client, asked)
                return asyncio.get_running_loop().time() - start

        return asyncio.run(main()), emulator.bill


def _row(name: str, times: dict[str, list[float]], bill: list[Billed]) -> Row:
    """The first round is left out: what is imported and compiled once is there in a service too."""
    figure, baseline = spread(times[name][1:]), spread(times[BASELINE][1:])
    writes = sum(entry.usage.cache_creation_input_tokens > 0 for entry in bill)
    reads = sum(entry.usage.cache_read_input_tokens > 0 for entry in bill)
    note = f"{writes} written, {reads} read, ${usd(sum(entry.cost for entry in bill))}"
    if name != BASELINE:
        leader = min(bill, key=lambda entry: entry.started_at)
        waited = leader.first_event_at - leader.started_at
        note += f"; {(figure.median - baseline.median) / waited:.2f} × the leader's {waited:.2f} s more"
    return Row(name, figure, figure.median / baseline.median, is_baseline=name == BASELINE, note=note)


async def _gather(client: anthropic.AsyncAnthropic, asked: Requests) -> None:
    marked = [{**one, "system": [{"type": "text", "text": one["system"], **_MARKER}]} for one in asked]
    await asyncio.gather(*(client.messages.create(**one) for one in marked))


def _request(shared: str, question: int) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"What of item {question}?"}]
    return {"model": _MODEL, "max_tokens": _ANSWER_TOKENS, "system": shared, "messages": turns}


if __name__ == "__main__":
    print_tables([measure_fanout(requests=32, first_event=1.0, rounds=5, seed=1)])
    sys.exit(0)
