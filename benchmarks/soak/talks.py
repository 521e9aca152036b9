"""Requests of ever new conversations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

__all__ = ["STEPS", "Request", "Talks"]

STEPS = 6
"""Calls of a conversation."""

_LARGE, _SMALL = "claude-haiku-4-5", "claude-sonnet-4-5"
_TEXT = "You are a careful assistant. "
_ENOUGH = {_LARGE: 900, _SMALL: 220}
"""How often the text stands in a system prompt, for a prompt just long enough for the cache."""

_LONG = 40
"""Messages that came before, in the long ones."""

_KINDS = ("large", "own", "long", "short", "large", "own", "short", "short")
"""Five in eight are long enough for the cache."""

_STRANGERS = 10_000
"""Conversations that come first: single calls, each with a prompt and an agent of its own. What is remembered
of kinds of agents would take long to fill with conversations that go on."""

_UNKNOWN = 16
"""One conversation in so many asks for a model of its own that nobody knows: what is kept of names shows."""


class Request:
    """A body, and the headers that tag it."""

    __slots__ = ("body", "headers")

    def __init__(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        self.body = body
        self.headers = headers

    @property
    def raw(self) -> bytes:
        """The body as bytes."""
        return json.dumps(self.body).encode()


class Talks:
    """Conversations, each with a number that no other has.

    Some share a large system prompt, some have one and a kind of agent of their own, some a long history;
    some are too short for the cache, and some ask for models that do not exist. One in two has a session of
    Claude Code.
    """

    def __init__(self) -> None:
        self._numbers = count()

    def next(self) -> Iterator[Request]:
        """The steps of a new conversation."""
        number = next(self._numbers)
        stranger = number < _STRANGERS
        kind = "own" if stranger else _KINDS[number % len(_KINDS)]
        model = _LARGE if kind == "large" else _SMALL
        system, headers = _TEXT * (1 if kind == "short" else _ENOUGH[model]), {}
        if kind == "own":
            system = f"Agent {number}. {system}"
            headers["x-scrimp-agent"] = f"agent-{number}"
        fixed: dict[str, Any] = {"model": model, "max_tokens": 64, "system": system}
        if stranger or number % 2:
            fixed["metadata"] = {"user_id": json.dumps({"session_id": f"session-{number}"})}
        unknown = number % _UNKNOWN == _UNKNOWN - 1
        if unknown:
            fixed["model"] = f"claude-unheard-of-{number}"
        before = _LONG if kind == "long" else 0
        for step in range(1 if stranger or unknown else STEPS):
            yield Request({**fixed, "messages": _messages(number, before + 2 * step + 1)}, headers)


def _messages(number: int, length: int) -> list[dict[str, str]]:
    return [
        {"role": "assistant" if n % 2 else "user", "content": f"conversation {number}, turn {n}"}
        for n in range(length)
    ]
