"""What of a request its bytes do not bound, found without looking at any text.

Malformed parts are passed over: the API refuses them, and a refused request costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from scrimp.facts.model import Model
from scrimp.facts.tokenizers import builtin_tokens, token_factors
from scrimp.wire.request import Body

__all__ = ["Advisor", "Seen", "ServerTool", "look", "look_at"]

_ALLOWED = 1_500
"""Tokens the provider adds to a prompt: the tool prompt is 804 at most ("Tool use", pricing), a format or
citations bring one as well; what opens and closes a prompt is a few tokens."""

_AROUND_TOOL = 100
_MOST_COUNT = 10**9
_DEFAULT_TRIGGER = 150_000
"""Tokens of a prompt that compaction begins at where the request names none ("Compaction")."""

_OBJECT = (dict, Mapping)
_BYTES_BOUND = frozenset({"text", "tool_use", "thinking", "redacted_thinking", "server_tool_use"})
_SERVER_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_")


class ServerTool(msgspec.Struct, frozen=True):
    """A tool that the provider runs. `finds` are the most tokens it brings in all, None for no bound;
    a tool search brings definitions that the request holds anyway."""

    kind: str
    max_uses: int | None
    finds: int | None


class Advisor(msgspec.Struct, frozen=True):
    """Another model that is asked while the answer is made."""

    model: str
    max_uses: int | None
    max_tokens: int | None


class Seen(msgspec.Struct):
    """What was found.

    `media` are bytes that are no text, `added` tokens that no byte stands for, `unseen` names what may be of
    any size. `ttl` is the longest lifetime of a marker. `compacts` is the prompt from which it is compacted,
    in tokens: 0 for a compaction on demand, None for none.
    """

    media: int = 0
    added: int = _ALLOWED
    unseen: list[str] = []
    ttl: Literal["", "5m", "1h"] = ""
    server_tools: list[ServerTool] = []
    advisors: list[Advisor] = []
    fallbacks: list[str | None] = []
    compacts: int | None = None
    referenced: int = 0

    def mark(self, value: Mapping[str, Any]) -> None:
        """Take in the marker of a block, if it has one."""
        control = value.get("cache_control")
        if control and self.ttl != "1h":
            long = isinstance(control, _OBJECT) and control.get("ttl") == "1h"
            self.ttl = "1h" if long else "5m"


def look(body: Body, model: Model) -> Seen:
    """Everything in `body` that its bytes do not bound, and its markers."""
    seen = Seen()
    seen.mark(body)
    _look_at_tools(seen, body.get("tools"), model)
    image = model.image_rule.max_tokens
    system, messages = body.get("system"), body.get("messages")
    if isinstance(system, list | tuple):
        look_at(seen, system, image)
    for message in messages if isinstance(messages, list | tuple) else ():
        content = message.get("content") if isinstance(message, _OBJECT) else None
        if content.__class__ is list or isinstance(content, tuple):
            look_at(seen, content, image)
    _look_at_settings(seen, body)
    return seen


def look_at(seen: Seen, content: Sequence[Any], image: int) -> None:
    """Take in blocks of content, and what is nested in them; `image` is the most tokens an image has."""
    # On the path of every request: plain dicts and lists come first.
    for block in content:
        if block.__class__ is not dict and not isinstance(block, Mapping):
            continue
        if "cache_control" in block:
            seen.mark(block)
        kind = block.get("type")
        if kind in _BYTES_BOUND:
            continue
        if kind == "image":
            seen.added += image
            seen.media += _data(block)
        elif kind == "document":
            _look_at_document(seen, block, image)
        elif kind == "tool_reference":
            seen.referenced += 1
        else:
            inner = block.get("content")
            if inner.__class__ is list or isinstance(inner, tuple):
                look_at(seen, inner, image)


def _look_at_document(seen: Seen, block: Mapping[str, Any], image: int) -> None:
    source = block.get("source")
    if not isinstance(source, _OBJECT):
        return
    kind, inner = source.get("type"), source.get("content")
    if kind == "content" and isinstance(inner, list | tuple):
        look_at(seen, inner, image)
    elif kind not in ("text", "content"):
        seen.unseen.append(f"a document by {kind}: its length is not known")


def _data(block: Mapping[str, Any]) -> int:
    source = block.get("source")
    data = source.get("data") if isinstance(source, _OBJECT) else None
    return len(data) if isinstance(data, str) else 0


def _look_at_tools(seen: Seen, tools: Any, model: Model) -> None:
    for tool in tools if isinstance(tools, list | tuple) else ():
        if not isinstance(tool, _OBJECT):
            continue
        seen.added += _AROUND_TOOL
        if "cache_control" in tool:
            seen.mark(tool)
        kind = tool.get("type")
        if not isinstance(kind, str) or kind == "custom":
            continue
        if kind == "mcp_toolset":
            seen.server_tools.append(ServerTool(kind, None, None))
            continue
        # Twice what is published or was recorded: definitions change with their versions.
        seen.added += 2 * builtin_tokens(token_factors(model.tokenizer).builtin, kind)
        if kind.startswith("advisor_"):
            uses, most = _count(tool, "max_uses"), _count(tool, "max_tokens")
            seen.advisors.append(Advisor(str(tool.get("model", "")), uses, most))
            seen.server_tools.append(
                ServerTool(kind, uses, None if most is None or uses is None else most * uses)
            )
        elif kind.startswith(_SERVER_TOOLS):
            seen.server_tools.append(_server_tool(kind, tool))


def _server_tool(kind: str, tool: Mapping[str, Any]) -> ServerTool:
    uses, each = _count(tool, "max_uses"), _count(tool, "max_content_tokens")
    if kind.startswith("tool_search_tool_"):
        return ServerTool("tool_search", None, 0)
    if kind.startswith("web_search_"):
        return ServerTool("web_search", uses, None)
    bounded = kind.startswith("web_fetch_") and uses is not None and each is not None
    return ServerTool(kind, uses, uses * each if bounded and uses is not None and each is not None else None)


def _look_at_settings(seen: Seen, body: Body) -> None:
    thread = body.get("thread")
    if isinstance(thread, _OBJECT) and thread.get("type") == "continue":
        seen.unseen.append("a thread: the API holds the rest of the prompt")
    if body.get("mcp_servers"):
        seen.unseen.append("MCP servers: the API fetches their tools")
        seen.server_tools.append(ServerTool("mcp", None, None))
    container = body.get("container")
    if isinstance(container, _OBJECT) and container.get("skills"):
        seen.unseen.append("skills: the API adds their texts")
    _look_at_editing(seen, body)
    fallbacks = body.get("fallbacks")
    if isinstance(fallbacks, list | tuple):
        seen.fallbacks += [
            str(item.get("model", "")) if isinstance(item, _OBJECT) else str(item) for item in fallbacks
        ]
    elif fallbacks:
        seen.fallbacks.append(None)


def _look_at_editing(seen: Seen, body: Body) -> None:
    if body.get("compaction"):
        seen.compacts = 0
        return
    editing = body.get("context_management")
    edits = editing.get("edits") if isinstance(editing, _OBJECT) else None
    for edit in edits if isinstance(edits, list | tuple) else ():
        if isinstance(edit, _OBJECT) and str(edit.get("type", "")).startswith("compact_"):
            trigger = edit.get("trigger")
            value = _count(trigger, "value") if isinstance(trigger, _OBJECT) else None
            seen.compacts = _DEFAULT_TRIGGER if value is None else value


def _count(source: Mapping[str, Any], name: str) -> int | None:
    value = source.get(name)
    return min(value, _MOST_COUNT) if type(value) is int and value >= 0 else None
