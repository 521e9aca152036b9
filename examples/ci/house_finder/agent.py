"""The agent: asks the model until it wants no tool any more."""

from __future__ import annotations

from typing import Any

import anthropic

from house_finder.prompt import SYSTEM, TOOLS
from house_finder.tools import call

__all__ = ["find", "request"]

MODEL = "claude-sonnet-5-5"
MOST_STEPS = 20


def request(messages: list[Any]) -> dict[str, Any]:
    """The request of one step. Nothing that changes may stand before the messages."""
    return {
        "model": MODEL,
        "max_tokens": 1000,
        "tools": TOOLS,
        "system": SYSTEM,
        "messages": messages,
    }


def find(client: anthropic.Anthropic, wish: str) -> str:
    """What the agent has to say to `wish`."""
    messages: list[Any] = [{"role": "user", "content": wish}]
    for _ in range(MOST_STEPS):
        answer = client.messages.create(**request(messages))
        wanted = [block for block in answer.content if block.type == "tool_use"]
        if not wanted:
            return "".join(block.text for block in answer.content if block.type == "text")
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": call(block.name, block.input)}
            for block in wanted
        ]
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    raise RuntimeError(f"no answer after {MOST_STEPS} steps")
