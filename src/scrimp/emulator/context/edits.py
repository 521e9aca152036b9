"""Objections to `context_management`, worded as the API words others of their kind."""

from __future__ import annotations

import msgspec

from scrimp.core.carry.edits import (
    COMPACT,
    THINKING,
    ClearThinking,
    ClearToolUses,
    Compact,
    Edits,
    Management,
)
from scrimp.emulator.asked import Asked, flagged
from scrimp.emulator.refusals import Refusal, invalid

__all__ = ["read_edits", "readable"]

_LEAST_TRIGGER = 50_000


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
        management = msgspec.convert(asking, Management)
    except msgspec.ValidationError as error:
        return invalid(f"context_management: {error}")
    return _objection(asked, management.edits) or management.by_kind


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
        problem = f"edits: `{THINKING}` must be the first edit"
    elif clears and not features.context_editing:
        problem = "not supported on this model"
    elif compact and "threshold" not in features.compaction:
        problem = f"`{COMPACT}` is not supported on this model"
    elif compact and compact.trigger.value < _LEAST_TRIGGER:
        problem = f"edits: trigger.value should be greater than or equal to {_LEAST_TRIGGER}"
    return None if problem is None else invalid(f"context_management: {problem}")
