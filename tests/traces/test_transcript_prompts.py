"""Sessions as calls to be replayed: bills worked out by hand, and what stays the same from call to call."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from scrimp.core.replay import POLICIES, replay
from scrimp.core.reproduce import Dealt, Measured
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.replays import Replayable, replayable
from tests.traces.sessions import assistant, result, system, text, tool_use, usage, user, write

if TYPE_CHECKING:
    from pathlib import Path

# Claude Opus 4.6, picodollars a token.
PLAIN, WRITE_5M, WRITE_1H, READ = 5_000_000, 6_250_000, 10_000_000, 500_000
CLOSING = 3


def source_of(path: Path, skipped: Counter[str] | None = None) -> Replayable:
    left_out: Counter[str] = Counter() if skipped is None else skipped
    (found,) = replayable(read_corpus([path]), default(), skipped=left_out)
    return found


def bill(calls: list[Measured], policy: str) -> int:
    return sum(call.input_cost for call in replay(calls, POLICIES[policy]()))


def session(*bills: dict[str, Any], gap: float = 60, **fields: Any) -> list[dict[str, Any]]:
    """A tool loop: each call answers with a tool use, whose result comes `gap` seconds later."""
    lines = [user("u0", None, 0, "hello")]
    for number, billed in enumerate(bills):
        if number:
            lines.append(user(f"u{number}", f"a{number - 1}", number * gap, [result(f"t{number - 1}")]))
        use = tool_use(f"t{number}")
        at = number * gap + 4
        lines.append(assistant(f"a{number}", f"u{number}", at, f"m{number}", billed, use, **fields))
    return lines


def test_the_bill_of_a_loop_is_reproduced_to_the_token(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl",
        *session(usage(write_1h=15_000), usage(read=15_000, write_1h=400), usage(read=15_400, write_1h=600)),
    )
    found = source_of(tmp_path)
    closing = 3 * CLOSING * PLAIN
    written, read = 16_000 * WRITE_1H, (15_000 + 15_400) * READ
    assert bill(found.calls, "recorded") == written + read + closing
    assert bill(found.calls, "none") == (15_000 + 15_400 + 16_000) * PLAIN + closing
    assert (found.foreseen.model, found.foreseen.billed) == (written + read + closing,) * 2
    assert (found.foreseen.calls, found.foreseen.within, found.foreseen.unexplained) == (3, 3, 0)


def test_scrimp_pays_for_the_same_lengths(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *session(usage(write_1h=15_000), usage(read=15_000, write_1h=400)))
    calls = source_of(tmp_path).calls
    for found, total in zip(replay(calls, POLICIES["scrimp"]()), (15_003, 15_403), strict=True):
        outcome = found.outcome
        assert outcome.plain + outcome.written + outcome.read == total
    # Writing for five minutes what is read a minute later is cheaper than writing it for an hour.
    assert bill(calls, "scrimp") <= bill(calls, "recorded")


def test_an_entry_outlives_a_pause_or_not_by_its_own_lifetime(tmp_path: Path) -> None:
    bills = {"5m": [usage(write_5m=15_000), usage(write_5m=15_400)]}
    bills["1h"] = [usage(write_1h=15_000), usage(read=15_000, write_1h=400)]
    expected = {"5m": (15_000 + 15_400) * WRITE_5M, "1h": 15_400 * WRITE_1H + 15_000 * READ}
    for ttl, billed in bills.items():
        folder = tmp_path / ttl
        folder.mkdir()
        write(folder / "a.jsonl", *session(*billed, gap=900))
        found = source_of(folder)
        assert bill(found.calls, "recorded") == expected[ttl] + 2 * CLOSING * PLAIN
        assert found.foreseen.unexplained == 0


def test_what_a_call_outside_the_recording_left_is_there_for_every_policy(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl", *session(usage(read=10_000, write_1h=5_000), usage(read=15_000, write_1h=400))
    )
    found = source_of(tmp_path)
    first = found.calls[0]
    assert first.dealt == Dealt(kept=None, found=0, ttl="1h")
    assert first.ends[0] == 10_000
    for policy in ("recorded", "scrimp"):
        assert replay(found.calls, POLICIES[policy]())[0].outcome.read == 10_000, policy
    assert replay(found.calls, POLICIES["none"]())[0].outcome.read == 0
    # The model could not have foreseen it: its own figure is that of a cold start.
    cold = 15_400 * WRITE_1H + 15_000 * READ + 2 * CLOSING * PLAIN
    assert found.foreseen.model == cold
    assert found.foreseen.billed == cold - 10_000 * (WRITE_1H - READ)
    assert (found.foreseen.within, found.foreseen.unexplained) == (1, 1)


def test_an_entry_gone_early_is_gone_for_every_policy(tmp_path: Path) -> None:
    bills = [usage(write_1h=15_000), usage(write_1h=15_400), usage(read=15_400, write_1h=600)]
    write(tmp_path / "a.jsonl", *session(*bills))
    found = source_of(tmp_path)
    assert found.calls[1].dealt is not None
    assert found.calls[1].dealt.kept == 0
    reads = {
        policy: [call.outcome.read for call in replay(found.calls, POLICIES[policy]())]
        for policy in ("recorded", "scrimp")
    }
    assert reads["recorded"] == [0, 0, 15_400]
    assert reads["scrimp"][1] == 0


def test_compaction_keeps_the_hidden_prefix_and_nothing_else(tmp_path: Path) -> None:
    lines = session(usage(read=10_000, write_1h=5_000), usage(read=15_000, write_1h=90_000))
    lines += [
        system("c", "a1", 130, "compact_boundary"),
        user("s", "c", 131, "This session is being continued from a previous conversation."),
        assistant("a2", "s", 135, "m2", usage(read=10_000, write_1h=7_000)),
    ]
    write(tmp_path / "a.jsonl", *lines)
    before, after = source_of(tmp_path).calls[1:]
    shared = set(before.call.prompt.prefixes) & set(after.call.prompt.prefixes)
    assert shared == {before.call.prompt.prefixes[0]}
    assert after.ends[0] == 10_000
    assert after.dealt is None  # the boundary explains the miss


def test_a_compaction_after_a_pause_breaks_the_prompt_though_the_bill_cannot_tell(tmp_path: Path) -> None:
    lines = session(usage(write_5m=15_000), usage(read=15_000, write_5m=90_000))
    lines += [
        system("c", "a1", 1_000, "compact_boundary"),
        user("s", "c", 1_001, "This session is being continued from a previous conversation."),
        assistant("a2", "s", 1_005, "m2", usage(write_5m=17_000)),
    ]
    write(tmp_path / "a.jsonl", *lines)
    before, after = source_of(tmp_path).calls[1:]
    hidden = sum(block.section != "messages" for block in before.call.prompt.blocks)
    assert len(set(before.call.prompt.prefixes) & set(after.call.prompt.prefixes)) == hidden


def test_another_model_shares_no_entry(tmp_path: Path) -> None:
    lines = session(usage(write_1h=15_000), usage(read=15_000, write_1h=400))
    other = usage(write_1h=16_000)
    lines += [
        user("u2", "a1", 120, [result("t1")]),
        assistant("a2", "u2", 124, "m2", other, model="claude-sonnet-4-6"),
    ]
    write(tmp_path / "a.jsonl", *lines)
    calls = source_of(tmp_path).calls
    assert not set(calls[1].call.prompt.prefixes) & set(calls[2].call.prompt.prefixes)
    assert calls[2].dealt is None
    assert calls[2].ends[-1] == 16_000


def test_results_that_the_client_left_behind_its_marker_are_a_block_of_their_own(tmp_path: Path) -> None:
    lines = session(usage(write_1h=15_000))
    answered = [result("t0", "a" * 100), text("and more")]
    lines += [
        user("u1", "a0", 30, answered),
        assistant("a1", "u1", 34, "m1", usage(plain=903, read=15_000, write_1h=400)),
    ]
    write(tmp_path / "a.jsonl", *lines)
    second = source_of(tmp_path).calls[1]
    assert second.ends[-2:] == [15_400, 16_300]
    assert second.call.prompt.markers[-1].position == len(second.ends) - 2


def test_sessions_that_read_the_same_prefix_share_it_and_others_do_not(tmp_path: Path) -> None:
    def one(read: int, name: str, at: float) -> None:
        billed = usage(read=read, write_1h=5_000)
        call = assistant(f"a{name}", f"u{name}", at + 4, f"m{name}", billed)
        write(tmp_path / f"{name}.jsonl", user(f"u{name}", None, at, "hello"), call)

    one(10_000, "a", 0)
    one(10_000, "b", 60)
    one(12_000, "c", 120)
    first, second, third = source_of(tmp_path).calls
    assert first.call.prompt.prefixes[0] == second.call.prompt.prefixes[0] != third.call.prompt.prefixes[0]
    assert second.dealt is None  # the first session had left it there
    assert third.dealt is not None
    assert {call.call.run for call in (first, second, third)} == {"a", "b", "c"}


def test_a_call_in_two_files_counts_once_and_is_named(tmp_path: Path) -> None:
    lines = session(usage(write_1h=15_000), usage(read=15_000, write_1h=400))
    write(tmp_path / "a.jsonl", *lines)
    write(tmp_path / "b.jsonl", *lines)
    skipped: Counter[str] = Counter()
    found = source_of(tmp_path, skipped)
    assert len(found.calls) == 2
    assert skipped == {"copy of a call in another file": 2}


@pytest.mark.parametrize(("version", "markers"), [("2.1.41", 4), ("2.1.42", 3)])
def test_older_clients_marked_the_message_before_the_last_too(
    tmp_path: Path, version: str, markers: int
) -> None:
    bills = [usage(read=10_000, write_1h=5_000), usage(read=15_000, write_1h=400)]
    lines = session(*bills, usage(read=12_000, write_1h=4_000), version=version)
    write(tmp_path / "a.jsonl", *lines)
    second = source_of(tmp_path).calls[1]
    # Two ends of the hidden prefix were read: 10,000 by the first call, 12,000 by the last.
    assert second.ends[:2] == [10_000, 12_000]
    assert len(second.call.prompt.markers) == markers
    assert {marker.ttl for marker in second.call.prompt.markers} == {"1h"}


def test_other_days_have_other_prices_but_the_same_history(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *session(usage(read=10_000, write_1h=5_000)))
    corpus, facts = read_corpus([path]), default()
    (now,) = replayable(corpus, facts, skipped=Counter(), at=date(2026, 11, 1))
    (then,) = replayable(corpus, facts, skipped=Counter())
    assert now.calls[0].dealt == then.calls[0].dealt
    assert (now.calls[0].call.day, then.calls[0].call.day) == (date(2026, 11, 1), date(2026, 2, 2))
    assert now.foreseen == then.foreseen


def test_automatic_caching_is_of_its_day(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *session(usage(write_1h=15_000)))
    # The session is of 2026-02-02; automatic caching was offered from 2026-02-19 on.
    (call,) = source_of(path).calls
    assert not call.call.offers_automatic
    assert bill([call], "auto") == 15_003 * PLAIN


def test_recorded_sessions_keep_their_lengths_and_identities(traces: Path) -> None:
    found = source_of(traces / "transcripts" / "entireio__skills")
    assert len(found.calls) > 700
    for one in found.calls:
        call, usage = one.call, one.call.usage
        prompt = call.prompt
        assert list(one.ends) == sorted(one.ends), call.where
        assert one.ends[-1] <= usage.total_input
        assert len(set(prompt.prefixes)) == len(prompt)
        assert len(prompt.markers) <= 4
        assert all(prompt.blocks[marker.position].markable for marker in prompt.markers)
        if prompt.markers:
            billed = usage.cache_read_input_tokens + usage.cache_creation_input_tokens
            # A call shorter than the one before it, by less than a message, ends where that one did.
            assert 0 <= one.ends[prompt.markers[-1].position] - billed <= 300, call.where
    reproduced = bill(found.calls, "recorded")
    assert abs(reproduced / found.foreseen.billed - 1) <= 0.005
