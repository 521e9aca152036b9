"""`context_management` as values ("Context editing", "Compaction")."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from scrimp.wire.request import Body

__all__ = ["COMPACT", "THINKING", "TOOLS", "ClearThinking", "ClearToolUses", "Compact", "Edits", "edits_of"]

TOOLS, THINKING, COMPACT = "clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"

Amount = Annotated[int, msgspec.Meta(ge=0)]
Some = Annotated[int, msgspec.Meta(gt=0)]


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all edits have in common."""


class Trigger(_Shape, frozen=True):
    """Beyond how many tokens of input, or tool uses, an edit is made."""

    type: Literal["input_tokens", "tool_uses"]
    value: Amount


class Tokens(_Shape, frozen=True):
    """So many tokens of input."""

    type: Literal["input_tokens"]
    value: Amount


class ToolUses(_Shape, frozen=True):
    """So many tool uses."""

    type: Literal["tool_uses"]
    value: Amount


class _Turns(_Shape, frozen=True, tag_field="type", tag="thinking_turns"):
    value: Some


class _All(_Shape, frozen=True, tag_field="type", tag="all"):
    """All turns."""


class ClearToolUses(_Shape, frozen=True, tag_field="type", tag=TOOLS):
    """Old tool results give way to placeholders once `trigger` is passed; the newest `keep` stay."""

    trigger: Trigger = Trigger("input_tokens", 100_000)
    keep: ToolUses = ToolUses("tool_uses", 3)
    clear_at_least: Tokens | None = None
    exclude_tools: list[str] | None = None
    clear_tool_inputs: bool | list[str] | None = False

    def clears_input(self, tool: str) -> bool:
        """Whether what a tool was asked goes as well."""
        chosen = self.clear_tool_inputs
        return tool in chosen if isinstance(chosen, list) else bool(chosen)


class ClearThinking(_Shape, frozen=True, tag_field="type", tag=THINKING):
    """The thinking of all turns but the last `keep` goes; left out, what the model does by itself."""

    keep: _Turns | _All | Literal["all"] | None = None

    def turns(self, *, kept: bool) -> int | None:
        """How many turns keep their thinking, None for all; `kept`: the model keeps all by itself."""
        if self.keep is None:
            return None if kept else 1
        return self.keep.value if isinstance(self.keep, _Turns) else None


class Compact(_Shape, frozen=True, tag_field="type", tag=COMPACT):
    """A prompt longer than `trigger` is summed up before it is answered."""

    trigger: Tokens = Tokens("input_tokens", 150_000)
    pause_after_compaction: bool = False
    instructions: str | None = None


class Edits(msgspec.Struct, frozen=True):
    """The edits of one request, None where one was not asked for."""

    thinking: ClearThinking | None = None
    tools: ClearToolUses | None = None
    compact: Compact | None = None


class Management(msgspec.Struct, frozen=True):
    """`context_management` as the API reads it."""

    edits: list[ClearThinking | ClearToolUses | Compact] = []

    @property
    def by_kind(self) -> Edits:
        """The edits by their kind."""
        found: dict[str, ClearThinking | ClearToolUses | Compact] = {
            _KINDS[type(one)]: one for one in self.edits
        }
        return msgspec.structs.replace(Edits(), **found)


_KINDS: dict[type, str] = {ClearThinking: "thinking", ClearToolUses: "tools", Compact: "compact"}


def edits_of(body: Body) -> Edits | None:
    """The edits that a request asks for; None where they are not understood."""
    asking = body.get("context_management")
    if not asking:
        return Edits()
    try:
        return msgspec.convert(asking, Management).by_kind
    except msgspec.ValidationError:
        return None
