"""What agents were not shown comes back in every later request, as it went out."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.hidden import Hidden
from scrimp.core.offload.serving import Rounds
from scrimp.wire.response import Usage
from tests.core.test_serving import NUMBERS, WORDS, answer, fetch, ls, rounds, speech, thought

MARKER = {"type": "ephemeral"}


class Store(dict[bytes, bytes]):
    """What outlives a process."""

    asked = 0
    works = True

    def keep(self, key: bytes, kept: bytes) -> None:
        self[key] = kept

    def find(self, key: bytes) -> bytes | None:
        self.asked += 1
        return self.get(key) if self.works else None


class Agent:
    """An agent, and what the API has seen of its conversation: the truth that every request must repeat."""

    def __init__(self, hidden: Hidden | None = None) -> None:
        self.hidden = hidden or Hidden()
        self.messages: list[dict[str, Any]] = []
        self.truth: list[dict[str, Any]] = []
        self.pending: list[dict[str, Any]] = []

    def says(self, text: str) -> None:
        """The next message of the user: results of all open calls, then text."""
        last = self.messages[-1]["content"] if self.messages else []
        own = [result(block["id"]) for block in last if block["type"] == "tool_use"]
        pending, self.pending = self.pending, []
        self.messages.append({"role": "user", "content": [*own, speech(text)]})
        self.truth.append({"role": "user", "content": [*pending, *own, speech(text)]})

    def hears(self, answers: list[dict[str, Any]]) -> None:
        """The answers of the API to this step."""
        found, before = Rounds({"messages": self.messages}), len(self.truth)
        for message in answers:
            calls = found.took(message)
            told = [Fetched(f"text {call['id']}") for call in calls]
            goes_on = bool(calls) and found.answered(told)
            self.truth.append({"role": "assistant", "content": message["content"]})
            self.pending = [result(call["id"], f"text {call['id']}") for call in calls]
            if not goes_on:
                break
            self.truth.append({"role": "user", "content": self.pending})
        found.keep(self.hidden, "", nullcontext())
        if found.speaks:
            self.messages.append({"role": "assistant", "content": found.message()["content"]})
        else:  # nothing to send back: no client keeps such an answer, so none of it ever was
            del self.truth[before:]
            self.pending = []

    def request(self) -> list[dict[str, Any]]:
        restored = self.hidden.restored({"messages": self.messages}, "")["messages"]
        found: list[dict[str, Any]] = restored
        return found


def result(name: str, text: str = "a.py b.py") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": text}


def numbered(steps: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Ids of tool calls and signatures are never the same twice."""
    for step, answers in enumerate(steps):
        for number, message in enumerate(answers):
            for at, block in enumerate(message["content"]):
                for name in ("id", "signature", "tool_use_id"):
                    if name in block:
                        block[name] = f"{block[name]}-{step}-{number}-{at}"
    return steps


def as_clients_do(messages: list[dict[str, Any]], draw: Any) -> list[dict[str, Any]]:
    """The same conversation as an SDK would send it back."""
    changed = copy.deepcopy(messages)
    for message in changed:
        if message["role"] != "assistant":
            continue
        for block in message["content"]:
            if block["type"] == "text" and draw(st.booleans()):
                block["citations"] = None
            if block["type"] == "tool_use" and draw(st.booleans()):
                block["caller"] = {"type": "direct"}
        kinds = {block["type"] for block in message["content"]}
        if kinds == {"text"} and draw(st.booleans()):
            message["content"] = "".join(block["text"] for block in message["content"])
    return changed


@settings(max_examples=60)
@given(st.lists(rounds(), min_size=1, max_size=3), st.data())
def test_every_later_request_repeats_what_the_api_has_seen(
    steps: list[list[dict[str, Any]]], data: st.DataObject
) -> None:
    agent = Agent()
    for step, answers in enumerate(numbered(steps)):
        agent.says(f"Step {step}")
        sent, agent.messages = agent.messages, as_clients_do(agent.messages, data.draw)
        check(agent)
        agent.hears(answers)
        agent.messages[: len(sent)] = sent
    agent.says("The end")
    agent.messages = as_clients_do(agent.messages, data.draw)
    check(agent)


def check(agent: Agent) -> None:
    """What goes out is the truth but for content that has nothing hidden behind it, which stays as sent."""
    sent = agent.request()
    assert merged(sent) == merged(agent.truth)


def merged(messages: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """As the API reads it: turns of one role together, fields that say nothing left out."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for message in messages:
        content = message["content"]
        blocks = [speech(content)] if isinstance(content, str) else content
        plain = [
            {key: value for key, value in block.items() if value is not None and key != "caller"}
            for block in blocks
        ]
        if found and found[-1][0] == message["role"]:
            found[-1][1].extend(plain)
        elif plain:
            found.append((message["role"], plain))
    return [(role, joined(content)) for role, content in found]


def joined(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Texts beside one another as one: a client may have joined those behind which nothing is hidden."""
    found: list[dict[str, Any]] = []
    for block in content:
        if found and block["type"] == found[-1]["type"] == "text":
            found[-1] = speech(found[-1]["text"] + block["text"])
        else:
            found.append(block)
    return found


def turn_of(agent: Agent, *contents: list[dict[str, Any]]) -> None:
    agent.says("Why?")
    agent.hears([answer(number, content, Usage()) for number, content in enumerate(contents)])


def test_markers_of_the_caller_stay_where_they_are() -> None:
    agent = Agent()
    turn_of(agent, [speech("Let me look."), fetch(1)], [speech("Line 7.")])
    agent.messages[-1]["content"][1]["cache_control"] = MARKER
    agent.messages.append({"role": "user", "content": "Thanks."})
    sent = agent.request()
    assert [message["role"] for message in sent] == ["user", "assistant", "user", "assistant", "user"]
    assert sent[1]["content"] == [speech("Let me look."), fetch(1)]
    assert sent[3]["content"] == [{**speech("Line 7."), "cache_control": MARKER}]


def test_joined_and_stripped_texts_go_out_as_the_api_gave_them() -> None:
    agent = Agent()
    turn_of(agent, [speech(" Let me look. "), fetch(1)], [speech("\nLine 7.\n")])
    agent.messages[-1]["content"] = "Let me look. \nLine 7."
    agent.messages.append({"role": "user", "content": "Thanks."})
    assert agent.request()[:-1] == agent.truth


def test_thinking_that_a_client_leaves_out_stays_out() -> None:
    agent = Agent()
    turn_of(agent, [thought("a"), speech("Let me look."), fetch(1)], [thought("bb"), ls(2)])
    agent.messages[-1]["content"] = [
        block for block in agent.messages[-1]["content"] if block["type"] != "thinking"
    ]
    agent.says("Go on.")
    sent = agent.request()
    assert sent[1]["content"] == [speech("Let me look."), fetch(1)]
    assert sent[3]["content"] == [ls(2)]


def test_words_alone_are_known_without_the_thinking_before_them() -> None:
    agent = Agent()
    turn_of(agent, [thought("a"), fetch(1)], [thought("bb"), speech("Line 7.")])
    agent.messages[-1]["content"] = [speech("Line 7.")]
    agent.says("Go on.")
    assert [one["content"] for one in agent.request()[1:4:2]] == [[fetch(1)], [speech("Line 7.")]]


def test_an_answer_that_says_more_than_the_api_did_is_left_as_it_is() -> None:
    agent = Agent()
    turn_of(agent, [fetch(1)], [ls(2), speech("Line 7.")])
    agent.messages[-1]["content"].append(speech("And more."))
    agent.messages.append(user_with(result("toolu_l2")))
    assert agent.request() == agent.messages


def user_with(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def test_results_beside_other_calls_stand_before_those_of_the_caller() -> None:
    agent = Agent()
    turn_of(agent, [ls(1), fetch(2), ls(3)])
    assert [block["id"] for block in agent.messages[-1]["content"]] == ["toolu_l1", "toolu_l3"]
    agent.messages.append(
        {"role": "user", "content": [result("toolu_l1"), result("toolu_l3"), speech("So?")]}
    )
    sent = agent.request()
    assert [block["id"] for block in sent[1]["content"]] == ["toolu_l1", "toolu_f2", "toolu_l3"]
    names = [block.get("tool_use_id") for block in sent[2]["content"]]
    assert names == ["toolu_f2", "toolu_l1", "toolu_l3", None]


def test_a_call_without_its_results_is_not_put_back() -> None:
    agent = Agent()
    turn_of(agent, [ls(1), fetch(2)])
    assert agent.request() == agent.messages


def test_a_paused_answer_goes_on_with_its_results() -> None:
    agent = Agent()
    agent.says("Why?")
    found = Rounds({"messages": agent.messages}, most=1)
    found.answered(
        [Fetched("lines")] * len(found.took(answer(0, [speech("Let me look."), fetch(1)], Usage())))
    )
    found.keep(agent.hidden, "", nullcontext())
    paused = {"role": "assistant", "content": found.message()["content"]}
    expected = [
        {"role": "assistant", "content": [speech("Let me look."), fetch(1)]},
        {"role": "user", "content": [result("toolu_f1", "lines")]},
    ]
    agent.messages.append(paused)
    assert agent.request()[1:] == expected
    agent.messages.append({"role": "user", "content": "Go on."})
    assert agent.request()[2:] == [
        {"role": "user", "content": [result("toolu_f1", "lines"), speech("Go on.")]}
    ]
    agent.messages[-1] = {"role": "assistant", "content": "Line 7."}
    assert agent.request()[1:] == [*expected, agent.messages[-1]]


def test_the_same_words_in_another_conversation_hide_nothing() -> None:
    agent = Agent()
    turn_of(agent, [fetch(1)], [speech("Line 7.")])
    other = {"messages": [{"role": "user", "content": "What?"}, agent.messages[1]]}
    assert agent.hidden.restored(other, "") is other
    mine = {"messages": agent.messages}
    assert agent.hidden.restored(mine, "another") is mine
    assert agent.hidden.restored(mine, "")["messages"] == agent.truth


def test_what_an_edited_answer_hid_is_left_out() -> None:
    agent = Agent()
    turn_of(agent, [speech("Let me look."), fetch(1)], [speech("Now."), ls(2)])
    agent.messages[-1]["content"][0]["text"] = "Something else."
    agent.says("Go on.")
    assert agent.request() == agent.messages


def test_nothing_is_looked_up_while_nothing_is_hidden() -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
    assert Hidden().restored(body, "") is body
    assert Hidden(Store()).restored({"messages": "odd"}, "") == {"messages": "odd"}


def test_it_survives_a_restart_and_the_store_is_asked_once_for_each_answer() -> None:
    store = Store()
    agent = Agent(Hidden(store))
    turn_of(agent, [thought("a"), fetch(1)], [speech("Line 7."), ls(2)])
    agent.says("And?")
    agent.hears([answer(0, [ls(3)], Usage())])
    agent.says("And then?")
    agent.hidden = Hidden(store)
    for _ in range(3):
        assert agent.request() == agent.truth
    assert store.asked == 2


def test_a_store_that_fails_for_a_while_is_asked_again() -> None:
    store = Store()
    agent = Agent(Hidden(store))
    turn_of(agent, [fetch(1)], [ls(2)])
    agent.says("And?")
    agent.hidden, store.works = Hidden(store), False
    assert agent.request() == agent.messages
    store.works = True
    assert agent.request() == agent.truth


def test_two_processes_share_what_either_hides() -> None:
    store = Store()
    here, there = Hidden(store), Hidden(store)
    agent = Agent(here)
    for step in range(4):
        agent.hidden = there if step % 2 else here
        assert agent.request() == agent.truth
        turn_of(agent, [fetch(10 * step)], [ls(10 * step + 1)])
    agent.says("The end")
    assert here.restored({"messages": agent.messages}, "")["messages"] == agent.truth
    assert there.restored({"messages": agent.messages}, "")["messages"] == agent.truth


def test_memory_is_bounded_and_what_is_used_stays() -> None:
    hidden = Hidden(most_bytes=40_000)
    used = Agent(hidden)
    turn_of(used, [fetch(0)], [ls(0)])
    used.says("Next")
    for number in range(1, 200):
        turn_of(Agent(hidden), [fetch(number)], [speech("x" * 500), ls(number)])
        assert used.request() == used.truth
    kept = hidden._kept
    assert sum(map(len, kept.values())) <= 40_000
    assert len(kept) > 10


def test_thinking_that_was_refused_stays_out_and_what_comes_after_it_does_not() -> None:
    agent = Agent()
    turn_of(agent, [thought("a"), ls(1)])
    turn_of(agent, [thought("bb"), speech("Let me look."), fetch(2)], [thought("ccc"), speech("Line 7.")])
    agent.says("And?")
    assert agent.hidden.unbind({"messages": agent.messages}, "")
    sent = agent.request()
    assert not any(block["type"] == "thinking" for one in sent for block in one["content"])
    assert [one["content"] for one in sent if one["role"] == "assistant"] == [
        [ls(1)],
        [speech("Let me look."), fetch(2)],
        [speech("Line 7.")],
    ]
    turn_of(agent, [thought("dddd"), speech("So it is.")])
    agent.says("Thanks.")
    assert [block["type"] for block in agent.request()[-2]["content"]] == ["thinking", "text"]
    assert agent.request()[: len(sent)] == sent


def test_without_thinking_nothing_is_unbound() -> None:
    agent = Agent()
    turn_of(agent, [ls(1)])
    assert not agent.hidden.unbind({"messages": agent.messages}, "")


@pytest.mark.parametrize("text", ["\ud83d alone", "x" * 10])
def test_odd_texts_and_numbers_are_kept(text: str) -> None:
    store = Store()
    agent = Agent(Hidden(store))
    odd = {**fetch(1), "input": {"handle": text, "n": 10**30, "f": 1e300}}
    turn_of(agent, [speech(text), odd], [ls(2)])
    agent.says("And?")
    agent.hidden = Hidden(store)
    assert agent.request() == agent.truth


@given(NUMBERS, WORDS)
def test_a_conversation_is_left_alone_where_the_tool_was_not_called(number: int, text: str) -> None:
    agent = Agent()
    turn_of(agent, [fetch(1)], [ls(2)])
    body = {
        "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": [ls(number + 3)]}]
    }
    assert agent.hidden.restored(body, "") is body


def test_what_one_owner_was_not_shown_comes_back_to_no_other() -> None:
    """Accounts that share a file; the id of a call may be known to others."""
    store = Store()
    agent = Agent(Hidden(store))
    agent.hidden.owner = "an account"
    turn_of(agent, [thought("a"), fetch(0)], [ls(1)])
    agent.says("Next")
    other = Hidden(store)
    for owner in ("another account", ""):
        other.owner = owner
        assert other.restored({"messages": agent.messages}, "")["messages"] == agent.messages
    again = Hidden(store)
    again.owner = "an account"
    assert again.restored({"messages": agent.messages}, "")["messages"] == agent.truth
