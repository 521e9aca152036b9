"""A page in a real browser: Chromium, spoken to over its DevTools protocol.

For tests of pages that scrimp writes. Where no Chromium is installed, those tests are skipped.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

__all__ = ["Seen", "chromium", "look_at"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)
_STARTS = 120.0
_SETTLES = 0.3
_MEASURES = """JSON.stringify({
  wide: document.documentElement.scrollWidth,
  high: document.documentElement.scrollHeight,
  small: [...document.querySelectorAll("main *")].filter(e => e.children.length === 0 && e.textContent.trim()
    && e.getClientRects().length && parseFloat(getComputedStyle(e).fontSize) < 10).length,
  unnamed: [...document.querySelectorAll("svg:not([aria-hidden])")].filter(
    e => !e.getAttribute("aria-label")).length
})"""


@dataclass
class Seen:
    """What the browser saw: `console` holds errors and warnings, `asked` every address it asked for.

    `wide` and `high` are the page's size in CSS pixels, `small` counts texts under 10 of them, `unnamed`
    pictures without a name for those who do not see them.
    """

    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    wide: int = 0
    high: int = 0
    small: int = 0
    unnamed: int = 0
    picture: bytes = b""
    paper: bytes = b""


def chromium() -> str:
    """The browser's path; skips the test where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("no Chromium is installed: pages are looked at where there is one")
    return found


def look_at(
    page: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light", paper: bool = False
) -> Seen:
    """Open a file as a window of that width shows it; with `paper`, print it to PDF as well."""
    return asyncio.run(_look(page, chromium(), width, scheme, paper=paper))


async def _look(page: Path, browser: str, width: int, scheme: str, *, paper: bool) -> Seen:
    async with (
        _running(browser) as address,
        aiohttp.ClientSession() as http,
        http.ws_connect(address, max_msg_size=0) as socket,
    ):
        tab = _Tab(socket)
        await tab.open(width, scheme)
        await tab.go(page.resolve().as_uri())
        return await tab.seen(width, paper=paper)


@contextlib.asynccontextmanager
async def _running(browser: str) -> AsyncIterator[str]:
    """A browser of our own, as the address of its DevTools; it is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        env = os.environ | {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        with subprocess.Popen(
            [browser, *_QUIET, f"--user-data-dir={home}", "about:blank"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield await asyncio.wait_for(_address(Path(home) / "DevToolsActivePort"), _STARTS)
            finally:
                process.terminate()
                process.wait()


async def _address(told: Path) -> str:
    while True:
        lines = told.read_text().split() if told.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)


class _Tab:
    """One tab, and what it says of itself while we ask."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._session: str | None = None
        self._seen = Seen()
        self._loaded = False

    async def open(self, width: int, scheme: str) -> None:
        made = await self.ask("Target.createTarget", url="about:blank")
        joined = await self.ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = joined["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.ask(f"{domain}.enable")
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.ask("Emulation.setEmulatedMedia", features=features)

    async def go(self, url: str) -> None:
        await self.ask("Page.navigate", url=url)
        while not self._loaded:
            self._hear(await self._socket.receive_json())
        await asyncio.sleep(_SETTLES)

    async def seen(self, width: int, *, paper: bool) -> Seen:
        found = self._seen
        told = await self.ask("Runtime.evaluate", expression=_MEASURES, returnByValue=True)
        for name, value in _json(told["result"]["value"]).items():
            setattr(found, name, value)
        clip = {"x": 0, "y": 0, "width": max(width, found.wide), "height": found.high, "scale": 1}
        shot = await self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        found.picture = base64.b64decode(shot["data"])
        if paper:
            printed = await self.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=False)
            found.paper = base64.b64decode(printed["data"])
        return found

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        mine = self._number
        message: dict[str, Any] = {"id": mine, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        while True:
            heard = await self._socket.receive_json()
            if heard.get("id") == mine:
                assert "error" not in heard, heard
                return dict(heard["result"])
            self._hear(heard)

    def _hear(self, heard: dict[str, Any]) -> None:
        params = heard.get("params", {})
        match heard.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self._seen.asked.append(params["request"]["url"])
            case "Log.entryAdded":
                self._seen.console.append(params["entry"]["text"])
            case "Runtime.exceptionThrown":
                self._seen.console.append(params["exceptionDetails"]["text"])
            case "Runtime.consoleAPICalled":
                self._seen.console.append(f"{params['type']}: {params['args']}")


def _json(text: str) -> dict[str, int]:
    return dict(aiohttp.typedefs.DEFAULT_JSON_DECODER(text))
