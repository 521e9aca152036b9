"""Conversations the API holds between turns ("Message threads"): what to continue, and for how long."""

from __future__ import annotations

from typing import Any

import msgspec

from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.replies import Block

__all__ = ["Threads"]

_KEPT_SECONDS = 300
_KEPT_TURNS = 10_000
_FIXED = ("model", "system", "tools")
"""Fields that hold for the whole thread; `continue` may repeat them but not change them."""


class _Turn(msgspec.Struct):
    body: dict[str, Any]
    content: list[Block]
    used_at: float
    continued: bool = False
    in_flight: bool = False


class Threads:
    """The held conversations of one workspace, by the id of their last answer."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    def whole(self, body: dict[str, Any], now: float) -> dict[str, Any] | Refusal:
        """The request with the conversation it continues in front; others are returned as they are."""
        thread = body.get("thread")
        if not isinstance(thread, dict) or thread.get("type") == "create":
            return body
        if thread.get("type") != "continue" or not isinstance(body.get("messages"), list):
            return invalid("thread.type: Input should be 'create' or 'continue'")
        turn = self._turns.get(str(thread.get("previous_message_id")))
        if turn is None or now >= turn.used_at + _KEPT_SECONDS:
            return _refused(404, "thread_not_found", "the thread was not found or has expired")
        objection = _objection(turn, body)
        if objection is not None:
            return objection
        turn.used_at = now
        held = {name: turn.body[name] for name in _FIXED if name in turn.body}
        answered = {"role": "assistant", "content": turn.content}
        history = [*turn.body["messages"], *([answered] if turn.content else [])]
        return {**held, **body, "messages": [*_unmarked(history), *body["messages"]]}

    def begin(self, body: dict[str, Any]) -> None:
        """A continuation is being answered."""
        turn = self._continued(body)
        if turn is not None:
            turn.in_flight = True

    def end(self, body: dict[str, Any], *, answered: bool) -> None:
        """A continuation was answered, or failed and may be tried again."""
        turn = self._continued(body)
        if turn is not None:
            turn.in_flight = False
            turn.continued = turn.continued or answered

    def hold(self, message_id: str, body: dict[str, Any], content: list[Block], now: float) -> None:
        """Keep an answered turn under its answer's id, where the request asked for a thread."""
        if isinstance(body.get("thread"), dict):
            self._turns[message_id] = _Turn(body, content, now)
            if len(self._turns) > _KEPT_TURNS:
                del self._turns[next(iter(self._turns))]

    def _continued(self, body: dict[str, Any]) -> _Turn | None:
        thread = body.get("thread")
        previous = thread.get("previous_message_id") if isinstance(thread, dict) else None
        return self._turns.get(str(previous))


def _objection(turn: _Turn, body: dict[str, Any]) -> Refusal | None:
    """Why a held turn cannot be continued by `body`."""
    if turn.in_flight:
        return _refused(400, "thread_continue_in_flight", "another request is continuing from this message")
    if turn.continued:
        return _refused(400, "thread_already_continued", "this message has already been continued")
    changed = [name for name in _FIXED if name in body and body[name] != turn.body.get(name)]
    if changed:
        return _refused(400, "thread_fingerprint_mismatch", f"{', '.join(changed)} cannot change")
    return None


def _refused(status: int, code: str, why: str) -> Refusal:
    return Refusal(status, f"thread: {why}", details={"error_code": code})


def _unmarked(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Held messages without their markers: each was set for the turn that sent it."""
    return [
        {**message, "content": [_without_marker(block) for block in message["content"]]}
        if isinstance(message["content"], list)
        else message
        for message in messages
    ]


def _without_marker(block: dict[str, Any]) -> dict[str, Any]:
    inner = block.get("content")
    kept = {name: value for name, value in block.items() if name != "cache_control"}
    if block.get("type") == "tool_result" and isinstance(inner, list):
        kept["content"] = [_without_marker(part) for part in inner]
    return kept
