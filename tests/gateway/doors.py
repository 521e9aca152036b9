"""A gateway in front of the emulator, and a raw HTTP client that sees every byte."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

import anthropic

from scrimp.core.record import Record
from scrimp.emulator import Emulator
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Limits, Serve, Settings, Timeouts, Upstream
from scrimp.stores.keys import Key
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from tests.patience import PATIENCE, eventually

MODEL = "claude-haiku-4-5"
SYSTEM = "You are a careful assistant. " * 900
PROMPT = "the quick brown fox keeps a secret"
ENDLESS = "word " * 20_000
"""A reply of two thousand events: where they are slow, it goes on for longer than any test waits."""


class KeyRing:
    """Virtual keys without a file."""

    def __init__(self, **keys: Key) -> None:
        self.keys = {f"scrimp-{secret}": key for secret, key in keys.items()}

    def find(self, secret: str) -> Key | None:
        return self.keys.get(secret)


class Door:
    """A gateway with what stands behind it."""

    def __init__(
        self, gateway: Gateway, ledger: MemoryLedger, emulator: Emulator, clients: ExitStack
    ) -> None:
        self.gateway = gateway
        self.ledger = ledger
        self.emulator = emulator
        self.url = gateway.url
        self._clients = clients

    def sdk(self, **options: Any) -> anthropic.Anthropic:
        """The official SDK, with only its base URL set; closed with the gateway at the latest."""
        client = anthropic.Anthropic(**{"base_url": self.url, "api_key": "sk-test", **options})
        self._clients.callback(client.close)
        return client

    def records(self, count: int | None = None) -> list[Record]:
        """The ledger's records, once there are `count` of them."""
        if count is not None:
            eventually(lambda: len(list(self.ledger.records())) >= count)
        return list(self.ledger.records())

    def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answered:
        """One request, byte for byte; header names are given with underscores."""
        return raw(self.gateway.port, method, path, body, **headers)


@contextmanager
def door(emulator: Emulator | None = None, **options: Any) -> Iterator[Door]:
    """A gateway before `emulator` (its own by default). `limits`, `timeouts`, `serve` and
    `tables` are settings; `upstream` is another address to send to;
    `keys`, `upstream_keys`, `listeners`, `run`, `ledger` go to the gateway."""
    own = emulator or Emulator()
    with own:
        settings = settings_for(options.pop("upstream", own.url), options)
        ledger: Ledger = options.pop("ledger", None) or MemoryLedger()
        stores = Stores(keys=options.pop("keys", None), ledger=ledger, learned=False)
        with ExitStack() as clients, Gateway(settings, stores=stores, **options) as gateway:
            yield Door(gateway, ledger, own, clients)  # type: ignore[arg-type]  # tests read it as what it is


def settings_for(url: str, options: dict[str, Any]) -> Settings:
    """Settings whose upstream is at `url`; takes `serve`, `limits`, `timeouts` and other `tables` out of
    `options`."""
    return Settings(
        serve=Serve(port=0, **options.pop("serve", {})),
        limits=Limits(**options.pop("limits", {})),
        timeouts=Timeouts(**options.pop("timeouts", {})),
        budgets=options.pop("budgets", ()),
        upstreams={"anthropic": Upstream(base_url=url)},
        **options.pop("tables", {}),
    )


class FixedUpstream(NamedTuple):
    """Where it is, and what it waits for before it says the rest."""

    url: str
    may_go_on: threading.Event


@contextmanager
def fixed_upstream(head: bytes, *chunks: bytes, then: Sequence[bytes] = ()) -> Iterator[FixedUpstream]:
    """An upstream that answers its only request with these chunks, and goes on with `then` once told to."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = FixedUpstream(f"http://127.0.0.1:{listening.getsockname()[1]}", threading.Event())

        def serve() -> None:
            line, _ = listening.accept()
            with line, suppress(ConnectionError):
                line.recv(2**20)
                line.sendall(head + _chunked(chunks))
                found.may_go_on.wait()
                line.sendall(_chunked(then))
                over.wait()

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            yield found
        finally:
            found.may_go_on.set()
            over.set()
            server.join(PATIENCE)


def _chunked(chunks: Sequence[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def ask(question: str = "Hello.", **more: Any) -> dict[str, Any]:
    """A request with a prompt worth caching."""
    messages = [{"role": "user", "content": question}]
    return {"model": MODEL, "max_tokens": 64, "system": SYSTEM, "messages": messages, **more}


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as bytes."""
    return json.dumps(body).encode()


class Answered:
    """An HTTP answer as it came over the wire."""

    def __init__(self, wire: bytes) -> None:
        head, _, rest = wire.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.status = int(lines[0].split()[1]) if wire else 0
        named = (line.partition(b": ") for line in lines[1:])
        self.headers = {name.decode().lower(): value.decode() for name, _, value in named}
        chunked = self.headers.get("transfer-encoding") == "chunked"
        self.body, self.whole = _unchunked(rest) if chunked else (rest, True)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a body in the provider's shape."""
        said = json.loads(self.body)
        assert said["type"] == "error"
        assert said["request_id"] == self.headers["request-id"]
        found: dict[str, Any] = said["error"]
        return found


def request_bytes(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as it goes over the wire, whose answer ends with the connection."""
    said = {
        "host": "gateway",
        "x-api-key": "sk-test",
        "anthropic-version": "2023-06-01",
        "connection": "close",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def raw(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> Answered:
    """Send one request and read until the connection ends."""
    return Answered(talk(port, request_bytes(method, path, body, **headers)))


def talk(port: int, data: bytes) -> bytes:
    """Send bytes, and read until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        line.sendall(data)
        parts = []
        while part := line.recv(65536):
            parts.append(part)
        return b"".join(parts)


def _unchunked(rest: bytes) -> tuple[bytes, bool]:
    parts = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            return b"".join(parts), True
        parts.append(rest[:count])
        rest = rest[count + 2 :]
    return b"".join(parts), False
