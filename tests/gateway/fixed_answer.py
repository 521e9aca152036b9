"""An upstream that gives every request the same bytes, part by part."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, cast

__all__ = ["Answered", "FixedAnswer", "ask", "chunked", "fixed_answer", "whole"]

_PAUSE = 0.001
_PATIENCE = 10.0


class FixedAnswer:
    """Reads requests, keeps their bytes, and answers with `parts`; hangs up after each where told so."""

    def __init__(self, parts: Sequence[bytes], *, closes: bool) -> None:
        self.requests: list[bytes] = []
        self._parts = parts
        self._closes = closes
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, cast("BinaryIO", connection.makefile("rb")) as reader:
            while request := _request(reader):
                self.requests.append(request)
                for part in self._parts:
                    connection.sendall(part)
                    time.sleep(_PAUSE)
                if self._closes:
                    return


class Answered(NamedTuple):
    """An answer as a client got it: status line, header lines, and the body without its chunks' frames."""

    status: bytes
    headers: list[bytes]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, or None."""
        for line in self.headers:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None


@contextmanager
def fixed_answer(*parts: bytes, closes: bool = False) -> Iterator[FixedAnswer]:
    """Serve inside the block."""
    upstream = FixedAnswer(parts, closes=closes)
    try:
        yield upstream
    finally:
        upstream.close()


def ask(url: str, body: bytes, *headers: str, method: str = "POST", path: str = "/v1/messages") -> Answered:
    """One request over a connection of its own; raises OSError or ValueError where no whole answer comes."""
    host, _, port = url.removeprefix("http://").partition(":")
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}",
        "content-type: application/json",
        "anthropic-version: 2023-06-01",
        f"content-length: {len(body)}",
        *headers,
    ]
    with socket.create_connection((host, int(port)), timeout=_PATIENCE) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        with cast("BinaryIO", connection.makefile("rb")) as reader:
            return _answer(reader)


def chunked(*parts: bytes) -> list[bytes]:
    """The parts of a body, each a chunk of its own."""
    return [*(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


def whole(status: bytes, body: bytes, *headers: bytes) -> bytes:
    """An answer in one part."""
    lines = [b"HTTP/1.1 " + status, *headers, b"content-length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _request(reader: BinaryIO) -> bytes:
    head, length = _head(reader)
    return b"".join(head) + (reader.read(length) if length else b"")


def _head(reader: BinaryIO) -> tuple[list[bytes], int]:
    lines: list[bytes] = []
    length = 0
    while line := reader.readline():
        lines.append(line)
        if line == b"\r\n":
            break
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return lines, length


def _answer(reader: BinaryIO) -> Answered:
    lines, length = _head(reader)
    while lines and lines[0].startswith((b"HTTP/1.1 100", b"HTTP/1.1 103")):  # interim
        lines, length = _head(reader)
    if not lines:
        raise ValueError("the connection was closed without an answer")
    headers = [line.strip() for line in lines[1:-1]]
    if any(line.lower().replace(b" ", b"") == b"transfer-encoding:chunked" for line in headers):
        return Answered(lines[0].strip(), headers, b"".join(_chunks(reader)))
    body = reader.read(length)
    if len(body) < length:
        raise ValueError("the answer broke off")
    return Answered(lines[0].strip(), headers, body)


def _chunks(reader: BinaryIO) -> Iterator[bytes]:
    while size := int(reader.readline(), 16):  # at the end of the connection: no number
        yield reader.read(size)
        reader.readline()
    reader.readline()
