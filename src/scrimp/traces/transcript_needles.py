"""What the messages of a session name, kept instead of their texts.

Of what came in only what some answer of the same session names as well is kept: nothing else can ever be
missed. So a session of any length keeps little more than its answers' own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scrimp.core.whatif.regret_needles import needles_of_block
from scrimp.traces.transcript_calls import Conversation, NewInput, Reply, Session, TranscriptCall

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["with_needles"]

Needles = dict[str, frozenset[int]]


def with_needles(session: Session) -> Session:
    """The session with the needles of every message by tool use, its contents still there."""
    replies = [
        [_by_use(call.reply.read_blocks(), "id") for call in conversation.calls]
        for conversation in session.conversations
    ]
    named = frozenset().union(*(each for calls in replies for reply in calls for each in reply.values()))
    return msgspec.structs.replace(
        session,
        conversations=[
            Conversation(
                conversation.name,
                [_said(call, reply, named) for call, reply in zip(conversation.calls, found, strict=True)],
            )
            for conversation, found in zip(session.conversations, replies, strict=True)
        ],
    )


def _said(call: TranscriptCall, reply: Needles, named: frozenset[int]) -> TranscriptCall:
    came_in = _by_use(call.new.read_blocks(), "tool_use_id")
    asked: NewInput = msgspec.structs.replace(
        call.new, needles={use: kept for use, found in came_in.items() if (kept := found & named)}
    )
    said: Reply = msgspec.structs.replace(call.reply, needles=reply)
    return msgspec.structs.replace(call, new=asked, reply=said)


def _by_use(blocks: Iterable[dict[str, Any]], field: str) -> Needles:
    """Needles of tool uses or results by the id in `field`, those of all else under the empty one."""
    found: Needles = {}
    for block in blocks:
        use = block.get(field)
        key = use if isinstance(use, str) else ""
        names = needles_of_block(block)
        if names:
            found[key] = found.get(key, frozenset()) | names
    return found
