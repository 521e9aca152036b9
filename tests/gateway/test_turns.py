"""Work that takes a while, and streams that must not wait for a row of it."""

from __future__ import annotations

import asyncio
from time import monotonic

from scrimp.gateway.turns import Turns
from tests.patience import PATIENCE

LONG = 0.002
"""Seconds: longer than such work may go on at a stretch."""


def busy() -> None:
    until = monotonic() + LONG
    while monotonic() < until:
        pass


async def worked(turns: Turns, said: list[str], name: str) -> None:
    await turns.mine()
    busy()
    said.append(name)


async def passed_by(said: list[str]) -> None:
    """An event of a stream: it comes with the next look at the network, and goes on at once."""
    await asyncio.sleep(0)
    said.append("event")


def test_an_event_goes_before_what_stands_in_line() -> None:
    async def main() -> list[str]:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        await asyncio.gather(*(worked(turns, said, name) for name in "abc"), passed_by(said))
        return said

    assert asyncio.run(main()) == ["a", "event", "b", "c"]


def test_where_nothing_streams_nobody_waits() -> None:
    async def main() -> list[str]:
        turns, said = Turns(), list[str]()
        await asyncio.gather(*(worked(turns, said, name) for name in "abc"), passed_by(said))
        return said

    assert asyncio.run(main()) == ["a", "b", "c", "event"]


def test_ends_are_done_in_order_and_whatever_stands_in_line_is_done_at_the_end() -> None:
    async def main() -> tuple[list[str], list[str]]:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        turns.when_there_is_time(busy)
        for name in "abc":
            turns.when_there_is_time(lambda name=name: said.append(name))  # type: ignore[misc]
        at_once = said.copy()
        turns.finish()
        return at_once, said

    assert asyncio.run(main()) == ([], ["a", "b", "c"])


def test_one_that_leaves_the_line_holds_nobody_up() -> None:
    async def main() -> list[str]:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        tasks = [asyncio.create_task(worked(turns, said, name)) for name in ("first", "gone", "here")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait_for(tasks[2], PATIENCE)
        return said

    assert asyncio.run(main()) == ["first", "here"]
