"""A conversation summed up when its agent asks for it ("Compaction", on demand).

What is asked for is the agent's own last request and a word more, so that the cache is read for it. What goes
on is the summary with the last turns behind it as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.core.carry.history import Messages, content_blocks
from scrimp.facts.model import Model
from scrimp.wire.request import Body

__all__ = ["COMPACTING_BETA", "gone_on", "reason_against", "summarizing", "summary_in", "tail_from"]

COMPACTING_BETA = "compact-2026-09-04"

_NOT_TOGETHER = ("context_management", "stop_sequences", "output_format", "stream")
_FORCED = frozenset({"any", "tool"})


def reason_against(body: Body, model: Model) -> str | None:
    """Why a conversation cannot be summed up; None where it can."""
    messages = body.get("messages")
    if "on_demand" not in model.features.compaction or "features.compaction" in model.inferred:
        return f"{model.id} does not compact on demand"
    if not isinstance(messages, list) or len(messages) < 2:
        return "there is nothing to sum up yet"
    last = messages[-1]
    if last.get("role") == "assistant" and _waits(last):
        return "the last turn still waits for the results of its tools"
    return None


def summarizing(body: Body, instructions: str | None) -> dict[str, Any]:
    """The request for a summary: `body` without what cannot be asked for together with it."""
    asked = {name: value for name, value in body.items() if name not in _NOT_TOGETHER}
    config = asked.get("output_config")
    if isinstance(config, Mapping) and "format" in config:
        asked["output_config"] = {name: value for name, value in config.items() if name != "format"}
    choice = asked.get("tool_choice")
    if isinstance(choice, Mapping) and choice.get("type") in _FORCED:
        del asked["tool_choice"]
    asked["compaction"] = {"type": "summarize", **({"instructions": instructions} if instructions else {})}
    return asked


def tail_from(messages: Messages, keep_turns: int) -> int:
    """Where the last `keep_turns` turns begin, each an answer and what followed it.

    Without any, what the user asked last stays, and so does a turn whose tools have just answered.
    """
    roles = [message.get("role") for message in messages]
    begins = [
        at
        for at, role in enumerate(roles)
        if role == "assistant" and (not at or roles[at - 1] != "assistant")
    ]
    served = any(block.get("type") == "tool_result" for block in content_blocks(messages[-1]))
    turns = max(keep_turns, 1) if served else keep_turns
    if turns and begins:
        return begins[-turns] if turns <= len(begins) else begins[0]
    return len(messages) - (roles[-1] != "assistant")


def summary_in(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The signed summary that an answer holds; None where it was not given."""
    blocks = (dict(block) for block in content_blocks(message) if block.get("type") == "compaction")
    found = next((block for block in blocks if block.get("content") and block.get("signature")), None)
    return None if found is None else {name: value for name, value in found.items() if value is not None}


def gone_on(summary: Mapping[str, Any], messages: Sequence[Any], keep_turns: int) -> list[Any]:
    """The messages to go on with: the summary, then the last turns."""
    return [
        {"role": "assistant", "content": [dict(summary)]},
        *messages[tail_from(messages, keep_turns) :],
    ]


def _waits(message: Mapping[str, Any]) -> bool:
    return any(block.get("type") == "tool_use" for block in content_blocks(message))
