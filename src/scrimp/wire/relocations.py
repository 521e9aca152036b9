"""System text moved elsewhere in a request; every other field and object stays the caller's own.

A text moved behind the system prompt is a last system block of its own. A text moved into the conversation is
a message of the role `system` ("Mid-conversation system messages"): it follows a user message and is the last
one, or followed by an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.wire.request import BILLING_HEADER, Body

__all__ = [
    "system_texts",
    "takes_system_message",
    "with_system_messages",
    "with_system_split",
]

_OBJECT = (dict, Mapping)


def system_texts(body: Body) -> list[str] | None:
    """The text of each system block; None without a system prompt, or where it is more than text."""
    system = body.get("system")
    if isinstance(system, str):
        return [system] if system else None
    if not isinstance(system, list) or not system:
        return None
    texts = [_text_of(block) for block in system]
    found = [text for text in texts if text is not None and not text.startswith(BILLING_HEADER)]
    return found if len(found) == len(texts) else None


def with_system_split(body: Body, stable: Sequence[str], moved: str | None) -> Body:
    """`body` with only the stable part of each system block's text, and `moved` as a last block.

    A block of which nothing is left goes; its marker passes to the block before it, unless that has its own.
    """
    system = body["system"]
    if isinstance(system, str):
        if moved is None:
            return {**body, "system": stable[0]}
        return {**body, "system": [{"type": "text", "text": text} for text in (stable[0], moved)]}
    kept: list[Any] = []
    for block, text in zip(system, stable, strict=True):
        if text.strip():
            kept.append(block if text == block["text"] else {**block, "text": text})
        elif kept and block.get("cache_control") is not None and kept[-1].get("cache_control") is None:
            kept[-1] = {**kept[-1], "cache_control": block["cache_control"]}
    if moved is not None:
        kept.append({"type": "text", "text": moved})
    return {**body, "system": kept}


def with_system_messages(body: Body, texts: Mapping[int, str]) -> Body:
    """`body` with a system message behind each message whose index is in `texts`."""
    messages: list[Any] = []
    for index, message in enumerate(body["messages"]):
        messages.append(message)
        if index in texts:
            messages.append({"role": "system", "content": [{"type": "text", "text": texts[index]}]})
    return {**body, "messages": messages}


def takes_system_message(messages: Sequence[Any], index: int) -> bool:
    """Whether a system message may stand behind message `index`: a user's, and the last or answered."""
    if _role(messages[index]) != "user":
        return False
    return index + 1 == len(messages) or _role(messages[index + 1]) == "assistant"


def _role(message: Any) -> str:
    return str(message.get("role", "")) if isinstance(message, _OBJECT) else ""


def _text_of(block: Any) -> str | None:
    if not isinstance(block, dict) or block.get("type") != "text":
        return None
    text = block.get("text")
    return text if isinstance(text, str) else None
