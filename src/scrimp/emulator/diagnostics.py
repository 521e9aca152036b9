"""Why a cached prefix was missed, as the API reports it to callers who ask ("Cache diagnostics")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from scrimp.core.cache import Outcome
from scrimp.core.prompt import Prompt
from scrimp.emulator.asked import Asked
from scrimp.emulator.measure import PromptLength

__all__ = ["Seen", "diagnosis", "seen"]

_SECTIONS = {"tools": "tools_changed", "system": "system_changed"}


class Seen(msgspec.Struct, frozen=True):
    """What is kept of a request to compare the next with; `cached` are the tokens up to its last marker."""

    model: str
    speed: str
    sections: dict[str, tuple[bytes, ...]]
    prefixes: tuple[bytes, ...]
    cached: int


def seen(asked: Asked, prompt: Prompt, length: PromptLength, outcome: Outcome) -> Seen:
    """What to keep of a request."""
    sections: dict[str, list[bytes]] = {"tools": [], "system": [], "messages": []}
    for block, digest in zip(prompt.blocks, prompt.digests, strict=True):
        if not block.depth:
            sections[block.section].append(digest)
    marked = [marker.position for marker in prompt.markers]
    cached = length.ends[max(marked)] if marked and outcome.read + outcome.written else 0
    return Seen(
        model=asked.model.id,
        speed=str(asked.body.get("speed") or "standard"),
        sections={name: tuple(digests) for name, digests in sections.items()},
        prefixes=prompt.prefixes,
        cached=cached,
    )


def diagnosis(asked: Asked, now: Seen, read: int, earlier: Mapping[str, Seen]) -> dict[str, Any] | None:
    """The `diagnostics` of the answer: None without an opt-in, or where nothing was missed."""
    previous_id = asked.part("diagnostics").get("previous_message_id")
    if previous_id is None:
        return None
    before = earlier.get(previous_id)
    if before is None:
        return {"cache_miss_reason": {"type": "previous_message_not_found"}}
    missed = before.cached - read
    if missed <= 0:
        return None
    reason = _reason(before, now)
    if reason is None:
        return None
    told: dict[str, Any] = {"type": reason}
    if reason != "unavailable":
        told["cache_missed_input_tokens"] = missed
    return {"cache_miss_reason": told}


def _reason(before: Seen, now: Seen) -> str | None:
    if (before.model, before.speed) != (now.model, now.speed):
        return "model_changed"
    for section, reason in _SECTIONS.items():
        if before.sections[section] != now.sections[section]:
            return reason
    said = before.sections["messages"]
    if now.sections["messages"][: len(said)] != said:
        return "messages_changed"
    extended = now.prefixes[: len(before.prefixes)] == before.prefixes
    return None if extended else "unavailable"
