"""langchain-anthropic's prompt caching middleware, as LangChain's agents run it, with its defaults."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

from blocks import serve
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

MIDDLEWARE = AnthropicPromptCachingMiddleware()


@lru_cache(maxsize=64)
def chat_model(name: str) -> ChatAnthropic:
    """The model as LangChain users make it."""
    return ChatAnthropic(model=name, api_key="none", max_tokens=8192)


def build(body: dict[str, Any]) -> dict[str, Any]:
    """`body` as an agent of LangChain would send it."""
    payloads: list[dict[str, Any]] = []

    def call_model(request: ModelRequest[Any]) -> ModelResponse[Any]:
        """The last step of an agent's model node: bind the tools and the settings, then send."""
        if request.tools:
            bound = request.model.bind_tools(request.tools, tool_choice=None, **request.model_settings)
        else:
            bound = request.model.bind(**request.model_settings)
        messages = [*([request.system_message] if request.system_message else []), *request.messages]
        payload = bound.bound._get_request_payload(messages, **bound.kwargs)  # noqa: SLF001  # what it sends
        payloads.append(payload)
        return ModelResponse(result=[])

    system = body.get("system")
    MIDDLEWARE.wrap_model_call(
        ModelRequest(
            model=chat_model(body["model"]),
            messages=[said for message in body["messages"] for said in native(message)],
            system_message=SystemMessage(content=system) if system else None,
            tools=[native_tool(tool) for tool in body.get("tools") or ()],
        ),
        call_model,
    )
    return payloads[0]


def native(message: dict[str, Any]) -> list[AnyMessage]:
    """A message as LangChain holds it: each tool result is a message of its own."""
    content = message["content"]
    if message["role"] == "assistant":
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        calls = [
            {"name": block["name"], "args": block["input"], "id": block["id"], "type": "tool_call"}
            for block in blocks
            if block["type"] == "tool_use"
        ]
        return [AIMessage(content=blocks, tool_calls=calls)]
    if isinstance(content, str):
        return [HumanMessage(content=content)]
    results = [block for block in content if block["type"] == "tool_result"]
    rest = [block for block in content if block["type"] != "tool_result"]
    said: list[AnyMessage] = [
        ToolMessage(content=block["content"], tool_call_id=block["tool_use_id"]) for block in results
    ]
    return [*said, HumanMessage(content=rest)] if rest else said


def native_tool(tool: dict[str, Any]) -> BaseTool:
    """A tool as LangChain holds it."""
    return StructuredTool(
        name=tool["name"],
        description=tool.get("description") or tool["name"],
        args_schema=tool["input_schema"],
        func=lambda **_: "",
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(build)
