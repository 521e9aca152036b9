"""What a transcript yields: sessions of conversations of billed calls, as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from scrimp.wire.response import Usage

__all__ = ["MAIN", "Conversation", "NewInput", "Reply", "Session", "ToolPart", "TranscriptCall"]

MAIN = "main"
"""Name of a session's own conversation; sub-agents go by their id."""


class ToolPart(msgspec.Struct, frozen=True, gc=False):
    """A tool use, or the result of one: its id, the tool's name, bytes of its input or of the result's text.

    `digest` is that of the input or of the result, as recorded; `subject` what a use asks about, in a line.
    """

    id: str
    name: str
    size: int
    digest: bytes | None = None
    subject: str = ""


class NewInput(msgspec.Struct, frozen=True, gc=False):
    """What came into the conversation between a call's parent and the call. Sizes are bytes of text.

    `prompts` counts lines a person or a command typed; `trailing_bytes` are the tool results that come after
    the marked one (see `conversations`); `tools` names the tools that answered, `results` has each result in
    the order of the tool uses; `needles` is what the input says by tool use ("": outside of results), where
    that was asked for; `commands` the slash commands; `hooks` the hooks that ran (`SessionStart:resume`, …);
    `attachments` the kinds of reminders Claude Code put in; `skills` counts skill bodies. `thinking` is the
    thinking setting the newest prompt implies (None: says nothing). `turn_closed` says that the turn before
    ended in the same process.
    `touched_at` is when the client last called the model on its own over this prefix (an away summary).
    `compacted` is a compaction boundary, `microcompacted` the smaller kind that clears old tool results.
    """

    blocks: int = 0
    prompts: int = 0
    text_bytes: int = 0
    result_bytes: int = 0
    trailing_bytes: int = 0
    images: int = 0
    tool_references: int = 0
    tools: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    skills: int = 0
    interrupted: bool = False
    thinking: bool | None = None
    permission_mode: str | None = None
    turn_closed: bool = False
    touched_at: float | None = None
    compacted: bool = False
    microcompacted: bool = False
    contents: tuple[msgspec.Raw, ...] = ()
    results: tuple[ToolPart, ...] = ()
    needles: Mapping[str, frozenset[int]] | None = None

    def read_blocks(self) -> list[dict[str, Any]]:
        """The new content blocks themselves, decoded on demand (string content is one text block)."""
        return _decoded(self.contents)


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What the model answered. Sizes are bytes of text; the text of thinking is often not recorded.

    `uses` has each tool use; `needles` is what the answer says by tool use ("": in text), if asked for.
    """

    blocks: int = 0
    text_bytes: int = 0
    tool_use_bytes: int = 0
    thinking_blocks: int = 0
    tool_uses: int = 0
    contents: tuple[msgspec.Raw, ...] = ()
    uses: tuple[ToolPart, ...] = ()
    needles: Mapping[str, frozenset[int]] | None = None

    def read_blocks(self) -> list[dict[str, Any]]:
        """The answer's content blocks, decoded on demand."""
        return _decoded(self.contents)


class TranscriptCall(msgspec.Struct, frozen=True, gc=False):
    """One billed call.

    Times are seconds since the epoch. `started_at` is when the last line of its input was written, the best
    known estimate of the request's start; `first_at` and `ended_at` are its first and last content block.
    `parent_id` is the message id of the call it extends, None for a conversation's first call; `parent_lost`
    says that the file lacks the line it refers to, the parent then being the call before it (or None where
    the file begins inside a conversation). `output_reliable` is False where the recorded `output_tokens` is
    a stream's placeholder (versions up to 2.1.63). `edited_history` says that another call had already
    extended the same parent, a rewind. `duplicate` marks a copy of a call that an earlier file holds: it
    links the conversation but must not be billed twice.
    """

    message_id: str
    request_id: str | None
    model: str
    usage: Usage
    started_at: float
    first_at: float
    ended_at: float
    new: NewInput
    reply: Reply
    parent_id: str | None = None
    parent_lost: bool = False
    stop_reason: str | None = None
    output_reliable: bool = False
    version: str | None = None
    entrypoint: str | None = None
    cwd: str | None = None
    effort: str | None = None
    after_compaction: bool = False
    edited_history: bool = False
    model_switch: bool = False
    duplicate: bool = False


class Conversation(msgspec.Struct, frozen=True, gc=False):
    """The calls of one conversation in file order: the session's own, or one sub-agent's."""

    name: str
    calls: list[TranscriptCall]

    @property
    def is_main(self) -> bool:
        """Whether this is the session's own conversation rather than a sub-agent's."""
        return self.name == MAIN


class Session(msgspec.Struct, frozen=True, gc=False):
    """One session file."""

    id: str
    path: Path
    conversations: list[Conversation]


def _decoded(contents: tuple[msgspec.Raw, ...]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for raw in contents:
        content = msgspec.json.decode(raw) if bytes(raw) else []
        if isinstance(content, str):
            blocks.append({"type": "text", "text": content})
        elif isinstance(content, list):
            blocks.extend(block for block in content if isinstance(block, dict))
    return blocks
