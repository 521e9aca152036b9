"""Which recorded calls can judge a token estimate: those whose whole prompt is there to be estimated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scrimp.wire.request import Block, Body
from scrimp.wire.response import Usage

__all__ = ["JUDGED_FROM", "has_placeholder", "why_not_judged"]

JUDGED_FROM = 500
"""Billed input tokens a prompt must have: below, turn markers outweigh text."""

_ATTACHED = frozenset({"document", "container_upload"})
_ELSEWHERE = frozenset({"url", "file"})
_SERVED = frozenset(
    {"search_result", "server_tool_use", "mcp_tool_use", "tool_reference", "tool_addition", "tool_removal"}
)
_IDENTIFIERS = frozenset({"id", "tool_use_id", "signature", "cache_control", "type"})
_CLIENT_RUN = ("bash_", "computer_", "memory_", "text_editor_")
"""Definitions the provider writes for tools the caller runs ("Tool use", client tools)."""
_REDACTED = "REDACTED"
_PLACEHOLDER = re.compile(r"<[A-Z]+(?:_[A-Z]+){2,}>")
"""What stands for text taken out of a recording: each is looked for by how it begins, which is quick."""


def why_not_judged(
    body: Body, blocks: Sequence[Block], usage: Usage, *, partial: str | None = None
) -> str | None:
    """Why a billed call cannot judge an estimate of its prompt, or None when it can.

    `blocks` are all blocks of `body`; `partial` says what of the request was not recorded.
    """
    return next(_reasons(body, blocks, usage, partial), None)


def has_placeholder(blocks: Sequence[Block]) -> bool:
    """Whether text was taken out of a recorded prompt and something short put in its place."""
    texts = (text for block in blocks for text in _texts(block.value))
    return any(_REDACTED in text or _PLACEHOLDER.search(text) for text in texts)


def _reasons(body: Body, blocks: Sequence[Block], usage: Usage, partial: str | None) -> Iterator[str]:
    if partial:
        yield "request recorded in part"
    if body.get("mcp_servers") or any(map(_is_server_tool, blocks)):
        yield "server tools"
    yield from filter(None, map(_block_reason, blocks))
    samplings = usage.iterations or ()
    if len(samplings) > 1 or not all(sampling.in_total for sampling in samplings):
        yield "usage sums several samplings"
    if has_placeholder(blocks):
        yield "redaction placeholders"
    if usage.total_input < JUDGED_FROM:
        yield f"fewer than {JUDGED_FROM} billed tokens"


def _is_server_tool(block: Block) -> bool:
    """Whether `block` defines a tool that the provider runs: what it did is then part of the bill."""
    if block.section != "tools" or not isinstance(block.value, Mapping):
        return False
    kind = block.value.get("type")
    return kind not in (None, "custom") and not str(kind).startswith(_CLIENT_RUN)


def _block_reason(block: Block) -> str | None:
    if block.section == "tools":
        return None
    if block.kind in _ATTACHED:
        return "documents, URLs or files"
    source = block.value.get("source") if isinstance(block.value, Mapping) else None
    if isinstance(source, Mapping) and source.get("type") in _ELSEWHERE:
        return "documents, URLs or files"
    if block.kind == "compaction":
        return "compacted history"
    served = block.kind in _SERVED or (block.kind.endswith("_tool_result") and block.kind != "tool_result")
    return "server tools" if served else None


def _texts(value: Any) -> Iterator[str]:
    """Every string that becomes tokens: no identifiers, and signatures only where they carry the thinking."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        hidden = "thinking" in value and not value["thinking"]
        for key, item in value.items():
            if key not in _IDENTIFIERS or (hidden and key == "signature"):
                yield from _texts(item)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for item in value:
            yield from _texts(item)
