"""`scrimp.cached_tool`: asked the same again, a tool answers from memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import scrimp
from scrimp.caching_tools import cached_tool
from scrimp.errors import InputError, ScrimpWarning
from scrimp.tool_servings import take_notes
from tests.caching_tools.tools import Counting


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


def test_hits_are_noted_for_the_record_of_the_next_call() -> None:
    with scrimp.run("one") as run:
        read = cached_tool(Counting().read)
        for _ in range(3):
            read("a")
        assert take_notes(run.tags) == ("2 tool results from the cache: read ×2",)
        assert take_notes(run.tags) == ()
        read("a")
        assert take_notes(run.tags) == ("1 tool result from the cache: read ×1",)
