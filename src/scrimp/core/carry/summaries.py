"""Summaries that answers began with: whether the conversation brings them back, and where they belong.

The API gives a summary once, in the answer. A client that goes on without it pays for another one at every
step that is as long again, and its model never reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.carry.history import content_blocks
from scrimp.core.chains import said_of
from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest

__all__ = ["SUMMARY", "Brought", "Summaries", "Summary", "asked_to_compact"]

SUMMARY = 4_000
"""Tokens that a summary is taken to have before it is written."""

_REMEMBERED = 2_000


class Summary(msgspec.Struct, frozen=True):
    """A summary by its digest, with the block itself where it may have to be put back. `removed` is how many
    tokens shorter it made the prompt."""

    digest: Digest
    block: Mapping[str, Any] | None
    removed: int


class Brought(msgspec.Struct, frozen=True):
    """A history with the summaries that belong in it.

    `messages` are those that came, or with what was `missing` put back; `removed` tokens are summed up.
    """

    messages: list[Any]
    missing: int = 0
    put_back: int = 0
    removed: int = 0


class Summaries:
    """The summaries of conversations under way, by the digest of the request that each answered; bounded."""

    def __init__(self, *, restores: bool) -> None:
        self._restores = restores
        self._known: dict[Digest, Summary] = {}

    def came(self, name: Digest, message: Mapping[str, Any], removed: int) -> bool:
        """The answer to the request `name`; whether it holds a summary."""
        block = _summary_in(message)
        if block is None:
            return False
        kept = dict(block) if self._restores else None
        self._known[name] = Summary(_digest(block), kept, removed)
        forget_oldest(self._known, _REMEMBERED)
        return True

    def brought(self, messages: list[Any], chain: Sequence[Digest]) -> Brought:
        """Whether a history with this chain of digests has its summaries, where an answer gave any."""
        if not self._known:
            return Brought(messages)
        given = [(at + 1, found) for at, name in enumerate(chain[:-1]) if (found := self._known.get(name))]
        removed = sum(summary.removed for _, summary in given)
        missing = [(at, one) for at, one in given if _lacks(messages[at], one)]
        if not missing:
            return Brought(messages, removed=removed)
        restored, put_back = list(messages), 0
        for at, summary in missing:
            if summary.block is not None:
                restored[at] = {**messages[at], "content": [summary.block, *_others(messages[at])]}
                put_back += 1
        if put_back < len(missing):
            removed = 0
        return Brought(restored if put_back else messages, len(missing), put_back, removed)


def asked_to_compact(body: Mapping[str, Any]) -> bool:
    """Whether the request has its history summed up beyond some length."""
    management = body.get("context_management")
    edits = management.get("edits") if isinstance(management, Mapping) else None
    return any(
        isinstance(edit, Mapping) and str(edit.get("type", "")).startswith("compact_") for edit in edits or ()
    )


def _summary_in(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = (block for block in content_blocks(message) if block.get("type") == "compaction")
    return next((block for block in found if block.get("content")), None)


def _digest(block: Mapping[str, Any]) -> Digest:
    return said_of([block.get("content"), block.get("encrypted_content")])


def _lacks(message: Mapping[str, Any], summary: Summary) -> bool:
    """Whether an answer comes back without its summary; what is no answer is another conversation."""
    if message.get("role") != "assistant":
        return False
    blocks = (block for block in content_blocks(message) if block.get("type") == "compaction")
    return all(_digest(block) != summary.digest for block in blocks)


def _others(message: Mapping[str, Any]) -> list[Any]:
    """What else the answer says. Clients that do not know summaries may keep a block with nothing in it."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if block.get("type") != "compaction" or block.get("content")]
