"""What a session's positions are known by: tool and id, their share of the tokens, what their texts named."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from scrimp.core.whatif.clearing import ClearToolUses
from scrimp.core.whatif.clearing_priced import ClearPriced
from scrimp.core.whatif.regret_needles import NEEDLES, needles_of
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.replays import replayable
from scrimp.traces.transcript_needles import with_needles_of
from scrimp.traces.transcript_prompts import transcript_calls
from scrimp.traces.transcript_sources import transcript_sources
from tests.traces.sessions import assistant, result, text, tool_use, usage, user, write

if TYPE_CHECKING:
    from pathlib import Path

    from scrimp.core.reproduce import Measured

PATH = "src/deep/cache_rules.py"


def calls_of(path: Path, *, needles: bool) -> list[Measured]:
    (found,) = transcript_sources([path], [], skipped=Counter(), needles=needles).values()
    return transcript_calls(found, default(), source="source")


def asked(use: str, name: str, **given: Any) -> dict[str, Any]:
    return {**tool_use(use, name), "input": given}


def session(path: Path) -> Path:
    """Two parallel uses, a long and a short result; the next answer names what the long one said."""
    long = f"found {PATH}\n" + "x " * 1_524
    return write(
        path / "a.jsonl",
        user("u0", None, 0, "where is it?"),
        assistant("a0", "u0", 4, "m0", usage(write_5m=10_000), asked("t0", "Grep", q="rules")),
        assistant("a1", "a0", 5, "m0", usage(write_5m=10_000), asked("t1", "Bash", command="ls")),
        user("u1", "a0", 6, [result("t0", long)]),
        user("u2", "a1", 7, [result("t1", "y " * 155)]),
        assistant("a2", "u2", 9, "m1", usage(read=10_000, write_5m=1_600), asked("t2", "Read", file=PATH)),
        user("u3", "a2", 10, [result("t2", "the rules")]),
        assistant("a3", "u3", 12, "m2", usage(read=11_600, write_5m=400), text("ok")),
    )


def test_positions_know_their_tool_and_pair_up_by_id(tmp_path: Path) -> None:
    prompt = calls_of(session(tmp_path), needles=False)[-1].call.prompt
    uses = [(b.value["id"], b.value["name"]) for b in prompt.blocks if b.kind == "tool_use"]
    results = [(b.value["tool_use_id"], b.value["name"]) for b in prompt.blocks if b.kind == "tool_result"]
    assert uses == results == [("t0", "Grep"), ("t1", "Bash"), ("t2", "Read")]
    assert not any(NEEDLES in block.value for block in prompt.blocks)


def test_a_use_says_what_it_asked_about(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        user("u0", None, 0, "go"),
        assistant(
            "a0",
            "u0",
            4,
            "m0",
            usage(write_5m=10_000),
            asked("t0", "Bash", command="ls\n  -l", description="lists"),
            asked("t1", "Read", file_path="/src/" + "x" * 100),
            asked("t2", "Odd", command=["ls"]),
            asked("t3", "Odd", number=1),
        ),
        user("u1", "a0", 6, [result("t0", "y")]),
        assistant("a1", "u1", 9, "m1", usage(read=10_000, write_5m=100), text("ok")),
    )
    prompt = calls_of(path, needles=False)[-1].call.prompt
    told = [block.value["subject"] for block in prompt.blocks if block.kind == "tool_use"]
    assert told == ["ls -l", "…" + "x" * 79, "", ""]


def test_needles_of_chosen_runs_are_those_read_with_all_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [session(tmp_path), session(tmp_path / "other").rename(tmp_path / "b.jsonl")]
    (whole,) = transcript_sources(paths[:1], [], skipped=Counter(), needles=True).values()
    (bare,) = transcript_sources(paths[:1], [], skipped=Counter()).values()
    assert with_needles_of(bare, {"a"}) == whole
    assert with_needles_of(bare, {"b"}) == bare != whole


def test_results_share_their_tokens_by_their_length(tmp_path: Path) -> None:
    one = calls_of(session(tmp_path), needles=False)[1]
    kinds = [block.kind for block in one.call.prompt.blocks]
    at = kinds.index("tool_result")
    assert kinds[at:] == ["tool_result", "tool_result"]
    long, short = (one.ends[place] - one.ends[place - 1] for place in (at, at + 1))
    assert one.ends[-1] == 11_600
    # 3,080 and 310 bytes at 3.1 to a token, 12 tokens around each: about 1,005 to 112.
    assert long / (long + short) == pytest.approx(1_005.5 / (1_005.5 + 112), abs=0.01)


def test_what_an_answer_names_is_kept_of_the_results_that_told_it(tmp_path: Path) -> None:
    prompt = calls_of(session(tmp_path), needles=True)[-1].call.prompt
    of = {
        block.value["tool_use_id"]: block.value[NEEDLES]
        for block in prompt.blocks
        if block.kind == "tool_result"
    }
    assert of == {"t0": needles_of(PATH), "t1": frozenset(), "t2": frozenset()}
    (said,) = (block.value[NEEDLES] for block in prompt.blocks if block.value.get("id") == "t2")
    assert said == needles_of(PATH)


def test_a_cleared_result_that_the_answer_named_is_missed(tmp_path: Path) -> None:
    lever = ClearToolUses(trigger=11_000, keep=1)
    read, unread = (lever.apply(calls_of(session(tmp_path), needles=needles)) for needles in (True, False))
    assert read.removed is not None
    assert (read.removed.uses, len(read.notes)) == (1, 1)
    assert unread.removed is not None
    assert unread.removed.uses == 0
    assert any("no recorded text" in note for note in unread.notes)


@pytest.mark.parametrize("folder", ["openhands_swebench", "moatless_swebench"])
def test_recorded_runs_keep_their_calls_and_pairs_and_every_token(traces: Path, folder: str) -> None:
    corpus = read_corpus([traces / "exchanges" / folder])
    (source,) = replayable(corpus, default(), skipped=Counter())
    found = ClearPriced(risk=1.0).apply(source.calls)
    removed = 0
    for before, after in zip(source.calls, found.calls, strict=True):
        assert (before.call.run, before.call.seq) == (after.call.run, after.call.seq)
        removed += before.call.usage.total_input - after.call.usage.total_input
        assert _uses(after) == _uses(before)
        assert after.ends[-1] <= after.call.usage.total_input
    assert found.removed is not None
    assert found.removed.tokens == removed > 0


def _uses(one: Measured) -> list[Any]:
    fields = {"tool_use": "id", "tool_result": "tool_use_id"}
    blocks = one.call.prompt.blocks
    return [block.value[fields[block.kind]] for block in blocks if block.kind in fields]
