"""The lever: results are cut when they come in or never, and what was sent once is sent so for good."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scrimp
from scrimp.core.levers import Change, Step
from scrimp.core.offload.fetch_tool import DEFINITION, FETCH
from scrimp.core.offload.kinds import KINDS
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.scopes import scope_of
from scrimp.core.offload.worth import Odds, Outlook, saved_by
from scrimp.core.record import Tags
from scrimp.errors import InputError, StoreError
from scrimp.facts.models import default
from scrimp.facts.prices import Rates
from scrimp.fetch_tools import FetchTool
from scrimp.offloading import Offload
from scrimp.shortening import fetch, offload
from scrimp.stores.offload import Retention
from scrimp.stores.offload_memory import MemoryOffload
from scrimp.stores.offload_sqlite import SqliteOffload

NOON = 1_795_000_000.0
MODEL = default().resolve("claude-opus-4-8")
TOOLS = [
    {"name": "read", "input_schema": {"type": "object"}},
    {"name": "list", "input_schema": {"type": "object"}},
]
LOG = "\n".join(
    f"2026-03-01 10:{at // 60:02}:{at % 60:02} INFO served page {at} in {at % 17} ms" for at in range(900)
).replace("page 700 in", "ERROR job 88213 lost in")

Body = dict[str, Any]
Blocks = list[dict[str, Any]]


class Broken:
    """A store on a disk that is full."""

    def put(self, kept: Sequence[Any], now: float) -> None:
        raise StoreError("offload.sqlite: the disk is full")

    def put_soon(self, kept: Sequence[Any], now: float) -> None:
        raise StoreError("offload.sqlite: the disk is full")

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


class Unreadable(Broken):
    """A store that cannot even be read."""

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        raise StoreError("offload.sqlite: disk I/O error")


def asked(*messages: dict[str, Any], **fields: Any) -> Body:
    return {
        "model": "claude-opus-4-8",
        "max_tokens": 100,
        "tools": TOOLS,
        "messages": list(messages),
        **fields,
    }


def user(*content: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": content[0] if len(content) == 1 and isinstance(content[0], str) else list(content),
    }


def call(use: str = "toolu_1", tool: str = "read", **given_: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": use, "name": tool, "input": given_}]}


def result(content: Any = LOG, use: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": use, "content": content, **fields}


def step(body: Body, **fields: Any) -> Step:
    given_ = {"model": MODEL, "tags": Tags(), "now": NOON, "look": lambda body: None, **fields}
    return Step(body=body, **given_)


def change(lever: Offload, body: Body, **fields: Any) -> Change | None:
    before = copy.deepcopy(body)
    found = lever.change(step(body, **fields))
    assert body == before  # the caller's own request is never touched
    return found


def sent(lever: Offload, body: Body, **fields: Any) -> Body:
    found = change(lever, body, **fields)
    return dict(body if found is None else found.body)


def begun(lever: Offload, *messages: dict[str, Any], **fields: Any) -> Body:
    """A conversation that begins, and goes on with these messages: its last request as it goes out."""
    sent(lever, asked(user("task"), **fields))
    return sent(lever, asked(user("task"), *messages, **fields))


def text_of(body: Body, at: int = 2, block: int = 0) -> str:
    found: str = body["messages"][at]["content"][block]["content"]
    return found


def handle_of(text: str) -> str:
    return text.split('handle="')[1][:16]


def lever(**settings_: Any) -> Offload:
    return Offload(**{"store": MemoryOffload(), "always": True, **settings_})


def test_a_large_result_is_cut_and_the_rest_is_one_fetch_away() -> None:
    one = lever()
    body = begun(one, call(), user(result()))
    text = text_of(body)
    assert tokens_of(text) <= min(2_000, 0.3 * tokens_of(LOG))
    assert "ERROR job 88213 lost" in text
    handle = handle_of(text)
    lines = LOG.split("\n")
    assert (
        one.answer({"handle": handle, "range": "300-310"}, scope_of(Tags())).text
        == "\n".join(lines[299:310]) + "\n"
    )
    assert (
        one.answer({"handle": handle, "query": "page 555"}, scope_of(Tags())).text.count("page 555 in") == 1
    )


def test_the_tool_is_there_from_the_first_request_and_behind_the_others() -> None:
    one = lever()
    first = sent(one, asked(user("task")))
    assert [tool["name"] for tool in first["tools"]] == ["read", "list", FETCH]
    assert first["tools"][2] == DEFINITION
    assert first["messages"] == [user("task")]
    later = sent(one, asked(user("task"), call(), user(result("short"))))
    assert later["tools"] == first["tools"]


def test_a_change_says_what_it_did_and_what_it_saves() -> None:
    one = lever()
    change(one, asked(user("task")))
    found = change(one, asked(user("task"), call(), user(result())))
    assert found is not None
    [decision] = found.decisions
    assert (decision.action, decision.mode) == ("offload", "save")
    assert decision.what.startswith("read result from ")
    assert decision.saves > 0
    rates = MODEL.rates(None, prompt_tokens=0)
    tool = tokens_of(repr(DEFINITION))
    saved = tokens_of(LOG) - tokens_of(text_of(dict(found.body)))
    assert found.own_extra == saved * rates.write_5m - tool * rates.read
    again = change(
        one, asked(user("task"), call(), user(result()), call("toolu_2"), user(result("x", "toolu_2")))
    )
    assert again is not None
    assert again.decisions == ()
    assert again.own_extra == (saved - tool) * rates.read


def test_everything_else_of_a_request_stays() -> None:
    one = lever()
    marked = result(LOG, cache_control={"type": "ephemeral"}, unknown={"a": [1]})
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    short = {"type": "text", "text": "short"}
    parts = result(
        [image, {"type": "text", "text": LOG, "cache_control": {"type": "ephemeral"}}, short], "toolu_2"
    )
    calls = {"role": "assistant", "content": [*call()["content"], *call("toolu_2")["content"]]}
    body = asked(
        user("task"),
        calls,
        user(marked, parts, {"type": "text", "text": LOG}),
        system="s",
        metadata={"user_id": "u"},
    )
    first = asked(user("task"))
    sent(one, first)
    out = sent(one, body)
    found = copy.deepcopy(out)
    found["messages"][2]["content"][0]["content"] = LOG
    found["messages"][2]["content"][1]["content"][1]["text"] = LOG
    found["tools"] = TOOLS
    assert found == body
    assert out["messages"][2]["content"][0]["content"] != LOG
    assert out["messages"][2]["content"][1]["content"][1]["text"].startswith("[scrimp")


@pytest.mark.parametrize(
    "block",
    [
        result(LOG, is_error=True),
        result("word " * 1_900),
        {"type": "text", "text": LOG},
        {"type": "web_fetch_tool_result", "tool_use_id": "toolu_1", "content": LOG},
        result([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": LOG}}]),
        result(
            [
                {
                    "type": "search_result",
                    "source": "x",
                    "title": "t",
                    "content": [{"type": "text", "text": LOG}],
                }
            ]
        ),
        result(None),
        result([LOG]),
    ],
)
def test_what_is_no_large_result_stays_whole(block: dict[str, Any]) -> None:
    assert begun(lever(), call(), user(block))["messages"][2] == user(block)


def test_excluded_tools_and_what_was_fetched_stay_whole() -> None:
    assert text_of(begun(lever(exclude=["read"]), call(), user(result()))) == LOG
    assert text_of(begun(lever(), call(tool=FETCH), user(result()))) == LOG


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


def test_what_was_sent_whole_stays_whole() -> None:
    """The store fails when the result comes in, and works from the next step on."""
    one = lever()
    sent(one, asked(user("task")))
    works, one._keeper._store = one._keeper._store, Broken()
    assert text_of(sent(one, asked(user("task"), call(), user(result())))) == LOG
    one._keeper._store = works
    later = [call("toolu_2"), user(result("x", "toolu_2"))]
    assert text_of(sent(one, asked(user("task"), call(), user(result()), *later))) == LOG
    assert text_of(sent(one, asked(user("task"), call(), user(result())))) == LOG


def test_a_store_that_fails_is_told_of_and_nothing_is_lost() -> None:
    one = lever(store=Broken())
    first = change(one, asked(user("task")))
    assert first is not None
    assert len(first.warnings) == 1
    assert "disk is full" in first.warnings[0]
    found = change(one, asked(user("task"), call(), user(result())))
    assert found is not None
    assert text_of(dict(found.body)) == LOG


def test_a_store_that_fails_for_a_step_changes_nothing_that_was_sent() -> None:
    """What is known stays cut; only what came in meanwhile is whole, and stays so."""
    one = lever()
    messages = [user("task"), call(), user(result())]
    before = begun(one, *messages[1:])
    works, one._keeper._store = one._keeper._store, Unreadable()
    messages += [call("b"), user(result(f"{LOG}\nb", "b"))]
    now = sent(one, asked(*messages))
    assert now["messages"][:3] == before["messages"]
    assert text_of(now, at=4) == f"{LOG}\nb"
    one._keeper._store = works
    messages += [call("c"), user(result(f"{LOG}\nc", "c"))]
    later = sent(one, asked(*messages))
    assert later["messages"][:5] == now["messages"]
    assert text_of(later, at=6).startswith("[scrimp")


def test_what_was_not_known_for_a_step_is_known_at_the_next() -> None:
    store = MemoryOffload()
    before = begun(lever(store=store), call(), user(result()))
    again = lever(store=store)
    works, again._keeper._store = again._keeper._store, Unreadable()
    later = asked(user("task"), call(), user(result()), call("b"), user(result("x", "b")))
    assert text_of(sent(again, later)) == LOG
    again._keeper._store = works
    assert text_of(sent(again, later)) == text_of(before)


def test_tools_excluded_later_stay_cut_where_they_were() -> None:
    store = MemoryOffload()
    before = begun(lever(store=store), call(), user(result()))
    out = sent(lever(store=store, exclude=["read"]), asked(user("task"), call(), user(result())))
    assert text_of(out) == text_of(before)


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    messages = [user("task"), call(), user(result()), call("toolu_2"), user(result(LOG[::-1], "toolu_2"))]
    one = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), always=True)
    bodies = [sent(one, asked(*messages[:end])) for end in (1, 3, 5)]
    one._keeper._store.close()  # type: ignore[union-attr] # it has one
    again = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), share=0.1, over=100_000)
    assert [sent(again, asked(*messages[:end])) for end in (5, 3)] == [bodies[2], bodies[1]]
    assert (
        again.answer({"handle": handle_of(text_of(bodies[1])), "range": "chars 1-30000"}, "").text
        == LOG[:30000]
    )


def test_when_a_text_has_expired_its_place_stays_cut_and_a_fetch_says_so(tmp_path: Path) -> None:
    times = [NOON]
    one = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), days=10, always=True)
    one._keeper._clock = lambda: times[0]
    body = begun(one, call(), user(result()))
    again = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), days=10)
    times[0] += 31 * 86_400
    again._keeper._clock = lambda: times[0]
    assert sent(again, asked(user("task"), call(), user(result())))["messages"] == body["messages"]
    other = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), days=10)  # its agent sent the text no more
    other._keeper._clock = lambda: times[0] + 31 * 86_400
    fetched = other.answer({"handle": handle_of(text_of(body)), "range": "1-2"}, "")
    assert fetched.is_error
    assert "call the tool it came from again" in fetched.text


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


def test_a_conversation_that_lost_its_beginning_keeps_what_was_cut() -> None:
    store = MemoryOffload()
    one = lever(store=store)
    body = begun(one, call(), user(result()))
    later = asked(
        user("what was said before is left out"), call(), user(result()), call("b"), user(result("x", "b"))
    )
    for known in (one, lever(store=store)):
        out = sent(known, later)
        assert text_of(out) == text_of(body)
        assert out["tools"] == body["tools"]


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


def test_a_text_that_a_living_conversation_still_sends_can_be_fetched_whatever_the_store_let_go() -> None:
    """A store for three texts, a conversation with six."""
    most = 3 * len(LOG)
    one = lever(store=MemoryOffload(Retention(most_bytes=most)), most_bytes=most)
    messages = [user("task")]
    out = sent(one, asked(*messages))
    texts = [f"{LOG}\nuse {at}" for at in range(6)]
    for at, text in enumerate(texts):
        messages += [call(f"t{at}"), user(result(text, f"t{at}"))]
        out = sent(one, asked(*messages))
    for at, text in enumerate(texts):
        handle = handle_of(text_of(out, at=2 + 2 * at))
        assert one.answer({"handle": handle, "range": "898-"}, "").text == "".join(
            text.splitlines(keepends=True)[897:]
        )
        assert one.answer({"handle": handle}, scope_of(Tags(user="ben"))).is_error


def test_a_text_is_kept_as_long_as_it_is_sent(tmp_path: Path) -> None:
    """Ten days, renewed by each request that has the text whole, without a fetch."""
    times = [NOON]
    messages = [user("task"), call(), user(result())]
    path = tmp_path / "o.sqlite"
    one = Offload(store=SqliteOffload(path, Retention(days=10)), days=10, always=True)
    one._keeper._clock = lambda: times[0]
    handle = handle_of(text_of(begun(one, *messages[1:])))
    for day in range(1, 10):
        times[0] = NOON + 4 * day * 86_400
        messages += [call(f"d{day}"), user(result("short", f"d{day}"))]
        sent(one, asked(*messages), now=times[0])
    one._keeper._store.close()  # type: ignore[union-attr] # it has one
    other = Offload(store=SqliteOffload(path, Retention(days=10)), days=10)
    other._keeper._clock = lambda: times[0]
    assert other.answer({"handle": handle, "range": "chars 1-30000"}, "").text == LOG[:30_000]


def test_amazon_bedrock_is_left_alone() -> None:
    """Its streams are in a format of its own, in which fetches cannot be served."""
    assert change(lever(), asked(user("task"), model="us.anthropic.claude-opus-4-8")) is None


def test_nobody_reads_the_texts_of_others() -> None:
    store = MemoryOffload()
    anna, ben = Tags(user="anna"), Tags(user="ben")
    one = lever(store=store)
    sent(one, asked(user("task")), tags=anna)
    handle = handle_of(text_of(sent(one, asked(user("task"), call(), user(result())), tags=anna)))
    assert not one.answer({"handle": handle}, scope_of(anna)).is_error
    for scope in (scope_of(ben), scope_of(Tags()), scope_of(Tags(key="anna"))):
        assert one.answer({"handle": handle, "query": "88213"}, scope).is_error
    other = lever(store=store)
    other.owner = "another account"
    assert other.answer({"handle": handle}, scope_of(anna)).is_error


def test_reduced_results_come_back_shorter_only_where_that_pays() -> None:
    """A tool whose results are always asked for again is left alone after a while."""
    one = lever()
    cut = []
    for at in range(60):
        task = user(f"task {at}")
        sent(one, asked(task))
        use = f"toolu_{at}"
        text = text_of(sent(one, asked(task, call(use), user(result(f"{LOG}\n{at}", use)))))
        cut.append(text.startswith("[scrimp"))
        if cut[-1]:
            for _ in range(8):
                one.answer({"handle": handle_of(text), "range": "1-2"}, "")
    assert cut[0]
    assert not cut[-1]
    fresh = lever()
    fresh.recall({**one.learned(), "other": b"junk"})
    assert text_of(begun(fresh, call(), user(result()))) == LOG


def test_what_a_tool_shortened_itself_is_left_as_it_is_and_can_be_fetched() -> None:
    store = MemoryOffload()
    short = offload(LOG, store=store, summarize=lambda text: f"{len(text)} characters of log")
    assert short.endswith(f"Summary:\n{len(LOG)} characters of log")
    one = lever(store=store)
    assert text_of(begun(one, call(), user(result(short)))) == short
    assert one.answer({"handle": handle_of(short), "range": "chars 1-9"}, scope_of(Tags())).text == LOG[:9]


@pytest.mark.parametrize(
    "wrong", [{"share": 0.5}, {"share": 0}, {"over": 0}, {"most": -1}, {"days": 0}, {"most_bytes": 0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="offload"):
        Offload(**wrong)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "no list"},
        {"messages": [], "tools": TOOLS},
        {"messages": [None, 5, {"role": "user"}], "tools": TOOLS},
        {
            "messages": [
                {"role": "assistant", "content": 5},
                {"role": "user", "content": [None, {"type": "tool_result"}]},
            ]
        },
        {"messages": [{"role": "user", "content": "x"}], "tools": "no list"},
        {"messages": [{"role": "user", "content": object()}], "tools": TOOLS},
    ],
)
def test_odd_requests_are_left_to_the_api(body: dict[str, Any]) -> None:
    found = lever().change(step(body))
    assert found is None or found.body["messages"] == body["messages"]


def test_odds_begin_with_those_of_the_kind_and_learn() -> None:
    odds = Odds()
    assert all(0.0 < odds.of("read", kind) < 1.0 for kind in KINDS)
    before = odds.of("read", "code")
    for _ in range(40):
        odds.reduced("read")
    assert odds.of("read", "code") < before / 4
    for _ in range(60):
        odds.fetched("read")
    assert odds.of("read", "code") > 1.0
    assert odds.of("grep", "code") == before
    fresh = Odds()
    fresh.recall({**odds.learned(), "x": b"\xff", "y": b"\x92\x01\xff"})
    assert fresh.learned() == odds.learned()


def test_a_reduction_is_worth_what_it_saves_less_what_fetches_cost() -> None:
    rates = Rates(input=100, write_5m=125, write_1h=200, read=10, output=500)
    assert saved_by(5_000, 1_000, Outlook(50_000, 10.0), rates, 0.0) == 4_000 * (125 + 10 * 10)
    # A fetch: the context once more, 100 tokens of output, half of what was left out and the call carried on.
    fetch = 50_000 * 10 + 100 * 500 + (2_000 + 100) * 225
    assert saved_by(5_000, 1_000, Outlook(50_000, 10.0), rates, 0.5) == round(4_000 * 225 - 0.5 * fetch)
    assert saved_by(2_100, 600, Outlook(900_000, 0.0), rates, 1.0) < 0


SIZES = st.sampled_from([0, 3, 120, 900])


@settings(max_examples=60)
@given(
    turns=st.lists(st.tuples(SIZES, st.booleans(), st.booleans()), min_size=1, max_size=8),
    restarts=st.sets(st.integers(0, 8)),
)
def test_a_growing_conversation_is_sent_the_same_at_every_step(
    turns: list[tuple[int, bool, bool]], restarts: set[int]
) -> None:
    """Each request begins with the one before it, whatever is restarted in between, and loses nothing."""
    store = MemoryOffload()
    one = lever(store=store)
    messages: list[dict[str, Any]] = [user("task")]
    before = sent(one, asked(*messages))
    for at, (size, nested, twice) in enumerate(turns):
        uses = [f"toolu_{at}", f"toolu_{at}b"] if twice else [f"toolu_{at}"]
        texts = [f"{use} " + "\n".join(f"{at}: a row of text {row}" for row in range(size)) for use in uses]
        blocks: Blocks = [
            result([{"type": "text", "text": text}] if nested else text, use)
            for text, use in zip(texts, uses, strict=True)
        ]
        calls = [block for use in uses for block in call(use)["content"]]
        messages += [{"role": "assistant", "content": calls}, user(*blocks)]
        if at in restarts:
            one = lever(store=store)
        now = sent(one, asked(*messages))
        assert now["tools"] == before["tools"]
        assert now["messages"][: len(before["messages"])] == before["messages"]
        for text, block in zip(texts, now["messages"][-1]["content"], strict=True):
            shown = block["content"][0]["text"] if nested else block["content"]
            whole = (
                one.answer({"handle": handle_of(shown)}, "").text if shown.startswith("[scrimp") else shown
            )
            assert whole == text
            assert shown == text or tokens_of(text) > 2_000
        before = now


def test_a_text_shortened_within_a_run_is_of_the_user_of_that_run() -> None:
    store = MemoryOffload()
    with scrimp.run("reading", user="alice"):
        handle = handle_of(offload(LOG, store=store))
        assert fetch(handle, range="1", store=store) == LOG.split("\n")[0] + "\n"
        assert FetchTool(store=store).call({"handle": handle, "range": "1"}) == LOG.split("\n")[0] + "\n"
        assert "Nothing is kept" in fetch(handle, user="ben", store=store)
    assert "Nothing is kept" in fetch(handle, store=store)
    assert fetch(handle, range="1", user="alice", store=store) == LOG.split("\n")[0] + "\n"
    one = lever(store=store)
    assert not one.answer({"handle": handle}, scope_of(Tags(user="alice"))).is_error
    assert one.answer({"handle": handle}, scope_of(Tags())).is_error


def test_the_model_is_not_told_where_files_lie() -> None:
    handle = handle_of(text_of(begun(lever(), call(), user(result()))))
    fetched = lever(store=Unreadable()).answer({"handle": handle}, "")
    assert fetched.is_error
    assert "sqlite" not in fetched.text
    assert "call the tool it came from again" in fetched.text
