"""What a caller puts into a layer, as content blocks: the same values give the same bytes.

Text becomes a text block, a content block stays one, any other JSON value becomes its JSON as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from scrimp.errors import RequestError

__all__ = ["Content", "content_blocks", "ordered_tools"]

Content: TypeAlias = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
"""Text, a content block, a JSON object, or several of them."""

_BLOCK_FIELDS = {
    "text": "text",
    "document": "source",
    "image": "source",
    "search_result": "source",
    "container_upload": "file_id",
}
"""Types of content blocks a prompt may hold, and the field by which a block is told from data like it."""


def content_blocks(name: str, content: Any, *, sort_keys: bool) -> list[dict[str, Any]]:
    """The blocks of one layer (of `Content`); raises `RequestError` naming the item that cannot be one."""
    if isinstance(content, str):
        return [_text(name, content)] if content else []
    if isinstance(content, Mapping):
        return [_block(name, content, sort_keys=sort_keys)]
    if not isinstance(content, Sequence) or isinstance(content, (bytes, bytearray)):
        raise RequestError(
            f"{name}: expected text, a content block, a JSON object, or a list of them, "
            f"found {type(content).__name__}"
        )
    return [_item(f"{name}.{number}", item, sort_keys=sort_keys) for number, item in enumerate(content)]


def ordered_tools(tools: Sequence[Any], *, sort_keys: bool) -> list[dict[str, Any]]:
    """Tool definitions by name, deferred ones last (they carry no marker); raises `RequestError`.

    An object with a `to_dict` method, as the SDK's decorated functions have, is asked for its definition.
    """
    if isinstance(tools, (str, Mapping)) or not isinstance(tools, Sequence):
        raise RequestError(f"tools: expected a list of definitions, found {type(tools).__name__}")
    found = [_tool(f"tools.{number}", tool, sort_keys=sort_keys) for number, tool in enumerate(tools)]
    names = [str(tool["name"]) for tool in found if "name" in tool]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"tools: two tools are named {name!r}; names must be unique")
    return sorted(found, key=_tool_order)


def _tool(where: str, tool: Any, *, sort_keys: bool) -> dict[str, Any]:
    if not isinstance(tool, Mapping) and callable(getattr(tool, "to_dict", None)):
        tool = tool.to_dict()
    if not isinstance(tool, Mapping):
        raise RequestError(f"{where}: expected a tool definition, found {type(tool).__name__}")
    _unmarked(where, tool)
    copied: dict[str, Any] = _copied(tool, sort_keys=sort_keys)
    return copied


def _tool_order(tool: Mapping[str, Any]) -> tuple[bool, str, str]:
    name = str(tool.get("name") or tool.get("mcp_server_name") or "")
    return bool(tool.get("defer_loading")), name, str(tool.get("type") or "")


def _item(where: str, item: Any, *, sort_keys: bool) -> dict[str, Any]:
    if isinstance(item, str):
        return _text(where, item)
    if isinstance(item, Mapping):
        return _block(where, item, sort_keys=sort_keys)
    raise RequestError(
        f"{where}: expected text, a content block or a JSON object, found {type(item).__name__}"
    )


def _text(where: str, text: str) -> dict[str, Any]:
    if not text.strip():
        raise RequestError(f"{where}: the text is empty; leave it out")
    return {"type": "text", "text": text}


def _block(where: str, value: Mapping[str, Any], *, sort_keys: bool) -> dict[str, Any]:
    field = _BLOCK_FIELDS.get(str(value.get("type")))
    if field is None or field not in value:
        return _text(where, _json(where, value, sort_keys=sort_keys))
    _unmarked(where, value)
    if field == "text":
        _text(where, str(value["text"]))
    copied: dict[str, Any] = _copied(value, sort_keys=sort_keys)
    return copied


def _unmarked(where: str, value: Mapping[str, Any]) -> None:
    if value.get("cache_control") is not None:
        raise RequestError(f"{where}: has a cache_control of its own; remove it, layers place the markers")


def _json(where: str, value: Mapping[str, Any], *, sort_keys: bool) -> str:
    try:
        return json.dumps(value, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{where}: not a JSON value ({error})") from None


def _copied(value: Any, *, sort_keys: bool) -> Any:
    """A copy of its own, so that a caller's later change of a list does not change the prompt."""
    if isinstance(value, Mapping):
        return dict(_pairs(value, sort_keys=sort_keys))
    if isinstance(value, (list, tuple)):
        return [_copied(item, sort_keys=sort_keys) for item in value]
    return value


def _pairs(value: Mapping[str, Any], *, sort_keys: bool) -> Iterator[tuple[str, Any]]:
    keys = sorted(value, key=str) if sort_keys else value
    for key in keys:
        yield key, _copied(value[key], sort_keys=sort_keys)
