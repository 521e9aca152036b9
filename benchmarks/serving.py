"""How many requests a second the emulator serves, to clients that cost next to nothing.

Eight connections of a raw client, each sending its next request when it has the last answer; the server runs
in a process of its own. The baseline is the same server, uvicorn with httptools, with one fixed answer that
reads, checks, caches and bills nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from benchmarks.conversations import Conversation, encoded
from benchmarks.emulating import serving
from benchmarks.timing import Contender, Section, compare

__all__ = ["measure_serving"]

BASELINE = "uvicorn: a fixed answer"

_CONNECTIONS = 8
_ANSWER_TOKENS = 64
_SMALL = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "Hello."}]}


def measure_serving(*, requests: int, rounds: int, seed: int) -> Section:
    """Requests a second; a round sends `requests` of each kind."""
    long = Conversation(seed, tools=4, result_bytes=(400, 1_200)).grow(size=50_000).body
    each = -(-requests // _CONNECTIONS)
    with ExitStack() as stack:
        emulator, fixed = stack.enter_context(serving("emulator")), stack.enter_context(serving("fixed"))

        def contender(name: str, url: str, body: dict[str, Any]) -> Contender:
            return Contender(name, lambda: _run(url, body, each), each * _CONNECTIONS, rate=True)

        rows = compare(
            [
                contender("scrimp: emulator, one short message", emulator, _SMALL),
                contender("scrimp: emulator, the same streamed", emulator, {**_SMALL, "stream": True}),
                contender(f"scrimp: emulator, {len(encoded(long)) // 1000} KB, cached", emulator, long),
                contender(BASELINE, fixed, _SMALL),
            ],
            baseline=BASELINE,
            rounds=rounds,
        )
    about = (
        f"answers of {_ANSWER_TOKENS} tokens over {_CONNECTIONS} connections, {requests:,} requests a round"
    )
    return Section("serving", "Serving requests", "requests/s", about, rows)


def _run(url: str, body: dict[str, Any], each: int) -> Callable[[], None]:
    where = urlsplit(url)
    host, port = str(where.hostname), int(where.port or 80)
    marked = {"cache_control": {"type": "ephemeral"}, **body, "max_tokens": _ANSWER_TOKENS}
    raw = _http(host, encoded(marked))

    async def main() -> None:
        await asyncio.gather(*(_connection(host, port, raw, each) for _ in range(_CONNECTIONS)))

    return lambda: asyncio.run(main())


def _http(host: str, body: bytes) -> bytes:
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nx-api-key: key\r\n"
        f"anthropic-version: 2023-06-01\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _connection(host: str, port: int, raw: bytes, times: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for _ in range(times):
        writer.write(raw)
        await _answer(reader)
    writer.close()
    await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> None:
    """Read one answer to its end. Raises ValueError when it is not a good one."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200 "):
        raise ValueError(f"the server answered {head.splitlines()[0].decode()}")
    _, found, length = head.partition(b"content-length:")
    if found:
        await reader.readexactly(int(length.split(b"\r\n")[0]))
        return
    while size := int(await reader.readline(), 16):  # in chunks
        await reader.readexactly(size + 2)
    await reader.readline()
