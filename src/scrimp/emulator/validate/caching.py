"""Cache markers: how many, where, and in which order of lifetimes ("Prompt caching")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scrimp.emulator.asked import Asked
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.validate.shape import content_blocks

__all__ = ["amount", "automatic", "control_fields", "lifetimes", "places"]

_MOST, _MOST_IN_THREAD = 4, 3
_NEVER = frozenset({"thinking", "redacted_thinking", "fallback"})


def control_fields(asked: Asked) -> Refusal | None:
    """Markers are ephemeral and last 5m or 1h."""
    for path, marked in _markers(asked):
        control = marked["cache_control"]
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            return invalid(f"{path}cache_control.type: Input should be 'ephemeral'")
        if control.get("ttl") not in (None, "5m", "1h"):
            return invalid(f"{path}cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
    return None


def places(asked: Asked) -> Refusal | None:
    """What cannot carry a marker."""
    for path, marked in _markers(asked):
        if marked is asked.body:
            continue
        if marked.get("defer_loading") is True and path.startswith("tools."):
            return invalid(f"{path}cache_control: cannot be set on a tool with defer_loading=true")
        kind = marked.get("type")
        if kind == "text" and not marked.get("text"):
            return invalid(f"{path}text: cache_control cannot be set for empty text blocks")
        if kind in _NEVER:
            return invalid(f"{path}{kind}.cache_control: Extra inputs are not permitted")
    return None


def amount(asked: Asked) -> Refusal | None:
    """At most four, automatic caching included; three in a thread."""
    found = len(list(_markers(asked)))
    automatic_adds_none = _automatic_ttl(asked) is not None and _automatic_ttl(asked) == _explicit_on_last(
        asked
    )
    found -= automatic_adds_none
    if asked.part("thread") and found > _MOST_IN_THREAD:
        return Refusal(
            400,
            f"thread: a maximum of {_MOST_IN_THREAD} blocks with cache_control may be provided "
            f"when thread is set. Found {found}.",
            details={"error_code": "thread_unsupported_request", "unsupported": ["cache_control"]},
        )
    if found > _MOST:
        return invalid(f"A maximum of {_MOST} blocks with cache_control may be provided. Found {found}.")
    return None


def lifetimes(asked: Asked) -> Refusal | None:
    """1h before 5m, in the order in which a prompt is rendered."""
    short_seen = False
    for path, marked in _markers(asked):
        long = marked["cache_control"].get("ttl") == "1h"
        if long and short_seen:
            return invalid(
                f"{path}cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: "
                "`tools`, `system`, `messages`."
            )
        short_seen = short_seen or not long
    return None


def automatic(asked: Asked) -> Refusal | None:
    """Automatic caching agrees with a marker that already is on the block it would mark."""
    wanted, found = _automatic_ttl(asked), _explicit_on_last(asked)
    if wanted is not None and found is not None and wanted != found:
        return invalid(
            f"cache_control: ttl='{wanted}' differs from the ttl='{found}' of the cache_control "
            "that the last block already has"
        )
    return None


def _markers(asked: Asked) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything marked, in render order, with the path before its `cache_control`; last the request."""
    for index, tool in enumerate(asked.body.get("tools") or ()):
        if isinstance(tool, dict) and tool.get("cache_control") is not None:
            yield f"tools.{index}.", tool
    yield from _marked_blocks(asked.body)
    if asked.body.get("cache_control") is not None:
        yield "", asked.body


def _marked_blocks(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Content of a tool result is rendered before the result ends: its markers come first."""
    parent: tuple[str, dict[str, Any]] | None = None
    for path, block in content_blocks(body):
        if parent is not None and not path.startswith(parent[0]):
            yield parent
            parent = None
        if block.get("cache_control") is None:
            continue
        if block["type"] == "tool_result":
            parent = f"{path}.", block
        else:
            yield f"{path}.", block
    if parent is not None:
        yield parent


def _automatic_ttl(asked: Asked) -> str | None:
    control = asked.body.get("cache_control")
    return (control.get("ttl") or "5m") if isinstance(control, dict) else None


def _explicit_on_last(asked: Asked) -> str | None:
    """The lifetime of the marker on the last block that may carry one."""
    for message in reversed(asked.messages):
        content = message["content"]
        if isinstance(content, str):
            return None
        for block in reversed(content):
            if block["type"] in _NEVER or (block["type"] == "text" and not block["text"]):
                continue
            control = block.get("cache_control")
            return (control.get("ttl") or "5m") if isinstance(control, dict) else None
    return None
