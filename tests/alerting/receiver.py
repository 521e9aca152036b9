"""A real HTTP server that takes webhooks in and answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.patience import eventually


@dataclass
class Delivery:
    """One POST as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        """The body as values."""
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """Answers `statuses` one after the other, the last of them for good; `delay` seconds late."""

    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float | None = None
    url: str = ""
    got: list[Delivery] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def wait_for(self, count: int) -> list[Delivery]:
        """The deliveries once there are `count`."""
        eventually(lambda: len(self.got) >= count)
        return self.got


@contextmanager
def receiving(**how: Any) -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Delivery(self.path, headers, body, time.monotonic()))
            receiver.gate.wait()
            time.sleep(receiver.delay)
            if receiver.drip is not None:
                self._drip(receiver.drip)
                return
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_CONNECT(self) -> None:
            receiver.got.append(Delivery(f"CONNECT {self.path}", {}, b"", time.monotonic()))
            self.send_error(502)

        def _drip(self, pause: float) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nx-long: " + 5_000 * b"x":
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return
                time.sleep(pause)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/alerts"
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
