"""An emulator whose prompts have round lengths, so that every bill can be worked out by hand."""

from __future__ import annotations

from typing import Any

import anthropic

from scrimp.emulator import Answer, Clock, Emulator, PromptLength, text

MODEL = "claude-sonnet-5-5"
"""Per million tokens: input $2, 5m write $2.50, 1h write $4, read $0.10, output $10 (price page)."""

NOW = 1_795_000_000.0  # 2026-11-18


def thousands(prompt: Any, body: Any, model: Any, name: str) -> PromptLength:
    """A thousand tokens a block."""
    ends = [1000 * (at + 1) for at in range(len(prompt))]
    return PromptLength(ends, ends[-1])


def round_emulator() -> Emulator:
    """A thousand tokens a block, a hundred of output a call, and a clock that stands still."""
    said = Answer([text("Yes.")], output_tokens=100)
    return Emulator([said], clock=Clock(NOW), measure=thousands)


def ask(emulator: Emulator, *questions: str, mark: bool = True, **changes: Any) -> None:
    """One call with a system prompt (marked) and a message for each question."""
    system: dict[str, Any] = {"type": "text", "text": "Answer in one word."}
    if mark:
        system["cache_control"] = {"type": "ephemeral"}
    turns = [{"role": "user", "content": question} for question in questions]
    body: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 200,
        "system": [system],
        "messages": turns,
        **changes,
    }
    with anthropic.Anthropic(base_url=emulator.url, api_key="any") as client:
        client.messages.create(**body)
