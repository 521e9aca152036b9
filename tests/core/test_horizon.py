"""The learned future: what is foretold moves with what goes by, per label, kind and stage."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from scrimp.core.gaps import EDGES
from scrimp.core.horizon import Horizon, Learned, Taken
from scrimp.core.prompt import Prompt, Reading, read_prompt
from scrimp.core.worth import Event

READING = Reading(key="model")
TOOLS = [{"name": "ls", "input_schema": {}}, {"name": "cat", "input_schema": {}}]


def prompt(*turns: str | Sequence[str], system: str = "agent", tools: bool = False) -> Prompt:
    """Turns of the user and the model alternate; a list is one turn of several blocks."""
    messages = []
    for number, turn in enumerate(turns):
        texts = [turn] if isinstance(turn, str) else turn
        content = [{"type": "text", "text": text} for text in texts]
        messages.append({"role": "assistant" if number % 2 else "user", "content": content})
    body: dict[str, Any] = {"messages": messages}
    if system:
        body["system"] = system
    if tools:
        body["tools"] = TOOLS
    return read_prompt(body, READING)


def conversation(name: str, steps: int, **fields: Any) -> list[Prompt]:
    """The prompts of one agent's run, each going on with the one before."""
    turns = [f"{name}: {'call' if n % 2 else 'input'} {n}" for n in range(2 * steps - 1)]
    return [prompt(*turns[: 2 * step + 1], **fields) for step in range(steps)]


def watch(
    horizon: Horizon, prompts: Sequence[Prompt], *, start: float = 0.0, gap: float = 10.0, label: Any = None
) -> float:
    """These go by, so many seconds apart; returns the time of the one that would come next."""
    for number, one in enumerate(prompts):
        horizon.observe(one, start + number * gap, label)
    return start + len(prompts) * gap


def goes_on(horizon: Horizon, one: Prompt, label: str | None = None) -> Event:
    return horizon.events(one, label)[0]


def within_1h(event: Event) -> float:
    return sum(chances.weight * chances.within_1h for chances in event.stages[0])


def fork_at(horizon: Horizon, one: Prompt, position: int, label: str | None = None) -> Event | None:
    found = [event for event in horizon.events(one, label)[1:] if event.position == position]
    return found[0] if found else None


def test_before_anything_is_seen_agents_are_taken_to_go_on_and_bare_questions_are_not() -> None:
    horizon = Horizon()
    assert goes_on(horizon, prompt("a", tools=True)).within_5m > 0.6
    assert goes_on(horizon, prompt("a", system="")).within_5m < 0.217


def test_the_next_step_has_all_of_the_prompt_and_others_its_start() -> None:
    horizon = Horizon()
    one = prompt("task", tools=True)
    horizon.observe(one, 0.0)
    # tools 0 and 1, system 2, task 3
    assert [event.position for event in horizon.events(one)] == [3, 1, 2]


def test_what_is_taken_up() -> None:
    horizon = Horizon()
    first, second = conversation("a", 2)
    assert horizon.observe(first, 0.0) == Taken(-1, None)
    assert horizon.observe(second, 10.0) == Taken(1, first.prefixes[-1])
    assert horizon.observe(prompt("another task"), 20.0) == Taken(0, None)


def test_an_empty_prompt_has_no_future() -> None:
    empty = read_prompt({"messages": []}, READING)
    assert Horizon().observe(empty, 0.0) == Taken(-1, None)
    assert Horizon().events(empty) == ()


def test_conversations_that_go_on_raise_the_odds_and_one_shot_calls_lower_them() -> None:
    agents, one_shots = Horizon(), Horizon()
    steps = conversation("a", 50)
    watch(agents, steps)
    watch(one_shots, [prompt(f"question {n}") for n in range(60)], gap=120.0)
    assert goes_on(agents, steps[-1]).within_5m > 0.95
    assert goes_on(one_shots, prompt("one more")).within_5m < 0.1


def test_slow_conversations_are_told_from_quick_ones() -> None:
    horizon = Horizon()
    steps = conversation("a", 50)
    watch(horizon, steps, gap=1200.0)
    assert goes_on(horizon, steps[-1]).within_5m < 0.1
    assert within_1h(goes_on(horizon, steps[-1])) > 0.8
    assert horizon.next_use(steps[-1]).within_1h > 0.8


def test_each_kind_of_agent_has_odds_of_its_own() -> None:
    horizon = Horizon()
    steps = conversation("a", 60)
    for number, step in enumerate(steps):
        horizon.observe(step, number * 60.0)
        horizon.observe(prompt(f"question {number}", system="classifier"), number * 60.0 + 5)
    assert goes_on(horizon, steps[-1]).within_5m > 0.9
    assert goes_on(horizon, prompt("x", system="classifier")).within_5m < 0.1


def test_the_same_prompt_under_another_label_has_another_future() -> None:
    horizon = Horizon()
    for run in range(30):
        watch(horizon, conversation(f"run {run}", 4), start=run * 600.0, label="agent")
        horizon.observe(prompt(f"question {run}"), run * 600.0 + 300, "classifier")
    latest = prompt("next")
    assert goes_on(horizon, latest, "agent").within_5m > 0.9
    assert goes_on(horizon, latest, "classifier").within_5m < 0.1


def test_bare_prompts_without_a_label_do_not_borrow_from_agents() -> None:
    horizon = Horizon()
    before = goes_on(horizon, prompt("question", system="")).within_5m
    for run in range(20):
        watch(horizon, conversation(f"run {run}", 8, tools=True), start=run * 600.0)
    assert goes_on(horizon, prompt("question", system="")).within_5m == pytest.approx(before)


def test_a_new_kind_borrows_from_the_others_of_its_label() -> None:
    # Every request has a system prompt of its own, and none was ever followed by another.
    horizon = Horizon()
    one_shots = [prompt(f"question {n}", system=f"for user {n}", tools=True) for n in range(40)]
    watch(horizon, one_shots, gap=4000.0, label="answers")
    fresh = prompt("question", system="for a new user", tools=True)
    assert goes_on(horizon, fresh, "answers").within_5m < 0.217
    assert goes_on(horizon, fresh, "another label").within_5m > 0.5


def test_agents_of_two_steps_go_on_once() -> None:
    horizon = Horizon()
    for run in range(40):
        watch(horizon, conversation(f"run {run}", 2), start=run * 1000.0)
    first, second = conversation("next", 2)
    horizon.observe(first, 50_000.0)
    found = goes_on(horizon, first)
    assert found.within_5m > 0.85
    assert sum(chances.weight * chances.within_5m for chances in found.stages[1]) < 0.15
    horizon.observe(second, 50_010.0)
    assert goes_on(horizon, second).within_5m < 0.15


def test_a_resumed_conversation_is_as_old_as_its_messages_say() -> None:
    horizon = Horizon()
    for run in range(40):
        watch(horizon, conversation(f"run {run}", 2), start=run * 1000.0)
    resumed = conversation("resumed", 2)[1]
    horizon.observe(resumed, 50_000.0)
    assert goes_on(horizon, resumed).within_5m < 0.15


def test_a_late_answer_still_counts_as_an_answer() -> None:
    horizon = Horizon()
    steps = conversation("a", 21)
    now = watch(horizon, steps[:20], gap=1.0)
    before = goes_on(horizon, steps[19]).within_5m
    horizon.observe(prompt("someone else", system="other"), now + 200)
    assert goes_on(horizon, steps[19]).within_5m < before
    horizon.observe(steps[20], now + 240)
    assert goes_on(horizon, steps[20]).within_5m > before - 0.02


def test_a_start_shared_by_many_conversations_is_noticed() -> None:
    horizon = Horizon()
    tasks = [prompt(f"task {n}") for n in range(40)]
    before = fork_at(Horizon(), tasks[0], 0)
    assert before is None  # not yet observed
    watch(horizon, tasks, gap=60.0)
    start = fork_at(horizon, tasks[-1], 0)
    assert start is not None
    assert start.within_5m > 0.85
    assert start.proven == 0.0  # no use ever came after more than five minutes


def proven_by(uses: int, label: str | None) -> list[float]:
    """How far an hour for others is believed, after each of so many tasks with 20 minutes in between."""
    horizon, found = Horizon(), []
    for number in range(uses):
        task = prompt(f"task {number}")
        horizon.observe(task, number * 1200.0, label)
        start = fork_at(horizon, task, 0, label)
        assert start is not None
        found.append(start.proven)
    return found


def test_an_hour_for_others_is_proven_by_pauses() -> None:
    # Believed in full after three uses of this very start that came after more than five minutes, which fade.
    proven = proven_by(6, None)
    assert proven[:2] == [0.0, pytest.approx(1 / 3)]
    assert proven == sorted(proven)
    assert proven[-1] == 1.0


def test_where_agents_have_a_label_one_pause_of_their_kind_is_proof() -> None:
    assert proven_by(2, "agent") == [0.0, 1.0]


def test_a_tail_that_is_dropped_each_turn_is_not_expected_to_stay() -> None:
    # The agent puts a reminder last and takes it away again: only what stands before it comes back.
    horizon = Horizon()
    turns: list[str | list[str]] = []
    for step in range(6):
        horizon.observe(prompt(*turns, [f"result {step}", f"reminder {step}"]), step * 10.0)
        turns += [f"result {step}", f"call {step}"]
    latest = prompt(*turns, ["result", "reminder"])
    horizon.observe(latest, 60.0)
    assert goes_on(horizon, latest).position == len(latest) - 2
    assert goes_on(horizon, latest).within_5m > 0.8
    fresh = prompt(["another task", "reminder"])
    horizon.observe(fresh, 100.0)
    assert goes_on(horizon, fresh).position == len(fresh) - 2


def test_questions_about_one_document_share_the_document() -> None:
    horizon = Horizon()
    questions = [prompt(["document", f"question {n}"]) for n in range(7)]
    watch(horizon, questions)
    document = fork_at(horizon, questions[-1], 1)
    assert document is not None
    assert document.within_5m > 0.8
    assert goes_on(horizon, questions[-1]).within_5m < 0.3


def test_a_new_document_is_foretold_to_be_shared_as_those_before_were() -> None:
    horizon = Horizon()
    now = 0.0
    for document in range(6):
        questions = [prompt([f"document {document}", f"question {n}"]) for n in range(6)]
        now = watch(horizon, questions, start=now) + 5000.0
    first = prompt(["new document", "first question"])
    horizon.observe(first, now)
    assert [event.position for event in horizon.events(first)] == [2, 0, 1]
    shared = fork_at(horizon, first, 1)
    assert shared is not None
    assert shared.within_5m > 0.5
    assert fork_at(Horizon(), first, 1) is None


def test_what_is_foretold_must_have_been_seen_more_than_once() -> None:
    horizon = Horizon()
    watch(horizon, [prompt(["document", "one"]), prompt(["document", "two"])])
    fresh = prompt(["another document", "one"])
    horizon.observe(fresh, 20.0)
    assert fork_at(horizon, fresh, 1) is None


def test_documents_of_one_label_are_not_foretold_for_another() -> None:
    horizon = Horizon()
    watch(horizon, [prompt(["document", f"question {n}"]) for n in range(6)], label="answers")
    fresh = prompt(["another document", "question"])
    horizon.observe(fresh, 100.0, "agent")
    assert fork_at(horizon, fresh, 1, "agent") is None


def test_starting_the_same_task_again_drops_nothing() -> None:
    horizon = Horizon()
    now = 0.0
    for run in range(3):
        steps = [prompt("task", *(f"{run}.{n}" for n in range(2 * step))) for step in range(4)]
        now = watch(horizon, steps, start=now) + 100.0
    latest = prompt("task", "0.0", "0.1")
    assert goes_on(horizon, latest).position == len(latest) - 1


def test_steps_whose_own_tail_died_use_the_static_start() -> None:
    # Two agents of one kind in turn. Their steps come every eight minutes: if entries live that long, each
    # reads its own tail; if the tails are gone and the start alone lives, it is what they use.
    def seen(live: int) -> Event:
        horizon = Horizon()
        one, other = conversation("one", 12), conversation("other", 12)
        for step in range(12):
            horizon.observe(one[step], step * 480.0, live=-1 if step == 0 else live)
            horizon.observe(other[step], step * 480.0 + 240.0, live=-1 if step == 0 else live)
        found = fork_at(horizon, one[-1], 0)
        assert found is not None
        return found

    assert seen(live=0).within_5m > 0.8
    assert seen(live=-1).within_5m > 0.8
    assert seen(live=1).within_5m < 0.4


def test_what_was_learned_of_a_label_outlives_the_process() -> None:
    horizon = Horizon()
    for run in range(30):
        watch(horizon, conversation(f"run {run}", 4), start=run * 400.0, gap=20.0, label="agent")
        questions = [prompt([f"document {run}", f"question {n}"], system="reader") for n in range(3)]
        watch(horizon, questions, start=run * 400.0 + 5, label="reader")
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(horizon.learned), type=Learned)
    again = Horizon(stored)
    task, question = prompt("task"), prompt(["new document", "question"], system="reader")
    for one in (horizon, again, fresh := Horizon()):
        one.observe(task, 20_000.0, "agent")
        one.observe(question, 20_001.0, "reader")
    # What holds for one system prompt alone is not kept: the label's other prompts stand in for it.
    assert goes_on(again, task, "agent").within_5m > 0.8
    assert goes_on(fresh, task, "agent").within_5m < 0.5
    assert goes_on(again, question, "reader").within_5m < 0.1
    assert goes_on(fresh, question, "reader").within_5m > 0.2
    document, before = fork_at(again, question, 1, "reader"), fork_at(horizon, question, 1, "reader")
    assert document is not None
    assert before is not None
    assert document.within_5m == pytest.approx(before.within_5m, abs=0.1)
    assert fork_at(fresh, question, 1, "reader") is None


def test_a_place_found_to_be_shared_after_a_pause_counts_as_shared_after_a_pause() -> None:
    # A document asked about twice, 25 minutes apart: nobody waited for it, yet it outlasted all bins before.
    horizon = Horizon()
    for question in range(2):
        horizon.observe(prompt(["document", f"question {question}"]), question * 1500.0, "reader")
    counts = horizon.learned.sharing["reader\x1fmessages\x1f0"]
    over = bisect_right(EDGES, 1500.0)
    assert counts.ended[over] == 1.0
    assert counts.reached == pytest.approx([1.0] * (over + 1) + [0.0] * (len(EDGES) - over - 1))


def test_labels_are_not_forgotten_while_they_are_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    # The limit is lowered: twenty thousand kinds take long to make.
    monkeypatch.setattr("scrimp.core.horizon._KINDS_REMEMBERED", 60)
    horizon = Horizon()
    for number in range(100):
        one = prompt([f"document {number}", "question"], system=f"for user {number}", tools=True)
        horizon.observe(one, number * 4000.0, "answers")
    assert len(horizon._continuing) <= 60
    assert len(horizon._sharing) <= 60
    # All but the last few waits are over without another use.
    assert horizon.learned.continuing["answers\x1fagent"].reached[0] > 50
    assert horizon.learned.sharing["answers\x1ftools\x1f1"].reached[0] > 50


def test_what_is_kept_holds_no_prompt() -> None:
    horizon = Horizon()
    watch(horizon, conversation("secret", 5), label="agent")
    stored = msgspec.json.encode(horizon.learned)
    assert b"secret" not in stored
    assert b"agent" in stored
    assert all(digest.hex().encode() not in stored for digest in conversation("secret", 5)[-1].prefixes)
