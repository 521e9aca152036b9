"""What is cleared of a conversation, as the edits that clear exactly that at every later step.

The API works out what to clear from each request anew. Told to keep as many tool uses as there are since the
cut, and to act whatever the length, it clears what is before the cut and no more: the prompt stays as it is,
byte for byte, until the next cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.carry.clearing import with_gone
from scrimp.core.carry.edits import COMPACT, THINKING, TOOLS
from scrimp.core.carry.history import (
    Messages,
    Place,
    ToolUse,
    answered_uses,
    content_blocks,
    last_summary,
    thoughtful,
)
from scrimp.core.carry.seen import since_in_place
from scrimp.core.chains import said_of
from scrimp.core.prompt import Digest
from scrimp.wire.request import Body

__all__ = [
    "CLEARING_BETA",
    "LEAST_COMPACTED",
    "NO_CUT",
    "SUMMING_BETA",
    "Cut",
    "History",
    "cut_here",
    "cut_there",
    "own_edits",
    "with_compaction",
]

CLEARING_BETA = "context-management-2025-06-27"
SUMMING_BETA = "compact-2026-01-12"
LEAST_COMPACTED = 50_000
"""Tokens that the trigger of a compaction may have at least ("Compaction", parameters)."""


class Cut(msgspec.Struct, frozen=True):
    """So many of the oldest tool uses are cleared, and so many of the oldest turns of thinking."""

    uses: int = 0
    turns: int = 0

    def __bool__(self) -> bool:
        return bool(self.uses or self.turns)


NO_CUT = Cut()

_SERVED = frozenset({"server_tool_use", "mcp_tool_use"})


class History(msgspec.Struct, frozen=True):
    """What can be cleared of a request's messages, since their last `summary`: oldest first.

    `turns` are the messages with thinking.
    """

    messages: Messages
    uses: Sequence[ToolUse]
    turns: Sequence[int]
    summary: Place | None = None

    @classmethod
    def of(cls, messages: Messages) -> History:
        """The history that a request brings."""
        left = since_in_place(messages)
        return cls(left, answered_uses(left), thoughtful(left), last_summary(messages))

    @property
    def serves_itself(self) -> bool:
        """Whether the provider's own tools were used, which a client does not answer."""
        return any(
            block.get("type") in _SERVED for message in self.messages for block in content_blocks(message)
        )

    def asked(self, number: int) -> Digest:
        """What a tool was asked, whatever the call was named."""
        use = self.uses[number]
        block = content_blocks(self.messages[use.asked[0]])[use.asked[1]]
        return said_of([use.tool, said_of(block.get("input"))])

    def cut(self, uses: int, *, thinking: bool) -> Cut:
        """The cut that clears so many tool uses, and where `thinking` goes what was thought before them."""
        if not thinking or not uses:
            return Cut(uses)
        last = self.uses[uses - 1].asked[0]
        return Cut(uses, min(sum(turn <= last for turn in self.turns), max(0, len(self.turns) - 1)))


def own_edits(body: Body) -> frozenset[str]:
    """The kinds of edits that the caller asks for; dates left out."""
    management = body.get("context_management")
    edits = management.get("edits") if isinstance(management, Mapping) else None
    listed = edits if isinstance(edits, list | tuple) else ()
    kinds = (str(edit.get("type", "")) for edit in listed if isinstance(edit, Mapping))
    return frozenset(kind.rsplit("_", 1)[0] for kind in kinds)


def with_compaction(body: Body, beyond: int) -> Body:
    """`body` with the edit by which the API sums it up where it is longer than that."""
    trigger = {"type": "input_tokens", "value": max(LEAST_COMPACTED, beyond)}
    return _with_edits(body, (), ({"type": COMPACT, "trigger": trigger},))


def cut_there(body: Body, history: History, cut: Cut, excluded: Sequence[str]) -> Body:
    """`body` with the edits by which the API makes `cut`; the caller's own stay as they are."""
    before: list[Any] = []
    after: list[Any] = []
    if cut.turns:
        kept = {"type": "thinking_turns", "value": len(history.turns) - cut.turns}
        before = [{"type": THINKING, "keep": kept}]
    if cut.uses:
        clearing: dict[str, Any] = {
            "type": TOOLS,
            "trigger": {"type": "tool_uses", "value": 1},
            "keep": {"type": "tool_uses", "value": len(history.uses) - cut.uses},
        }
        after = [{**clearing, "exclude_tools": list(excluded)} if excluded else clearing]
    return _with_edits(body, before, after)


def cut_here(body: Body, history: History, cut: Cut, excluded: Sequence[str]) -> Body:
    """`body` with `cut` made in it: for an API that does not clear, and a model that lets others do so."""
    gone = [use for use in history.uses[: cut.uses] if use.tool not in excluded]
    return {**body, "messages": with_gone(body["messages"], gone, None, set(), blank=False)}


def _with_edits(body: Body, before: Sequence[Any], after: Sequence[Any]) -> Body:
    management = body.get("context_management")
    management = management if isinstance(management, Mapping) else {}
    edits = [*before, *(management.get("edits") or ()), *after]
    return {**body, "context_management": {**management, "edits": edits}}
