"""Messages and usage as the API writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from scrimp.core.cache import Outcome
from scrimp.core.meter import OutputChars, estimate_output
from scrimp.emulator.asked import Asked
from scrimp.emulator.encode import encode
from scrimp.emulator.ids import Ids
from scrimp.emulator.replies import Answer, Block
from scrimp.facts.model import Model
from scrimp.wire.response import CacheCreation, Iteration, OutputTokensDetails, ServerToolUse, Usage

__all__ = [
    "Said",
    "answering_model",
    "complete_blocks",
    "count_chars",
    "estimated_output",
    "input_json",
    "iteration_of",
    "said",
    "shorten",
    "usage_json",
    "usage_of",
]

_DATED = re.compile(r"-\d{8}$")
_TOOL_USES = {"tool_use": "toolu", "server_tool_use": "srvtoolu", "mcp_tool_use": "mcptoolu"}


class Said(msgspec.Struct, frozen=True):
    """An answer with nothing left open."""

    content: Sequence[Block]
    stop_reason: str
    stop_sequence: str | None
    output_tokens: int
    thinking_tokens: int


def answering_model(asked: Asked) -> str:
    """The id an answer names: the dated snapshot that an alias stands for."""
    model = asked.model
    if _DATED.search(asked.name):
        return asked.name
    dated = [alias for alias in model.aliases if _DATED.search(alias)]
    return max(dated) if dated else model.id


def complete_blocks(content: Sequence[Block], ids: Ids) -> list[Block]:
    """The blocks with the ids and signatures they left out."""
    return [_completed(block, ids) for block in content]


def _completed(block: Block, ids: Ids) -> Block:
    kind = block.get("type")
    if kind in _TOOL_USES:
        identity = block.get("id") or ids.new(_TOOL_USES[kind])
        return {**block, "id": identity, "input": block.get("input") or {}}
    if kind == "thinking" and not block.get("signature"):
        return {**block, "signature": ids.signature()}
    return block


def count_chars(content: Sequence[Block]) -> OutputChars:
    """The characters of an answer, as a stream of it would show them."""
    seen = OutputChars()
    for block in content:
        kind = block.get("type")
        if kind in _TOOL_USES:
            seen.tool_uses += 1
            seen.tool_input += len(input_json(block))
        elif kind == "thinking":
            seen.thinking += len(block.get("thinking") or "")
        elif kind == "text":
            seen.text += len(block.get("text") or "")
    return seen


def input_json(block: Block) -> str:
    """A tool call's input as the text that is streamed."""
    return encode(block.get("input") or {}).decode()


def said(answer: Answer, asked: Asked, content: list[Block], room: int) -> Said:
    """The answer to a request with `room` tokens left for it in the model's window."""
    kinds = [block.get("type") for block in content]
    reason = answer.stop_reason or ("tool_use" if "tool_use" in kinds else "end_turn")
    sequence = answer.stop_sequence
    if answer.output_tokens is not None:
        return Said(content, reason, sequence, answer.output_tokens, answer.thinking_tokens or 0)
    if answer.stop_reason is None:
        content, sequence = _stopped(content, asked.body.get("stop_sequences"))
        reason = "stop_sequence" if sequence is not None else reason
    tokens = estimate_output(count_chars(content))
    limit = min(int(asked.body.get("max_tokens") or 0), room)
    if tokens > limit:
        content = shorten(content, limit)
        tokens = limit
        reason, sequence = ("max_tokens" if limit < room else "model_context_window_exceeded"), None
    thought = answer.thinking_tokens
    if thought is None:
        thought = min(tokens, _thinking_tokens(content))
    return Said(content, reason, sequence, tokens, thought)


def _thinking_tokens(content: Sequence[Block]) -> int:
    chars = count_chars([block for block in content if block.get("type") == "thinking"])
    return estimate_output(chars)


def _stopped(content: list[Block], sequences: Any) -> tuple[list[Block], str | None]:
    """The content up to the first stop sequence in its text, and that sequence."""
    for number, block in enumerate(content):
        said_here = block.get("text") if block.get("type") == "text" else None
        if not isinstance(said_here, str):
            continue
        found = [(said_here.find(stop), stop) for stop in sequences or () if stop and stop in said_here]
        if found:
            at, stop = min(found)
            kept = [{**block, "text": said_here[:at]}] if at else []
            return [*content[:number], *kept], stop
    return content, None


def shorten(content: Sequence[Block], limit: int) -> list[Block]:
    """What fits into `limit` tokens: whole blocks, then the part of a text; never a part of a tool call."""
    kept: list[Block] = []
    for block in content:
        if estimate_output(count_chars([*kept, block])) <= limit:
            kept.append(block)
            continue
        if block.get("type") == "text":
            kept.extend(_part_of_text(kept, block, limit))
        break
    return kept


def _part_of_text(kept: list[Block], block: Block, limit: int) -> Iterator[Block]:
    whole = str(block.get("text", ""))
    low, high = 0, len(whole)
    while low < high:
        middle = (low + high + 1) // 2
        fits = estimate_output(count_chars([*kept, {**block, "text": whole[:middle]}])) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    if low:
        yield {**block, "text": whole[:low]}


def usage_of(
    asked: Asked, outcome: Outcome, output_tokens: int, thinking_tokens: int, answer: Answer
) -> Usage:
    """What the request bills."""
    tools = answer.usage.get("server_tool_use")
    return Usage(
        input_tokens=outcome.plain,
        output_tokens=output_tokens,
        cache_creation_input_tokens=outcome.written,
        cache_read_input_tokens=outcome.read,
        cache_creation=CacheCreation(outcome.write_5m, outcome.write_1h),
        server_tool_use=ServerToolUse(**tools) if isinstance(tools, dict) else None,
        output_tokens_details=OutputTokensDetails(thinking_tokens),
        service_tier="standard",
        speed=_speed(asked),
        inference_geo=_geo(asked.body, asked.model),
    )


def iteration_of(kind: str, outcome: Outcome, output_tokens: int) -> Iteration:
    """One sampling of a response that had several."""
    return Iteration(
        type=kind,
        input_tokens=outcome.plain,
        output_tokens=output_tokens,
        cache_creation_input_tokens=outcome.written,
        cache_read_input_tokens=outcome.read,
        cache_creation=CacheCreation(outcome.write_5m, outcome.write_1h),
    )


def estimated_output(words: str) -> int:
    """Tokens of a text as output."""
    return estimate_output(count_chars([{"type": "text", "text": words}]))


def _speed(asked: Asked) -> str | None:
    wanted = asked.body.get("speed")
    if wanted == "fast" and not asked.model.sells_fast(asked.day):
        return "standard"
    return wanted if isinstance(wanted, str) else None


def _geo(body: dict[str, Any], model: Model) -> str:
    if not model.features.geo_us:
        return "not_available"
    return str(body.get("inference_geo") or "global")


def usage_json(usage: Usage) -> dict[str, Any]:
    """A usage block."""
    shown: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.write_5m,
            "ephemeral_1h_input_tokens": usage.write_1h,
        },
        "output_tokens": usage.output_tokens,
        "service_tier": usage.service_tier,
        "inference_geo": usage.inference_geo,
    }
    if usage.output_tokens_details is not None:
        shown["output_tokens_details"] = {"thinking_tokens": usage.output_tokens_details.thinking_tokens}
    if usage.server_tool_use is not None:
        shown["server_tool_use"] = msgspec.structs.asdict(usage.server_tool_use)
    if usage.speed is not None:
        shown["speed"] = usage.speed
    if usage.iterations is not None:
        shown["iterations"] = [_iteration_json(one) for one in usage.iterations]
    return shown


def _iteration_json(one: Iteration) -> dict[str, Any]:
    return {
        "type": one.type,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cache_creation_input_tokens": one.cache_creation_input_tokens,
        "cache_read_input_tokens": one.cache_read_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": one.write_5m,
            "ephemeral_1h_input_tokens": one.write_1h,
        },
    }
