"""Clients of other clouds go on working with the middleware in them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.stores.memory import MemoryLedger

MESSAGE = {
    "id": "msg_cloud",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}


class Cloud(BaseHTTPRequestHandler):
    """Answers every POST with one message, in one write, and remembers what it was sent."""

    seen: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, body))
        answer = json.dumps(MESSAGE).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        self.wfile.write(head.encode() + answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture
def cloud() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """A base URL and what arrives there."""
    Cloud.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Cloud.seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_vertex(cloud: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    url, seen = cloud
    ledger = MemoryLedger()
    client = anthropic.AnthropicVertex(
        region="us-east5",
        project_id="p",
        access_token="token",
        base_url=url,
        middleware=[scrimp.Middleware(ledger=ledger)],
    )
    with client:
        message = client.messages.create(
            model="claude-sonnet-4-5@20250929",
            max_tokens=10,
            system="You are an agent. " * 800,
            messages=[{"role": "user", "content": "hi"}],
        )
    assert message.content
    ((path, body),) = seen
    assert path.endswith("claude-sonnet-4-5@20250929:rawPredict")
    assert "model" not in body
    ledger.flush()
    (record,) = ledger.records()
    # Sonnet 4.5 at 3 and 15 USD per million.
    assert record.cost == 10 * 3_000_000 + 5 * 15_000_000


def test_bedrock(cloud: tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    url, seen = cloud
    ledger = MemoryLedger()
    client = anthropic.AnthropicBedrock(
        api_key="bearer",
        aws_region="us-east-1",
        base_url=url,
        middleware=[scrimp.Middleware(ledger=ledger)],
    )
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    with client:
        message = client.messages.create(
            model=model,
            max_tokens=10,
            system="You are an agent. " * 800,
            messages=[{"role": "user", "content": "hi"}],
        )
    assert message.content
    ((path, body),) = seen
    assert path.startswith("/model/")
    assert path.endswith("/invoke")
    assert "model" not in body
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    ledger.flush()
    (record,) = ledger.records()
    assert record.model == "claude-sonnet-4-5"
    # A regional endpoint costs a tenth more: 3.30 and 16.50 USD per million.
    assert record.cost == 10 * 3_300_000 + 5 * 16_500_000
