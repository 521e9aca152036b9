"""The context budget, pure: when it compacts, what stays in place, and when nothing goes out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from scrimp.core.context_budget import ContextBudget
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.record import Tags
from scrimp.core.workspace import Workspace
from scrimp.errors import ContextExceeded, InputError
from scrimp.facts.models import default, resolve
from scrimp.wire.response import Iteration, Usage

NOW = 1_795_000_000.0
WORDS = "words of a result " * 120
"""About 480 tokens."""


def step(
    messages: list[Any],
    *,
    model: str = "claude-haiku-4-5",
    betas: frozenset[str] | None = frozenset(),
    system: str = "You mend. " * 300,
    user: str | None = None,
    **more: Any,
) -> Step:
    body = {"model": model, "max_tokens": 100, "system": system, "messages": messages}
    workspace = Workspace(default())
    return Step(
        body,
        resolve(model),
        Tags(agent="a", user=user),
        NOW,
        lambda body: workspace.look(body, NOW),
        betas=betas,
        **more,
    )


def session(steps: int, *, thinking: bool = False) -> list[Any]:
    messages: list[Any] = [{"role": "user", "content": "Mend the build."}]
    for number in range(steps):
        use = {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": "read",
            "input": {"path": f"src/m{number}.py"},
        }
        thought = {"type": "thinking", "thinking": "hm", "signature": f"s{number}"}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": f"{number} {WORDS}"}
        messages.append({"role": "assistant", "content": [thought, use] if thinking else [use]})
        messages.append({"role": "user", "content": [result]})
    return messages


def made(change: Change | None) -> list[Any]:
    assert change is not None
    assert change.error is None
    return list(change.body["messages"])


def test_a_conversation_within_its_budget_is_left_alone() -> None:
    assert ContextBudget().change(step(session(20))) is None


def test_beyond_the_soft_threshold_old_turns_become_a_session_state() -> None:
    budget, messages = ContextBudget(soft=12_000), session(30)
    asked = step(messages)
    before = asked.look(asked.body)
    change = budget.change(asked)
    left = made(change)
    assert left[0] == messages[0]
    assert left[1]["content"][0]["text"].startswith("<session-state>")
    assert "src/m0.py" in left[1]["content"][0]["text"]
    assert left[2:] == messages[len(messages) - len(left) + 2 :]
    after = asked.look({**asked.body, "messages": left})
    assert before is not None
    assert after is not None
    assert before.plan.total.mid > 12_000
    assert 3_000 < after.plan.total.mid < 12_000
    assert change is not None
    fewer = before.plan.total.mid - after.plan.total.mid
    again = after.plan.chosen.outcome.written  # at $1.25 a million tokens instead of $0.10
    assert again > 3_000
    assert change.own_extra == pytest.approx(fewer * 100_000 - again * 1_150_000, rel=0.1)
    stays = budget.change(asked)
    assert stays is not None
    assert stays.own_extra == pytest.approx(fewer * 100_000, rel=0.1)


def test_what_was_compacted_stays_so_byte_for_byte_until_the_next_cut() -> None:
    budget, states = ContextBudget(soft=12_000), []
    messages = session(90)
    for end in range(1, len(messages) + 1, 2):
        change = budget.change(step(messages[:end]))
        states.append("" if change is None else made(change)[1]["content"][0]["text"])
    first = next(at for at, state in enumerate(states) if state)
    assert all(states[first:])
    cuts = sum(one != other for one, other in pairwise(states))
    assert cuts == len(set(states) - {""})
    assert 3 <= cuts <= 8


def test_another_conversation_that_begins_alike_has_its_own_limits() -> None:
    """One whose prompt leaves little room for messages says nothing of one that has room."""
    budget, long, short = ContextBudget(soft=24_000, hard=None), session(50), session(20)
    crowded = {"system": "You mend. " * 4_000}
    assert made(budget.change(step(long, **crowded))) != long
    short[2]["content"][0]["content"] = "something else"
    assert budget.change(step(short)) is None
    assert budget.change(step(session(20), user="ann")) is None
    assert made(budget.change(step([*session(50), *session(1)[1:]], **crowded)))  # and it goes on as it did


def test_shares_are_of_the_window_or_of_what_the_run_allows() -> None:
    budget = ContextBudget(soft=None, hard=0.5)
    long = session(60)  # about 30,000 tokens, of a window of 200,000
    assert budget.change(step(long)) is None
    refused = budget.change(step(long, max_context=40_000))
    assert refused is not None
    assert isinstance(refused.error, ContextExceeded)
    assert (refused.error.limit, refused.error.window) == (20_000, 200_000)
    assert refused.error.tokens > 20_000
    assert budget.mode == "safe"


def test_beyond_the_ceiling_nothing_goes_out_unless_compacting_helps() -> None:
    messages = session(40)
    refused = ContextBudget(soft=None, hard=15_000).change(step(messages))
    assert refused is not None
    assert isinstance(refused.error, ContextExceeded)
    assert made(ContextBudget(soft=12_000, hard=15_000).change(step(messages)))
    stuck = ContextBudget(soft=12_000, hard=15_000, keep_turns=50).change(step(messages))
    assert stuck is not None
    assert isinstance(stuck.error, ContextExceeded)


def test_what_cannot_be_compacted_goes_out_and_is_noted() -> None:
    change = ContextBudget(soft=12_000, hard=None, keep_turns=50).change(step(session(40)))
    assert change is not None
    assert change.body["messages"] == session(40)
    assert [one.what for one in change.decisions] == ["left as it is beyond the soft threshold"]


@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-opus-5-5"])
def test_where_thinking_is_bound_the_api_is_told_to_sum_up(model: str) -> None:
    messages = session(200, thinking=True)
    own = {"edits": [{"type": "clear_tool_uses_20250919"}], "other": 1}
    asked = step(messages, model=model)
    asked = Step(
        {**asked.body, "context_management": own}, asked.model, asked.tags, NOW, asked.look, betas=frozenset()
    )
    change = ContextBudget(soft=60_000).change(asked)
    assert change is not None
    assert change.body["messages"] == messages
    assert change.betas == ("compact-2026-01-12",)
    assert change.body["context_management"] == {
        "edits": [
            *own["edits"],
            {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 60_000}},
        ],
        "other": 1,
    }


def test_nobody_is_told_twice() -> None:
    asked = step(session(200, thinking=True), model="claude-fable-5-2")
    theirs = {"edits": [{"type": "compact_20260112"}]}
    asked = Step({**asked.body, "context_management": theirs}, asked.model, asked.tags, NOW, asked.look)
    assert ContextBudget(soft=60_000).change(asked) is None


def test_a_summary_that_is_not_sent_back_is_told_and_none_is_asked_for_again() -> None:
    budget, messages = ContextBudget(soft=60_000), session(200, thinking=True)
    asked = step(messages, model="claude-fable-5-2")
    assert budget.change(asked)
    summed = Usage(iterations=(Iteration(type="compaction"),))
    budget.answered(asked, Answered(summed, "end_turn", complete=True, at=NOW))
    said = {"role": "assistant", "content": [{"type": "text", "text": "x"}]}
    after = [{"role": "user", "content": "go on"}]
    kept = [*messages, {"role": "assistant", "content": [{"type": "compaction", "content": "s"}]}, *after]
    change = budget.change(step(kept, model="claude-fable-5-2"))
    assert change is None or not change.warnings
    dropped = step([*messages, said, *after], model="claude-fable-5-2")
    change = budget.change(dropped)
    assert change is not None
    assert "not sent back" in change.warnings[0]
    assert change.body is dropped.body
    change = budget.change(step(session(210, thinking=True), model="claude-fable-5-2"))
    assert change is None or "context_management" not in change.body


def test_a_model_whose_compacted_requests_are_refused_is_left_alone() -> None:
    budget = ContextBudget(soft=12_000, hard=30_000)
    short, long = step(session(5)), step(session(40))
    assert budget.change(short) is None
    budget.refused(short)  # another lever's doing
    assert made(budget.change(long)) != session(40)
    budget.refused(long)
    assert budget.change(step(session(40))) is None
    refused = budget.change(step(session(80)))
    assert refused is not None
    assert isinstance(refused.error, ContextExceeded)


@pytest.mark.parametrize(
    "wrong",
    [
        {"soft": 0},
        {"hard": -1},
        {"soft": 0.9, "hard": 0.5},
        {"soft": 90_000, "hard": 50_000},
        {"keep": 1},
        {"keep_turns": -1},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="ContextBudget"):
        ContextBudget(**wrong)


@pytest.mark.parametrize("messages", [[], "words", [None], [{"role": "user"}]])
def test_what_is_no_conversation_is_left_alone(messages: Any) -> None:
    assert ContextBudget(soft=0.0001, hard=None).change(step(messages)) is None
