"""Connections to an upstream: which of them are asked again, and what is no part of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from scrimp.gateway import upstream
from scrimp.gateway.upstream import UpstreamError, Way
from tests.gateway.test_gateway_upstream import FRAMED, HEADERS, OK, get, head_of, run

LENGTH = OK + FRAMED["length"]
BODY = b"0123456789"

Twice = Callable[[Way, str], Awaitable[list[bytes]]]


def connections_of(wire: bytes, use: Twice, *, then: bytes = b"", closes: bool = False) -> int:
    """How many connections `use` takes where each answer is `wire`, and `then` comes a little later."""
    ports: set[int] = set()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername")[1])
        while not reader.at_eof():
            await head_of(reader)
            writer.write(wire)
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(then)
            if closes:
                return

    assert run(script, use) == [BODY, BODY]
    return len(ports)


async def twice(way: Way, url: str) -> list[bytes]:
    """Two answers, with time between them."""
    first = await get(way, url)
    await asyncio.sleep(0.05)
    return [first[1], (await get(way, url))[1]]


async def when_it_ended(way: Way, url: str) -> list[bytes]:
    """Two answers, the second one asked for when the connection of the first is no more."""
    first = await get(way, url)
    while not all(line.is_closed() for line in way._target(url).idle):
        await asyncio.sleep(0.001)
    return [first[1], (await get(way, url))[1]]


async def at_once(way: Way, url: str) -> list[bytes]:
    """Two requests side by side, and two more when they are answered."""
    await asyncio.gather(get(way, url), get(way, url))
    return [body for _, body in await asyncio.gather(get(way, url), get(way, url))]


def test_a_connection_is_used_for_one_request_at_a_time_and_then_again() -> None:
    assert connections_of(LENGTH, twice) == 1
    assert connections_of(LENGTH, at_once) == 2


@pytest.mark.parametrize(
    "unasked", [LENGTH, b"x", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"]
)
def test_what_comes_unasked_for_is_no_answer_and_ends_the_connection(unasked: bytes) -> None:
    assert connections_of(LENGTH, when_it_ended, then=unasked) == 2
    assert connections_of(LENGTH + unasked, when_it_ended) == 2


def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    assert connections_of(LENGTH, when_it_ended, closes=True) == 2


def test_a_connection_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_IDLE_SECONDS", 0.02)
    assert connections_of(LENGTH, twice) == 2


def test_a_connection_that_is_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_IDLE_SECONDS", 0.02)
    ends: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(LENGTH)
        ends.append(await reader.read())

    async def use(way: Way, url: str) -> None:
        await get(way, url)
        while not ends:
            await asyncio.sleep(0.001)

    run(script, use)
    assert ends == [b""]


def test_what_follows_the_body_is_no_header() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(OK + b"X-One: 1\r\nx-one: 2\r\n" + FRAMED["chunked"])

    async def use(way: Way, url: str) -> None:
        answer, body = await get(way, url)
        assert body == BODY
        assert [name for name, _ in answer.raw_headers] == [b"X-One", b"x-one", b"transfer-encoding"]
        assert answer.headers["x-one"] == "1"  # the first one counts

    run(script, use)


def passed_to(take: Callable[[bytes, bool], bool], *parts: bytes) -> list[bytes]:
    """What is left to who waits of an answer that comes in these parts and is passed on to `take`."""
    may_go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(OK + b"transfer-encoding: chunked\r\n\r\n")
        for part in parts:
            await may_go_on.wait()
            may_go_on.clear()
            writer.write(part)
            await writer.drain()

    async def use(way: Way, url: str) -> list[bytes]:
        answer, left = await way.send("GET", url, HEADERS, b""), list[bytes]()
        may_go_on.set()

        def taken(part: bytes, over: bool) -> bool:
            may_go_on.set()
            return take(part, over)

        while not left or left[-1]:
            left.append(await answer.passed(taken))
            may_go_on.set()
        assert answer.is_over()
        return left

    found: list[bytes] = run(script, use)
    return found


def test_what_comes_is_given_to_who_takes_it_all_that_came_at_once_in_one_piece() -> None:
    given: list[tuple[bytes, bool]] = []

    def take(part: bytes, over: bool) -> bool:
        given.append((part, over))
        return True

    left = passed_to(take, b"3\r\nabc\r\n2\r\nde\r\n", b"1\r\nf\r\n", b"1\r\ng\r\n0\r\n\r\n")
    assert (given, left) == ([(b"abcde", False), (b"f", False), (b"g", True)], [b""])


def test_what_nobody_takes_is_left_to_who_waits_and_the_next_part_is_offered_again() -> None:
    given: list[bytes] = []

    def take(part: bytes, over: bool) -> bool:
        given.append(part)
        return part != b"abc"

    left = passed_to(take, b"3\r\nabc\r\n", b"1\r\nd\r\n", b"0\r\n\r\n")
    assert (given, left) == ([b"abc", b"d"], [b"abc", b""])


def test_an_answer_that_nobody_reads_to_its_end_ends_its_connection() -> None:
    async def use(way: Way, url: str) -> list[bytes]:
        for _ in range(2):
            answer = await way.send("GET", url, HEADERS, b"")
            answer.close()
        return [BODY, BODY]

    half = OK + b"content-length: 10\r\n\r\n01234"
    assert connections_of(half, use) == 2


def test_who_leaves_as_the_answer_comes_takes_the_connection_from_nobody() -> None:
    async def use(way: Way, url: str) -> list[bytes]:
        idle = way._target(url).idle
        left = asyncio.create_task(way.send("GET", url, HEADERS, b""))
        while not idle:
            await asyncio.sleep(0)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        return [BODY, (await get(way, url))[1]]

    assert connections_of(LENGTH, use) == 1


def test_a_head_without_an_end_is_no_answer() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(OK)
        while True:
            writer.write(b"x-one: " + b"1" * 2**12 + b"\r\n")
            await writer.drain()

    async def use(way: Way, url: str) -> None:
        with pytest.raises(UpstreamError):
            await way.send("GET", url, HEADERS, b"")

    run(script, use)


def test_how_a_long_url_is_asked_is_worked_out_each_time() -> None:
    """Whoever calls writes what goes into it, and thousands are remembered."""

    async def use(way: Way, url: str) -> list[bytes]:
        found = [(await get(way, f"{url}/{n}?{'x' * (2_000 if n else 900)}"))[1] for n in range(2)]
        assert way._target.cache_info().currsize == 1
        return found

    assert connections_of(LENGTH, use) == 1
