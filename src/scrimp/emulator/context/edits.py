"""`context_management` as values; objections to it are worded as the API words others of their kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from scrimp.emulator.asked import Asked, flagged
from scrimp.emulator.refusals import Refusal, invalid

__all__ = ["ClearThinking", "ClearToolUses", "Compact", "Edits", "read_edits", "readable"]

_TOOLS, _THINKING, _COMPACT = "clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"
_LEAST_TRIGGER = 50_000


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all edits have in common."""


Amount = Annotated[int, msgspec.Meta(ge=0)]
Some = Annotated[int, msgspec.Meta(gt=0)]


class _Trigger(_Shape, frozen=True):
    type: Literal["input_tokens", "tool_uses"]
    value: Amount


class _Tokens(_Shape, frozen=True):
    type: Literal["input_tokens"]
    value: Amount


class _ToolUses(_Shape, frozen=True):
    type: Literal["tool_uses"]
    value: Amount


class _Turns(_Shape, frozen=True, tag_field="type", tag="thinking_turns"):
    value: Some


class _All(_Shape, frozen=True, tag_field="type", tag="all"):
    """All turns."""


class ClearToolUses(_Shape, frozen=True, tag_field="type", tag=_TOOLS):
    """Old tool results give way to placeholders once `trigger` is passed; the newest `keep` stay."""

    trigger: _Trigger = _Trigger("input_tokens", 100_000)
    keep: _ToolUses = _ToolUses("tool_uses", 3)
    clear_at_least: _Tokens | None = None
    exclude_tools: list[str] | None = None
    clear_tool_inputs: bool | list[str] | None = False

    def clears_input(self, tool: str) -> bool:
        """Whether what a tool was asked goes as well."""
        chosen = self.clear_tool_inputs
        return tool in chosen if isinstance(chosen, list) else bool(chosen)


class ClearThinking(_Shape, frozen=True, tag_field="type", tag=_THINKING):
    """The thinking of all turns but the last `keep` goes; left out, what the model does by itself."""

    keep: _Turns | _All | Literal["all"] | None = None

    def turns(self, *, kept: bool) -> int | None:
        """How many turns keep their thinking, None for all; `kept`: the model keeps all by itself."""
        if self.keep is None:
            return None if kept else 1
        return self.keep.value if isinstance(self.keep, _Turns) else None


class Compact(_Shape, frozen=True, tag_field="type", tag=_COMPACT):
    """A prompt longer than `trigger` is summed up before it is answered."""

    trigger: _Tokens = _Tokens("input_tokens", 150_000)
    pause_after_compaction: bool = False
    instructions: str | None = None


class Edits(msgspec.Struct, frozen=True):
    """The edits of one request, None where one was not asked for."""

    thinking: ClearThinking | None = None
    tools: ClearToolUses | None = None
    compact: Compact | None = None


class _Management(msgspec.Struct, frozen=True):
    edits: list[ClearThinking | ClearToolUses | Compact] = []


def readable(asked: Asked) -> Refusal | None:
    """What is wrong with the edits of a request."""
    edits = read_edits(asked)
    return edits if isinstance(edits, Refusal) else None


def read_edits(asked: Asked) -> Edits | Refusal:
    """The edits a request asks for, or what is wrong with them."""
    asking = asked.body.get("context_management")
    if asking is None:
        return Edits()
    try:
        listed = msgspec.convert(asking, _Management).edits
    except msgspec.ValidationError as error:
        return invalid(f"context_management: {error}")
    return _objection(asked, listed) or Edits(
        **{name: one for one in listed for name, kind in _KINDS.items() if isinstance(one, kind)}
    )


_KINDS: dict[str, Any] = {"thinking": ClearThinking, "tools": ClearToolUses, "compact": Compact}


def _objection(asked: Asked, listed: list[ClearThinking | ClearToolUses | Compact]) -> Refusal | None:
    kinds = [type(one) for one in listed]
    clears = {ClearThinking, ClearToolUses} & set(kinds)
    compact = next((one for one in listed if isinstance(one, Compact)), None)
    features, problem = asked.model.features, None
    asked_for = (not clears or flagged(asked, "context-management-")) and (
        not compact or flagged(asked, "compact-2026-01-12")
    )
    if not asked_for:
        problem = "Extra inputs are not permitted"
    elif len(set(kinds)) < len(kinds):
        problem = "edits: each type of edit may be given once"
    elif ClearThinking in kinds[1:]:
        problem = f"edits: `{_THINKING}` must be the first edit"
    elif clears and not features.context_editing:
        problem = "not supported on this model"
    elif compact and "threshold" not in features.compaction:
        problem = f"`{_COMPACT}` is not supported on this model"
    elif compact and compact.trigger.value < _LEAST_TRIGGER:
        problem = f"edits: trigger.value should be greater than or equal to {_LEAST_TRIGGER}"
    return None if problem is None else invalid(f"context_management: {problem}")
