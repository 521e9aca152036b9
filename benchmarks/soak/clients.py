"""Clients: plain ones as quick as they can be to fill a gateway, mixed ones that do what real ones do."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from math import inf
from typing import Any

import aiohttp
import anthropic

from benchmarks.soak.talks import Request, Talks

__all__ = ["GRACE", "PATIENCE", "Clients", "Ended", "fill"]

PATIENCE = 20.0
GRACE = 5.0
"""Seconds a call may take, and how much later its client may notice."""

_FILLERS, _SDKS, _PLAIN = 16, 10, 14
_THINKING = 0.01
_MESSAGE, _STREAM, _LEFT_STREAM = 0.5, 0.9, 0.95
"""Shares of what clients do: below the first a message, below the next a stream, and so on."""


class Ended:
    """How calls ended, counted."""

    def __init__(self) -> None:
        self.calls = 0
        self.how: Counter[str] = Counter()
        self.slowest = 0.0
        self.late = 0

    def now(self, how: str, seconds: float) -> None:
        """A call ended."""
        self.how[how] += 1
        self.slowest = max(self.slowest, seconds)


async def fill(
    url: str, secrets: Sequence[str], talks: Talks, calls: int, told: Callable[[int], None]
) -> None:
    """So many calls, one after the other on each of sixteen connections; `told` how many there have been."""
    done, turns = 0, cycle(secrets)

    async def client(http: aiohttp.ClientSession, secret: str) -> None:
        nonlocal done
        while done < calls:
            for request in talks.next():
                headers = _headers(secret, request)
                async with http.post(f"{url}/v1/messages", data=request.raw, headers=headers) as got:
                    await got.read()
                done += 1
                told(done)

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(client(http, next(turns)) for _ in range(_FILLERS)))


def _headers(secret: str, request: Request) -> dict[str, str]:
    own = {"x-api-key": secret, "content-type": "application/json", "anthropic-version": "2023-06-01"}
    return own | request.headers


class Clients:
    """Clients that call until the time is up, some of them the official SDK's.

    `until` is when that is, by the monotonic clock; it may be set while they run.
    """

    def __init__(self, url: str, secrets: Mapping[str, str], talks: Talks, ended: Ended, seed: int) -> None:
        self._url = url
        self._secrets = list(secrets.values())
        self._talks = talks
        self._ended = ended
        self._random = random.Random(seed)
        self.until = inf

    async def run(self) -> None:
        """All of it."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        sdks = [
            anthropic.AsyncAnthropic(base_url=self._url, api_key=secret, timeout=PATIENCE, max_retries=2)
            for secret in self._secrets
        ]
        async with aiohttp.ClientSession(timeout=timeout) as http:
            ways: list[Callable[[Request], Any]] = [
                *(_Sdk(sdk, self._random).call for sdk, _ in zip(cycle(sdks), range(_SDKS), strict=False)),
                *(
                    _Plain(http, self._url, secret, self._random).call
                    for secret, _ in zip(cycle(self._secrets), range(_PLAIN), strict=False)
                ),
            ]
            await asyncio.gather(*(self._talk(way) for way in ways))
        for sdk in sdks:
            await sdk.close()

    async def _talk(self, way: Callable[[Request], Any]) -> None:
        while True:
            for request in self._talks.next():
                if time.monotonic() >= self.until:
                    return
                await self._timed(way(request))
                await asyncio.sleep(_THINKING)

    async def _timed(self, call: Any) -> None:
        begin, ended = time.monotonic(), self._ended
        ended.calls += 1
        try:
            # The SDK tries three times, each for as long as it may.
            async with asyncio.timeout(3 * PATIENCE + GRACE):
                how = await call
        except TimeoutError:
            ended.late += 1
            how = "hung"
        except anthropic.APIStatusError as error:
            how = f"{error.status_code}"
        except Exception as error:  # noqa: BLE001 - each HTTP library has its own for a stream that breaks off
            how = type(error).__name__
        ended.now(how, time.monotonic() - begin)


class _Sdk:
    """A client that uses the official SDK."""

    def __init__(self, sdk: anthropic.AsyncAnthropic, chances: random.Random) -> None:
        self._sdk = sdk
        self._random = chances

    async def call(self, request: Request) -> str:
        """One call; how it ended. Raises what the SDK raises."""
        messages, chance = self._sdk.messages, self._random.random()
        said: dict[str, Any] = {**request.body, "extra_headers": request.headers}
        if chance < _MESSAGE:
            await messages.create(**said)
            return "message"
        if chance < _LEFT_STREAM:
            async with messages.stream(**said) as stream:
                if chance < _STREAM:
                    await stream.get_final_message()
                    return "stream"
                async for _ in stream:
                    return "left a stream"
        return await _left(messages.create(**said), self._random)


class _Plain:
    """A client that speaks HTTP itself, and tries once."""

    def __init__(self, http: aiohttp.ClientSession, url: str, secret: str, chances: random.Random) -> None:
        self._http = http
        self._url = url
        self._secret = secret
        self._random = chances

    async def call(self, request: Request) -> str:
        """One call; how it ended. Raises what aiohttp raises."""
        chance = self._random.random()
        if chance < _MESSAGE:
            return await self._post(request, "message")
        if chance < _LEFT_STREAM:
            request.body["stream"] = True
            return await self._post(request, "stream", leave=chance >= _STREAM)
        return await _left(self._post(request, "message"), self._random)

    async def _post(self, request: Request, what: str, *, leave: bool = False) -> str:
        headers = _headers(self._secret, request)
        async with self._http.post(f"{self._url}/v1/messages", data=request.raw, headers=headers) as answer:
            if leave and answer.status == 200:
                await answer.content.readany()
                return f"left a {what}"
            await answer.read()
            return what if answer.status == 200 else f"{answer.status}"


async def _left(call: Any, chances: random.Random) -> str:
    """A client that leaves before the answer may be there."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(chances.random() * 0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return "left a message"
