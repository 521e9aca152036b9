"""A Messages request as blocks in render order, and marker edits that change nothing else.

The provider renders a request as tools, then system, then messages ("Prompt caching", how prompt caching
works). Each tool definition, system block and content block is one `Block`; string content is one text
block. Content nested in a `tool_result` comes just before its parent, because the parent's prefix ends after
it. Nothing here decides anything, and fields that are not understood are carried, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from scrimp.errors import RequestError
from scrimp.wire.markers import TTL, MarkerEdit, Path

__all__ = [
    "BILLING_HEADER",
    "Block",
    "Body",
    "Section",
    "add_message",
    "automatic_ttl",
    "blocks",
    "marker_ttl",
    "message_blocks",
    "messages_of",
    "static_blocks",
    "with_markers",
]

Body = Mapping[str, Any]
Section = Literal["tools", "system", "messages"]

# Content block types that accept `cache_control` ("Prompt caching", what can be cached; SDK 2.11 types).
_MARKABLE = frozenset(
    {
        "compaction",
        "container_upload",
        "document",
        "image",
        "mcp_tool_result",
        "mcp_tool_use",
        "search_result",
        "server_tool_use",
        "text",
        "tool_addition",
        "tool_reference",
        "tool_removal",
        "tool_result",
        "tool_use",
    }
)
_STRING_CONTENT = ("system", "content")
_SERVER_RESULT_SUFFIX = "_tool_result"

# The usual type first: asking an abstract class takes several times as long.
BILLING_HEADER = "x-anthropic-billing-header:"
"""What Claude Code's first system block begins with. The API takes it out of the prompt: requests that differ
in nothing else read one another's entries (14 of 14 pairs in recorded traffic)."""

_OBJECT = (dict, Mapping)
_LIST = (list, Sequence)
_CONTENT = (list, tuple)


class Block(msgspec.Struct, frozen=True, gc=False):
    """One position of a prompt.

    `value` is the caller's own object, never a copy. `ttl` is the caller's own marker. `depth` is 1 for
    content nested in a `tool_result`, else 0. `message` is the index in `messages`, or -1.
    """

    path: Path
    section: Section
    role: str
    kind: str
    value: Any
    ttl: TTL | None
    markable: bool
    depth: int = 0
    message: int = -1


def blocks(body: Body) -> list[Block]:
    """Every block of `body` in render order; raises `RequestError` when it is not a Messages request."""
    return [*static_blocks(body), *message_blocks(messages_of(body))]


def static_blocks(body: Body) -> list[Block]:
    """The blocks of tools and system, in render order; raises `RequestError`."""
    return [*_tools(body.get("tools")), *_system(body.get("system"))]


def messages_of(body: Body) -> Sequence[Any]:
    """The messages of `body`, unread; raises `RequestError` when there is no list of them."""
    messages = body.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise RequestError("messages: expected a list; pass the whole Messages request body")
    return messages


def message_blocks(messages: Sequence[Any], start: int = 0) -> list[Block]:
    """The blocks of the messages from index `start` on, in render order; raises `RequestError`."""
    found: list[Block] = []
    for index in range(start, len(messages)):
        add_message(found, index, messages[index])
    return found


def add_message(found: list[Block], index: int, message: Any) -> None:
    """Add the blocks of one message, number `index`, in render order; raises `RequestError`."""
    if message.__class__ is not dict and not isinstance(message, _OBJECT):
        raise RequestError(f"messages.{index}: expected an object with role and content")
    role = message.get("role", "")
    role = role if role.__class__ is str else str(role)
    content = message.get("content")
    if content.__class__ is str or isinstance(content, str):
        path = ("messages", index, "content", 0)
        found.append(Block(path, "messages", role, "text", content, None, bool(content), 0, index))
        return
    if content.__class__ is not list:
        content = _items(content, f"messages.{index}.content")
    for number, value in enumerate(content):
        if not value and value == {}:
            continue  # a gap (`core.carry`): the API takes no block without a type
        block = _content(("messages", index, "content", number), index, role, value)
        if block.kind == "tool_result" and isinstance(value.get("content"), _CONTENT):
            found += [
                _content((*block.path, "content", place), index, role, inner, depth=1)
                for place, inner in enumerate(value["content"])
            ]
        found.append(block)


def automatic_ttl(body: Body) -> TTL | None:
    """The TTL of top-level (automatic) `cache_control`, or None without it."""
    return marker_ttl(body)


def marker_ttl(value: Any) -> TTL | None:
    """The TTL of the marker that `value` carries; a bare marker counts as 5m."""
    control = value.get("cache_control") if isinstance(value, _OBJECT) else None
    if control is None or not isinstance(control, _OBJECT):
        return None
    return "1h" if control.get("ttl") == "1h" else "5m"


def with_markers(body: Body, edits: Sequence[MarkerEdit]) -> Body:
    """`body` with each edit made, sharing everything else with the original; no edits: `body` itself.

    Index 0 of a string names the string: string content that gets a marker becomes a list of one text block,
    as the API reads it anyway. Other fields of an existing marker stay. Raises `RequestError` when a path
    leads nowhere.
    """
    for edit in edits:
        body = cast("Body", _edited(body, edit.path, edit.ttl, edit.path))
    return body


def _tools(tools: Any) -> Iterator[Block]:
    for index, tool in enumerate(_items(tools, "tools")):
        markable = isinstance(tool, _OBJECT) and not tool.get("defer_loading")
        yield Block(("tools", index), "tools", "", "tool", tool, marker_ttl(tool), markable)


def _system(system: Any) -> Iterator[Block]:
    if isinstance(system, str):
        if system:
            yield Block(("system", 0), "system", "", "text", system, ttl=None, markable=True)
        return
    for index, value in enumerate(_items(system, "system")):
        kind = _kind(value)
        yield Block(("system", index), "system", "", kind, value, marker_ttl(value), _markable(kind, value))


def _content(path: Path, message: int, role: str, value: Any, *, depth: int = 0) -> Block:
    if value.__class__ is dict and isinstance(kind := value.get("type"), str):  # as nearly all are
        ttl = marker_ttl(value) if "cache_control" in value else None
    else:
        kind, ttl = _kind(value), marker_ttl(value)
    return Block(path, "messages", role, kind, value, ttl, _markable(kind, value), depth, message)


def _items(value: Any, where: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, _LIST) or isinstance(value, (str, bytes)):
        raise RequestError(f"{where}: expected a list, found {type(value).__name__}")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    kind = value.get("type") if isinstance(value, _OBJECT) else None
    return kind if isinstance(kind, str) else "unknown"


def _markable(kind: str, value: Any) -> bool:
    """Whether the API accepts a marker here: never on empty text, nor on what is not understood."""
    if kind == "text":
        return isinstance(value, _OBJECT) and bool(value.get("text"))
    return kind in _MARKABLE or kind.endswith(_SERVER_RESULT_SUFFIX)


def _edited(value: Any, path: Path, ttl: TTL | None, whole: Path) -> Any:
    if not path or (isinstance(value, str) and path == (0,) and whole[-2] in _STRING_CONTENT):
        return _remarked(value, ttl, whole)
    step, rest = path[0], path[1:]
    try:
        child = None if isinstance(value, str) else value[step]
    except (KeyError, IndexError, TypeError):
        child = None
    if child is None:
        raise RequestError(f"{'.'.join(map(str, whole))}: no such block in this request")
    changed = _edited(child, rest, ttl, whole)
    if isinstance(value, Mapping):
        return {**value, step: changed}
    copy = list(value)
    copy[cast("int", step)] = changed
    return copy


def _remarked(value: Any, ttl: TTL | None, whole: Path) -> Any:
    if isinstance(value, str):
        return value if ttl is None else [{"type": "text", "text": value, "cache_control": _control(ttl)}]
    if not isinstance(value, Mapping):
        raise RequestError(f"{'.'.join(map(str, whole))}: not a block, so it cannot carry a marker")
    if ttl is None:
        return {key: item for key, item in value.items() if key != "cache_control"}
    before = value.get("cache_control")
    kept = {k: v for k, v in before.items() if k != "ttl"} if isinstance(before, Mapping) else {}
    return {**value, "cache_control": {**kept, **_control(ttl)}}


def _control(ttl: TTL) -> dict[str, str]:
    return {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
