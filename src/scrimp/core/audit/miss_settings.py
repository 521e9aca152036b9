"""Lines to copy that prevent a cause of misses, beside the sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping

from scrimp.core.causes import Cause

__all__ = ["MISS_SETTINGS"]

_APPENDED = 'messages = [*messages, {"role": "user", "content": what_changed}]'
_SCRIMP = "client = anthropic.Anthropic(middleware=[scrimp.Middleware()])"

MISS_SETTINGS: Mapping[str, str] = {
    Cause.TIMESTAMP: 'messages[-1]["content"] += f"\\nIt is {now}."',
    Cause.KEY_ORDER: "text = json.dumps(value, sort_keys=True)",
    Cause.TOOLS_CHANGED: "client.messages.create(..., tools=TOOLS)  # one list for all calls",
    Cause.TOOL_ORDER: 'tools = sorted(tools, key=lambda tool: tool["name"])',
    Cause.TOOL_EDITED: _APPENDED,
    Cause.SYSTEM_EDITED: _APPENDED,
    Cause.MESSAGE_EDITED: _APPENDED,
    Cause.SHORTENED: "messages = scrimp.trim(messages, model=model, trigger=100_000, keep=50_000)",
    Cause.CLEARED: '"clear_at_least": {"type": "input_tokens", "value": 20000}',
    Cause.RESUMED: "claude  # a new session, in place of claude --resume",
    Cause.SPEED_SWITCH: 'client.beta.messages.create(..., speed="standard")  # on all calls',
    Cause.EFFORT_SWITCH: "export CLAUDE_CODE_EFFORT_LEVEL=high\n"
    'client.messages.create(..., output_config={"effort": "high"})  # on all calls',
    Cause.THINKING_SWITCH: 'client.messages.create(..., thinking={"type": "adaptive"})  # on all calls',
    Cause.TOOL_CHOICE_SWITCH: 'client.messages.create(..., tool_choice={"type": "auto"})  # on all calls',
    Cause.FORMAT_SWITCH: 'client.messages.create(..., output_config={"format": FORMAT})  # on all calls',
    Cause.MODEL_SWITCH: "client.messages.create(..., model=MODEL)  # one for the whole conversation",
    Cause.EXPIRED: 'export ENABLE_PROMPT_CACHING_1H=1\n"cache_control": {"type": "ephemeral", "ttl": "1h"}',
    Cause.LOOKBACK: _SCRIMP,
    Cause.NO_MARKER: _SCRIMP,
    Cause.CONCURRENT: "results = scrimp.fanout(client, requests)",
    Cause.UNCACHED: 'extra_body={"provider": {"order": ["anthropic"]}}  # of a router: OpenRouter\'s form',
}
"""By cause; causes that no line prevents are left out."""
