"""How much of a model's window is left for an answer."""

from __future__ import annotations

from datetime import date

from scrimp.emulator.asked import Asked
from scrimp.emulator.refusals import Refusal, invalid

__all__ = ["room_for_answer"]

_ACCEPTS_OVERFLOW_FROM = date(2025, 9, 29)
"""Models from here on take a prompt and `max_tokens` that overflow the window together (since Claude 4.5)."""

_OVERFLOW_SLACK = 100
"""Older models took up to 55 tokens too many in recorded calls: the check before the call is not exact."""


def room_for_answer(asked: Asked, prompt_tokens: int) -> int | Refusal:
    """Tokens left for the answer in the model's window."""
    window = asked.model.window
    if prompt_tokens > window:
        return invalid(f"prompt is too long: {prompt_tokens} tokens > {window} maximum")
    wanted = int(asked.body.get("max_tokens") or 0)
    released = asked.model.released
    older = released is not None and released < _ACCEPTS_OVERFLOW_FROM
    if older and prompt_tokens + wanted > window + _OVERFLOW_SLACK:
        return invalid(
            f"input length and `max_tokens` exceed context limit: {prompt_tokens} + {wanted} > {window}, "
            "decrease input length or `max_tokens` and try again"
        )
    return window - prompt_tokens
