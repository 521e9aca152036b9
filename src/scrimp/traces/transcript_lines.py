"""One line of a Claude Code session file, and what it adds to the conversation.

The format is internal to Claude Code and changes between versions; only the fields named here are looked at
and unknown line types pass by. Source: recorded sessions of versions 2.0.64 to 2.1.219.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

__all__ = [
    "EMPTY",
    "Added",
    "Attachment",
    "Line",
    "Message",
    "added",
    "attachment_of",
    "line_decoder",
    "message_decoder",
    "progress_decoder",
    "seconds",
    "sub_agent_decoder",
    "thinking_setting",
]

EMPTY = msgspec.Raw(b"")


class Message(msgspec.Struct):
    """The API message a line carries, whole or one block of it."""

    id: str | None = None
    role: str | None = None
    model: str | None = None
    content: msgspec.Raw = EMPTY
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


class SubAgentLine(msgspec.Struct, rename="camel"):
    """What a sub-agent said, as `agent_progress` lines carry it inside `data.message`."""

    type: str | None = None
    uuid: str | None = None
    timestamp: str | None = None
    request_id: str | None = None
    message: msgspec.Raw = EMPTY


class Progress(msgspec.Struct, rename="camel"):
    """The `data` of a progress line."""

    type: str | None = None
    agent_id: str | None = None
    hook_name: str | None = None
    message: msgspec.Raw = EMPTY


class Line(msgspec.Struct, rename="camel"):
    """One line of a session file."""

    type: str | None = None
    subtype: str | None = None
    uuid: str | None = None
    parent_uuid: str | None = None
    logical_parent_uuid: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    request_id: str | None = None
    version: str | None = None
    cwd: str | None = None
    entrypoint: str | None = None
    permission_mode: str | None = None
    effort: Any = None
    is_sidechain: bool | None = None
    is_meta: bool | None = None
    is_api_error_message: bool | None = None
    message: msgspec.Raw = EMPTY
    data: msgspec.Raw = EMPTY
    attachment: msgspec.Raw = EMPTY
    thinking_metadata: msgspec.Raw = EMPTY


class Attachment(msgspec.Struct, rename="camel"):
    """What Claude Code itself put into the conversation: reminders, changed files, hook output."""

    type: str | None = None
    hook_name: str | None = None


class Thinking(msgspec.Struct):
    """`thinkingMetadata` of a prompt; it is written where thinking is on, unless it says `disabled`."""

    disabled: bool = False


class Block(msgspec.Struct):
    """A content block, as far as reading needs it."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    name: str | None = None
    id: str | None = None
    tool_use_id: str | None = None
    input: msgspec.Raw = EMPTY
    content: msgspec.Raw = EMPTY


class Added(msgspec.Struct):
    """What one line adds to the conversation. Sizes are UTF-8 bytes of text, not tokens.

    `tool_uses` names the tools by the ids of their uses, `results` sizes the results by the same ids.
    """

    blocks: int = 0
    text: str = ""
    text_bytes: int = 0
    result_bytes: int = 0
    thinking_blocks: int = 0
    tool_use_bytes: int = 0
    images: int = 0
    tool_references: int = 0
    tool_uses: dict[str, str] = msgspec.field(default_factory=dict)
    results: dict[str, int] = msgspec.field(default_factory=dict)


line_decoder = msgspec.json.Decoder(Line)
sub_agent_decoder = msgspec.json.Decoder(SubAgentLine)
progress_decoder = msgspec.json.Decoder(Progress)
message_decoder = msgspec.json.Decoder(Message)
attachment_decoder = msgspec.json.Decoder(Attachment)
thinking_decoder = msgspec.json.Decoder(Thinking)
content_decoder = msgspec.json.Decoder(str | list[Block])
blocks_decoder = msgspec.json.Decoder(list[Block])


def seconds(timestamp: str | None) -> float | None:
    """Seconds since the epoch of an ISO 8601 timestamp; None where it is absent or unreadable."""
    if timestamp is None:
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None


def attachment_of(line: Line) -> Attachment:
    """The attachment a line carries, empty where it carries none."""
    return attachment_decoder.decode(line.attachment) if bytes(line.attachment) else Attachment()


def thinking_setting(line: Line) -> bool | None:
    """Whether the line says thinking is on; None where it says nothing."""
    if not bytes(line.thinking_metadata):
        return None
    return not thinking_decoder.decode(line.thinking_metadata).disabled


def added(content: msgspec.Raw) -> Added:
    """Measure a message's content. Content of an unknown shape adds nothing."""
    result = Added()
    try:
        read = content_decoder.decode(content)
    except msgspec.DecodeError:
        return result
    if isinstance(read, str):
        result.text = read
        result.text_bytes = len(read.encode())
        result.blocks = 1
        return result
    for block in read:
        _measure(block, result)
    return result


def _measure(block: Block, into: Added) -> None:
    into.blocks += 1
    match block.type:
        case "text":
            into.text = into.text or block.text or ""
            into.text_bytes += len((block.text or "").encode())
        case "tool_result":
            size = _measure_result(block.content, into)
            into.results[block.tool_use_id or ""] = size
            into.result_bytes += size
        case "tool_use" | "server_tool_use":
            into.tool_uses[block.id or ""] = block.name or ""
            into.tool_use_bytes += len(bytes(block.input))
        case "thinking" | "redacted_thinking":
            into.thinking_blocks += 1
        case "image" | "document":
            into.images += 1
        case _:
            pass


def _measure_result(content: msgspec.Raw, into: Added) -> int:
    """Bytes of text in a tool result; its images and tool references are counted into `into`."""
    raw = bytes(content)
    if not raw.startswith(b"["):
        return len(raw)
    try:
        parts = blocks_decoder.decode(raw)
    except msgspec.DecodeError:
        return len(raw)
    into.images += sum(part.type in ("image", "document") for part in parts)
    into.tool_references += sum(part.type == "tool_reference" for part in parts)
    return sum(len((part.text or "").encode()) for part in parts)
