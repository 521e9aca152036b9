"""Volatile system text moved: what is learned, where it goes; and a conversation stays as it was sent."""

from __future__ import annotations

import copy
import json
import re
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.passes.relocate import Caller, Relocation, relocated
from scrimp.emulator import Clock, Emulator
from scrimp.facts.models import default
from tests.emulator.asgi import call

WITH_MESSAGES = "claude-opus-4-8"
WITHOUT = "claude-sonnet-5"
BOUND = "claude-fable-5-2"
RULES = "".join(f"Rule {n}: keep to what the manual says about case {n}.\n" for n in range(120))
HEAD = "You are a careful support agent.\n"
ADA = Caller("support", "ada")


def system(*volatile: str) -> str:
    return HEAD + "".join(f"{line}\n" for line in volatile) + RULES


def time_of(number: int) -> str:
    return f"Current time: 2026-11-21 {number // 60:02d}:{number % 60:02d}"


def body(text: Any, *said: str, model: str = WITH_MESSAGES, **more: Any) -> dict[str, Any]:
    turns = [{"role": "assistant" if n % 2 else "user", "content": words} for n, words in enumerate(said)]
    return {"model": model, "max_tokens": 20, "system": text, "messages": turns, **more}


def through(
    state: Relocation, request: dict[str, Any], caller: Caller = ADA
) -> tuple[dict[str, Any], str | None]:
    """What goes out, and where text was moved to."""
    sent, note = relocated(request, state, default().resolve(request["model"]), caller)
    return dict(sent), note.form if note else None


def learned(model: str = WITH_MESSAGES, caller: Caller = ADA) -> Relocation:
    """A memory that has seen the time change within conversations."""
    state = Relocation()
    said = ["hello", "yes?", "help", "sure", "thanks"]
    for number, steps in zip(range(6), (1, 3, 5, 1, 3, 5), strict=True):
        words = [f"{number // 3} {one}" for one in said[:steps]]
        sent, form = through(state, body(system(time_of(number)), *words, model=model), caller)
        assert form is None or number >= 3
        assert form is not None or sent["system"] == system(time_of(number))
    return state


def note_message(text: str) -> dict[str, Any]:
    return {"role": "system", "content": [{"type": "text", "text": text}]}


def test_nothing_is_moved_before_it_has_changed_again_and_again() -> None:
    state = Relocation()
    forms = [through(state, body(system(time_of(n)), f"hi {n}", model=WITHOUT))[1] for n in range(5)]
    assert forms == [None, None, None, "system block", "system block"]


def test_an_edit_of_the_prompt_moves_nothing() -> None:
    state = Relocation()
    texts = [system("Be kind.")] * 5 + [system("Be brief.")] * 12
    for number, text in enumerate(texts):
        request = body(text, f"hi {number}", model=WITHOUT)
        assert through(state, request) == (request, None)


def test_text_of_each_conversation_becomes_the_last_system_block() -> None:
    state = Relocation()
    for number in range(4):
        sent, form = through(state, body(system(f"The user is number {number}."), f"hi {number}"))
    assert form == "system block"
    assert sent["system"] == [
        {"type": "text", "text": HEAD + RULES},
        {"type": "text", "text": "The user is number 3."},
    ]
    later, _ = through(state, body(system("The user is number 3."), "hi 3", "yes?", "help"))
    assert later["system"] == sent["system"]
    assert [message["role"] for message in later["messages"]] == ["user", "assistant", "user"]


def test_text_that_changes_at_every_step_goes_into_the_conversation_and_stays_there() -> None:
    state = learned()
    first, form = through(state, body(system(time_of(100)), "one"))
    assert form == "system message"
    assert first["system"] == HEAD + RULES
    asked = {"role": "user", "content": "one"}
    assert first["messages"] == [asked, note_message(time_of(100))]
    second, _ = through(state, body(system(time_of(101)), "one", "two", "three"))
    assert second["system"] == first["system"]
    assert second["messages"] == [
        *first["messages"],
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
        note_message(time_of(101)),
    ]
    # The time has not changed: nothing is said again.
    third, _ = through(state, body(system(time_of(101)), "one", "two", "three", "four", "five"))
    assert third["messages"][: len(second["messages"])] == second["messages"]
    assert third["messages"][-1] == {"role": "user", "content": "five"}


def test_a_step_sent_again_is_the_same_to_the_byte() -> None:
    state = learned()
    requests = [
        body(system(time_of(100)), "one"),
        body(system(time_of(101)), "one", "two", "three"),
        body(system(time_of(102)), "one", "two", "three", "four", "five"),
    ]
    for request in requests:
        sent = [json.dumps(through(state, copy.deepcopy(request))[0]) for _ in range(3)]
        assert sent[0] == sent[1] == sent[2] != json.dumps(request)


def test_a_result_of_a_tool_may_be_followed_by_the_moved_text() -> None:
    state = learned()
    call_of = {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"}
    tools = [{"name": "ls", "input_schema": {"type": "object"}}]
    first, _ = through(state, body(system(time_of(100)), "one", tools=tools))
    request = body(system(time_of(101)), "one", tools=tools)
    request["messages"] += [
        {"role": "assistant", "content": [call_of]},
        {"role": "user", "content": [result]},
    ]
    second, _ = through(state, request)
    assert [message["role"] for message in second["messages"]] == [
        *("user", "system"),
        *("assistant", "user", "system"),
    ]
    assert call(Emulator(), first).status == call(Emulator(), second).status == 200


def test_only_what_is_documented_to_take_system_messages_gets_them() -> None:
    # Recorded calls of Sonnet 5 with system messages were answered; its documents leave it out.
    assert default().resolve(WITHOUT).features.mid_conversation_system
    _, form = through(learned(WITHOUT), body(system(time_of(100)), "one", model=WITHOUT))
    assert form == "system block"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-5", "system message"),
        ("claude-opus-5-5", "system message"),
        ("claude-fable-5", "system message"),
        ("claude-mythos-5-2", "system message"),
        ("claude-sonnet-5-5", None),  # binds its thinking, and is not documented to take system messages
        ("claude-sonnet-4-6", "system block"),
        ("claude-haiku-4-5", None),  # caches nothing shorter than 4,096 tokens
    ],
)
def test_where_a_changing_time_goes_by_model(model: str, expected: str | None) -> None:
    assert through(learned(model), body(system(time_of(100)), "one", model=model))[1] == expected


def test_bound_thinking_is_relocated_from_the_first_request_on_or_not_at_all() -> None:
    state = learned(BOUND)
    running = body(system(time_of(50)), "0 hello", "yes?", "help", model=BOUND)
    assert through(state, running) == (running, None)
    first, form = through(state, body(system(time_of(51)), "new", model=BOUND))
    assert form == "system message"
    second, _ = through(state, body(system(time_of(52)), "new", "yes?", "more", model=BOUND))
    assert second["system"] == first["system"]
    assert second["messages"][:2] == first["messages"]
    # Text that stays for a conversation never breaks its thinking: nothing to gain there.
    state = Relocation()
    for number in range(8):
        request = body(system(f"The user is number {number}."), f"hi {number}", model=BOUND)
        assert through(state, request) == (request, None)


def test_a_conversation_is_never_broken_that_would_have_been_read() -> None:
    state = Relocation()
    for number in range(4):
        through(state, body(system(f"The user is number {number}."), f"hi {number}"))
    going_on = body(system("The user is number 9."), "hello", "yes?", "help")
    assert through(state, going_on) == (going_on, None)


def test_what_is_somebodys_own_is_never_replayed_to_somebody_else() -> None:
    nobody = Caller("support")
    state = Relocation()
    secrets = [f"Session of user {n}: key{n}x{n}" for n in range(12)]
    for number in range(12):
        words = ["hi", "Hello!", "help"][: 1 + 2 * (number % 2)]
        sent, form = through(state, body(system(secrets[number]), *words), nobody)
        assert form != "system message"
        others = [secret for secret in secrets if secret != secrets[number]]
        assert not any(secret in json.dumps(sent) for secret in others)


def test_a_line_with_a_time_and_more_is_more_than_a_time() -> None:
    state = Relocation()
    for number in range(12):
        words = ["hi", "Hello!", "help"][: 1 + 2 * (number % 2)]
        line = f"{time_of(number)}, the account is {1_700_000_000 + 7 * number}"
        assert through(state, body(system(line), *words), Caller("support"))[1] != "system message"


def test_two_users_with_the_same_words_are_two_conversations() -> None:
    state = learned()
    bob = Caller("support", "bob")
    through(state, body(system(time_of(100)), "hi"), ADA)
    through(state, body(system(time_of(200)), "hi"), bob)
    sent, _ = through(state, body(system(time_of(101)), "hi", "Hello!", "help"), ADA)
    assert [m["content"][0]["text"] for m in sent["messages"] if m["role"] == "system"] == [
        time_of(100),
        time_of(101),
    ]


def test_two_conversations_of_one_user_with_the_same_words_are_not_mixed_up() -> None:
    state = learned()
    through(state, body(system(time_of(100)), "hi"))
    through(state, body(system(time_of(200)), "hi"))
    sent, _ = through(state, body(system(time_of(201)), "hi", "Hello!", "help"))
    # Which of the two it is cannot be known: it begins anew.
    assert [m["role"] for m in sent["messages"]] == ["user", "assistant", "user", "system"]


def test_every_other_object_is_the_callers_own() -> None:
    state = learned()
    request = body(system(time_of(100)), "one", tools=[{"name": "ls"}], metadata={"x": 1})
    before = copy.deepcopy(request)
    sent, _ = through(state, request)
    assert request == before
    assert list(sent) == list(request)
    for name in ("tools", "metadata", "model", "max_tokens"):
        assert sent[name] is request[name]
    assert sent["messages"][0] is request["messages"][0]


def test_what_costs_more_than_it_saves_stays() -> None:
    retrieved = [f"Passage {n}: " + "text " * 1200 + str(n) for n in range(8)]
    state = Relocation()
    for number, passage in enumerate(retrieved):
        words = ["hi", "yes?", "more", "sure", "on"][: 1 + 2 * (number % 3)]
        _, form = through(state, body(system(passage), *words))
        assert form != "system message"


@pytest.mark.parametrize(
    "more",
    [
        {"thread": {"type": "create"}},
        {"compaction": {"type": "summarize"}},
        {"system": []},
        {"system": [{"type": "text", "text": 3}]},
        {"messages": "hi"},
        {"messages": [{"role": "user", "content": [{"type": "compaction", "content": "so far"}]}]},
    ],
)
def test_what_is_not_understood_is_left_alone(more: dict[str, Any]) -> None:
    request = body(system(time_of(100)), "one") | more
    assert through(learned(), request) == (request, None)


def test_a_model_that_refused_is_left_alone() -> None:
    state = learned()
    state.refused(default().resolve(WITH_MESSAGES))
    request = body(system(time_of(100)), "one")
    assert through(state, request) == (request, None)


# Random traffic: a few conversations in turn, each with its own user or none.

lines = st.sampled_from(["time", "user", "both", "none"])
traffic = st.fixed_dictionaries(
    {
        "model": st.sampled_from([WITH_MESSAGES, WITHOUT, "claude-opus-5"]),
        "kind": lines,
        "place": st.sampled_from(["string", "blocks", "own block", "own marked block"]),
        "named": st.booleans(),
        "steps": st.lists(st.integers(0, 3), min_size=8, max_size=16),
    }
)


def rendered(place: str, volatile: list[str]) -> Any:
    text = "".join(f"{line}\n" for line in volatile)
    mark = {"cache_control": {"type": "ephemeral"}}
    if place == "string" or not text:
        return HEAD + text + RULES
    if place == "blocks":
        return [{"type": "text", "text": HEAD + text}, {"type": "text", "text": RULES, **mark}]
    own = {"type": "text", "text": text, **(mark if place == "own marked block" else {})}
    return [{"type": "text", "text": HEAD + RULES, **mark}, own]


def requests_of(plan: dict[str, Any]) -> list[tuple[int, Caller, dict[str, Any]]]:
    """The traffic as the caller writes it, marked automatically."""
    clock = count(100)
    talks: dict[int, list[str]] = {}
    found = []
    for talk in plan["steps"]:
        said = talks.setdefault(talk, [])
        said += [f"answer to {len(said)} " + "so " * 100] if said else []
        said.append(f"talk {talk} says {len(said)} " + "word " * 100)
        kinds = {"time": ["t"], "user": ["u"], "both": ["u", "t"], "none": []}[plan["kind"]]
        now = next(clock)
        volatile = [time_of(now) if kind == "t" else f"The user is number {talk}." for kind in kinds]
        request = body(rendered(plan["place"], volatile), *said, model=plan["model"])
        request["cache_control"] = {"type": "ephemeral"}
        user = f"user {talk}" if plan["named"] else None
        found.append((talk, Caller("agent", user), request))
    return found


def billed(requests: list[dict[str, Any]], pause: float = 5) -> int:
    emulator = Emulator(["ok"], clock=Clock(1_795_000_000.0))
    for request in requests:
        answer = call(emulator, request)
        assert answer.status == 200, answer.raw
        emulator.clock.advance(pause)
    return emulator.total


@given(plan=traffic)
@settings(max_examples=25, deadline=None)
def test_relocated_traffic_is_accepted_and_never_dearer(plan: dict[str, Any]) -> None:
    state = Relocation()
    requests = requests_of(plan)
    sent = [through(state, request, caller)[0] for _, caller, request in requests]
    own = billed([request for _, _, request in requests])
    # What the switch costs at most: the system prompt, of 2,600 tokens, written once more.
    once = 2_700 * default().resolve(plan["model"]).rates(prompt_tokens=0).write_5m
    assert billed(sent) <= own + once


@given(plan=traffic)
@settings(max_examples=60, deadline=None)
def test_a_relocated_conversation_only_grows(plan: dict[str, Any]) -> None:
    state = Relocation()
    before: dict[int, dict[str, Any]] = {}
    for talk, caller, request in requests_of(plan):
        sent, form = through(state, request, caller)
        last = before.get(talk)
        if last is not None and plan["named"] and form == last["form"] == "system message":
            assert sent["messages"][: len(last["messages"])] == last["messages"]
            assert sent["system"] == last["system"]
        if last is not None and last["form"] is not None:
            assert form is not None
        before[talk] = {**sent, "form": form}


@given(plan=traffic)
@settings(max_examples=40, deadline=None)
def test_no_word_is_lost(plan: dict[str, Any]) -> None:
    state = Relocation()
    for _, caller, request in requests_of(plan):
        sent, _ = through(state, request, caller)
        assert set(words_of(request)) <= set(words_of(sent))


def words_of(request: dict[str, Any]) -> list[str]:
    said = json.dumps([request["system"], request["messages"]]).replace("\\n", " ")
    return re.findall(r"[\w:-]+", said)


# Random conversations, of everything that may be in one: cut at every request, and relocated.

user_turns = st.sampled_from(["text", "blocks", "two messages", "text and system"])
answers = st.sampled_from(["text", "tool", "two tools", "thinking", "server tool"])


def said_by_the_user(kind: str, number: int) -> list[dict[str, Any]]:
    words = f"question {number}"
    match kind:
        case "blocks":
            block = {"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}
            return [{"role": "user", "content": [block]}]
        case "two messages":
            return [{"role": "user", "content": words}, {"role": "user", "content": "and another"}]
        case "text and system":
            return [{"role": "user", "content": words}, {"role": "system", "content": "Be quick."}]
        case _:
            return [{"role": "user", "content": words}]


def said_by_the_model(kind: str, number: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """An answer, and the results of the tools it called."""
    text = {"type": "text", "text": f"answer {number}"}
    ids = [f"toolu_{number}_{n}" for n in range({"tool": 1, "two tools": 2}.get(kind, 0))]
    calls = [{"type": "tool_use", "id": one, "name": "ls", "input": {}} for one in ids]
    results = [{"type": "tool_result", "tool_use_id": one, "content": f"file {number}"} for one in ids]
    if kind == "thinking":
        return [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, text], []
    if kind == "server tool":
        found = {"type": "web_search_tool_result", "tool_use_id": f"srvtoolu_{number}", "content": []}
        used = {"type": "server_tool_use", "id": f"srvtoolu_{number}", "name": "web_search", "input": {}}
        return [used, found], []
    return [text, *calls], results


@given(
    turns=st.lists(st.tuples(user_turns, answers), min_size=1, max_size=6),
    model=st.sampled_from([WITH_MESSAGES, WITHOUT, BOUND, "claude-haiku-4-5"]),
    owner=st.sampled_from([ADA, Caller("support")]),
    changes=st.lists(st.booleans(), min_size=12, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_accepted_as_it_is_is_accepted_relocated(
    turns: list[tuple[str, str]], model: str, owner: Caller, changes: list[bool]
) -> None:
    state = learned(model, owner)
    history: list[dict[str, Any]] = []
    now = 300
    for number, (asked, answered) in enumerate(turns):
        history += said_by_the_user(asked, number)
        now = check_step(state, history, model, owner, now + changes[2 * number])
        content, results = said_by_the_model(answered, number)
        history.append({"role": "assistant", "content": content})
        if results:
            history.append({"role": "user", "content": results})
            now = check_step(state, history, model, owner, now + changes[2 * number + 1])
            history.append({"role": "assistant", "content": "done"})


def check_step(state: Relocation, history: list[dict[str, Any]], model: str, owner: Caller, now: int) -> int:
    request = body(
        system(time_of(now)), model=model, tools=[{"name": "ls", "input_schema": {"type": "object"}}]
    )
    request["messages"] = copy.deepcopy(history)
    sent, _ = through(state, request, owner)
    emulator = Emulator()
    if call(emulator, request).status == 200:
        answer = call(emulator, sent)
        assert answer.status == 200, answer.raw
    return now
