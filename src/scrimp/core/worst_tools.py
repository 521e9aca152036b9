"""What the tools of a request may bring beyond their definitions.

A tool that the provider defines and that is not known here may do anything: it is taken to be run by the
provider, and to find as much as a prompt can hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scrimp.core.worst_seen import Advisor, Seen, ServerTool
from scrimp.core.worst_text import as_json, spelled_bytes
from scrimp.facts.model import Model
from scrimp.facts.tokenizers import builtin_tokens, token_factors

__all__ = ["count", "look_at_tools", "referred_tokens"]

_AROUND_TOOL = 100
_MOST_COUNT = 10**9
_MOST_DEFINITION = 2_000_000
"""Bytes beyond which it does not matter how many: no prompt is as long."""

_LIST, _OBJECT = (list, tuple), (dict, Mapping)
_CLIENT_TOOL = re.compile(r"(bash|text_editor|memory|(computer|browser)(_toolset)?)_\d{8}")
"""Types that the provider defines and the caller runs."""


def look_at_tools(seen: Seen, tools: Any, model: Model) -> None:
    """Take in the definitions of tools."""
    for tool in tools if isinstance(tools, _LIST) else ():
        if not isinstance(tool, _OBJECT):
            continue
        seen.added += _AROUND_TOOL
        if "cache_control" in tool:
            seen.mark(tool)
        kind = tool.get("type")
        if kind is None or kind == "custom" or not isinstance(kind, str):
            continue
        if kind == "mcp_toolset":
            seen.server_tools.append(ServerTool(kind, None, None))
            continue
        seen.added += _provided(kind, model)
        if kind.startswith("advisor_"):
            uses, most = count(tool, "max_uses"), count(tool, "max_tokens")
            seen.advisors.append(Advisor(str(tool.get("model", "")), uses, most))
            finds = None if most is None or uses is None else most * uses
            seen.server_tools.append(ServerTool(kind, uses, finds))
        elif not _CLIENT_TOOL.fullmatch(kind):
            seen.server_tools.append(_server_tool(kind, tool))


def referred_tokens(seen: Seen, tools: Any, model: Model) -> int:
    """Tokens of the definitions that are referred to, at most: each stands where it is, as often as that."""
    sizes: dict[str, int] = {}
    for tool in (*_objects(tools), *_objects(seen.inline)):
        kind = tool.get("type")
        provided = _provided(kind, model) if isinstance(kind, str) and kind != "custom" else 0
        encoded = as_json(tool)
        text = _MOST_DEFINITION if encoded is None else spelled_bytes(encoded, _MOST_DEFINITION)
        name = str(tool.get("name", ""))
        sizes[name] = max(sizes.get(name, 0), text + provided + _AROUND_TOOL)
    longest = max(sizes.values(), default=0)
    return sum(sizes.get(name, longest) for name in seen.referenced)


def count(source: Mapping[str, Any], name: str) -> int | None:
    """A number of a request, None where it is none; no number is absurdly large."""
    value = source.get(name)
    return min(value, _MOST_COUNT) if type(value) is int and value >= 0 else None


def _objects(tools: Any) -> list[Mapping[str, Any]]:
    return [tool for tool in (tools if isinstance(tools, _LIST) else ()) if isinstance(tool, _OBJECT)]


def _provided(kind: str, model: Model) -> int:
    # Twice what is published or was recorded: definitions change with their versions.
    return 2 * builtin_tokens(token_factors(model.tokenizer).builtin, kind)


def _server_tool(kind: str, tool: Mapping[str, Any]) -> ServerTool:
    uses, each = count(tool, "max_uses"), count(tool, "max_content_tokens")
    if kind.startswith("tool_search_tool_"):
        return ServerTool("tool_search", None, 0)
    if kind.startswith("web_search_"):
        return ServerTool("web_search", uses, None)
    bounded = kind.startswith("web_fetch_") and uses is not None and each is not None
    return ServerTool(kind, uses, uses * each if bounded and uses is not None and each is not None else None)
