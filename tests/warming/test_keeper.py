"""Keeping a prefix alive: pings while they pay, none when they do not, and an end to it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.keepalive import GapOdds, observed_gaps
from scrimp.emulator import Emulator, Fault
from scrimp.errors import InputError, ScrimpWarning
from tests.forks import Forks
from tests.patience import PATIENCE
from tests.warming.children import REQUEST

QUICK = 299.6
"""Pings this long before the end go out two fifths of a second after each use."""

SOON = observed_gaps([301.5])
"""The next use comes a second and a half after the entry would have expired."""

SLOW, LATE = 299.3, observed_gaps([307])
"""Pings seven tenths of a second after each use, and a next use that needs ten of them."""

Keep = Callable[..., Any]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))


@pytest.fixture(params=["sync", "async"])
def keep(request: pytest.FixtureRequest, emulator: Emulator) -> Keep:
    """Keeps the prefix alive until `enough` says so of the warmer, with a client of either kind."""

    def sync_keep(gaps: GapOdds, enough: Callable[[Any], bool], **options: Any) -> Any:
        with (
            anthropic.Anthropic(base_url=emulator.url, api_key="key", max_retries=0) as client,
            scrimp.Warmer(client, REQUEST, gaps=gaps, **options) as warmer,
        ):
            while not enough(warmer):
                time.sleep(0.01)
        return warmer

    async def async_keep(gaps: GapOdds, enough: Callable[[Any], bool], **options: Any) -> Any:
        async with (
            anthropic.AsyncAnthropic(base_url=emulator.url, api_key="key", max_retries=0) as client,
            scrimp.Warmer(client, REQUEST, gaps=gaps, **options) as warmer,
        ):
            while not enough(warmer):
                await asyncio.sleep(0.01)
        return warmer

    if request.param == "sync":
        return sync_keep
    return lambda *args, **options: asyncio.run(async_keep(*args, **options))


def stopped(warmer: Any) -> bool:
    return warmer.stopped is not None


def test_it_pings_while_that_pays_and_then_stops(keep: Keep, emulator: Emulator) -> None:
    """The ping after 1.6 seconds reaches 301.5: on time it is the fourth, and late an earlier one."""
    warmer = keep(SOON, stopped, lead=QUICK)
    first, *pings = emulator.bill
    written = first.usage.cache_creation_input_tokens
    assert written > 2000
    assert {ping.usage.cache_read_input_tokens for ping in pings} == {written}
    assert warmer.pings == len(pings)
    assert 1 <= warmer.pings <= 4
    assert warmer.stopped == "keeping it alive no longer pays"
    assert warmer.spent == Decimal(emulator.total) / 10**12


def test_where_nobody_returns_nothing_is_pinged(keep: Keep, emulator: Emulator) -> None:
    warmer = keep(observed_gaps([10], never=99), stopped, lead=QUICK)
    assert (warmer.pings, len(emulator.bill)) == (0, 1)
    assert "does not pay" in warmer.advice().summary


def test_a_use_begins_the_count_anew(keep: Keep, emulator: Emulator) -> None:
    pinged_at_use: list[int] = []

    def enough(warmer: Any) -> bool:
        if warmer.pings >= 1 and not pinged_at_use:
            warmer.used()
            pinged_at_use.append(warmer.pings)
        return stopped(warmer)

    warmer = keep(LATE, enough, lead=SLOW, most_pings=4)
    assert 4 <= warmer.pings - pinged_at_use[0] <= 5


def test_it_never_goes_on_for_ever(keep: Keep, emulator: Emulator) -> None:
    warmer = keep(LATE, stopped, lead=SLOW, most_pings=2)
    assert warmer.stopped == "nobody used the prefix for 2 pings"
    assert warmer.pings == 2


def test_leaving_it_ends_it(keep: Keep, emulator: Emulator) -> None:
    before = time.monotonic()
    warmer = keep(SOON, lambda warmer: True)
    assert time.monotonic() - before < PATIENCE
    assert (warmer.stopped, warmer.pings) == (None, 0)
    assert not [thread for thread in threading.enumerate() if thread.name == "scrimp-warmer"]


def test_an_error_ends_it_with_one_warning(keep: Keep, emulator: Emulator) -> None:
    emulator.inject(Fault("overloaded", times=None, after=1))
    with pytest.warns(ScrimpWarning, match="no longer kept alive") as caught:
        warmer = keep(SOON, stopped, lead=QUICK)
    assert len(caught) == 1
    assert warmer.stopped == "a ping failed (OverloadedError)"
    assert len(emulator.requests) == 2


def test_what_cannot_be_cached_is_not_kept(keep: Keep, emulator: Emulator, monkeypatch: Any) -> None:
    monkeypatch.setitem(REQUEST, "system", "Be brief.")
    warmer = keep(SOON, stopped)
    assert "the least that is cached" in warmer.stopped
    assert emulator.requests == []


def test_two_that_keep_one_prefix_send_one_ping(emulator: Emulator) -> None:
    with (
        anthropic.Anthropic(base_url=emulator.url, api_key="key", max_retries=0) as client,
        scrimp.Warmer(client, REQUEST, gaps=SOON, lead=QUICK) as one,
        scrimp.Warmer(client, REQUEST, gaps=SOON, lead=QUICK) as other,
    ):
        while not (one.stopped and other.stopped):
            time.sleep(0.01)
    assert 1 <= one.pings + other.pings == len(emulator.bill) - 1 <= 5


def test_it_is_used_as_its_client_is(emulator: Emulator) -> None:
    with anthropic.Anthropic(base_url=emulator.url, api_key="key") as client:
        with pytest.raises(InputError, match="lead=300"):
            scrimp.Warmer(client, REQUEST, gaps=SOON, lead=300)

        async def main() -> None:
            async with scrimp.Warmer(client, REQUEST, gaps=SOON):
                pass

        with pytest.raises(InputError, match="use `with`"):
            asyncio.run(main())


LEAVE = """
import sys, anthropic, scrimp
from scrimp.core.keepalive import observed_gaps
client = anthropic.Anthropic(base_url=sys.argv[1], api_key="key")
request = {"model": "claude-sonnet-5", "system": "You are a careful assistant. " * 500}
scrimp.Warmer(client, request, gaps=observed_gaps([400])).__enter__()
print("left")
"""


def test_a_process_that_ends_does_not_wait_for_it(emulator: Emulator, tmp_path: Path, forks: Forks) -> None:
    program = tmp_path / "leave.py"
    program.write_text(LEAVE, encoding="utf-8")
    begun = time.monotonic()
    done = forks.run(program, emulator.url, env=os.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")
    assert time.monotonic() - begun < 60
