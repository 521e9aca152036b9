"""What a request asks for beside its blocks, as far as the cache depends on it, and where each breaks it.

"Prompt caching", what invalidates the cache: the model breaks everything; speed and the answer's format the
system tier and what follows; tool choice, thinking, effort and the task budget the messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from scrimp.wire.request import Body

__all__ = ["CacheSettings", "Setting", "cache_settings", "first_break", "switched"]

Setting = Literal["model", "speed", "format", "tool_choice", "thinking", "effort", "task_budget"]

_TIER: dict[Setting, Literal["tools", "system", "messages"]] = {
    "model": "tools",
    "speed": "system",
    "format": "system",
    "tool_choice": "messages",
    "thinking": "messages",
    "effort": "messages",
    "task_budget": "messages",
}


class CacheSettings(msgspec.Struct, frozen=True, gc=False):
    """The settings of one request; a value that means the default is the default.

    `clears` says that the server may shorten the history on its own ("Context editing", "Compaction"), which
    by itself breaks nothing.
    """

    model: str
    speed: str = "standard"
    format: str = ""
    tool_choice: str = ""
    thinking: str = ""
    effort: str = ""
    task_budget: str = ""
    clears: bool = False


def cache_settings(body: Body, *, model: str, default_effort: str) -> CacheSettings:
    """The settings of a request body for the model of that key; what is malformed counts as not set."""
    config = body.get("output_config")
    config = config if config is not None and isinstance(config, Mapping) else {}
    speed = body.get("speed")
    effort = config.get("effort")
    return CacheSettings(
        model=model,
        speed=speed if isinstance(speed, str) else "standard",
        format=_said(config.get("format") or body.get("output_format"), default=None),
        tool_choice=_said(body.get("tool_choice"), default="auto"),
        thinking=_said(body.get("thinking"), default="disabled"),
        effort=effort if isinstance(effort, str) else default_effort,
        task_budget=_said(config.get("task_budget"), default=None),
        clears=bool(body.get("context_management")),
    )


def switched(before: CacheSettings, after: CacheSettings) -> tuple[Setting, ...]:
    """The settings that differ, the one that breaks most first."""
    return tuple(name for name in _TIER if getattr(before, name) != getattr(after, name))


def first_break(setting: Setting, *, tools_end: int, static_end: int) -> int:
    """The first position that a switch of `setting` keeps from being read."""
    return {"tools": 0, "system": tools_end + 1, "messages": static_end + 1}[_TIER[setting]]


def _said(value: Any, *, default: str | None) -> str:
    if value is None or not isinstance(value, Mapping):
        return ""
    kept = {str(key): item for key, item in value.items() if item is not None and item is not False}
    if default is not None and kept == {"type": default}:
        return ""
    return repr(sorted(kept.items(), key=lambda pair: pair[0]))
