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
        "Reads what was left out of a shortened tool result, by its handle: a range of its lines "
        '("120-180", or "chars 1-4000"), or lines around the words of a query.'
    ),
    "input_schema": {
        "type": "object",
        "properties": {
            "handle": {"type": "string"},
            "range": {"type": "string"},
            "query": {"type": "string"},
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
