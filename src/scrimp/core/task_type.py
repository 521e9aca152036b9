"""What a request looks like, where nobody named its task type.

Told by the shape of the body alone: which fields it has and what kind of block comes last. No text is read,
so it takes the same moment for a prompt of any length. A guess, and marked as one wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.core.record import Tags

__all__ = ["TASK_TYPES", "inferred_task_type", "with_task_type"]

TASK_TYPES = {
    "warm-up": "`max_tokens` is 0: nothing but the cache is written",
    "compaction": "asks for a summary of its history (`compaction`)",
    "extraction": "an output schema, or one tool that has to be called",
    "agent": "has tools",
    "classification": "no tools, and room for a few tokens of answer",
    "chat": "no tools, and an earlier answer in its history",
    "document": "a single question with a document or an image",
    "one-shot": "a single question",
}
"""Every type that is inferred → what it looks like; the first that fits is taken."""

_FEW_TOKENS = 32
_BLOCKS_LOOKED_AT = 8
_TELLING = frozenset({"compaction", "output_format", "output_config", "tool_choice"})
"""Few requests have one of these fields, and all of them are looked for at once."""

_ATTACHED = {"document", "image", "container_upload"}


def inferred_task_type(body: Mapping[str, Any]) -> str:
    """The task type that a Messages request looks like, one of `TASK_TYPES`; any body gets one."""
    if body.get("max_tokens") == 0:
        return "warm-up"
    if not _TELLING.isdisjoint(body):
        if body.get("compaction"):
            return "compaction"
        if _has_schema(body):
            return "extraction"
    return "agent" if body.get("tools") else _of_questions(body)


def with_task_type(tags: Tags, body: Mapping[str, Any], known: dict[str, Tags] | None = None) -> Tags:
    """`tags` with the task type that was named, or else with an inferred one, marked so.

    `known` are the same tags with each type that was inferred before.
    """
    if tags.task_type is not None:
        return tags
    found = inferred_task_type(body)
    typed = None if known is None else known.get(found)
    if typed is None:
        typed = Tags(tags.run, tags.run_ids, tags.user, found, tags.agent, tags.team, tags.key, inferred=True)
        if known is not None:
            known[found] = typed
    return typed


def _of_questions(body: Mapping[str, Any]) -> str:
    """The type of a request without tools."""
    room, messages = body.get("max_tokens"), body.get("messages")
    if isinstance(room, int) and room <= _FEW_TOKENS:
        return "classification"
    if not isinstance(messages, list) or not messages:
        return "one-shot"
    if len(messages) > 1:
        return "chat"
    return "document" if _has_attachment(messages[0]) else "one-shot"


def _has_schema(body: Mapping[str, Any]) -> bool:
    """Whether the answer has to be data of one shape: an output format, or one tool that is forced."""
    config, choice = body.get("output_config"), body.get("tool_choice")
    if body.get("output_format") or (isinstance(config, dict) and config.get("format")):
        return True
    if not isinstance(choice, dict) or choice.get("type") not in ("tool", "any"):
        return False
    tools = body.get("tools")
    return isinstance(tools, list) and len(tools) == 1


def _has_attachment(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return False
    return any(
        isinstance(block, dict) and block.get("type") in _ATTACHED for block in content[:_BLOCKS_LOOKED_AT]
    )
