"""pydantic-ai's `Caching()`: tools, static instructions and the conversation, with its defaults.

The first system block is the agent's static instructions; what follows it is dynamic, as that of
`@agent.instructions` is.
"""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from typing import Any

import anthropic
import httpx2
from blocks import serve
from pydantic_ai.capabilities import Caching
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.tools import ToolDefinition

SENT: list[dict[str, Any]] = []
SETTINGS = {**(Caching().get_model_settings() or {}), "max_tokens": 8192}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def note(request: httpx2.Request) -> httpx2.Response:
    """Keep what is sent, and answer it."""
    SENT.append(json.loads(request.content))
    return httpx2.Response(200, json=ANSWER)


@lru_cache(maxsize=64)
def chat_model(name: str) -> AnthropicModel:
    """The model as pydantic-ai's users make it, on a transport that goes nowhere."""
    http = anthropic.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(note))
    client = anthropic.AsyncAnthropic(api_key="none", http_client=http, max_retries=0)
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))


def build(body: dict[str, Any]) -> dict[str, Any]:
    """`body` as an agent of pydantic-ai would send it."""
    system = body.get("system") or []
    texts = [system] if isinstance(system, str) else [block["text"] for block in system]
    parameters = ModelRequestParameters(
        function_tools=[
            ToolDefinition(
                name=tool["name"],
                description=tool.get("description"),
                parameters_json_schema=tool["input_schema"],
            )
            for tool in body.get("tools") or ()
        ],
        instruction_parts=[InstructionPart(text, dynamic=place > 0) for place, text in enumerate(texts)],
        allow_text_output=True,
    )
    SENT.clear()
    LOOP.run_until_complete(chat_model(body["model"]).request(history(body), SETTINGS, parameters))
    return SENT[0]


def history(body: dict[str, Any]) -> list[ModelMessage]:
    """The messages as pydantic-ai holds them."""
    names: dict[str, str] = {}
    found: list[ModelMessage] = []
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "assistant":
            names.update({block["id"]: block["name"] for block in blocks if block["type"] == "tool_use"})
            found.append(
                ModelResponse(parts=[answered(block) for block in blocks], provider_name="anthropic")
            )
        else:
            found.append(ModelRequest(parts=list(asked(blocks, names))))
    return found


def answered(block: dict[str, Any]) -> TextPart | ThinkingPart | ToolCallPart:
    """A block of an answer."""
    if block["type"] == "tool_use":
        return ToolCallPart(block["name"], block["input"], tool_call_id=block["id"])
    if block["type"] == "thinking":
        return ThinkingPart(block["thinking"], signature=block["signature"], provider_name="anthropic")
    return TextPart(block["text"])


def asked(blocks: list[dict[str, Any]], names: dict[str, str]) -> list[ToolReturnPart | UserPromptPart]:
    """The blocks of a user turn: results one by one, texts together as one prompt of several items."""
    results: list[ToolReturnPart | UserPromptPart] = [
        ToolReturnPart(names[block["tool_use_id"]], block["content"], tool_call_id=block["tool_use_id"])
        for block in blocks
        if block["type"] == "tool_result"
    ]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    return [*results, UserPromptPart(texts)] if texts else results


if __name__ == "__main__":
    LOOP = asyncio.new_event_loop()
    serve(build)
