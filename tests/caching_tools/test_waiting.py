"""Threads, tasks and loops that ask the same at once: one call is made, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from traceback import walk_stack
from typing import Any

import pytest

from scrimp.caching_tools import cached_tool
from scrimp.caching_tools.flight import Flight
from tests.caching_tools.tools import Counting
from tests.patience import PATIENCE, eventually


def waiting() -> int:
    """How many threads wait for the call of another."""
    tops, code = tuple(sys._current_frames().values()), Flight.wait.__code__
    return sum(any(frame.f_code is code for frame, _ in walk_stack(top)) for top in tops)


def test_threads_that_ask_the_same_at_once_wait_for_one_call() -> None:
    tool = Counting()
    tool.may_end.clear()
    read = cached_tool(tool.read)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(read, "a") for _ in range(8)]
        eventually(lambda: len(tool.calls) == 1 and waiting() == 7)
        tool.may_end.set()
        results = [one.result() for one in asked]
    assert results == [["a", 10]] * 8
    assert len({id(result) for result in results}) == 8
    assert len(tool.calls) == 1


def test_tasks_that_ask_the_same_at_once_wait_for_one_call() -> None:
    calls = []

    @cached_tool
    async def read(path: str) -> dict[str, str]:
        calls.append(path)
        await asyncio.sleep(0.02)
        return {"path": path}

    async def all_at_once() -> list[dict[str, str]]:
        return await asyncio.gather(*(read("a") for _ in range(10)), read("b"))

    results = asyncio.run(all_at_once())
    assert results == [{"path": "a"}] * 10 + [{"path": "b"}]
    assert calls == ["a", "b"]


def test_loops_of_several_threads_wait_for_one_call() -> None:
    calls = []

    @cached_tool
    async def read(path: str) -> str:
        calls.append(path)
        await asyncio.sleep(0.2)
        return path

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: asyncio.run(read("a")), range(4)))
    assert results == ["a"] * 4
    assert calls == ["a"]


def test_an_error_reaches_all_who_waited_and_is_not_kept() -> None:
    calls, may_fail = [], threading.Event()

    @cached_tool
    def read(path: str) -> str:
        calls.append(path)
        may_fail.wait(PATIENCE)
        raise OSError(f"no {path}")

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(read, "a") for _ in range(4)]
        eventually(lambda: calls == ["a"] and waiting() == 3)
        may_fail.set()
        for one in asked:
            with pytest.raises(OSError, match="no a"):
                one.result()
    assert calls == ["a"]
    with pytest.raises(OSError, match="no a"):
        read("a")
    assert calls == ["a", "a"]


def test_who_is_cancelled_takes_nobody_along() -> None:
    calls = []

    @cached_tool
    async def read(path: str) -> str:
        calls.append(path)
        await asyncio.sleep(0.05)
        return path

    async def some_are_cancelled() -> list[str]:
        leader = asyncio.create_task(read("a"))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(read("a")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        leader.cancel()
        return await asyncio.gather(*waiting[1:])

    assert asyncio.run(some_are_cancelled()) == ["a", "a"]
    assert calls == ["a", "a"]


def test_what_was_asked_before_it_was_invalidated_is_not_kept() -> None:
    tool = Counting()
    tool.may_end.clear()
    read = cached_tool(tool.read)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(read, "a")
        eventually(lambda: len(tool.calls) == 1)
        read.invalidate()
        after = pool.submit(read, "a")
        eventually(lambda: len(tool.calls) == 2)
        tool.may_end.set()
        before.result(), after.result()
    read("a")
    assert len(tool.calls) == 2


def test_a_tool_that_calls_itself_alike_does_not_wait_for_itself() -> None:
    depth = []

    @cached_tool
    def walk(path: str) -> int:
        depth.append(path)
        return walk(path) if len(depth) < 3 else len(depth)

    assert walk("a") == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_waits_for_no_call_of_its_parent() -> None:
    tool = Counting()
    tool.may_end.clear()
    read = cached_tool(tool.read)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(read, "a")
        eventually(lambda: len(tool.calls) == 1)
        child = os.fork()
        if child == 0:
            tool.may_end = threading.Event()
            tool.may_end.set()
            os._exit(0 if read("a") == ["a", 10] else 1)
        tool.may_end.set()
        asked.result()
    assert os.waitpid(child, 0)[1] == 0


class Slow:
    """A coroutine function whose first call never ends by itself."""

    def __init__(self) -> None:
        self.calls = 0

    async def fetch(self, url: str) -> str:
        self.calls += 1
        if self.calls == 1:
            await asyncio.get_running_loop().create_future()
        return f"text of {url}"


async def within_a_while(asked: Any) -> Any:
    return await asyncio.wait_for(asked, PATIENCE)


def left_pending(asked: Any) -> tuple[asyncio.AbstractEventLoop, Any]:
    """A loop that has begun a task and runs no more, and the task."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(asked)
    loop.run_until_complete(asyncio.sleep(0.01))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # what it would say is what this is about
    return loop, task


def test_a_call_whose_loop_was_closed_and_collected_keeps_nobody_waiting() -> None:
    tool = Slow()
    fetch = cached_tool(tool.fetch)
    loop, task = left_pending(fetch("a"))
    loop.close()
    del loop, task
    gc.collect()
    assert asyncio.run(within_a_while(fetch("a"))) == "text of a"
    assert asyncio.run(within_a_while(fetch("a"))) == "text of a"
    assert tool.calls == 2


def test_a_call_whose_loop_stands_still_keeps_nobody_waiting() -> None:
    tool = Slow()
    fetch = cached_tool(tool.fetch)
    loop, task = left_pending(fetch("a"))
    assert asyncio.run(within_a_while(fetch("a"))) == "text of a"
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))  # which must not take away what is known by now
    loop.close()
    assert asyncio.run(within_a_while(fetch("a"))) == "text of a"
    assert tool.calls == 2


def test_a_coroutine_closed_in_another_context_keeps_nobody_waiting() -> None:
    tool = Slow()
    fetch = cached_tool(tool.fetch)

    async def run() -> str:
        asked = fetch("a")
        copy_context().run(asked.send, None)
        asked.close()
        return str(await within_a_while(fetch("a")))

    assert asyncio.run(run()) == "text of a"


def test_a_coroutine_driven_without_a_loop_is_cached() -> None:
    fetch = cached_tool(Slow().fetch)
    with pytest.raises(RuntimeError):
        fetch("a").send(None)  # the tool itself wants a loop
    with pytest.raises(StopIteration, match="text of a"):
        fetch("a").send(None)
    assert fetch.cache_info().entries == 1


def test_a_call_that_is_collected_while_a_result_is_kept_locks_nobody_out() -> None:
    tool, pending = Slow(), list[Any]()

    class Collects:
        def __deepcopy__(self, memo: Any) -> Collects:
            return self

        @property
        def __dict__(self) -> dict[str, Any]:  # read where its size is taken
            pending.clear()
            gc.collect()
            return {}

    @cached_tool(key=lambda name: name)
    async def fetch(name: str) -> Any:
        return await tool.fetch(name) if name == "slow" else Collects()

    loop, task = left_pending(fetch("slow"))
    loop.close()
    pending.append(task)
    del loop, task
    asks = threading.Thread(target=lambda: asyncio.run(fetch("other")), daemon=True)
    asks.start()
    asks.join(PATIENCE)
    assert not asks.is_alive()
    assert fetch.cache_info().entries == 1


def test_tools_that_call_one_another_from_two_threads_end() -> None:
    both = threading.Barrier(2)

    @cached_tool(key=lambda deeper: 1)
    def one(*, deeper: bool = True) -> int:
        if deeper:
            both.wait(PATIENCE)
        return 1 + (other(deeper=False) if deeper else 0)

    @cached_tool(key=lambda deeper: 1)
    def other(*, deeper: bool = True) -> int:
        if deeper:
            both.wait(PATIENCE)
        return 10 + (one(deeper=False) if deeper else 0)

    asked = [threading.Thread(target=tool, kwargs={"deeper": True}, daemon=True) for tool in (one, other)]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in asked)


def test_tools_that_wait_for_one_another_in_a_loop_end() -> None:
    @cached_tool(key=lambda deeper: 1)
    async def one(*, deeper: bool = True) -> int:
        await asyncio.sleep(0.01)
        return 1 + (await other(deeper=False) if deeper else 0)

    @cached_tool(key=lambda deeper: 1)
    async def other(*, deeper: bool = True) -> int:
        await asyncio.sleep(0.01)
        return 10 + (await one(deeper=False) if deeper else 0)

    async def run() -> list[int]:
        return list(await asyncio.wait_for(asyncio.gather(one(deeper=True), other(deeper=True)), PATIENCE))

    assert asyncio.run(run()) == [12, 11]  # the second asks the first anew, which waits for it
