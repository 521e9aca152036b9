"""The blocks of a Messages body in render order.

Runs in every peer's own environment: standard library only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Markers", "markers_of", "serve", "walk"]

Body = dict[str, Any]
Markers = list[tuple[list[str | int], str]]
"""Paths with the TTL of the marker there; the empty path is top-level caching."""


def walk(body: Body) -> Iterator[tuple[list[str | int], Any]]:
    """The path and the value of each tool, system block and content block; string content is one block."""
    for number, tool in enumerate(body.get("tools") or ()):
        yield ["tools", number], tool
    yield from _content(["system"], body.get("system") or [])
    for number, message in enumerate(body["messages"]):
        yield from _content(["messages", number, "content"], message["content"])


def markers_of(sent: Body, asked: Body) -> Markers:
    """Where `sent`, which a peer built out of `asked`, has markers, as paths of `asked`.

    A peer may open `system` with notes of its own; they are left out. Raises ValueError where it does not say
    the rest, block by block.
    """
    here = list(walk(asked))
    wanted = [_said(value) for _, value in here]
    there = [value for path, value in walk(sent) if path[0] != "system" or _said(value) in wanted]
    if [_said(value) for value in there] != wanted:
        raise ValueError(f"the content changed: {wanted} became {[_said(value) for value in there]}")
    found: Markers = []
    if sent.get("cache_control"):
        found.append(([], sent["cache_control"].get("ttl") or "5m"))
    for value, (path, _) in zip(there, here, strict=True):
        control = value.get("cache_control") if isinstance(value, dict) else None
        if control:
            found.append((path, control.get("ttl") or "5m"))
    return found


def serve(build: Callable[[Body], Body]) -> None:
    """For each line of JSON on stdin, a body, print the markers that a peer's `build` gives it."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(markers_of(build(json.loads(line)), asked)))


def _content(path: list[str | int], content: Any) -> Iterator[tuple[list[str | int], Any]]:
    blocks = [content] if isinstance(content, str) else content
    for number, block in enumerate(blocks):
        yield [*path, number], block


def _said(block: Any) -> str:
    """What a block is and says, in whatever form."""
    if isinstance(block, str):
        return f"text {block}"
    kind = block.get("type") or "tool"
    if kind in ("tool", "custom"):
        return f"tool {block['name']}"
    said = block.get("text") or block.get("thinking") or block.get("id") or block.get("tool_use_id")
    return f"{kind} {said}"
