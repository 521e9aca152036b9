"""Work that takes a while, and streams that must not wait for a row of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic

import pytest

from scrimp.gateway import turns as module
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


FAILED = "work in its turn failed: RuntimeError"


def fails() -> None:
    raise RuntimeError("a prompt")


def test_one_that_fails_holds_nobody_up_and_is_told_without_its_text() -> None:
    failed: list[dict[str, object]] = []

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: failed.append(what))
        turns, said = Turns(), list[str]()
        turns.streams = 1
        for work in (fails, partial(said.append, "a"), fails):
            turns.when_there_is_time(work)
        await asyncio.wait_for(worked(turns, said, "b"), PATIENCE)
        turns.streams = 0
        while turns.busy:
            await asyncio.sleep(0)
        turns.when_there_is_time(partial(said.append, "c"))
        return said

    assert asyncio.run(main()) == ["a", "b", "c"]
    assert failed == 2 * [{"message": FAILED}]


def test_one_that_fails_at_the_end_loses_nothing_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[str]:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        for work in (fails, partial(said.append, "a"), fails, partial(said.append, "b")):
            turns.later(work)
        turns.finish()
        return said

    assert asyncio.run(main()) == ["a", "b"]
    assert [record.getMessage() for record in caplog.records] == 2 * [FAILED]


async def looks(said: list[str], times: int) -> None:
    """What the loop does besides: one mark for each of its turns."""
    for _ in range(times):
        await asyncio.sleep(0)
        said.append("|")


def in_order(began: Callable[[Turns, list[str]], None], *, looked: int = 9) -> str:
    """What is done with the turns of a gateway in which something streams, and in which turns of the loop."""

    async def main() -> str:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        began(turns, said)
        await looks(said, looked)
        return "".join(said)

    return asyncio.run(main())


def slowly(said: list[str], name: str) -> None:
    busy()
    said.append(name)


def test_small_work_is_done_together_and_long_work_with_looks_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SLICE", 60.0)

    def quick(turns: Turns, said: list[str]) -> None:
        for name in "abc":
            turns.later(partial(said.append, name))

    assert in_order(quick, looked=3) == "abc|||"
    monkeypatch.undo()

    def slow(turns: Turns, said: list[str]) -> None:
        for name in "abc":
            turns.later(partial(slowly, said, name))

    assert in_order(slow, looked=3) == "a|b|c|"


def test_what_has_to_wait_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 2)

    def many(turns: Turns, said: list[str]) -> None:
        for name in "abcde":
            turns.later(partial(slowly, said, name))

    assert in_order(many, looked=3) == "abc|d|e|"


def test_what_is_left_of_a_piece_of_work_is_next() -> None:
    def parted(turns: Turns, said: list[str]) -> None:
        def first() -> None:
            slowly(said, "a")
            turns.rest(partial(slowly, said, "A"))

        turns.later(first)
        turns.later(partial(slowly, said, "b"))

    assert in_order(parted, looked=3) == "a|A|b|"

    turns, said = Turns(), list[str]()
    turns.rest(partial(said.append, "at once"))  # where nothing streams
    assert said == ["at once"]


def test_whoever_is_let_go_on_has_a_turn_of_the_loop_and_waits_again_for_another() -> None:
    async def main() -> str:
        turns, said = Turns(), list[str]()
        turns.streams = 1

        async def call(name: str) -> None:
            for step in "12":
                await turns.mine()
                slowly(said, name + step)

        calls = [asyncio.create_task(call(name)) for name in "ab"]
        await asyncio.gather(looks(said, 12), *calls)
        return "".join(said)

    pieces = [piece for piece in asyncio.run(main()).split("|") if piece]
    assert sorted(pieces) == ["a1", "a2", "b1", "b2"]


def test_what_has_begun_to_wait_is_done_before_what_comes_when_nothing_streams_any_more() -> None:
    async def main() -> list[str]:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        turns.later(partial(said.append, "end"))
        turns.streams = 0
        turns.when_there_is_time(partial(said.append, "another"))
        await turns.mine()
        said.append("begin")
        return said

    assert asyncio.run(main()) == ["end", "another", "begin"]


def test_what_is_left_is_done_at_the_end_as_well() -> None:
    async def main() -> list[str]:
        turns, said = Turns(), list[str]()
        turns.streams = 1
        turns.later(lambda: turns.rest(partial(said.append, "rest")))
        turns.finish()
        return said

    assert asyncio.run(main()) == ["rest"]
