"""Which conversations get the tool that fetches: from their first request on or never."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.offload.fetch_tool import DEFINITION, FETCH
from scrimp.core.record import Tags
from scrimp.facts.models import default
from scrimp.offloading import Offload
from scrimp.stores.offload_memory import MemoryOffload
from tests.offloading.requests import (
    LOG,
    TOOLS,
    asked,
    call,
    change,
    lever,
    result,
    sent,
    step,
    text_of,
    user,
)


def test_the_tool_is_there_from_the_first_request_and_behind_the_others() -> None:
    one = lever()
    first = sent(one, asked(user("task")))
    assert [tool["name"] for tool in first["tools"]] == ["read", "list", FETCH]
    assert first["tools"][2] == DEFINITION
    assert first["messages"] == [user("task")]
    later = sent(one, asked(user("task"), call(), user(result("short"))))
    assert later["tools"] == first["tools"]


def test_a_conversation_that_began_without_the_tool_is_left_alone() -> None:
    one = lever()
    body = asked(user("task"), call(), user(result()))
    assert change(one, body) is None
    assert (
        change(
            one, asked(user("task"), call(), user(result()), call("toolu_2"), user(result(LOG, "toolu_2")))
        )
        is None
    )


def test_conversations_that_begin_alike_are_told_apart_by_their_answers() -> None:
    """One that is left alone does not keep the next one from the tool, nor gets it with it."""
    one = lever()
    old = [user("the nightly check"), call("old"), user(result(LOG, "old"))]
    assert change(one, asked(*old)) is None
    assert change(one, asked(user("the nightly check"))) is not None
    new = [user("the nightly check"), call("new"), user(result(LOG, "new"))]
    assert text_of(sent(one, asked(*new))).startswith("[scrimp")
    assert change(one, asked(*old, call("b"), user(result("x", "b")))) is None


def test_a_conversation_is_known_however_its_beginning_is_written() -> None:
    one = lever()
    marked = {"type": "text", "text": "task", "cache_control": {"type": "ephemeral"}, "citations": None}
    system = {
        "role": "system",
        "content": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    }
    sent(one, asked(system, user(marked)))
    later = {"role": "system", "content": "be brief"}
    out = sent(one, asked(later, user("task"), call(), user(result())))
    assert text_of(out, at=3).startswith("[scrimp")
    as_list = result([{"type": "text", "text": LOG}])
    again = sent(one, asked(later, user("task"), call(), user(as_list), call("b"), user(result("x", "b"))))
    assert again["messages"][3]["content"][0]["content"][0]["text"] == text_of(out, at=3)


def test_a_conversation_that_used_the_tool_has_it_whatever_was_forgotten() -> None:
    fetched = call("toolu_f", FETCH, handle="a" * 16)
    out = sent(lever(), asked(user("task"), fetched, user(result("text", "toolu_f")), call(), user(result())))
    assert [tool["name"] for tool in out["tools"]] == ["read", "list", FETCH]
    assert text_of(out, at=4).startswith("[scrimp")


def test_one_without_tools_is_left_alone_for_good() -> None:
    one = lever()
    assert change(one, asked(user("task"), tools=[])) is None
    assert change(one, asked(user("task"))) is not None  # with tools it begins anew


def test_where_the_caller_offers_the_tool_results_are_cut_at_any_time() -> None:
    one = lever()
    own = [*TOOLS, {"name": FETCH, "description": "my own", "input_schema": {"type": "object"}}]
    out = sent(one, asked(user("task"), call(), user(result()), tools=own))
    assert out["tools"] == own
    assert text_of(out).startswith("[scrimp")


def test_where_such_a_request_is_refused_results_stay_whole() -> None:
    one = lever()
    own = [*TOOLS, {"name": FETCH, "input_schema": {"type": "object"}}]
    body = asked(user("task"), call(), user(result()), tools=own)
    assert text_of(sent(one, body)) != LOG
    one.refused(step(body))
    assert change(one, body) is None


def test_a_refused_request_leaves_its_conversation_alone_and_three_their_model() -> None:
    store = MemoryOffload()
    one = lever(store=store)
    for at in range(3):
        task = user(f"task {at}")
        body = asked(task, call(), user(result()))
        assert change(one, asked(task)) is not None
        sent(one, body)
        one.refused(step(body))
        assert change(one, body) is None
        assert change(lever(store=store), body) is None  # nor after a restart
    assert change(one, asked(user("another task"))) is None
    other = default().resolve("claude-haiku-4-5")
    assert change(one, asked(user("another one")), model=other) is not None


def test_what_others_changed_is_no_refusal_of_this() -> None:
    one = lever()
    for at in range(4):
        body = asked(user(f"task {at}"), call(), user(result()))
        assert change(one, body) is None
        one.refused(step(body))
    one.refused(step({"messages": "no list"}))
    assert change(one, asked(user("another task"))) is not None


LONG = "Follow the rules of the house. " * 3_000
"""Some 21,000 tokens, of which the definition of a tool is next to nothing."""


def offered(lever: Offload, count: int, **fields: Any) -> list[bool]:
    """Whether conversations that begin get the tool."""
    return [change(lever, asked(user(f"task {at}"), **fields)) is not None for at in range(count)]


def test_short_conversations_without_large_results_are_soon_spared_the_tool() -> None:
    """A definition of some 100 tokens is more than a hundredth of their prompts: three try it."""
    one = lever(always=False)
    assert offered(one, 40) == [True] * 3 + [False] * 37
    long = {"system": "Follow the rules of the house. " * 900}
    assert offered(lever(always=False), 40, **long) == [True] * 3 + [False] * 37


def test_where_the_tool_is_next_to_nothing_it_is_there_until_nothing_comes_of_it() -> None:
    one = lever(always=False)
    found = offered(one, 40, system=LONG)
    assert all(found[:20])
    assert not any(found[20:])


def test_agents_that_show_large_results_get_the_tool_from_then_on_and_in_the_next_process() -> None:
    one = lever(always=False)
    assert not any(offered(one, 30)[3:])
    assert change(one, asked(user("large"))) is None
    assert change(one, asked(user("large"), call(), user(result()))) is None
    assert change(one, asked(user("the next"))) is not None
    again = lever(always=False)
    again.recall({**one.learned(), "kind 0": b"junk", "kind 1": b"\x92\xff\x01"})
    assert change(again, asked(user("the next"))) is not None
    assert offered(again, 4, tools=[TOOLS[0]]) == [True] * 3 + [False]
    short = Tags(task_type="short ones")
    found = [change(again, asked(user(f"other {at}")), tags=short) is not None for at in range(4)]
    assert found == [True] * 3 + [False]


def test_agents_whose_large_results_became_rare_are_spared_the_tool_again() -> None:
    one = lever(always=False)
    change(one, asked(user("large")))
    change(one, asked(user("large"), call(), user(result())))
    found = offered(one, 1_000)
    assert found[0]
    assert not found[-1]


def test_with_always_all_conversations_with_tools_have_the_tool() -> None:
    assert all(offered(lever(), 40))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_client_that_writes_its_first_message_anew_keeps_its_tools(restarted: bool) -> None:
    """With a window of the last messages, or with the state of things in the first one."""
    store = MemoryOffload()
    one = lever(store=store)
    said = [user("task, 1 of 9"), call("a"), user(result("short", "a"))]
    before = sent(one, asked(*said[:1], system="s"))
    for left_out in range(5):
        if restarted:
            one = lever(store=store)
        said = [user(f"task; {left_out} left out"), *said[1:], call(f"b{left_out}"), user("go on")]
        assert sent(one, asked(*said, system="s"))["tools"] == before["tools"]
    text = {"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}
    assert change(one, asked(user("otherwise written"), *said[1:], system=[text])) is not None
    for other in ({"system": "t"}, {"system": "s", "tools": TOOLS[:1]}, {"system": "s", "model": "m"}):
        assert change(one, asked(user(f"others: {other}"), *said[1:], **other)) is None
    assert change(one, asked(*said, system="s"), tags=Tags(user="ben")) is None


@pytest.mark.parametrize("restarted", [False, True])
def test_one_that_was_met_without_the_tool_never_gets_it_since_others_have(restarted: bool) -> None:
    store = MemoryOffload()
    one = lever(store=store)
    old = [user("old"), call("a"), user(result("short", "a"))]
    assert change(one, asked(*old)) is None
    assert change(one, asked(user("another"))) is not None
    if restarted:
        one = lever(store=store)
    assert change(one, asked(*old, call("b"), user("go on"))) is None


def test_bound_thinking_that_is_met_in_its_middle_never_meets_another_tool() -> None:
    one = lever()
    bound = default().resolve("claude-fable-5-2")
    assert bound.features.thinking_binding == "always"
    assert change(one, asked(user("task")), model=bound) is not None
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    answer = {"role": "assistant", "content": [thought, *call("a")["content"]]}
    later = [user(result("short", "a"))]
    assert change(one, asked(user("unknown"), answer, *later), model=bound) is None
    assert change(one, asked(user("unknown"), call("b"), user("go on")), model=bound) is not None


def test_a_client_that_writes_its_first_message_anew_is_left_alone_where_it_is_refused() -> None:
    store = MemoryOffload()
    one = lever(store=store)
    change(one, asked(user("task")))
    body = asked(user("state 1"), call("a"), user(result("short", "a")))
    assert change(one, body) is not None
    one.refused(step(body))
    later = asked(user("state 2"), call("a"), user(result("short", "a")))
    assert change(lever(store=store), later) is None
    assert change(one, later) is None
