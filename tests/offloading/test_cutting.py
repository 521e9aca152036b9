"""The lever: results are cut when they come in or never, and what was sent once is sent so for good."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.offload.fetch_tool import DEFINITION, FETCH
from scrimp.core.offload.kinds import KINDS
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.scopes import scope_of
from scrimp.core.offload.worth import Odds, Outlook, saved_by
from scrimp.core.record import Tags
from scrimp.errors import InputError
from scrimp.facts.prices import Rates
from scrimp.offloading import Offload
from scrimp.shortening import offload
from scrimp.stores.offload_memory import MemoryOffload
from tests.offloading.requests import (
    LOG,
    MODEL,
    TOOLS,
    Blocks,
    asked,
    begun,
    call,
    change,
    handle_of,
    lever,
    result,
    sent,
    step,
    text_of,
    user,
)


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


def test_tools_excluded_later_stay_cut_where_they_were() -> None:
    store = MemoryOffload()
    before = begun(lever(store=store), call(), user(result()))
    out = sent(lever(store=store, exclude=["read"]), asked(user("task"), call(), user(result())))
    assert text_of(out) == text_of(before)


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


def test_amazon_bedrock_is_left_alone() -> None:
    """Its streams are in a format of its own, in which fetches cannot be served."""
    assert change(lever(), asked(user("task"), model="us.anthropic.claude-opus-4-8")) is None


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
