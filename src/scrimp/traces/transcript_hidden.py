"""The prefix that transcripts do not show: tools and system, known by the lengths that were read of them.

Only written entries are ever read, so whatever a first call, or a call after a break, still read ends at one
of the client's own markers in tools or system. Sessions of one client that read the same number of tokens
shared that prefix; where a session read none, it is taken to have the prefix of the nearest one in time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from scrimp.core.continuity import BYTES_PER_TOKEN, SHRUNK, Cause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scrimp.traces.transcript_calibration import JudgedCall

__all__ = ["Hidden", "find_hidden"]

_MOST_ENDS = 2
_LEAST = 512
"""Tokens: the shortest prefix that any model caches."""
_ROOM = 20
"""Tokens a first message has at least."""

Conversation = tuple[str, str, str]
Client = tuple[str, ...]


class Hidden(msgspec.Struct, frozen=True):
    """Ends of the hidden blocks in tokens, ascending. `shared` is False where nothing was ever read of them:
    they are then one block of estimated length, and no other conversation's."""

    ends: tuple[int, ...]
    shared: bool


class _Seen(msgspec.Struct, frozen=True):
    at: float
    ends: tuple[int, ...]


def find_hidden(calls: Iterable[JudgedCall]) -> dict[str, Hidden]:
    """The hidden prefix of every call that begins a conversation, by message id."""
    reads: dict[Conversation, Counter[int]] = defaultdict(Counter)
    roots: list[JudgedCall] = []
    for call in calls:
        if call.step.parent is None or call.forecast.cause is Cause.FIRST:
            roots.append(call)
        if _shows_hidden(call):
            reads[_conversation(call)][call.bill.read] += 1
    seen: dict[Client, list[_Seen]] = defaultdict(list)
    own: dict[str, tuple[int, ...]] = {}
    for root in roots:
        found = own[root.step.id] = _ends(root, reads[_conversation(root)])
        if found:
            for client in _clients(root):
                seen[client].append(_Seen(root.step.at, found))
    return {root.step.id: _hidden(root, own[root.step.id], seen) for root in roots}


def _conversation(call: JudgedCall) -> Conversation:
    return str(call.placed.path), call.placed.conversation, call.placed.call.model


def _shows_hidden(call: JudgedCall) -> bool:
    """Whether what a call read is what no message of its own conversation had written."""
    read, forecast = call.bill.read, call.forecast
    if read < _LEAST:
        return False
    if forecast.cause is Cause.FIRST:
        return call.step.begins
    return read < forecast.expected - SHRUNK


def _ends(root: JudgedCall, reads: Counter[int]) -> tuple[int, ...]:
    """The lengths most often read of a conversation's start, not closer to one another than a message."""
    room = root.bill.prefix - _ROOM if root.step.begins else root.bill.prefix
    first = root.bill.read
    ends: list[int] = []
    for read, _ in sorted(reads.items(), key=lambda item: (item[0] != first, -item[1], item[0])):
        if read <= room and all(abs(read - end) > SHRUNK for end in ends):
            ends.append(read)
    return tuple(sorted(ends[:_MOST_ENDS]))


def _clients(call: JudgedCall) -> list[Client]:
    """Who shares a hidden prefix with a conversation, nearest first."""
    scope = call.step.scope
    kind = "main" if scope.main else "agent"
    nearest = (kind, scope.workspace, scope.model)
    return [(*nearest, scope.version), nearest]


def _hidden(root: JudgedCall, own: tuple[int, ...], seen: dict[Client, list[_Seen]]) -> Hidden:
    if own:
        return Hidden(own, shared=True)
    room = root.bill.prefix - _ROOM
    for client in _clients(root):
        fitting = [one for one in seen.get(client, ()) if one.ends[-1] < room]
        if fitting:
            return Hidden(min(fitting, key=lambda one: abs(one.at - root.step.at)).ends, shared=True)
    return Hidden((max(_unseen(root), 1),), shared=False)


def _unseen(root: JudgedCall) -> int:
    """What is left of a first prompt besides its visible message."""
    new = root.placed.call.new
    visible = round((new.text_bytes + new.result_bytes) / BYTES_PER_TOKEN)
    return root.bill.prefix - max(visible, _ROOM)
