"""Recorded calls made by hand: every block with its length, every bill as given."""

from __future__ import annotations

from datetime import date
from itertools import accumulate
from typing import Any

import msgspec

from scrimp.core.audit.walk import Walk, Walked
from scrimp.core.cache import CacheRules
from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.summary import Foreseen
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage

# Claude Opus 5 on the API, picodollars a token.
PLAIN, WRITE_5M, WRITE_1H, READ, OUTPUT = 5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000
CLOSING = 3
"""Plain tokens after the last block of every prompt."""

MODEL = default().resolve("claude-opus-5")
EXACT = Foreseen(calls=1, within=1, model=1, billed=1)
"""A source that the model foresaw without error."""


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(tool: str, number: int, **asked: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"use_{number}", "name": tool, "input": asked}


def result(number: int, says: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"use_{number}", "content": says}


class Conversation:
    """A conversation that grows turn by turn; each block comes with its length in tokens."""

    def __init__(
        self,
        *,
        tools: list[tuple[str, int]] | None = None,
        system: int = 2000,
        run: str = "run",
        ttl: str = "5m",
        label: str | None = None,
    ) -> None:
        self.tools = [("search", 1000)] if tools is None else tools
        self.system = system
        self.run = run
        self.ttl = ttl
        self.label = label
        self.messages: list[dict[str, Any]] = []
        self.lengths: list[int] = []

    def turn(self, role: str, *blocks: tuple[dict[str, Any], int]) -> Conversation:
        """Add a message."""
        self.messages.append({"role": role, "content": [block for block, _ in blocks]})
        self.lengths += [tokens for _, tokens in blocks]
        return self

    def call(self, at: float, *, read: int, write: int, output: int = 10, **other: Any) -> Measured:
        """A call with the conversation so far. What is written lives as long as the conversation's writes."""
        tools = [{"name": name, "input_schema": {}} for name, _ in self.tools]
        marked = {"type": "ephemeral", "ttl": self.ttl}
        messages = msgspec.json.decode(msgspec.json.encode(self.messages))
        messages[-1]["content"][-1]["cache_control"] = marked
        body = {"tools": tools, "system": [text(f"system of {self.run}")], "messages": messages}
        lengths = [*(tokens for _, tokens in self.tools), self.system, *self.lengths]
        ends = list(accumulate(lengths))
        total = ends[-1] + CLOSING
        hour = write if self.ttl == "1h" else 0
        usage = Usage(
            input_tokens=total - read - write,
            output_tokens=output,
            cache_creation_input_tokens=write,
            cache_read_input_tokens=read,
            cache_creation=CacheCreation(write - hour, hour),
        )
        recorded = RecordedCall(
            run=self.run,
            seq=0,
            at=at,
            timed=True,
            day=date(2026, 8, 1),
            workspace="source",
            source="source",
            where=f"{self.run}:{at:g}",
            model=MODEL,
            prompt=read_prompt(body, Reading(key=MODEL.id)),
            sized=Sized(list(map(float, lengths)), [0.0] * len(ends), Estimate(total, total, total)),
            rules=CacheRules(lookback=20, minimum=0),
            usage=usage,
            complete=True,
            server_tools=False,
            label=self.label,
        )
        return Measured(
            msgspec.structs.replace(recorded, **other), ends, MODEL.rates(recorded.day, prompt_tokens=total)
        )


def walked(sums: Any, calls: list[Measured]) -> Any:
    """`sums` after all calls of one source."""
    walk = Walk()
    for measured in calls:
        sums.add(walk.take(measured))
    sums.end_source()
    return sums


def each_walked(calls: list[Measured]) -> list[Walked]:
    """The calls walked, what changes while walking copied."""
    walk = Walk()
    found = []
    for measured in calls:
        one = walk.take(measured)
        found.append(msgspec.structs.replace(one, kinds=list(one.kinds), results=list(one.results)))
    return found


def three_steps() -> list[Measured]:
    """Tools 1,000, system 2,000, a task of 500; then a use of 100 and a result of 4,000; then 100 and 50."""
    talk = Conversation().turn("user", (text("task"), 500))
    first = talk.call(0, read=0, write=3500)
    talk.turn("assistant", (use("search", 1, q="a"), 100)).turn("user", (result(1, "long"), 4000))
    second = talk.call(10, read=3500, write=4100)
    talk.turn("assistant", (use("fetch", 2, q="b"), 100)).turn("user", (result(2, "short"), 50))
    return [first, second, talk.call(20, read=7600, write=150)]
