"""LiteLLM's injection hook on its own route for Messages bodies: system and last message.

The two points are those that LiteLLM itself injects when automatic prompt caching is switched on.
"""

from __future__ import annotations

from typing import Any

from blocks import serve
from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook

POINTS = [{"location": "message", "role": "system"}, {"location": "message", "index": -1}]


def build(body: dict[str, Any]) -> dict[str, Any]:
    """`body` as LiteLLM would send it."""
    messages, system = AnthropicCacheControlHook.maybe_inject_cache_control(
        messages=body["messages"],
        system=body.get("system"),
        kwargs={"cache_control_injection_points": [dict(point) for point in POINTS]},
        model=body["model"],
        custom_llm_provider="anthropic",
        tools=body.get("tools"),
    )
    return {**body, "messages": messages, "system": system}


if __name__ == "__main__":
    serve(build)
