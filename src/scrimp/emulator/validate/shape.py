"""Fields that must be there, and the shapes of messages and blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scrimp.emulator.asked import Asked
from scrimp.emulator.refusals import Refusal, invalid

__all__ = ["block_shapes", "content_blocks", "field_types", "message_shapes", "required_fields", "strings"]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_BLOCK_FIELDS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}
"""Fields that a block of a type cannot do without."""

_LISTS = ("messages", "tools", "stop_sequences")
_OBJECTS = ("tool_choice", "thinking", "output_config", "metadata", "thread", "cache_control")


def required_fields(asked: Asked) -> Refusal | None:
    """`model`, `messages`, and for anything but a count `max_tokens`."""
    needed = ("model", "messages") if asked.counting else ("model", "max_tokens", "messages")
    for name in needed:
        if name not in asked.body:
            return invalid(f"{name}: Field required")
    return None


def field_types(asked: Asked) -> Refusal | None:
    """Top-level fields of the right JSON type; null is as good as left out."""
    body = asked.body
    if not isinstance(body["model"], str):
        return invalid("model: Input should be a valid string")
    for name in _LISTS:
        if not isinstance(body.get(name, []), list) and (name == "messages" or body[name] is not None):
            return invalid(f"{name}: Input should be a valid list")
    for name in _OBJECTS:
        if not isinstance(body.get(name) or {}, dict):
            return invalid(f"{name}: Input should be a valid dictionary")
    if not isinstance(body.get("system") or "", (str, list)):
        return invalid("system: Input should be a valid list")
    if not isinstance(body.get("stream") or False, bool):
        return invalid("stream: Input should be a valid boolean")
    return None


def strings(asked: Asked) -> Refusal | None:
    """Stop sequences that can be seen, and a user id that names nobody."""
    for stop in asked.body.get("stop_sequences") or ():
        if not isinstance(stop, str) or not stop.strip():
            return invalid("stop_sequences: each stop sequence must contain non-whitespace")
    user = asked.part("metadata").get("user_id")
    if isinstance(user, str) and _EMAIL.fullmatch(user.strip()):
        return invalid("metadata.user_id: user_id appears to contain an email address")
    return None


def message_shapes(asked: Asked) -> Refusal | None:
    """At least one message, each with a role and content."""
    if not asked.messages and not asked.part("thread"):
        return invalid("messages: at least one message is required")
    for index, message in enumerate(asked.messages):
        problem = _message_problem(message)
        if problem is not None:
            return invalid(f"messages.{index}{problem}")
    return None


def block_shapes(asked: Asked) -> Refusal | None:
    """Blocks are objects of a type, with the fields of that type."""
    for path, block in content_blocks(asked.body):
        if not isinstance(block, dict):
            return invalid(f"{path}: Input should be a valid dictionary")
        kind = block.get("type")
        if not isinstance(kind, str):
            return invalid(f"{path}.type: Field required")
        for name in _BLOCK_FIELDS.get(kind, ()):
            if name not in block:
                return invalid(f"{path}.{kind}.{name}: Field required")
        if kind == "text" and not isinstance(block["text"], str):
            return invalid(f"{path}.text.text: Input should be a valid string")
        identity = block.get("id", block.get("tool_use_id")) if kind in ("tool_use", "tool_result") else None
        if identity is not None and not (isinstance(identity, str) and _TOOL_ID.fullmatch(identity)):
            name = "id" if kind == "tool_use" else "tool_use_id"
            return invalid(f"{path}.{kind}.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'")
    return None


def content_blocks(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every block of system and messages with its path; content of tool results follows its parent."""
    system = body.get("system")
    if isinstance(system, list):
        yield from ((f"system.{number}", block) for number, block in enumerate(system))
    for index, message in enumerate(body.get("messages") or ()):
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for number, block in enumerate(content):
            path = f"messages.{index}.content.{number}"
            yield path, block
            inner = block.get("content") if isinstance(block, dict) else None
            if isinstance(inner, list) and block.get("type") == "tool_result":
                yield from ((f"{path}.content.{place}", part) for place, part in enumerate(inner))


def _message_problem(message: Any) -> str | None:
    if not isinstance(message, dict):
        return ": Input should be a valid dictionary"
    if "role" not in message:
        return ".role: Field required"
    if message["role"] not in ("user", "assistant", "system"):
        return ".role: Input should be 'user', 'assistant' or 'system'"
    if "content" not in message:
        return ".content: Field required"
    if not isinstance(message["content"], (str, list)):
        return ".content: Input should be a valid list"
    return None
