"""Where callers put markers of their own, as seen in agents that do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.wire.markers import TTL, MarkerEdit

__all__ = [
    "all_for_1h",
    "before_last",
    "document",
    "each_system_and_last",
    "loops_only",
    "nothing",
    "system",
    "system_1h",
    "system_1h_and_last",
    "system_1h_and_two_last",
    "system_and_last",
    "system_and_two_last",
    "tools_system_last",
]

Body = Mapping[str, Any]


def nothing(_: Body) -> Sequence[MarkerEdit]:
    """No markers."""
    return ()


def system(body: Body) -> Sequence[MarkerEdit]:
    """The last system block."""
    return _system(body, "5m")


def system_1h(body: Body) -> Sequence[MarkerEdit]:
    """The last system block for an hour."""
    return _system(body, "1h")


def system_1h_and_last(body: Body) -> Sequence[MarkerEdit]:
    """The last system block for an hour, the last user message for five minutes."""
    return [*_system(body, "1h"), *_last_users(body, 1)]


def system_1h_and_two_last(body: Body) -> Sequence[MarkerEdit]:
    """The last system block for an hour, the last two user messages for five minutes."""
    return [*_system(body, "1h"), *_last_users(body, 2)]


def loops_only(body: Body) -> Sequence[MarkerEdit]:
    """As above with one message, but nothing on calls without a system prompt, which nothing follows."""
    return system_1h_and_last(body) if body.get("system") else ()


def before_last(body: Body) -> Sequence[MarkerEdit]:
    """The last system block for an hour, and the block before the very last one."""
    last = len(body["messages"]) - 1
    place = len(body["messages"][last]["content"]) - 2
    return [*_system(body, "1h"), MarkerEdit(("messages", last, "content", place), "5m")]


def all_for_1h(body: Body) -> Sequence[MarkerEdit]:
    """The last system block and the last user message, both for an hour."""
    return [*_system(body, "1h"), *_last_users(body, 1, "1h")]


def each_system_and_last(body: Body) -> Sequence[MarkerEdit]:
    """Every system block and the last user message."""
    blocks = [MarkerEdit(("system", place), "5m") for place in range(len(body["system"]))]
    return [*blocks, *_last_users(body, 1)]


def system_and_last(body: Body) -> Sequence[MarkerEdit]:
    """The last system block and the last user message."""
    return [*_system(body, "5m"), *_last_users(body, 1)]


def system_and_two_last(body: Body) -> Sequence[MarkerEdit]:
    """The last system block and the last two user messages."""
    return [*_system(body, "5m"), *_last_users(body, 2)]


def tools_system_last(body: Body) -> Sequence[MarkerEdit]:
    """The last tool, the last system block and the last user message."""
    tools = body.get("tools") or ()
    return [*([MarkerEdit(("tools", len(tools) - 1), "5m")] if tools else ()), *system_and_last(body)]


def document(body: Body) -> Sequence[MarkerEdit]:
    """The last system block and the first block of the first message: what all questions are about."""
    return [*_system(body, "5m"), MarkerEdit(("messages", 0, "content", 0), "5m")]


def _system(body: Body, ttl: TTL) -> list[MarkerEdit]:
    blocks = body.get("system")
    if not blocks:
        return []
    return [MarkerEdit(("system", 0 if isinstance(blocks, str) else len(blocks) - 1), ttl)]


def _last_users(body: Body, count: int, ttl: TTL = "5m") -> list[MarkerEdit]:
    places = [place for place, message in enumerate(body["messages"]) if message["role"] == "user"]
    return [MarkerEdit(_end(body, place), ttl) for place in places[-count:]]


def _end(body: Body, place: int) -> tuple[str | int, ...]:
    content = body["messages"][place]["content"]
    return ("messages", place, "content", 0 if isinstance(content, str) else len(content) - 1)
