"""Recorded calls made up for tests, billed by the naive oracle."""

from __future__ import annotations

from datetime import date
from typing import Any

from scrimp.core.cache import CacheRules
from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage
from tests.core.oracle import Oracle

CLOSING = 3
"""Plain tokens that close every prompt, as recorded bills have them."""

RULES = CacheRules(lookback=20, minimum=0)
MODEL = default().resolve("claude-opus-5")


class Recorder:
    """Sends calls to the oracle and writes down what it bills."""

    def __init__(self, rules: CacheRules = RULES) -> None:
        self.oracle = Oracle(rules.lookback, rules.minimum)
        self.rules = rules
        self.calls: list[RecordedCall] = []

    def call(
        self,
        blocks: list[tuple[str, int]],
        markers: dict[int, str],
        at: float,
        *,
        run: str = "run",
        output: int = 10,
        timed: bool = True,
    ) -> RecordedCall:
        """One call: blocks of (text, tokens), markers by position, when it starts."""
        billed = self.oracle.call(blocks, markers, at, at)
        usage = Usage(
            input_tokens=billed["plain"] + CLOSING,
            output_tokens=output,
            cache_creation_input_tokens=billed["write_5m"] + billed["write_1h"],
            cache_read_input_tokens=billed["read"],
            cache_creation=CacheCreation(billed["write_5m"], billed["write_1h"]),
        )
        recorded = recorded_call(blocks, markers, at, usage, run=run, rules=self.rules, timed=timed)
        self.calls.append(recorded)
        return recorded


def recorded_call(
    blocks: list[tuple[str, int]],
    markers: dict[int, str],
    at: float,
    usage: Usage,
    *,
    run: str = "run",
    rules: CacheRules = RULES,
    timed: bool = True,
) -> RecordedCall:
    """A recorded call with a bill of one's own; a first block called `system…` is the system prompt."""
    content: list[dict[str, Any]] = []
    for number, (text, _) in enumerate(blocks):
        block: dict[str, Any] = {"type": "text", "text": text}
        if number in markers:
            block["cache_control"] = {"type": "ephemeral", "ttl": markers[number]}
        content.append(block)
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if blocks[0][0].startswith("system"):
        body = {"system": content[:1], "messages": [{"role": "user", "content": content[1:]}]}
    return RecordedCall(
        run=run,
        seq=0,
        at=at,
        timed=timed,
        day=date(2026, 8, 1),
        workspace="anthropic source",
        source="source",
        where="test:1",
        model=MODEL,
        prompt=read_prompt(body, Reading(key=MODEL.id)),
        sized=exactly([tokens for _, tokens in blocks]),
        rules=rules,
        usage=usage,
        complete=True,
        server_tools=False,
    )


def exactly(tokens: list[int]) -> Sized:
    """A prompt measured without error, what closes it included."""
    total = sum(tokens) + CLOSING
    around = [0.0] * (len(tokens) - 1) + [float(CLOSING)]
    return Sized([float(size) for size in tokens], around, Estimate(total, total, total))
