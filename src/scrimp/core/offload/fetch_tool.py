"""The tool with which a model reads what was left out: its definition, and whether a request has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.wire.request import Body

__all__ = ["DEFINITION", "FETCH", "offers", "tools_of", "with_fetch"]

FETCH = "scrimp_fetch"
"""The tool's name."""

DEFINITION: Mapping[str, Any] = {
    "name": FETCH,
    "description": (
        "Reads what was left out of a tool result that was shortened. Such a result begins with its handle."
    ),
    "input_schema": {
        "type": "object",
        "properties": {
            "handle": {"type": "string"},
            "range": {
                "type": "string",
                "description": 'Lines of the full result, from 1: "120-180", or "chars 1-4000".',
            },
            "query": {"type": "string", "description": "Words to find; lines around the matches come back."},
        },
        "required": ["handle"],
    },
}
"""As it stands in `tools`, and in the prefix of conversations under way."""


def tools_of(body: Body) -> Sequence[Any]:
    """The tools of a request, none where there is no list of them."""
    tools = body.get("tools")
    return tools if isinstance(tools, (list, tuple)) else ()


def offers(body: Body) -> bool:
    """Whether a request has a tool of this name, whoever put it there."""
    return any(isinstance(tool, Mapping) and tool.get("name") == FETCH for tool in tools_of(body))


def with_fetch(body: Body) -> Body:
    """`body` with the tool behind all others; `body` itself where it is there already."""
    if offers(body):
        return body
    return {**body, "tools": [*tools_of(body), dict(DEFINITION)]}
