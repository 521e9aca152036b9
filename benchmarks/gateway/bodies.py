"""Requests of agents as bytes: conversations that grow, or one request over and over.

A family is one conversation at each of its steps. Every step extends the one before it. The number of the
conversation stands in every block of its messages, so that two conversations share tools and system and
nothing else. `max_tokens` names the step, which is how the upstream knows what to bill. The conversation
numbered 0 is the one whose first request is sent over and over.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any, NamedTuple

from benchmarks.conversations import encoded, prose, source_code

__all__ = ["MODEL", "PACED", "SIZES", "Family", "Usage", "asked_step", "family", "is_repeated", "sent_again"]

MODEL = "claude-sonnet-4-5"
SIZES = {"2 KB": 2_000, "200 KB": 200_000}

_SMALL, _SMALL_STEPS, _LONG_STEPS = 20_000, 4, 16
PACED = 500
"""Added to `max_tokens` where the events of a stream are to come at a steady rate."""

_FIRST = 1_000
_NUMBER = b"00000000"
_NAME = f"Session {_NUMBER.decode()}."
_REPEATED = _NAME.encode()
_ASKED = re.compile(rb'"max_tokens":\s*(\d+)')
_BYTES_PER_TOKEN = 4
_LEAST_CACHED = 1_024


class Usage(NamedTuple):
    """Tokens a step is billed."""

    plain: int
    written: int
    read: int
    output: int


class Family(NamedTuple):
    """A conversation at each step, as bytes with a place for its number, and what each is billed."""

    steps: list[bytes]
    usages: list[Usage]

    def body(self, step: int, conversation: int) -> bytes:
        """A request; all of a step have the same length."""
        return self.steps[step].replace(_NUMBER, b"%08d" % conversation)


def family(size: int, *, seed: int, stream: bool = False, paced: bool = False) -> Family:
    """A conversation whose steps are around `size` bytes."""
    random = Random(f"{size}-{seed}")
    fixed = _fixed(random, size)
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"{_NAME} {prose(random, size // 12)}"}]
    small = size < _SMALL
    while len(encoded({**fixed, "messages": messages})) < (0.5 if small else 0.9) * size:
        messages += _turn(random, size // 25)
    steps, usages, before = [], [], len(encoded(fixed)) // _BYTES_PER_TOKEN
    for step in range(_SMALL_STEPS if small else _LONG_STEPS):
        messages += _turn(random, size // 160)
        limit = _FIRST + step + (PACED if paced else 0)
        body = encoded(
            {"max_tokens": limit, **fixed, **({"stream": True} if stream else {}), "messages": messages}
        )
        steps.append(body)
        total = len(body) // _BYTES_PER_TOKEN
        usages.append(_billed(total, before))
        before = total
    return Family(steps, usages)


def asked_step(body: bytes) -> tuple[int, bool]:
    """Which step a request is, and whether its events are to be paced. Raises ValueError where it is none."""
    found = _ASKED.search(body)
    if found is None:
        raise ValueError("a request without max_tokens")
    paced, step = divmod(int(found[1]) - _FIRST, PACED)
    return step, bool(paced)


def is_repeated(body: bytes) -> bool:
    """Whether this is the request that is sent over and over."""
    return _REPEATED in body


def sent_again(usage: Usage) -> Usage:
    """What a request is billed that was sent before: what it wrote then is read now."""
    return usage._replace(written=0, read=usage.written + usage.read)


def _fixed(random: Random, size: int) -> dict[str, Any]:
    tools = 1 if size < _SMALL else 12
    return {
        "model": MODEL,
        "tools": [_tool(random, number, min(size // 10, 900)) for number in range(tools)],
        "system": [{"type": "text", "text": prose(random, min(size // 6, 14_000))}],
    }


def _tool(random: Random, number: int, size: int) -> dict[str, Any]:
    return {
        "name": f"tool_{number}",
        "description": prose(random, size // 2),
        "input_schema": {
            "type": "object",
            "properties": {"path": {"type": "string", "description": prose(random, size // 4)}},
            "required": ["path"],
        },
    }


def _turn(random: Random, size: int) -> list[dict[str, Any]]:
    """An answer with a tool use, and the tool's result."""
    use = f"toolu_{_NUMBER.decode()}{random.getrandbits(64):016x}"
    call = {"type": "tool_use", "id": use, "name": "tool_0", "input": {"path": "src/state.py"}}
    said = [{"type": "text", "text": f"{_NAME} {prose(random, size // 4)}"}] if size > 100 else []
    result = {"type": "tool_result", "tool_use_id": use, "content": f"{_NAME}\n{source_code(random, size)}"}
    return [{"role": "assistant", "content": [*said, call]}, {"role": "user", "content": [result]}]


def _billed(total: int, before: int) -> Usage:
    """As the provider bills a conversation marked at its tail: what was there before is read."""
    if total < _LEAST_CACHED:
        return Usage(total, 0, 0, 64)
    return Usage(3, total - before - 3, before, 64)
