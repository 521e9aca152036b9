"""The gateway under any ASGI server: all it needs is a scope, and messages both ways."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from scrimp.emulator import Emulator
from scrimp.gateway.parts import Parts, Stores
from scrimp.gateway.upstream import Way
from scrimp.stores.memory import MemoryLedger
from tests.gateway.doors import ask, encoded, settings_for

HEADERS = [
    (b"x-api-key", b"sk-test"),
    (b"content-type", b"application/json"),
    (b"anthropic-version", b"2023-06-01"),
]


class Server:
    """What an ASGI server does for one request; `parts` are those of the body, None: the client leaves."""

    def __init__(self, method: str, path: str, *parts: bytes | None) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": HEADERS,
        }
        self._parts = list(parts)
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        part = self._parts.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self._parts)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        [start] = [one for one in self.sent if one["type"] == "http.response.start"]
        assert self.sent[0] is start
        return int(start["status"])

    @property
    def body(self) -> bytes:
        assert [one.get("more_body", False) for one in self.sent[1:]] == [True] * (len(self.sent) - 2) + [
            False
        ]
        return b"".join(one["body"] for one in self.sent[1:])


def served(request: Server) -> MemoryLedger:
    """Serve it in front of an emulator, and return what was written down."""
    ledger = MemoryLedger()

    async def serve(url: str) -> None:
        parts = Parts(settings_for(url, {}), {}, stores=Stores(ledger=ledger, learned=False))
        way = Way(connect_seconds=5.0)
        await parts.app(way)(request.scope, request.receive, request.send)
        await way.close()
        assert parts.under_way() == 0

    with Emulator() as emulator:
        asyncio.run(serve(emulator.url))
    return ledger


def test_a_call_is_answered_and_written_down() -> None:
    body = encoded(ask())
    request = Server("POST", "/v1/messages", body[:100], body[100:])
    [record] = served(request).records()
    assert request.status == 200
    assert record.outcome == "complete"
    assert json.loads(request.body)["id"] == record.message_id


def test_a_stream_is_passed_on() -> None:
    request = Server("POST", "/v1/messages", encoded(ask(stream=True)))
    [record] = served(request).records()
    assert record.outcome == "complete"
    assert request.body.endswith(b'"message_stop"}\n\n')


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/healthz", 200), ("GET", "/v1/messages", 405)]
)
def test_pages_and_refusals_are_answered(method: str, path: str, status: int) -> None:
    request = Server(method, path, b"")
    served(request)
    assert request.status == status
    assert request.body


def test_nothing_is_said_to_a_client_that_leaves() -> None:
    request = Server("POST", "/v1/messages", encoded(ask())[:50], None)
    assert list(served(request).records()) == []
    assert request.sent == []
