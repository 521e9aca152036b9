"""Carry: what it clears, when, and that it stays cleared; every request is one that the emulator takes."""

from __future__ import annotations

import dataclasses
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrimp.core.carry.clearing import is_placeholder
from scrimp.core.levers import Answered, Learning, Step
from scrimp.core.passes.carry import Carry
from scrimp.core.record import Tags
from scrimp.core.workspace import Workspace
from scrimp.emulator import thinking, tool_use
from scrimp.errors import InputError
from scrimp.facts.models import default
from tests.copies import copied
from tests.core.carrying import NOON, Message, Sent, Session, result, tool_turn, use

CLEARS, SUMS = "context-management-2025-06-27", "compact-2026-01-12"
GO = {"role": "user", "content": "Read all files."}
BOLD = 0.5
"""A share of its cost that lets a conversation of a few dozen steps act."""


def worked(
    lever: Carry | None, steps: int, *, words: int = 2_000, gap: float = 20.0, **fields: Any
) -> tuple[Session, list[Sent]]:
    """A conversation that calls one tool at each step."""
    session, messages, sent = Session(lever), [GO], []
    for step in range(steps):
        sent.append(session.step(session.body(messages, **fields), gap=gap))
        messages += tool_turn(step, words)
    return session, sent


@cache
def carried() -> tuple[Session, tuple[Sent, ...]]:
    """The usual long conversation, for who only looks at it."""
    session, sent = worked(Carry(risk=BOLD), 40)
    return session, tuple(sent)


def cleared(sent: Sent) -> int:
    """How many tool uses the answer says were cleared."""
    told = sent.answered.message.get("context_management", {"applied_edits": []})
    return sum(edit.get("cleared_tool_uses", 0) for edit in told["applied_edits"])


def test_a_long_conversation_costs_less_and_its_reads_are_foreseen() -> None:
    plain, _ = worked(None, 40)
    session, sent = carried()
    assert session.spent < 0.85 * plain.spent
    assert [one.foreseen for one in sent] == [one.answered.usage.cache_read_input_tokens for one in sent]


def test_what_was_cleared_stays_cleared_until_the_next_cut_and_the_prefix_is_read() -> None:
    _, sent = carried()
    counts = [cleared(one) for one in sent]
    assert counts == sorted(counts)
    cuts = [at for at in range(1, len(counts)) if counts[at] > counts[at - 1]]
    assert len(cuts) >= 2
    for before, after in pairwise(sent):
        old, new = before.answered.prompt.digests, after.answered.prompt.digests
        if sent.index(after) in cuts:
            continue
        assert new[: len(old)] == old
        total = before.answered.usage.total_input
        assert after.answered.usage.cache_read_input_tokens >= total - 10


def test_the_edits_clear_the_same_whatever_memory_the_server_has() -> None:
    """A server that looks at one request alone keeps the last `keep`: those since the cut."""
    _, sent = carried()
    for number, one in enumerate(sent):
        for edit in one.edits:
            assert edit["trigger"] == {"type": "tool_uses", "value": 1}
            assert number - edit["keep"]["value"] == cleared(one)


def test_a_cold_cache_is_the_moment_to_clear() -> None:
    """Nothing is read after the pause, so that clearing costs nothing: what waited goes there."""
    session, messages, warm = Session(Carry(risk=BOLD)), [GO], []
    for step in range(12):
        warm.append(session.step(session.body(messages)))
        messages += tool_turn(step, 4_000)
    session.now += 7_200
    back = session.step(session.body(messages))
    assert cleared(back) == 9 > cleared(warm[-1])
    [decision] = back.decisions
    assert decision.what.startswith("cleared ")
    assert decision.saves > 0
    assert back.answered.usage.cache_read_input_tokens == 0


def test_it_is_said_once_why_nothing_is_cleared() -> None:
    _, sent = worked(Carry(), 20)
    said = [one.what for sent_ in sent for one in sent_.decisions]
    assert said
    assert len(said) == len(set(said))
    assert all(what.startswith("nothing taken out: ") for what in said)
    assert not any(one.edits for one in sent)


def test_a_short_conversation_is_left_alone_without_a_word() -> None:
    _, sent = worked(Carry(risk=1.0), 4)
    assert all(one.change is None for one in sent)


def test_the_newest_results_and_excluded_tools_stay() -> None:
    lever, messages = Carry(risk=1.0, keep=5, exclude_tools=["write"]), [GO]
    session, last = Session(lever), None
    for step in range(40):
        last = session.step(session.body(messages))
        tool = "write" if step % 4 == 0 else "read"
        messages += [
            {"role": "assistant", "content": [use(f"toolu_{step}", tool)]},
            {"role": "user", "content": [result(f"toolu_{step}", 2_000)]},
        ]
    assert last is not None
    [edit] = last.edits
    assert edit["exclude_tools"] == ["write"]
    assert edit["keep"]["value"] >= 5
    kept = [block for block in last.answered.prompt.blocks if block.kind == "tool_result"]
    short = [block for block in kept if len(str(block.value["content"])) < 100]
    assert short
    assert all(int(block.value["tool_use_id"].split("_")[1]) % 4 for block in short)


@pytest.mark.parametrize("think", [False, True])
def test_old_thinking_goes_with_the_results_after_it(think: bool) -> None:
    session, messages, sent = Session(Carry(risk=BOLD)), [GO], []
    thinking = {"thinking": {"type": "adaptive"}} if think else {}
    for step in range(30):
        sent.append(session.step(session.body(messages, **thinking)))
        answer, said = tool_turn(step)
        thought = {"type": "thinking", "thinking": "hm " * 300, "signature": f"sig{step}"}
        messages += [{**answer, "content": [thought, *answer["content"]]}, said]
    last = sent[-1]
    kinds = [edit["type"] for edit in last.edits]
    if not think:
        assert kinds == ["clear_tool_uses_20250919"]
        return
    assert kinds == ["clear_thinking_20251015", "clear_tool_uses_20250919"]
    applied = last.answered.message["context_management"]["applied_edits"]
    assert [edit.get("cleared_tool_uses", edit.get("cleared_thinking_turns")) for edit in applied] == [
        cleared(last)
    ] * 2
    assert sum(block.kind == "thinking" for block in last.answered.prompt.blocks) == 29 - cleared(last)


def test_edits_of_the_caller_stay_as_they_are_and_come_once() -> None:
    theirs = {"type": "clear_thinking_20251015", "keep": "all"}
    own = {"context_management": {"edits": [theirs]}}
    session, messages, last = Session(Carry(risk=BOLD)), [GO], None
    for step in range(30):
        last = session.step(session.body(messages, **own), betas=[CLEARS])
        messages += tool_turn(step)
    assert last is not None
    assert last.edits[0] == theirs
    assert [edit["type"] for edit in last.edits] == [theirs["type"], "clear_tool_uses_20250919"]
    assert last.change is not None
    assert last.change.betas == ()


def test_who_clears_tool_results_by_an_edit_of_their_own_is_left_alone_and_told() -> None:
    theirs = {"type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": 6}}
    session, messages, sent = Session(Carry(risk=1.0)), [GO], []
    for step in range(20):
        body = session.body(messages, context_management={"edits": [theirs]})
        sent.append(session.step(body, betas=[CLEARS]))
        messages += tool_turn(step)
    assert all(one.edits == [theirs] for one in sent)
    [said] = [one.what for one_sent in sent for one in one_sent.decisions]
    assert said == "nothing taken out: the request clears tool results by an edit of its own"


def test_the_same_request_again_goes_out_as_it_did() -> None:
    """A retry decides nothing anew, so that what the first attempt wrote can be read."""
    lever, messages = Carry(risk=BOLD), [GO]
    session = Session(lever)
    for step in range(30):
        body = session.body(messages)
        first = session.step(body, gap=1.0)
        again = session.step(copied(body), gap=4_000.0 if step == 20 else 20.0)
        assert again.edits == first.edits
        messages += tool_turn(step)
    assert first.edits


def test_conversations_that_part_keep_what_was_cleared_before() -> None:
    session, messages, last = Session(Carry(risk=BOLD)), [GO], None
    for step in range(30):
        last = session.step(session.body(messages))
        messages += tool_turn(step)
    assert last is not None
    before = cleared(last)
    assert before
    for branch in ("a", "b"):
        other = [
            *messages,
            {"role": "assistant", "content": branch},
            {"role": "user", "content": f"{branch}?"},
        ]
        assert cleared(session.step(session.body(other))) == before


def test_another_conversation_with_the_same_ids_is_another_one() -> None:
    lever = Carry(risk=BOLD)
    session, messages = Session(lever), [GO]
    for step in range(30):
        last = session.step(session.body(messages))
        messages += tool_turn(step)
    assert last.edits
    messages[0] = {"role": "user", "content": "Read other files."}
    assert session.step(session.body(messages[:9])).edits == []


def test_a_model_that_took_no_changed_request_is_left_alone() -> None:
    lever = Carry(risk=BOLD)
    session, _ = worked(lever, 30)
    workspace = Workspace(default())
    messages = [GO, *(message for step in range(40) for message in tool_turn(step))]
    body = session.body(messages)
    step = Step(
        body=body,
        model=default().resolve(session.model),
        tags=Tags(),
        now=NOON,
        look=lambda one: workspace.look(one, NOON),
    )
    assert lever.change(step) is not None
    lever.refused(step)
    assert lever.change(step) is None


@pytest.mark.parametrize(
    ("fields", "betas"),
    [({"thread": {"type": "create"}}, ()), ({"compaction": {"type": "summarize"}}, ())],
)
def test_threads_and_requests_for_a_summary_are_left_alone(fields: Any, betas: Any) -> None:
    lever = Carry(risk=BOLD)
    session, _ = worked(lever, 30)
    messages = [GO, *(message for step in range(29) for message in tool_turn(step))]
    step = Step(
        body=session.body(messages, **fields),
        model=default().resolve(session.model),
        tags=Tags(),
        now=NOON,
        look=lambda one: None,
        betas=frozenset(betas),
    )
    assert lever.change(step) is None


def test_where_the_api_does_not_clear_it_is_done_here_if_the_model_lets_it() -> None:
    session, messages, sent = Session(Carry(risk=BOLD)), [GO], []
    features = msgspec.structs.replace(session.shown.features, context_editing=False)
    session.shown = dataclasses.replace(session.shown, features=features)
    for step in range(30):
        sent.append(session.step(session.body(messages)))
        messages += tool_turn(step)
    last = sent[-1]
    assert last.edits == []
    assert last.change is not None
    assert last.change.betas == ()
    short = [block for block in last.answered.prompt.blocks if is_placeholder(block.value)]
    assert 5 < len(short) < 30
    for before, after in pairwise(sent):
        old, new = before.answered.prompt.digests, after.answered.prompt.digests
        assert after.decisions or new[: len(old)] == old


def test_a_model_that_neither_clears_nor_lets_others_do_so_is_left_alone_and_that_is_said() -> None:
    session, messages, sent = Session(Carry(risk=1.0), model="claude-unheard-of-9"), [GO], []
    for step in range(12):
        sent.append(session.step(session.body(messages)))
        messages += tool_turn(step)
    assert all("context_management" not in one.body for one in sent)
    [said] = [one.what for each in sent for one in each.decisions]
    assert said.startswith("nothing taken out: the model has no context editing")


def test_the_providers_own_tools_make_it_stop_and_keep_what_was_cleared() -> None:
    session, messages, last = Session(Carry(risk=BOLD)), [GO], None
    for step in range(30):
        last = session.step(session.body(messages))
        messages += tool_turn(step)
    assert last is not None
    searched = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "so"},
    ]
    messages += [{"role": "assistant", "content": searched}, {"role": "user", "content": "Go on."}]
    for step in range(30, 45):
        after = session.step(session.body(messages))
        assert cleared(after) == cleared(last)
        messages += tool_turn(step)


def test_a_server_that_clears_another_number_is_told_of_and_trusted_no_more() -> None:
    lever = Carry(risk=BOLD)
    session, messages = Session(lever), [GO]
    odd, kept = [], []
    for step in range(44):
        body = session.body(messages)
        asked = Step(
            body=body,
            model=default().resolve(session.model),
            tags=Tags(agent="worker"),
            now=session.now,
            look=lambda one: session.workspace.look(one, session.now, "worker"),
        )
        sent = session.step(body)
        if sent.edits and not odd:
            odd.append(lever.change(asked))
            lever.answered(asked, session_answer(sent, {"clear_tool_uses_20250919": 1}))
        elif odd:
            kept.append((cleared(sent), sent.change.warnings if sent.change else ()))
        messages += tool_turn(step)
    assert len({count for count, _ in kept}) == 1
    assert all("another number of tool uses" in warnings[0] for _, warnings in kept)


def test_turns_of_thinking_that_the_api_counts_otherwise_are_left_to_the_model() -> None:
    """What a turn is, where tools are used, is not published: one odd answer, and no thinking is cleared."""
    lever, messages = Carry(risk=BOLD), [GO]
    session, sent = Session(lever), []
    for step in range(36):
        body = session.body(messages, thinking={"type": "adaptive"})
        asked = Step(
            body=body,
            model=session.shown,
            tags=Tags(agent="worker"),
            now=session.now,
            look=lambda one: session.workspace.look(one, session.now, "worker"),
        )
        sent.append(session.step(body))
        if len(sent[-1].edits) == 2:
            lever.change(asked)
            told = {"clear_tool_uses_20250919": cleared(sent[-1]), "clear_thinking_20251015": 0}
            lever.answered(asked, session_answer(sent[-1], told))
        answer, said = tool_turn(step)
        thought = {"type": "thinking", "thinking": "hm " * 100, "signature": f"sig{step}"}
        messages += [{**answer, "content": [thought, *answer["content"]]}, said]
    kinds = [[edit["type"] for edit in one.edits] for one in sent]
    assert kinds.count(["clear_thinking_20251015", "clear_tool_uses_20250919"]) == 1
    assert kinds[-1] == ["clear_tool_uses_20250919"]
    assert cleared(sent[-1]) > 3


@pytest.mark.parametrize("management", ["all", {"edits": "all"}, [1]])
def test_edits_that_nobody_understands_are_left_to_the_api(management: Any) -> None:
    lever = Carry(risk=1.0)
    session, _ = worked(lever, 20)
    messages = [GO, *(message for step in range(19) for message in tool_turn(step))]
    body = session.body(messages, context_management=management)
    step = Step(body=body, model=session.shown, tags=Tags(), now=NOON, look=lambda one: None)
    assert lever.change(step) is None


def session_answer(sent: Sent, edited: dict[str, int]) -> Any:
    """An answer that says it cleared so much."""
    return Answered(sent.answered.usage, "end_turn", complete=True, at=NOON, edited=edited)


def test_limits_without_sense_are_refused() -> None:
    for limits in ({"keep": 0}, {"risk": 2.0}, {"risk": -0.1}):
        with pytest.raises(InputError, match="Carry: "):
            Carry(**limits)  # type: ignore[arg-type]  # one of them at a time


def test_one_name_is_no_list_of_tools() -> None:
    with pytest.raises(InputError, match="exclude_tools"):
        Carry(exclude_tools="read")


def test_a_step_that_cuts_says_so_and_no_other_does() -> None:
    session, messages = Session(Carry(risk=0.5)), [GO]
    said = []
    for step in range(30):
        sent = session.step(session.body(messages))
        said.append(
            (any("cleared" in one.what for one in sent.decisions), bool(sent.change and sent.change.cuts))
        )
        messages += tool_turn(step)
    assert all(cleared == cuts for cleared, cuts in said)
    assert (True, True) in said


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_every_request_is_taken_and_no_conversation_costs_more_than_its_share(data: st.DataObject) -> None:
    """Never refused: calls and results stay together, thinking (bound on Fable 5.2) where it was thought."""
    model = data.draw(st.sampled_from(["claude-sonnet-4-6", "claude-opus-5-5", "claude-fable-5-2"]))
    risk = data.draw(st.sampled_from([0.008, 0.1, 1.0]))
    lever = Carry(
        risk=risk,
        keep=data.draw(st.integers(1, 4)),
        thinking=data.draw(st.booleans()),
        compact=data.draw(st.booleans()),
        restore=True,
    )
    thinks = data.draw(st.booleans())
    fields = {"thinking": {"type": "adaptive"}} if thinks else {}
    steps = data.draw(st.integers(5, 30))
    calls = data.draw(st.lists(st.integers(1, 3), min_size=steps, max_size=steps))
    thought = [thinking("hm " * 60)] if thinks else []
    answers = [
        [*thought, *(tool_use("read", {"path": str(step)}) for _ in range(count))]
        for step, count in enumerate(calls)
    ]
    gaps = [data.draw(st.sampled_from([2.0, 20.0, 20.0, 200.0, 400.0, 4_000.0])) for _ in answers]
    words = [data.draw(st.sampled_from([3, 800, 8_000])) for _ in answers]
    drops = [data.draw(st.booleans()) for _ in answers]
    spent = []
    for one in (None, lever):
        session, messages = Session(one, model=model, replies=answers), [GO]
        for gap, length, drop in zip(gaps, words, drops, strict=True):
            said = session.step(session.body(messages, **fields), gap=gap).answered.said.content
            kept = [block for block in said if not (drop and block["type"] == "compaction")]
            uses = [block["id"] for block in said if block["type"] == "tool_use"]
            results = [result(name, length, nested=bool(n % 2)) for n, name in enumerate(uses)]
            messages += [{"role": "assistant", "content": kept}, {"role": "user", "content": results}]
        spent.append(session.spent)
    assert spent[1] <= spent[0] * (1.01 + risk)


def test_a_conversation_met_in_the_middle_is_not_taken_for_cold() -> None:
    """Another process, or this one before it was started anew, may have its prompt in the cache."""
    messages = [GO, *(message for step in range(40) for message in tool_turn(step))]
    for first in (0.0, 4_000.0):
        session = Session(Carry(risk=1.0))
        session.step(session.body([{"role": "user", "content": "hi"}]), gap=first)
        assert session.step(session.body(messages)).edits == []


def test_what_was_learned_is_there_for_the_next_process() -> None:
    lever = Carry(risk=BOLD)
    session, _ = worked(lever, 40)
    for path in ("toolu_1", "toolu_2"):  # asked for again: it was needed
        messages = [GO, *(message for step in range(40) for message in tool_turn(step))]
        messages += [
            {"role": "assistant", "content": [use("again", path=path)]},
            {"role": "user", "content": [result("again", 10)]},
        ]
        session.step(session.body(messages), gap=10_000.0)
    kept = dict(lever.learned())
    assert any(name == "tool read" for name in kept)
    assert any(name == "label worker" for name in kept)
    other = Carry(risk=BOLD)
    other.recall(kept | {"tool x": b"{", "label y": b'["a"]', "tool z": b"[-1,-1]", "else": b"1"})
    assert set(other.learned()) >= {"tool read", "label worker"}
    assert isinstance(other, Learning)


def asked_again(path: str, before: list[Message]) -> list[Message]:
    """The conversation with one more call that asks for what an earlier one got."""
    again = {"role": "assistant", "content": [use("again", path=path)]}
    return [*before, again, {"role": "user", "content": [result("again", 10)]}]


def missed(lever: Carry) -> float:
    """How often something that was cleared of the tool's results was missed."""
    exposed, often = msgspec.json.decode(lever.learned().get("tool read", b"[0,0]"))
    assert exposed >= 0
    return float(often)


def test_what_is_asked_for_again_after_it_was_cleared_was_missed() -> None:
    lever = Carry(risk=BOLD)
    session, sent = worked(lever, 40)
    messages = [GO, *(message for step in range(40) for message in tool_turn(step))]
    assert cleared(sent[-1]) > 3
    assert missed(lever) == 0
    session.step(session.body(asked_again("toolu_1", messages)))
    assert missed(lever) == 1
    session.step(session.body(asked_again("toolu_39", messages)))  # it is there still
    assert missed(lever) == 1


def test_what_was_done_again_and_again_before_is_a_habit_and_nothing_missed() -> None:
    lever, messages = Carry(risk=BOLD), [GO]
    session = Session(lever)
    for step in range(40):
        last = session.step(session.body(messages))
        answer = {"role": "assistant", "content": [use(f"toolu_{step}", path="always")]}
        messages += [answer, {"role": "user", "content": [result(f"toolu_{step}", 2_000)]}]
    assert cleared(last) > 3
    assert missed(lever) == 0


class Cuts(dict[bytes, bytes]):
    """A store in memory."""

    def keep(self, key: bytes, kept: bytes) -> None:
        self[key] = kept

    def find(self, key: bytes) -> bytes | None:
        return self.get(key)


@pytest.mark.parametrize("junk", [False, True])
def test_what_was_cleared_stays_cleared_in_the_next_process(junk: bool) -> None:
    """With its store the prefix is read on; where that is unreadable, all is sent, and the edits are gone."""
    cuts = Cuts()
    session, messages, sent = Session(Carry(risk=0.5, store=cuts)), [GO], []
    while not (len(sent) > 2 and sent[-1].edits):
        sent.append(session.step(session.body(messages)))
        messages += tool_turn(len(sent))
    assert cuts
    assert all(len(key) == 16 and b"line" not in data for key, data in cuts.items())
    if junk:
        cuts.update(dict.fromkeys(cuts, b"junk"))
    session.lever, session.workspace = Carry(risk=0.5, store=cuts), Workspace(default())
    after = session.step(session.body(messages))
    before, usage = sent[-1].answered.usage.total_input, after.answered.usage
    assert bool(after.edits) is not junk
    if not junk:
        assert not any("cleared" in one.what for one in after.decisions), "all of it was cleared before"
        assert usage.cache_read_input_tokens >= before - 10
