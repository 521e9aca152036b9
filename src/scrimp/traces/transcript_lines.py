"""One line of a Claude Code session file.

The format is internal to Claude Code and changes between versions; only the fields named here are looked at
and unknown line types pass by. Source: recorded sessions of versions 2.0.64 to 2.1.219.

What is read here and built from it refers only downwards, so none of it can be part of a cycle: `gc=False`
spares the garbage collector from walking through tens of thousands of lines over and over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

__all__ = [
    "EMPTY",
    "Line",
    "Message",
    "Progress",
    "line_decoder",
    "read_without_parts",
    "seconds",
    "sub_agent_decoder",
]

EMPTY = msgspec.Raw(b"")


class Message(msgspec.Struct, gc=False):
    """The API message a line carries, whole or one block of it."""

    id: str | None = None
    model: str | None = None
    content: msgspec.Raw = EMPTY
    stop_reason: str | None = None
    usage: msgspec.Raw = EMPTY


class SubAgentLine(msgspec.Struct, rename="camel", gc=False):
    """What a sub-agent said, as `agent_progress` lines carry it inside `data.message`."""

    type: str | None = None
    uuid: str | None = None
    timestamp: str | None = None
    request_id: str | None = None
    message: Message | None = None


class Progress(msgspec.Struct, rename="camel", gc=False):
    """The `data` of a progress line."""

    type: str | None = None
    agent_id: str | None = None
    hook_name: str | None = None
    message: msgspec.Raw = EMPTY


class Attachment(msgspec.Struct, rename="camel", gc=False):
    """What Claude Code itself put into the conversation: reminders, changed files, hook output."""

    type: str | None = None
    hook_name: str | None = None


class Thinking(msgspec.Struct, gc=False):
    """`thinkingMetadata` of a prompt; it is written where thinking is on, unless it says `disabled`."""

    disabled: bool = False


class Place(msgspec.Struct, rename="camel", gc=False):
    """One line of a session file without what it carries: its place in the conversation, and the client's."""

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


class Line(Place, rename="camel", gc=False):
    """One line of a session file."""

    message: Message | None = None
    data: Progress | None = None
    attachment: Attachment | None = None
    thinking_metadata: Thinking | None = None


line_decoder = msgspec.json.Decoder(Line)
place_decoder = msgspec.json.Decoder(Place)
sub_agent_decoder = msgspec.json.Decoder(SubAgentLine)


def read_without_parts(raw: bytes) -> Line:
    """The line without what it carries. Raises msgspec.DecodeError where even that cannot be read."""
    return msgspec.convert(place_decoder.decode(raw), Line, from_attributes=True)


def seconds(timestamp: str | None) -> float | None:
    """Seconds since the epoch of an ISO 8601 timestamp; None where it is absent or unreadable."""
    if timestamp is None:
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None
