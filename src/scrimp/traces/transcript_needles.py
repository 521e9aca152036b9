"""What the messages of a session name, kept instead of their texts.

Reading them takes long, so it can be left to the sessions that are looked at that closely.

Of what came in only what some answer of the same session names as well is kept: nothing else can ever be
missed. So a session of any length keeps little more than its answers' own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scrimp.core.whatif.regret_needles import needles_of_block
from scrimp.traces.transcript_calls import Conversation, NewInput, Reply, Session, TranscriptCall
from scrimp.traces.transcript_runs import run_of
from scrimp.traces.transcripts import read_session

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from scrimp.traces.transcript_calibration import JudgedCall

__all__ = ["with_needles", "with_needles_of"]

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


def with_needles_of(judged: Sequence[JudgedCall], runs: Container[str]) -> list[JudgedCall]:
    """`judged` with the needles of every message of these runs, whose files are read once more for that.

    Files that can no longer be read leave theirs out.
    """
    paths = dict.fromkeys(one.placed.path for one in judged if run_of(one.placed.path) in runs)
    told = {path: _calls_by_id(with_needles(read_session(path, []))) for path in paths}
    return [_told(one, told.get(one.placed.path, {})) for one in judged]


def _calls_by_id(session: Session) -> dict[str, tuple[NewInput, Reply]]:
    """What came in and what was said, without its contents, by message; of several that on the main chain."""
    found: dict[str, tuple[NewInput, Reply]] = {}
    for conversation in sorted(session.conversations, key=lambda conversation: not conversation.is_main):
        for call in conversation.calls:
            asked = msgspec.structs.replace(call.new, contents=())
            said = msgspec.structs.replace(call.reply, contents=())
            found.setdefault(call.message_id, (asked, said))
    return found


def _told(one: JudgedCall, told: dict[str, tuple[NewInput, Reply]]) -> JudgedCall:
    found = told.get(one.placed.call.message_id)
    if found is None:
        return one
    call = msgspec.structs.replace(one.placed.call, new=found[0], reply=found[1])
    return msgspec.structs.replace(one, placed=msgspec.structs.replace(one.placed, call=call))


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
