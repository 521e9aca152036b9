"""Requests to the emulator's application without a socket, and bodies to send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scrimp.emulator import Emulator
from scrimp.wire.events import Event, SSEParser

HEADERS = {"x-api-key": "sk-test", "anthropic-version": "2023-06-01"}
MODEL = "claude-opus-5"


@dataclass
class Answered:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found

    @property
    def usage(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["usage"]
        return found

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["error"]
        return found

    @property
    def events(self) -> list[Event]:
        return SSEParser().feed(self.raw)


def call(emulator: Emulator, body: Any, path: str = "/v1/messages", **headers: str) -> Answered:
    """POST `body`; header names are given with underscores."""
    return asyncio.run(acall(emulator, body, path, **headers))


async def acall(emulator: Emulator, body: Any, path: str = "/v1/messages", **headers: str) -> Answered:
    """The same inside a running loop."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await request(emulator, "POST", path, raw, {**HEADERS, **named})


def get(emulator: Emulator, path: str) -> Answered:
    """GET `path`."""
    return asyncio.run(request(emulator, "GET", path, b"", HEADERS))


async def request(
    emulator: Emulator, method: str, path: str, raw: bytes, headers: Mapping[str, str]
) -> Answered:
    """One request, as a server would hand it to the application."""
    sent: list[Any] = []
    pending = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> Any:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": plain,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }
    await emulator.app(scope, receive, send)
    return Answered(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
        raw=b"".join(message["body"] for message in sent[1:]),
    )


def user(*content: Any) -> dict[str, Any]:
    """A user message of a text, or of blocks."""
    whole = len(content) == 1 and isinstance(content[0], str)
    return {"role": "user", "content": content[0] if whole else list(content)}


def body(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A small valid request."""
    return {"model": MODEL, "max_tokens": 100, "messages": list(messages) or [user("hi")], **fields}
