"""Summaries that `scrimp.Carry` asks for: when, what the next request must bring, and putting them back."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.carry.summaries import Summaries
from scrimp.core.levers import Answered, Step
from scrimp.core.passes.carry import Carry
from scrimp.core.record import Tags
from scrimp.wire.response import Iteration, Usage
from tests.core.carrying import NOON, Sent, Session, result, use

GO = {"role": "user", "content": "Read all files."}
SUMS = "compact-2026-01-12"


def talked(
    lever: Carry | None, steps: int = 30, *, drops: bool = False, **fields: Any
) -> tuple[Session, list[Sent]]:
    """A conversation whose tool results may not be cleared; with `drops` the client keeps no summary."""
    session, messages, sent = Session(lever), [GO], []
    for step in range(steps):
        sent.append(session.step(session.body(messages, **fields), betas=[SUMS] if fields else ()))
        said = [] if drops else [one for one in sent[-1].answered.said.content if one["type"] == "compaction"]
        name = f"toolu_{step}"
        messages += [
            {"role": "assistant", "content": [*said, {"type": "text", "text": "ok"}, use(name)]},
            {"role": "user", "content": [result(name, 3_000)]},
        ]
    return session, sent


def lever(**how: Any) -> Carry:
    return Carry(compact=True, risk=0.9, exclude_tools=["read"], **how)


def summed_up(sent: list[Sent]) -> list[int]:
    """The steps that were summed up."""
    return [
        at
        for at, one in enumerate(sent)
        if any(part.type == "compaction" for part in one.answered.usage.iterations or ())
    ]


def test_a_long_conversation_is_summed_up_once_it_pays_and_never_below_the_least_length() -> None:
    plain, _ = talked(None, 40)
    session, sent = talked(lever(), 40)
    assert session.spent < 0.85 * plain.spent
    at = summed_up(sent)
    assert at
    for step in at:
        [edit] = sent[step].edits
        before = sent[step - 1].answered.usage.total_input
        assert edit["type"] == "compact_20260112"
        assert 50_000 <= edit["trigger"]["value"] < before + 5_000
        assert sent[step].change is not None
        assert sent[step].change.betas == (SUMS,)
        after = sent[step + 1]
        assert after.edits == []
        assert after.change is not None
        assert after.change.betas == (SUMS,)  # a history with a summary needs it
        assert after.answered.usage.total_input < before / 3
        assert after.foreseen == after.answered.usage.cache_read_input_tokens > 0


def test_nothing_is_summed_up_unless_asked_for() -> None:
    _, sent = talked(Carry(risk=0.9, exclude_tools=["read"]), 40)
    assert all(one.edits == [] for one in sent)


def test_a_run_that_drops_its_summary_is_told_at_once_and_asked_no_more() -> None:
    _, sent = talked(lever(), 40, drops=True)
    [at] = summed_up(sent)
    told = sent[at + 1].change
    assert told is not None
    [warning] = told.warnings
    assert "was not sent back" in warning
    assert "put back" not in warning
    assert all(one.edits == [] for one in sent[at + 1 :])


def test_what_was_dropped_is_put_back_where_it_was_and_stays_there() -> None:
    dropping, sent = talked(lever(restore=True), 40, drops=True)
    keeping, kept = talked(lever(), 40)
    assert dropping.spent == keeping.spent
    [at, *_] = summed_up(sent)
    assert summed_up(sent) == summed_up(kept)
    for step in range(at + 1, 40):
        assert sent[step].answered.prompt.digests == kept[step].answered.prompt.digests
        change = sent[step].change
        assert change is not None
        assert change.warnings[0].endswith("it was put back")


def test_an_answer_kept_as_text_takes_its_summary_back() -> None:
    summaries = Summaries(restores=True)
    block = {"type": "compaction", "content": "sum", "encrypted_content": "sealed"}
    assert summaries.came(b"request", {"content": [block, {"type": "text", "text": "so"}]}, 10)
    history = [GO, {"role": "assistant", "content": "so"}, {"role": "user", "content": "and?"}]
    found = summaries.brought(history, [b"request", b"answer", b"now"])
    assert (found.missing, found.put_back, found.removed) == (1, 1, 10)
    assert found.messages[1] == {"role": "assistant", "content": [block, {"type": "text", "text": "so"}]}
    assert history[1]["content"] == "so"


@pytest.mark.parametrize("content", [None, ""])
def test_a_summary_that_failed_is_none(content: Any) -> None:
    summaries = Summaries(restores=True)
    assert not summaries.came(b"request", {"content": [{"type": "compaction", "content": content}]}, 0)


def test_summaries_of_the_callers_own_asking_are_looked_for_as_well() -> None:
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}
    _, sent = talked(Carry(exclude_tools=["read"]), 20, drops=True, context_management={"edits": [edit]})
    at = summed_up(sent)[0]
    assert all(one.edits == [edit] for one in sent)
    told = sent[at + 1].change
    assert told is not None
    assert "was not sent back" in told.warnings[0]


def test_a_block_that_a_client_keeps_without_its_words_is_filled_again() -> None:
    """As Claude Code does: it does not know the event that brings them."""
    summaries = Summaries(restores=True)
    block = {"type": "compaction", "content": "sum"}
    summaries.came(b"request", {"content": [block, use("a")]}, 10)
    hollow = {"role": "assistant", "content": [{"type": "compaction", "content": None}, use("a")]}
    found = summaries.brought(
        [GO, hollow, {"role": "user", "content": "and?"}], [b"request", b"answer", b"now"]
    )
    assert found.messages[1]["content"] == [block, use("a")]


def refused_once(carry: Carry, session: Session) -> None:
    """The API took a request of this model only without what the lever put into it."""
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}

    def step(messages: list[Any]) -> Step:
        body = session.body(messages, context_management={"edits": [edit]})
        look = session.workspace.look
        return Step(body=body, model=session.shown, tags=Tags(), now=NOON, look=lambda one: look(one, NOON))

    first = step([GO])
    carry.change(first)
    summed = Iteration(type="compaction", input_tokens=60_000, output_tokens=9)
    message = {"content": [{"type": "compaction", "content": "sum"}]}
    usage = Usage(input_tokens=9, iterations=(summed,))
    carry.answered(first, Answered(usage, "end_turn", complete=True, at=NOON, message=message))
    second = step([GO, {"role": "assistant", "content": "so"}, {"role": "user", "content": "and?"}])
    change = carry.change(second)
    assert change is not None
    assert change.body is not second.body
    carry.refused(second)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(
    ("block", "beta"),
    [
        ({"content": None}, SUMS),
        ({"content": "sum"}, SUMS),
        ({"content": "sum", "signature": "s"}, "compact-2026-09-04"),
    ],
)
def test_a_history_with_any_such_block_goes_out_with_its_beta(block: Any, beta: str, refused: bool) -> None:
    """Whoever asked for it, and whatever became of the model since: the API takes it no other way."""
    carry, session = lever(restore=True), Session()
    said = {"role": "assistant", "content": [{"type": "compaction", **block}, {"type": "text", "text": "so"}]}
    body = session.body([said, {"role": "user", "content": "and?"}])

    def step(*betas: str) -> Step:
        return Step(
            body=body,
            model=session.shown,
            tags=Tags(),
            now=NOON,
            look=lambda one: session.workspace.look(one, NOON),
            betas=frozenset(betas),
        )

    if refused:
        refused_once(carry, session)
    change = carry.change(step())
    assert change is not None
    assert change.betas == (beta,)
    assert carry.change(step("compact-2026-01-12")) is None
