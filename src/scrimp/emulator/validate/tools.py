"""Tool definitions and how they are to be used."""

from __future__ import annotations

import re
from typing import Any

from scrimp.emulator.asked import Asked
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.validate.shape import content_blocks

__all__ = ["choice", "definitions", "references"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def definitions(asked: Asked) -> Refusal | None:
    """The caller's own tools have a name of their own and a schema; not all may be deferred."""
    tools = _tools(asked)
    names: set[object] = set()
    for index, tool in enumerate(tools):
        problem = _problem(tool)
        if problem is not None:
            return invalid(f"tools.{index}{problem}")
        name = tool.get("name")
        if name is not None and name in names:
            return invalid("tools: Tool names must be unique.")
        names.add(name)
    if tools and all(tool.get("defer_loading") is True for tool in tools):
        return invalid("At least one tool must have defer_loading=false. All tools cannot be deferred.")
    return None


def choice(asked: Asked) -> Refusal | None:
    """Forced use needs a model that lets itself be forced, and the tool."""
    wanted = asked.part("tool_choice")
    kind = wanted.get("type")
    if kind not in ("any", "tool"):
        return None
    if not asked.model.features.forced_tool_choice:
        return invalid(f"tool_choice: type '{kind}' is not supported on this model")
    if asked.part("thinking").get("type") == "enabled":
        return invalid("Thinking may not be enabled when tool_choice forces tool use.")
    names = {tool.get("name") for tool in _tools(asked)}
    if kind == "tool" and wanted.get("name") not in names and not asked.body.get("mcp_servers"):
        return invalid(f"Tool '{wanted.get('name')}' not found in provided tools")
    return None


def references(asked: Asked) -> Refusal | None:
    """Tools that a search of the caller's own found are among those given."""
    names = {tool.get("name") for tool in _tools(asked)}
    for path, block in content_blocks(asked.body):
        if block["type"] == "tool_reference" and ".content." in path and block.get("tool_name") not in names:
            return invalid(f"Tool reference '{block.get('tool_name')}' not found in available tools")
    return None


def _tools(asked: Asked) -> list[dict[str, Any]]:
    return [tool if isinstance(tool, dict) else {} for tool in asked.body.get("tools") or ()]


def _problem(tool: dict[str, Any]) -> str | None:
    if tool.get("type") not in (None, "custom"):
        return None
    for name in ("name", "input_schema"):
        if name not in tool:
            return f".custom.{name}: Field required"
    if not isinstance(tool["name"], str) or not _NAME.fullmatch(tool["name"]):
        return ".custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
    return _schema_problem(tool["input_schema"])


def _schema_problem(schema: Any) -> str | None:
    if not isinstance(schema, dict):
        return ".custom.input_schema: Input should be a valid dictionary"
    if "type" not in schema:
        return ".custom.input_schema.type: Field required"
    return None if schema["type"] == "object" else ".custom.input_schema.type: Input should be 'object'"
