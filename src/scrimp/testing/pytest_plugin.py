"""The pytest plugin: agents under test talk to an emulator of their own, without key or network.

It is there wherever scrimp and pytest are installed, and does nothing until a test takes one of its fixtures:

* `scrimp_client`, `scrimp_async_client`: the official SDK with `scrimp.Middleware` and a ledger in memory;
* `scrimp_bare_client`, `scrimp_bare_async_client`: the SDK alone;
* `scrimp_url`: the base URL, for agents in any language;
* `scrimp_run`: what was billed in this test, for `scrimp.testing.assert_cost` and the others;
* `scrimp_emulator`, `scrimp_clock`, `scrimp_ledger`: the API behind it, its time, what the middleware wrote;
* `scrimp_replies`: override it to choose the answers;
* `scrimp_prompt_snapshot`: fails when somebody edits the prefix of a prompt.

With any of them the environment of the test, and of the processes it starts, points at the emulator.
"""
# ruff: noqa: PLC0415 - pytest imports this file in every session: what is heavy is imported by the fixtures

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import anthropic

    from scrimp.emulator import Clock, Emulator
    from scrimp.middleware import Middleware
    from scrimp.stores.memory import MemoryLedger
    from scrimp.testing.recording import Recording
    from scrimp.testing.snapshot_file import PromptSnapshot

_KEY = "emulated-key"
_UNWANTED = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_PROFILE")
_SEED = "scrimp"
"""The same ids in every run of a test, so that it is billed the same."""
_NOT_KEPT_OPEN = {"connection": "close"}
"""For async clients: no connection is left over when the event loop of a test ends."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option."""
    parser.getgroup("scrimp").addoption(
        "--scrimp-update-snapshots",
        action="store_true",
        help="keep the prompts of scrimp_prompt_snapshot as they are now, instead of comparing them",
    )


@pytest.fixture
def scrimp_replies() -> Any:
    """Where answers come from: override it, or parametrize a test by it.

    Texts and tool calls in order, a function from the request body to one, or any source of
    `scrimp.emulator`. By default an agent that calls each tool it is given once, then answers.
    """
    from scrimp.emulator import Agent

    return Agent()


@pytest.fixture
def scrimp_clock() -> Clock:
    """The time of emulator and middleware: it stands still, and moves by `advance(seconds)` and `set`."""
    from scrimp.emulator import Clock

    return Clock(time.time())


@pytest.fixture
def scrimp_emulator(
    scrimp_replies: Any, scrimp_clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """A `scrimp.emulator.Emulator` that serves on localhost while the test runs."""
    from scrimp.emulator import Emulator

    with (
        Emulator(scrimp_replies, clock=scrimp_clock, seed=_SEED) as emulator,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("ANTHROPIC_BASE_URL", emulator.url)
        environment.setenv("ANTHROPIC_API_KEY", _KEY)
        environment.setenv("SCRIMP_HOME", str(tmp_path_factory.mktemp("scrimp-home")))
        for name in ("NO_PROXY", "no_proxy"):
            environment.setenv(name, ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost"))))
        for name in _UNWANTED:
            environment.delenv(name, raising=False)
        yield emulator


@pytest.fixture
def scrimp_url(scrimp_emulator: Emulator) -> str:
    """The base URL of the emulator; also in ANTHROPIC_BASE_URL, with a key that opens nothing else."""
    return scrimp_emulator.url


@pytest.fixture
def scrimp_run(scrimp_emulator: Emulator) -> Recording:
    """Everything billed in this test, whoever asked; `scrimp_run.part()` is a part of it."""
    from scrimp.testing.recording import Recording

    return Recording(scrimp_emulator)


@pytest.fixture
def scrimp_ledger() -> MemoryLedger:
    """Where the middleware of the clients writes its records."""
    from scrimp.stores.memory import MemoryLedger

    return MemoryLedger()


@pytest.fixture
def scrimp_middleware(scrimp_ledger: MemoryLedger, scrimp_clock: Clock) -> Middleware:
    """The `scrimp.Middleware` of the clients; override it for other options."""
    from scrimp.middleware import Middleware

    return Middleware(ledger=scrimp_ledger, clock=scrimp_clock.now)


@pytest.fixture
def scrimp_client(scrimp_url: str, scrimp_middleware: Middleware) -> Iterator[anthropic.Anthropic]:
    """A client of the official SDK that goes through scrimp to the emulator."""
    from anthropic import Anthropic

    with Anthropic(base_url=scrimp_url, api_key=_KEY, middleware=[scrimp_middleware]) as client:
        yield client


@pytest.fixture
def scrimp_async_client(scrimp_url: str, scrimp_middleware: Middleware) -> anthropic.AsyncAnthropic:
    """The same for asyncio; it may be used under one event loop after another."""
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(
        base_url=scrimp_url, api_key=_KEY, middleware=[scrimp_middleware], default_headers=_NOT_KEPT_OPEN
    )


@pytest.fixture
def scrimp_bare_client(scrimp_url: str) -> Iterator[anthropic.Anthropic]:
    """A client of the official SDK without scrimp: what an agent costs by itself."""
    from anthropic import Anthropic

    with Anthropic(base_url=scrimp_url, api_key=_KEY) as client:
        yield client


@pytest.fixture
def scrimp_bare_async_client(scrimp_url: str) -> anthropic.AsyncAnthropic:
    """The same for asyncio."""
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(base_url=scrimp_url, api_key=_KEY, default_headers=_NOT_KEPT_OPEN)


@pytest.fixture
def scrimp_prompt_snapshot(request: pytest.FixtureRequest) -> PromptSnapshot:
    """Compares the prefix of a request, or of the first one of a run, with what is kept beside the test."""
    from scrimp.testing.snapshot_file import PromptSnapshot

    update = bool(request.config.getoption("--scrimp-update-snapshots"))
    return PromptSnapshot(request.node.path, request.node.name, update=update)
