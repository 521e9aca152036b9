"""A streamed message put together again, as the same call without streaming would have returned it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.wire.events import Event
from scrimp.wire.loads import loads

__all__ = ["MessageBuilder"]

_APPENDED = {"text_delta": "text", "thinking_delta": "thinking", "compaction_delta": "content"}
"""Kind of delta → the field of its block that grows by it; the delta's own field has the same name."""

_SEALED = "encrypted_content"
"""What a summary brings beside its text, to be sent back as it is."""


class MessageBuilder:
    """Folds stream events into a message: `feed` each in order, then `message`.

    What a delta does not say in a known way is left out; a stream that broke off gives what had arrived.
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] | None = None
        self._inputs: dict[int, str] = {}

    def feed(self, event: Event) -> None:
        """Take in one event; raises `ResponseError` when it is not JSON."""
        match event.name:
            case "message_start":
                message = event.json().get("message")
                self._message = dict(message) if isinstance(message, Mapping) else {}
                self._message["content"] = []
            case "content_block_start" | "content_block_delta" | "content_block_stop" | "message_delta":
                if self._message is not None:
                    self._fold(event.name, event.json(), self._message)

    def message(self) -> dict[str, Any] | None:
        """The message so far; None before its start."""
        return self._message

    def _fold(self, name: str, body: Mapping[str, Any], message: dict[str, Any]) -> None:
        if name == "message_delta":
            message.update(_mapping(body.get("delta")))
            message["usage"] = {**_mapping(message.get("usage")), **_known(body.get("usage"))}
            return
        content: list[dict[str, Any]] = message["content"]
        index = body.get("index")
        if name == "content_block_start":
            content.append(dict(_mapping(body.get("content_block"))))
        elif isinstance(index, int) and index < len(content):
            if name == "content_block_delta":
                self._grow(index, content[index], _mapping(body.get("delta")))
            elif index in self._inputs:
                content[index]["input"] = _parsed(self._inputs.pop(index))

    def _grow(self, index: int, block: dict[str, Any], delta: Mapping[str, Any]) -> None:
        kind = str(delta.get("type"))
        field = _APPENDED.get(kind)
        if field is not None:
            if delta.get(field) is not None:
                block[field] = f"{block.get(field) or ''}{delta[field]}"
            if delta.get(_SEALED) is not None:
                block[_SEALED] = delta[_SEALED]
        elif kind == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + str(delta.get("partial_json") or "")
        elif kind == "signature_delta":
            block["signature"] = delta.get("signature")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]


def _parsed(text: str) -> Any:
    """The input of a tool; what is no JSON (a stream cut short) stays text."""
    try:
        return loads(text.encode()) if text else {}
    except ValueError:
        return text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _known(usage: Any) -> dict[str, Any]:
    """Counts of a `message_delta` overwrite those of the start, never add; what it leaves open stays."""
    return {key: value for key, value in _mapping(usage).items() if value is not None}
