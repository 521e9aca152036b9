"""Requests that the API surely refuses, and so bills nothing for: no budget is asked about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["surely_refused"]


def surely_refused(body: Mapping[str, Any]) -> str | None:
    """What the API says of a body without what every request needs, in its words; None: it may take it."""
    if type(body.get("model")) is str and type(body.get("messages")) is list:
        most = body.get("max_tokens")
        if type(most) is int and most >= 0:  # as in most requests
            return None
    for name in ("model", "max_tokens", "messages"):
        if name not in body and not (name == "messages" and body.get("thread")):
            return f"{name}: Field required"
    if not isinstance(body["model"], str):
        return "model: Input should be a valid string"
    if not isinstance(body.get("messages", []), list):
        return "messages: Input should be a valid list"
    most = body["max_tokens"]
    if most is None or isinstance(most, (list, dict)):
        return "max_tokens: Input should be a valid integer"
    negative = isinstance(most, int) and most < 0
    return "max_tokens: Input should be greater than or equal to 0" if negative else None
