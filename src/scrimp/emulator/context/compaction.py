"""Summaries that stand for what was before them: asked for by a threshold, or by the request itself."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

from scrimp.core.carry.history import content_blocks, since_summary
from scrimp.emulator.asked import Asked, flagged
from scrimp.emulator.refusals import Refusal, invalid

__all__ = [
    "asks_for_compaction",
    "compaction_block",
    "misplaced",
    "on_demand",
    "since_compaction",
    "summary_of",
]

Messages = list[dict[str, Any]]
_LONGEST_INSTRUCTIONS = 16_384
_SHOWN = 400
_FORCED = frozenset({"any", "tool"})
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


def asks_for_compaction(asked: Asked) -> bool:
    """Whether the request asks for nothing but a summary (`compaction`, on demand)."""
    return bool(asked.part("compaction"))


def on_demand(asked: Asked) -> Refusal | None:
    """What is wrong with a request for a summary on demand."""
    if "compaction" not in asked.body or asked.counting:
        return None
    wanted, features = asked.part("compaction"), asked.model.features
    problem = None
    if not flagged(asked, "compact-2026-09-04"):
        problem = "Extra inputs are not permitted"
    elif "on_demand" not in features.compaction:
        problem = "not supported on this model"
    elif wanted.keys() - {"type", "instructions"}:
        problem = "Extra inputs are not permitted"
    elif wanted.get("type") != "summarize":
        problem = "type: Input should be 'summarize'"
    elif len(str(wanted.get("instructions") or "")) > _LONGEST_INSTRUCTIONS:
        problem = f"instructions: at most {_LONGEST_INSTRUCTIONS} characters"
    else:
        problem = _excluded(asked)
    if problem is not None:
        return invalid(f"compaction: {problem}")
    return _nothing_to_sum_up(asked)


def misplaced(asked: Asked) -> Refusal | None:
    """Summaries stand in answers; signed ones come first, once, as they were given. Both need their beta."""
    found = [
        (at, number, message["role"], block)
        for at, message in enumerate(asked.messages)
        for number, block in enumerate(content_blocks(message))
        if block["type"] == "compaction"
    ]
    if not found:
        return None
    at, number, role, _ = found[0]
    path = f"messages.{at}.content.{number}"
    signed = [one for one in found if "signature" in one[3]]
    if not flagged(asked, "compact-"):
        return invalid(f"{path}: Input tag 'compaction' is not expected")
    if role != "assistant":
        return _refused("block_misplaced", f"{path}: a compaction block belongs to an assistant message")
    if len(signed) > 1:
        return _refused("block_ambiguous", f"{path}: only one compaction block is allowed")
    if signed and signed[0][:2] != (0, 0):
        return _refused("block_misplaced", f"{path}: the compaction block must come first")
    return _altered(path, signed[0][3]) if signed else None


def _altered(path: str, block: dict[str, Any]) -> Refusal | None:
    """Whether a signed summary is no longer what was signed, or what signed it was another."""
    signature = str(block["signature"])
    if signature == _signature(str(block.get("content"))):
        return None
    if _SIGNATURE.fullmatch(signature):
        return _refused("content_mismatch", f"{path}: the summary is not the one that was signed")
    return _refused("signature_invalid", f"{path}: the signature is not valid")


def since_compaction(messages: Messages) -> Messages:
    """What the model still reads: the last summary and what follows it (all, where there is none)."""
    return [dict(message) for message in since_summary(messages)]


def summary_of(messages: Messages) -> str:
    """A summary: how much there was, and how it began. Real ones are written by the model."""
    first = next((text for message in messages for text in _texts(message)), "")
    return f"Summary of {len(messages)} messages, begun with: {first[:_SHOWN]}"


def compaction_block(summary: str, *, signed: bool) -> dict[str, Any]:
    """A summary as a content block; on demand it is signed."""
    block = {"type": "compaction", "content": summary}
    return {**block, "signature": _signature(summary)} if signed else block


def _excluded(asked: Asked) -> str | None:
    """What cannot be asked for together with a summary."""
    together = {
        "context_management": asked.part("context_management"),
        "stop_sequences": asked.body.get("stop_sequences"),
        "output_config.format": asked.part("output_config").get("format"),
        "tool_choice": asked.part("tool_choice").get("type") in _FORCED,
    }
    found = next((name for name, value in together.items() if value), None)
    return None if found is None else f"not supported together with `{found}`"


def _nothing_to_sum_up(asked: Asked) -> Refusal | None:
    messages = asked.messages
    if len(messages) < 2:
        return _refused("nothing_to_summarize", "there is nothing to summarize yet")
    last = {block["type"] for block in content_blocks(messages[-1])}
    if messages[-1]["role"] == "assistant" and "tool_use" in last:
        return _refused("incomplete_turn", "the last turn still waits for tool results")
    return None


def _refused(code: str, message: str) -> Refusal:
    return Refusal(400, f"compaction: {message}", details={"error_code": f"compaction_{code}"})


def _signature(summary: str) -> str:
    return blake2b(b"scrimp emulator compaction " + summary.encode("utf-8", "surrogatepass")).hexdigest()


def _texts(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [str(block["text"]) for block in content if block["type"] == "text"]
