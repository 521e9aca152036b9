"""The way to the upstream: every way to frame an answer, connections used again, and what goes wrong."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.gateway.headers import upwards
from scrimp.gateway.upstream import BrokenOffError, ConnectError, UpstreamAnswer, UpstreamError, Way, lines_of
from tests.gateway.doors import ask, door, encoded
from tests.patience import PATIENCE

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\n"
HEADERS = lines_of([(b"x-one", b"1"), (b"x-two", "ü".encode("latin-1"))])


def run(
    script: Script,
    use: Callable[[Way, str], Awaitable[Any]],
    *,
    secure: Any = None,
    trust: Any = None,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Any:
    """Serve every connection by `script`, and what `use` gives with a way there."""

    async def main() -> Any:
        serving: set[asyncio.Task[None] | None] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.add(asyncio.current_task())
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await script(reader, writer)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secure)
        port = server.sockets[0].getsockname()[1]
        way = Way(connect_seconds=PATIENCE, trust=trust)
        try:
            return await asyncio.wait_for(
                use(way, f"http{'s' if secure else ''}://127.0.0.1:{port}/v1/x?a=%2F"), PATIENCE
            )
        finally:
            await way.close()
            server.close()
            await asyncio.gather(*(task for task in serving if task is not None))

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """The head of the next request; its body is read as well."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length: "):
            await reader.readexactly(int(line[16:]))
    return head


def answering(*parts: bytes) -> Script:
    """Answers each request of a connection with these bytes, one write each."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            await head_of(reader)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)

    return script


async def get(way: Way, url: str, method: str = "GET", body: bytes = b"") -> tuple[UpstreamAnswer, bytes]:
    answer = await way.send(method, url, HEADERS, body)
    return answer, await answer.read()


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_body_in_parts_goes_up_as_one(size: int, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    whole, came = random.Random(size).randbytes(size), []  # noqa: S311 - no secrets
    view = memoryview(whole)
    parts = [view[:3], b"new", view[3 : size // 2], b"", view[size // 2 :]]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % (size + 3) in head.lower()
        came.append(await reader.readexactly(size + 3))
        writer.write(OK + FRAMED["length"])
        await writer.drain()

    async def ask(way: Way, url: str) -> bytes:
        return await (await way.send("POST", url, HEADERS, *parts)).read()

    assert run(script, ask, loop=loop) == b"0123456789"
    assert came == [whole[:3] + b"new" + whole[3:]]


def test_headers_of_any_bytes_go_up_as_they_came() -> None:
    seen: list[bytes] = []
    given = [
        (b"x-latin", b"caf\xe9"),
        (b"x-utf", "café 世界".encode()),
        (b"x-mixed", bytes(range(0x80, 0x100))),
    ]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK + b"content-length: 0\r\n\r\n")

    async def use(way: Way, url: str) -> bytes:
        return await (await way.send("GET", url, lines_of(upwards(given, None, plain=False)), b"")).read()

    run(script, use)
    assert seen[0].split(b"\r\n")[2:-2] == [name + b": " + value for name, value in given]


def test_a_request_goes_out_as_it_is() -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head + await reader.readexactly(5))
        writer.write(OK + b"content-length: 0\r\n\r\n")

    run(script, lambda way, url: get(way, url, "POST", b"12345"))
    [sent] = seen
    first, host, *rest = sent.split(b"\r\n")
    assert first == b"POST /v1/x?a=%2F HTTP/1.1"
    assert host.startswith(b"Host: 127.0.0.1:")
    assert rest == [b"x-one: 1", "x-two: ü".encode("latin-1"), b"Content-Length: 5", b"", b"12345"]


FRAMED = {
    "length": b"content-length: 10\r\n\r\n0123456789",
    "chunked": b"transfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nx-trailer: 1\r\n\r\n",
    "closed": b"connection: close\r\n\r\n0123456789",
}


@settings(max_examples=40)
@given(st.sampled_from(sorted(FRAMED)), st.lists(st.integers(1, 120), max_size=6))
def test_answers_framed_in_any_way_and_cut_anywhere_arrive_whole(kind: str, cuts: list[int]) -> None:
    wire = b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"X-Own: Yes\r\n" + FRAMED[kind]
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    parts = [wire[a:b] for a, b in pairwise(places)]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)

    answer, body = run(script, get)
    assert (answer.status, body) == (200, b"0123456789")
    assert (answer.headers["x-own"], answer.raw_headers[0]) == ("Yes", (b"X-Own", b"Yes"))


def test_connections_are_used_again_unless_they_were_closed() -> None:
    ports: list[int] = []

    def counted(script: Script) -> Script:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ports.append(writer.get_extra_info("peername")[1])
            await script(reader, writer)

        return serve

    async def thrice(way: Way, url: str) -> list[bytes]:
        return [(await get(way, url, method))[1] for method in ("GET", "POST", "GET")]

    for kind, connections in (("length", 1), ("chunked", 1), ("closed", 3)):
        ports.clear()
        script = answering(OK + FRAMED[kind]) if connections == 1 else one_answer(OK + FRAMED[kind])
        assert run(counted(script), thrice) == [b"0123456789"] * 3
        assert len(ports) == connections


def one_answer(wire: bytes) -> Script:
    """Answers one request, and closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(wire)
        await writer.drain()

    return script


def test_what_has_no_body_has_none() -> None:
    async def both(way: Way, url: str) -> None:
        answer, body = await get(way, url, "HEAD")
        assert (answer.status, body, answer.headers["content-length"]) == (200, b"", "10")

    run(one_answer(OK + b"content-length: 10\r\n\r\n"), both)

    async def none(way: Way, url: str) -> None:
        for _ in range(2):
            answer, body = await get(way, url)
            assert (answer.status, body) == (204, b"")

    run(answering(b"HTTP/1.1 204 No Content\r\n\r\n"), none)


@pytest.mark.parametrize(
    "wire",
    [
        OK + b"content-length: 10\r\n\r\n01234",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\n01234\r\n",
    ],
)
def test_an_answer_that_breaks_off_gives_what_came_and_then_says_so(wire: bytes) -> None:
    async def use(way: Way, url: str) -> None:
        answer = await way.send("GET", url, HEADERS, b"")
        assert await answer.part() == b"01234"
        with pytest.raises(BrokenOffError):
            await answer.part()
        assert not answer.is_over()

    run(one_answer(wire), use)


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 2", b"SMTP hello\r\n\r\n", OK + b"x: " + b"y" * 200_000])
def test_no_answer_is_an_error_of_its_own(wire: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        run(one_answer(wire), get)
    assert not isinstance(caught.value, ConnectError)


def test_where_nobody_listens_nothing_was_sent() -> None:
    async def nowhere(way: Way, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for address in (f"http://127.0.0.1:{port}/", "http://no-such-host.invalid/"):
            with pytest.raises(ConnectError):
                await way.send("GET", address, HEADERS, b"")

    run(one_answer(b""), nowhere)


def test_a_call_that_is_cancelled_ends_its_connection() -> None:
    closed: list[bytes] = []
    came = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        came.set()
        try:
            closed.append(await reader.read())
        except ConnectionResetError:
            closed.append(b"")

    async def use(way: Way, url: str) -> None:
        asking = asyncio.create_task(way.send("GET", url, HEADERS, b""))
        await came.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while not closed:
            await asyncio.sleep(0.001)

    run(script, use)
    assert closed == [b""]


def test_what_nobody_takes_is_not_read_without_end() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await head_of(reader)
        writer.write(OK + b"content-length: %d\r\n\r\n" % (64 * 2**20))
        for _ in range(64):
            writer.write(b"x" * 2**20)
            await writer.drain()
            sent += 1

    async def use(way: Way, url: str) -> int:
        answer = await way.send("GET", url, HEADERS, b"")
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        stopped_at = sent
        assert len(await answer.read()) == 64 * 2**20
        return stopped_at

    assert run(script, use) < 40


def test_encrypted_connections_are_checked(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    named = ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*made, *named, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(certificate, key)

    async def unknown(way: Way, url: str) -> None:
        with pytest.raises(ConnectError):
            await way.send("GET", url, HEADERS, b"")

    run(answering(OK + FRAMED["length"]), unknown, secure=secure)

    trust = ssl.create_default_context(cafile=str(certificate))

    async def known(way: Way, url: str) -> bytes:
        return (await get(way, url))[1]

    assert run(answering(OK + FRAMED["length"]), known, secure=secure, trust=trust) == b"0123456789"

    # More than is kept of an answer that nobody takes.
    long = random.Random(0).randbytes(3_000_000)  # noqa: S311 - no secrets
    came: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            await reader.readuntil(b"\r\n\r\n")
            came.append(await reader.readexactly(len(long)))
            writer.write(OK + b"content-length: %d\r\n\r\n" % len(long) + long)
            await writer.drain()

    async def long_ones(way: Way, url: str) -> list[bytes]:
        answers = []
        for _ in range(2):
            answer = await way.send("POST", url, HEADERS, long[:5], memoryview(long)[5:])
            await asyncio.sleep(0.05)
            answers.append(await answer.read())
        return answers

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        assert run(echo, long_ones, secure=secure, trust=trust, loop=loop) == [long, long]
        assert came == [long, long]
        came.clear()


def test_what_cannot_be_reached_is_named_with_the_reason() -> None:
    with socket.socket() as deaf:  # bound and never listening: nobody else gets the port meanwhile
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        refused = f"127.0.0.1:{port} could not be reached: the connection was refused"
        unknown = "nobody.invalid could not be reached: its name is not known"
        for url, said in ((f"http://127.0.0.1:{port}", refused), ("http://nobody.invalid", unknown)):
            with door(upstream=url, limits={"retries": 0}) as found:
                for path in ("/v1/messages", "/v1/messages/count_tokens"):
                    answer = found.raw("POST", path, encoded(ask()))
                    assert answer.status == 502
                    assert answer.error["message"] == f"scrimp: upstream 'anthropic': {said}"
                    assert "sk-test" not in answer.body.decode()


def test_a_proxy_of_the_environment_is_asked_for_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            seen.append(await head_of(reader))
            writer.write(OK + b"content-length: 2\r\n\r\nok")

    async def use(way: Way, url: str) -> list[bytes]:
        monkeypatch.setenv("http_proxy", f"http://me:secret@{url.split('/')[2]}")
        return [(await get(way, "http://behind.invalid/v1/x"))[1] for _ in range(2)]

    assert run(script, use) == [b"ok", b"ok"]
    for head in seen:
        lines = head.split(b"\r\n")
        assert lines[:2] == [b"GET http://behind.invalid/v1/x HTTP/1.1", b"Host: behind.invalid"]
        assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in lines  # base64 of me:secret
