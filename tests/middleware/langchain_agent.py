"""An agent loop of langchain-anthropic with one tool, run in the interpreter of an environment that has it.

    python tests/middleware/langchain_agent.py BASE_URL

ChatAnthropic makes its SDK clients itself and takes none, so nothing stands between it and the API.
Prints one line of JSON: what the agent said and counted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool

MODEL = "claude-haiku-4-5"
SYSTEM = "You are a careful assistant. " * 900
CALLED: list[str] = []


@tool
def list_files(folder: str) -> str:
    """List the files of a folder."""
    CALLED.append(folder)
    return f"{folder}: a.py b.py"


def added(chunks: list[AIMessageChunk]) -> AIMessage:
    """The message that the chunks of a stream add up to."""
    whole, *rest = chunks
    for chunk in rest:
        whole = whole + chunk
    return whole


async def answer(model: Any, way: str, messages: list[BaseMessage]) -> AIMessage:
    """One call of the model, in one of the four ways to make it."""
    match way:
        case "invoke":
            return model.invoke(messages)
        case "stream":
            return added(list(model.stream(messages)))
        case "ainvoke":
            return await model.ainvoke(messages)
        case _:
            return added([chunk async for chunk in model.astream(messages)])


async def main(url: str) -> None:
    """Four turns, each until the agent calls no more tools."""
    model = ChatAnthropic(model=MODEL, api_key="key-peer", base_url=url, max_tokens=256, max_retries=2)
    bound = model.bind_tools([list_files])
    messages: list[BaseMessage] = [SystemMessage(SYSTEM)]
    answers, usages = [], []
    for way in ("invoke", "stream", "ainvoke", "astream"):
        messages.append(HumanMessage("Look around."))
        while True:
            said = await answer(bound, way, messages)
            usages.append(said.usage_metadata or {})
            messages.append(said)
            if not said.tool_calls:
                break
            messages += [list_files.invoke(call) for call in said.tool_calls]
        answers.append(said.text)
    found = {
        "answers": answers,
        "called": CALLED,
        "requests": len(usages),
        "input": sum(usage["input_tokens"] for usage in usages),
        "output": sum(usage["output_tokens"] for usage in usages),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
