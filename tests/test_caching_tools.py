"""`scrimp.cached_tool`: asked the same again, a tool answers from memory – for threads, tasks and the SDK."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.caching_tools import cached_tool
from scrimp.core.record import Tags
from scrimp.emulator import Emulator
from scrimp.errors import InputError, ScrimpWarning
from scrimp.stores.memory import MemoryLedger
from scrimp.tool_servings import take_notes

MODEL = "claude-haiku-4-5"


@pytest.fixture(autouse=True)
def nothing_is_left_to_note() -> Iterator[None]:
    yield
    take_notes(Tags())


class Counting:
    """A tool that counts its calls and may take a while."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def read(self, path: str, limit: int = 10, *flags: str, **more: Any) -> list[Any]:
        self.calls.append((path, limit, flags, more))
        self.may_end.wait(10)
        return [path, limit]


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.002)
    assert condition()


def test_the_same_call_however_it_is_written_is_made_once() -> None:
    tool = Counting()
    read = cached_tool(tool.read)
    first = read("a.py")
    assert read("a.py", 10) == read(path="a.py") == read(limit=10, path="a.py") == first == ["a.py", 10]
    assert len(tool.calls) == 1
    read("a.py", 10, "x")
    read("a.py", 10, "x", b=1, a={"y": 1, "z": 2})
    read("a.py", 10, "x", a={"z": 2, "y": 1}, b=1)
    assert len(tool.calls) == 3
    assert read.cache_info() == (4, 3, 3)


def test_a_result_that_is_too_old_is_asked_for_again() -> None:
    now, tool = [100.0], Counting()
    read = cached_tool(ttl=60, clock=lambda: now[0])(tool.read)
    read("a")
    now[0] = 159.0
    read("a")
    assert len(tool.calls) == 1
    now[0] = 160.0
    read("a")
    assert len(tool.calls) == 2


def test_a_run_and_its_sub_agents_share_and_other_runs_ask_anew() -> None:
    tool = Counting()
    read = cached_tool(tool.read)
    with scrimp.run("one"):
        read("a")
        with scrimp.run("sub-agent"):
            read("a")
    assert len(tool.calls) == 1
    with scrimp.run("two") as run, ThreadPoolExecutor(1) as pool:
        read("a")
        pool.submit(run.bind(read), "a").result()
    assert len(tool.calls) == 2
    read("a")
    assert len(tool.calls) == 3


def test_with_scope_process_runs_share() -> None:
    tool = Counting()
    read = cached_tool(scope="process")(tool.read)
    with scrimp.run("one"):
        read("a")
    with scrimp.run("two"):
        read("a")
    assert len(tool.calls) == 1


def test_threads_that_ask_the_same_at_once_wait_for_one_call() -> None:
    tool = Counting()
    tool.may_end.clear()
    read = cached_tool(tool.read)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(read, "a") for _ in range(8)]
        wait_for(lambda: len(tool.calls) == 1)
        time.sleep(0.05)
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
        may_fail.wait(10)
        raise OSError(f"no {path}")

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(read, "a") for _ in range(4)]
        wait_for(lambda: calls == ["a"])
        time.sleep(0.05)
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


def test_what_one_caller_does_to_its_result_no_other_sees() -> None:
    read = cached_tool(Counting().read)
    for _ in range(3):
        result = read("a")
        assert result == ["a", 10]
        result.append("mine")


def test_arguments_that_nothing_stands_for_are_not_cached_and_said_once() -> None:
    calls = []

    @cached_tool
    def read(path: Any) -> str:
        calls.append(path)
        return "text"

    with pytest.warns(ScrimpWarning, match="read is not cached: its argument 'path'") as said:
        [read(object()) for _ in range(2)]
    assert len(said) == 1
    assert len(calls) == 2
    assert read("a") == read("a") == "text"
    assert len(calls) == 3


def test_a_key_says_which_calls_are_the_same() -> None:
    class Shelf:
        calls = 0

        @cached_tool(key=lambda _, path: path.lower())
        def read(self, path: str) -> str:
            self.calls += 1
            return path

    shelf = Shelf()
    assert (shelf.read("A"), shelf.read("a")) == ("A", "A")
    assert shelf.calls == 1


def test_results_that_cannot_be_copied_are_not_kept() -> None:
    calls = []

    @cached_tool
    def read(path: str) -> Iterator[str]:
        calls.append(path)
        return iter(x for x in [path])

    with pytest.warns(ScrimpWarning, match="cannot be copied") as said:
        assert [list(read("a")), list(read("a"))] == [["a"], ["a"]]
    assert len(said) == 1
    assert len(calls) == 2


def test_an_impure_tool_is_asked_every_time() -> None:
    tool = Counting()
    read = cached_tool(pure=False)(tool.read)
    read("a")
    read("a")
    assert len(tool.calls) == 2
    assert read.cache_info().entries == 0


def test_within_skip_every_tool_is_asked_and_nothing_is_kept() -> None:
    tool = Counting()
    read = cached_tool(tool.read)
    with cached_tool.skip():
        read("a")
    read("a")
    with cached_tool.skip():
        read("a")
    read("a")
    assert len(tool.calls) == 3


def test_a_result_may_be_too_bad_to_keep() -> None:
    said = iter(["error: busy", "text", "never"])

    @cached_tool(keep=lambda result: not result.startswith("error"))
    def read(path: str) -> str:
        return next(said)

    assert [read("a") for _ in range(3)] == ["error: busy", "text", "text"]


def test_invalidate_forgets_all_or_some() -> None:
    tool = Counting()
    read = cached_tool(tool.read)
    with scrimp.run("one"):
        read("a"), read("b")
        read.invalidate(path="a")
        read("a"), read("b")
        assert [call[0] for call in tool.calls] == ["a", "b", "a"]
        read.invalidate()
        read("a"), read("b")
    assert len(tool.calls) == 5


def test_what_was_asked_before_it_was_invalidated_is_not_kept() -> None:
    tool = Counting()
    tool.may_end.clear()
    read = cached_tool(tool.read)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(read, "a")
        wait_for(lambda: len(tool.calls) == 1)
        read.invalidate()
        after = pool.submit(read, "a")
        wait_for(lambda: len(tool.calls) == 2)
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
        wait_for(lambda: len(tool.calls) == 1)
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
    return await asyncio.wait_for(asked, 5)


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
    asks.join(5)
    assert not asks.is_alive()
    assert fetch.cache_info().entries == 1


class Odd:
    """What fails to be copied in a way of its own."""

    def __deepcopy__(self, memo: Any) -> Odd:
        raise pickle.PicklingError("not me")


@pytest.mark.parametrize(
    ("cached", "result"),
    [
        (cached_tool(keep=lambda result: result["ok"]), {"okay": 1}),
        (cached_tool, Odd()),
        (cached_tool, memoryview(b"abc")),
    ],
)
def test_a_result_is_given_to_its_caller_whatever_keeping_it_comes_to(cached: Any, result: Any) -> None:
    calls: list[int] = []

    @cached
    def ask(number: int) -> Any:
        calls.append(number)
        return result

    with pytest.warns(ScrimpWarning, match=r"ask is not cached: a result cannot be copied, or keep=… fails"):
        assert ask(1) is result
    assert ask(1) is result
    assert calls == [1, 1]


def test_tools_that_call_one_another_from_two_threads_end() -> None:
    both = threading.Barrier(2)

    @cached_tool(key=lambda deeper: 1)
    def one(*, deeper: bool = True) -> int:
        if deeper:
            both.wait(5)
        return 1 + (other(deeper=False) if deeper else 0)

    @cached_tool(key=lambda deeper: 1)
    def other(*, deeper: bool = True) -> int:
        if deeper:
            both.wait(5)
        return 10 + (one(deeper=False) if deeper else 0)

    asked = [threading.Thread(target=tool, kwargs={"deeper": True}, daemon=True) for tool in (one, other)]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(10)
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
        return list(await asyncio.wait_for(asyncio.gather(one(deeper=True), other(deeper=True)), 5))

    assert asyncio.run(run()) == [12, 11]  # the second asks the first anew, which waits for it


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: cached_tool(ttl=0), "ttl=0"),
        (lambda: cached_tool(scope="thread"), "scope='thread'"),
        (lambda: cached_tool(max_entries=0), "max_entries"),
        (lambda: cached_tool("read"), "found str"),
        (lambda: cached_tool(dict), "key="),
        (lambda: cached_tool(yields), "yields its results"),
    ],
)
def test_what_cannot_be_cached_is_refused(wrong: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        wrong()


def yields() -> Iterator[str]:
    yield "a"


def test_wrong_arguments_are_the_tools_own_error() -> None:
    read = cached_tool(Counting().read)
    with pytest.raises(TypeError, match="path"):
        read()


def asks(times: int) -> list[Any]:
    """An agent that reads the same file again and again, then answers."""
    uses = [
        {"type": "tool_use", "id": f"toolu_{n}", "name": "read_file", "input": {"path": "a.py"}}
        for n in range(times)
    ]
    return [*([use] for use in uses), "Done."]


CALLS: list[str] = []


def above(**settings: Any) -> Any:
    @cached_tool(**settings)
    @anthropic.beta_tool
    def read_file(path: str, limit: int = 10) -> str:
        """Read a file.

        Args:
            path: Which one.
        """
        CALLS.append(path)
        return f"text of {path}"

    return read_file


def below(**settings: Any) -> Any:
    @anthropic.beta_tool
    @cached_tool(**settings)
    def read_file(path: str, limit: int = 10) -> str:
        """Read a file.

        Args:
            path: Which one.
        """
        CALLS.append(path)
        return f"text of {path}"

    return read_file


def above_async(**settings: Any) -> Any:
    @cached_tool(**settings)
    @anthropic.beta_async_tool
    async def read_file(path: str, limit: int = 10) -> str:
        """Read a file.

        Args:
            path: Which one.
        """
        CALLS.append(path)
        return f"text of {path}"

    return read_file


def below_async(**settings: Any) -> Any:
    @anthropic.beta_async_tool
    @cached_tool(**settings)
    async def read_file(path: str, limit: int = 10) -> str:
        """Read a file.

        Args:
            path: Which one.
        """
        CALLS.append(path)
        return f"text of {path}"

    return read_file


@pytest.fixture
def calls() -> list[str]:
    CALLS.clear()
    return CALLS


def notes_of(ledger: MemoryLedger) -> list[str]:
    ledger.flush()
    return [note for record in ledger.records() for note in record.notes if "from the cache" in note]


@pytest.mark.parametrize("make", [above, below])
def test_a_tool_of_the_sdk_is_described_as_without(make: Callable[..., Any]) -> None:
    described = make().to_dict()
    assert described == {
        "name": "read_file",
        "description": "Read a file.",
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "title": "Path", "description": "Which one."},
                "limit": {"type": "integer", "title": "Limit", "default": 10},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    }


@pytest.mark.parametrize("make", [above, below])
@pytest.mark.parametrize("thread", [True, False])
def test_the_sdks_tool_runner_is_served_from_memory(
    make: Callable[..., Any], calls: list[str], *, thread: bool
) -> None:
    ledger, tool = MemoryLedger(), make()
    with (
        Emulator(asks(3)) as api,
        anthropic.Anthropic(
            base_url=api.url, api_key="key", middleware=[scrimp.Middleware(ledger=ledger)]
        ) as client,
        scrimp.run("tools"),
    ):
        runner = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=64,
            tools=[tool],
            messages=[{"role": "user", "content": "Go."}],
            **({} if thread else {"thread": False}),
        )
        final = runner.until_done()
        billed = sum(one.usage.total_input for one in api.bill)
    assert final.content[0].text == "Done."
    assert calls == ["a.py"]
    assert tool.func.cache_info().hits == 2
    assert sum(record.usage.total_input for record in ledger.records()) == billed


@pytest.mark.parametrize("make", [above_async, below_async])
def test_the_sdks_async_tool_runner_is_served_from_memory(make: Callable[..., Any], calls: list[str]) -> None:
    tool, ledger = make(), MemoryLedger()

    async def run(url: str) -> str:
        client = anthropic.AsyncAnthropic(
            base_url=url, api_key="key", middleware=[scrimp.Middleware(ledger=ledger)]
        )
        async with client, scrimp.run("tools"):
            runner = client.beta.messages.tool_runner(
                model=MODEL, max_tokens=64, tools=[tool], messages=[{"role": "user", "content": "Go."}]
            )
            final = await runner.until_done()
            return str(final.content[0].text)

    with Emulator(asks(3)) as api:
        assert asyncio.run(run(api.url)) == "Done."
        billed = sum(one.usage.total_input for one in api.bill)
    assert calls == ["a.py"]
    assert sum(record.usage.total_input for record in ledger.records()) == billed


@pytest.mark.parametrize("make", [above, below])
def test_a_tool_of_the_sdk_refuses_wrong_input_itself(make: Callable[..., Any], calls: list[str]) -> None:
    tool = make()
    for wrong in ({"limit": 1}, {"path": "a", "limit": "many"}):
        with pytest.raises(ValueError, match="Invalid arguments"):
            tool.call(wrong)
    assert calls == []


def test_hits_are_noted_for_the_record_of_the_next_call() -> None:
    with scrimp.run("one") as run:
        read = cached_tool(Counting().read)
        for _ in range(3):
            read("a")
        assert take_notes(run.tags) == ("2 tool results from the cache: read ×2",)
        assert take_notes(run.tags) == ()
        read("a")
        assert take_notes(run.tags) == ("1 tool result from the cache: read ×1",)


def test_the_ledger_shows_the_hits(calls: list[str]) -> None:
    ledger = MemoryLedger()
    with (
        Emulator(asks(3)) as api,
        anthropic.Anthropic(
            base_url=api.url, api_key="key", middleware=[scrimp.Middleware(ledger=ledger)]
        ) as client,
        scrimp.run("tools"),
    ):
        client.beta.messages.tool_runner(
            model=MODEL, max_tokens=64, tools=[above()], messages=[{"role": "user", "content": "Go."}]
        ).until_done()
    assert notes_of(ledger) == ["1 tool result from the cache: read_file ×1"] * 2
