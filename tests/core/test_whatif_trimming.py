"""Trimming by the client and compaction: prompts and bills worked out by hand."""

from __future__ import annotations

from scrimp.core.replay import POLICIES, replay
from scrimp.core.whatif.changed import Removed
from scrimp.core.whatif.clearing_priced import CompactPriced
from scrimp.core.whatif.compacting import Compact
from scrimp.core.whatif.trimming import DropOldest, KeepLast
from scrimp.facts.prices import Rates
from tests.core.loops import ASK, RESULT, SYSTEM, TASK, ids, loop, totals
from tests.core.recordings import CLOSING

# Claude Opus 5, picodollars a token.
PLAIN, WRITE_5M, WRITE_1H, READ, OUTPUT = 5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000
RATES = Rates(PLAIN, WRITE_5M, WRITE_1H, READ, OUTPUT)
FIRST, STEP = SYSTEM + TASK, ASK + RESULT


def test_the_first_message_and_the_last_pairs_stay() -> None:
    found = KeepLast(2).apply(loop([[RESULT]] * 4))
    assert totals(found.calls) == [FIRST + min(step, 2) * STEP + CLOSING for step in range(5)]
    assert ids(found.calls[4], "tool_use") == ["t2.0", "t3.0"]
    assert found.calls[4].call.prompt.blocks[1].value["text"] == "task of run"
    assert found.removed == Removed(tokens=3 * STEP, calls=2, taken=2 * STEP)


def test_a_moving_window_is_written_anew_with_every_step() -> None:
    bills = replay(KeepLast(2).apply(loop([[RESULT]] * 4)).calls, POLICIES["recorded"]())
    assert [(one.outcome.read, one.outcome.write_5m) for one in bills[3:]] == [(FIRST, 2 * STEP)] * 2


def test_pairs_of_one_message_are_kept_together() -> None:
    found = KeepLast(2).apply(loop([[100], [100, 100, 100], [100]]))
    # The last two tool uses begin in the middle of the second step, so all of it stays.
    assert ids(found.calls[3], "tool_use") == ["t1.0", "t1.1", "t1.2", "t2.0"]


def test_the_oldest_turns_go_until_the_prompt_is_within_the_limit() -> None:
    limit = FIRST + 2 * STEP + CLOSING
    found = DropOldest(limit).apply(loop([[RESULT]] * 5))
    assert totals(found.calls) == [FIRST + min(step, 2) * STEP + CLOSING for step in range(6)]
    too_long = DropOldest(100).apply(loop([[RESULT]] * 3))
    assert totals(too_long.calls) == [FIRST + min(step, 1) * STEP + CLOSING for step in range(4)]


def test_a_compacted_conversation_goes_on_from_its_summary() -> None:
    calls = loop([[RESULT]] * 6)
    found = Compact(trigger=5_000, summary=400).apply(calls)
    short = SYSTEM + 400 + CLOSING
    grown = [FIRST + step * STEP + CLOSING for step in range(7)]
    # 5,653 tokens at the third step are the first above; 2,403 + 3 x 1,050 = 5,553 at the sixth the next.
    assert totals(found.calls) == [*grown[:3], short, short + STEP, short + 2 * STEP, short]
    # The summary is written on the call's own prompt: what the call before left is read, the rest is plain.
    summaries = [(3, grown[2] - CLOSING, grown[3]), (6, short + 2 * STEP - CLOSING, short + 3 * STEP)]
    expected = [0] * 7
    for place, cached, whole in summaries:
        expected[place] = cached * READ + (whole - cached) * PLAIN + 400 * OUTPUT
    assert list(found.extra) == expected
    assert ids(found.calls[3], "tool_use") == ids(found.calls[3], "tool_result") == []
    bills = replay(found.calls, POLICIES["recorded"]())
    assert [one.outcome.read for one in bills[4:6]] == [short - CLOSING, short - CLOSING + STEP]


def test_a_second_summary_is_another_one() -> None:
    found = Compact(trigger=5_000, summary=400).apply(loop([[RESULT]] * 6)).calls
    first, second = found[3].call.prompt, found[6].call.prompt
    assert len(first) == len(second) == 2
    assert first.prefixes[0] == second.prefixes[0]
    assert first.prefixes[1] != second.prefixes[1]


def test_priced_compaction_saves_in_a_long_loop_and_leaves_a_short_one() -> None:
    long, short = loop([[3_000]] * 120), loop([[3_000]] * 6)
    found = CompactPriced(summary=1_000, risk=1.0).apply(long)
    bill = [sum(one.input_cost for one in replay(each, POLICIES["scrimp"]())) for each in (long, found.calls)]
    assert bill[1] + sum(found.extra) < bill[0]
    assert CompactPriced(summary=1_000, risk=1.0).apply(short).removed == Removed()
