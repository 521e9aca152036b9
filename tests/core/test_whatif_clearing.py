"""Clearing of tool results and thinking: bills worked out by hand, and what holds for every lever."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.carry.worth_lasting import expected_calls
from scrimp.core.gaps import Chances
from scrimp.core.replay import POLICIES, replay
from scrimp.core.reproduce import Dealt, Measured, Used
from scrimp.core.whatif.changed import Lever, Removed
from scrimp.core.whatif.clearing import PLACEHOLDER, ClearThinking, ClearToolUses
from scrimp.core.whatif.clearing_priced import CarryPriced, ClearPriced, CompactPriced, Foresight
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried
from scrimp.core.whatif.compacting import Compact
from scrimp.core.whatif.trimming import DropOldest, KeepLast
from scrimp.core.worth import Event
from scrimp.facts.prices import Rates
from tests.core.loops import ASK, RESULT, SYSTEM, TASK, Says, ids, loop, totals
from tests.core.recordings import CLOSING

# Claude Opus 5, picodollars a token.
PLAIN, WRITE_5M, READ, OUTPUT = 5_000_000, 6_250_000, 500_000, 25_000_000
RATES = Rates(PLAIN, WRITE_5M, 10_000_000, READ, OUTPUT)

LEVERS: tuple[Lever, ...] = (
    ClearToolUses(trigger=5_000, keep=2),
    ClearToolUses(trigger=5_000, keep=1, clear_at_least=2_000, inputs=True),
    ClearToolUses(trigger=3, trigger_type="tool_uses", counts_cleared=True),
    ClearThinking(),
    ClearPriced(risk=1.0),
    CarryPriced(summary=300, risk=1.0),
    KeepLast(2),
    DropOldest(5_000),
    Compact(trigger=8_000, summary=300),
    CompactPriced(summary=300, risk=1.0),
)
NEVER: tuple[Lever, ...] = (
    ClearToolUses(trigger=1_000_000),
    ClearToolUses(trigger=4, trigger_type="tool_uses"),
    ClearThinking(),
    ClearPriced(keep=4),
    KeepLast(4),
    DropOldest(1_000_000),
    Compact(trigger=1_000_000),
    CompactPriced(summary=10_000),
)


@pytest.mark.parametrize("lever", NEVER, ids=lambda lever: lever.describe())
def test_a_lever_whose_moment_never_comes_changes_nothing_at_all(lever: Lever) -> None:
    calls = loop([[RESULT]] * 4)
    found = lever.apply(calls)
    assert all(after is before for after, before in zip(found.calls, calls, strict=True))
    assert list(found.extra) == [0] * 5
    assert found.removed == Removed()


def test_fixed_thresholds_clear_all_but_the_last_and_what_is_left_adds_up() -> None:
    found = ClearToolUses(trigger=5_000, keep=2).apply(loop([[RESULT]] * 6))
    grown = [SYSTEM + TASK + step * (ASK + RESULT) + CLOSING for step in range(7)]
    gone = RESULT - PLACEHOLDER
    # 5,653 is the first above 5,000: of three results one goes. From then on each call is above again.
    assert totals(found.calls) == [*grown[:3], *(grown[step] - (step - 2) * gone for step in range(3, 7))]
    assert found.removed == Removed(tokens=(1 + 2 + 3 + 4) * gone, calls=4, taken=4 * gone)


def test_the_api_compares_what_is_left_and_libraries_what_is_sent() -> None:
    calls = loop([[RESULT]] * 5)
    left = ClearToolUses(trigger=5_000, keep=1).apply(calls)
    sent = ClearToolUses(trigger=5_000, keep=1, counts_cleared=True).apply(calls)
    cleared = [
        [before - after for before, after in zip(totals(calls), totals(found.calls), strict=True)]
        for found in (left, sent)
    ]
    # After two results went at the third step 3,693 tokens are left: the fourth brings them to 4,743 only.
    assert cleared[0] == [0, 0, 0, 2 * 980, 2 * 980, 4 * 980]
    assert cleared[1] == [0, 0, 0, 2 * 980, 3 * 980, 4 * 980]


def test_too_little_to_clear_is_left() -> None:
    calls = loop([[RESULT]] * 6)
    found = ClearToolUses(trigger=5_000, keep=2, clear_at_least=2 * 980 + 1).apply(calls)
    cleared = [b - a for b, a in zip(totals(calls), totals(found.calls), strict=True)]
    # Three results are the first that have so many tokens; then three more would have to come.
    assert cleared == [0, 0, 0, 0, 0, 3 * 980, 3 * 980]


def test_excluded_tools_stay_and_inputs_go_where_asked() -> None:
    calls = loop([[RESULT]] * 5, tool=lambda step: "keep me" if step == 0 else "look")
    lever = ClearToolUses(
        trigger=6_000, keep=2, exclude_tools=frozenset({"keep me"}), inputs=frozenset({"look"})
    )
    found = lever.apply(calls)
    assert totals(calls)[4] - totals(found.calls)[4] == 1 * (RESULT + ASK - 2 * PLACEHOLDER)
    assert totals(calls)[5] - totals(found.calls)[5] == 2 * (RESULT + ASK - 2 * PLACEHOLDER)


def test_what_is_nested_in_a_result_goes_with_it() -> None:
    calls = loop([[RESULT]] * 4, nested=True)
    found = ClearToolUses(trigger=5_000, keep=2).apply(calls)
    assert totals(calls)[4] - totals(found.calls)[4] == 2 * (RESULT - PLACEHOLDER)
    assert ids(found.calls[4], "tool_result") == ["t0.0", "t1.0", "t2.0", "t3.0"]


def test_the_cache_is_read_up_to_the_cut_and_written_after_it() -> None:
    found = ClearToolUses(trigger=5_000, keep=1).apply(loop([[RESULT]] * 4))
    bills = [
        (one.outcome.read, one.outcome.write_5m, one.outcome.plain)
        for one in replay(found.calls, POLICIES["recorded"]())
    ]
    first = SYSTEM + TASK
    step = ASK + RESULT
    cut = first + step + 2 * (ASK + PLACEHOLDER)  # two results give way to placeholders, one stays
    assert bills == [
        (0, first, CLOSING),
        (first, step, CLOSING),
        (first + step, step, CLOSING),
        (first, cut - first, CLOSING),
        (cut, step, CLOSING),
    ]


def test_thinking_of_finished_turns_goes_and_that_of_the_last_stays() -> None:
    calls = loop([[RESULT]] * 5, thinking=300, spoken=(1, 3))
    found = ClearThinking().apply(calls)
    removed = [b - a for b, a in zip(totals(calls), totals(found.calls), strict=True)]
    # The user goes on after steps 1 and 3; with step 2 a new turn thinks, with step 4 another.
    assert removed == [0, 0, 0, 2 * 300, 2 * 300, 4 * 300]
    assert ClearThinking(keep=2).apply(calls).removed == Removed(2 * 300, 1, 2 * 300)


def test_an_entry_that_somebody_else_left_is_found_before_a_new_cut_only() -> None:
    calls = loop([[RESULT]] * 4)
    dealt = [
        msgspec.structs.replace(one, dealt=Dealt(kept=4, found=3), used=(Used(3, 1.0),)) for one in calls
    ]
    dealt[0] = calls[0]
    found = ClearToolUses(trigger=5_000, keep=1).apply(dealt).calls
    assert (found[2].dealt, found[2].used) == (Dealt(4, 3), (Used(3, 1.0),))
    assert (found[3].dealt, found[3].used) == (Dealt(4, None), ())  # position 3 is cut by this very call
    assert (found[4].dealt, found[4].used) == (Dealt(4, 3), (Used(3, 1.0),))


def test_models_that_bind_thinking_are_left_alone_by_clients_but_not_by_the_api() -> None:
    calls = loop([[RESULT]] * 8, model="claude-fable-5-2")
    for lever in (KeepLast(2), DropOldest(3_000), ClearToolUses(trigger=3_000, counts_cleared=True)):
        found = lever.apply(calls)
        assert all(after is before for after, before in zip(found.calls, calls, strict=True))
        assert found.touched == 0
        assert any("9 of 9 calls left as they are" in note for note in found.notes)
    by_api = ClearToolUses(trigger=3_000).apply(calls)
    assert by_api.removed is not None
    assert by_api.removed.calls == 8 - 3  # all calls that have more than three results


steps = st.lists(st.lists(st.integers(1, 3_000), min_size=1, max_size=3), max_size=12)


@given(
    steps=steps, gap=st.sampled_from([5.0, 200.0, 400.0]), lever=st.sampled_from(LEVERS), nested=st.booleans()
)
@settings(max_examples=150, deadline=None)
def test_calls_stay_in_order_and_every_token_is_accounted_for(
    steps: list[list[int]], gap: float, lever: Lever, *, nested: bool
) -> None:
    calls = loop(steps, gap=gap, nested=nested, thinking=40)
    found = lever.apply(calls)
    assert [one.call.seq for one in found.calls] == [one.call.seq for one in calls]
    assert [one.call.at for one in found.calls] == [one.call.at for one in calls]
    removed = [b - a for b, a in zip(totals(calls), totals(found.calls), strict=True)]
    assert found.removed is not None
    assert sum(removed) == found.removed.tokens
    assert sum(found.extra) >= found.removed.charged >= 0
    for one in found.calls:
        prompt = one.call.prompt
        lengths = {len(prompt), len(one.ends), len(prompt.prefixes), len(prompt.digests), len(prompt.ranks)}
        assert len(lengths | {len(one.call.sized.content), len(one.call.sized.around)}) == 1
        assert one.ends[-1] + CLOSING == one.call.usage.total_input
        assert list(one.ends) == sorted(one.ends)
        assert all(marker.position < len(prompt) for marker in prompt.markers)
        assert list(prompt.ranks) == sorted(prompt.ranks)


@given(steps=steps, lever=st.sampled_from(LEVERS), nested=st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_tool_use_is_ever_without_its_result(
    steps: list[list[int]], lever: Lever, *, nested: bool
) -> None:
    for one in lever.apply(loop(steps, nested=nested)).calls:
        assert ids(one, "tool_use") == ids(one, "tool_result")
        roles = [block.role for block in one.call.prompt.blocks if block.section == "messages"]
        assert roles[0] == "user"


@given(steps=steps, lever=st.sampled_from(LEVERS), thinking=st.sampled_from([0, 40]))
@settings(max_examples=150, deadline=None)
def test_what_was_sent_once_is_sent_the_same_until_more_is_cut(
    steps: list[list[int]], lever: Lever, thinking: int
) -> None:
    calls = loop(steps, thinking=thinking)
    found = lever.apply(calls).calls
    before: Measured | None = None
    gone = 0
    for one, as_recorded in zip(found, calls, strict=True):
        now = as_recorded.call.usage.total_input - one.call.usage.total_input
        assert now >= gone
        if before is not None and now == gone:
            kept = before.call.prompt.prefixes
            assert one.call.prompt.prefixes[: len(kept)] == kept
        before, gone = one, now


@given(steps=steps)
@settings(max_examples=100, deadline=None)
def test_doing_it_twice_is_doing_it_once(steps: list[list[int]]) -> None:
    calls = loop(steps)
    for lever in (ClearToolUses(trigger=5_000, keep=2), KeepLast(2), DropOldest(5_000)):
        once = lever.apply(calls)
        assert totals(lever.apply(once.calls).calls) == totals(once.calls)


def test_expected_calls_of_a_loop_with_constant_odds() -> None:
    lasting = (Chances(1.0, 0.9, 0.05),)
    soon = 0.98 * 0.9
    assert expected_calls(Event(3, (lasting,))) == pytest.approx(soon / (1 - soon))
    hour = 0.98 * 0.95
    assert expected_calls(Event(3, (lasting,)), for_1h=True) == pytest.approx(hour / (1 - hour))
    begun = (Chances(0.5, 0.2, 0.0), Chances(0.5, 0.6, 0.0))
    after = soon / (1 - soon)
    expected = 0.98 * (0.5 * 0.2 + 0.5 * 0.6) * (1 + after)
    assert expected_calls(Event(3, (begun, lasting))) == pytest.approx(expected)


def test_a_conversation_goes_on_where_the_end_of_its_prompt_was_changed() -> None:
    def reminded(last: int) -> Says:
        return lambda step, _: f"told {step}{' (be brief)' * (step == last)}"

    calls = [loop([[RESULT]] * count, told=reminded(count - 1))[-1] for count in range(7)]
    found = ClearToolUses(trigger=5_000, keep=1).apply(calls)
    plain = ClearToolUses(trigger=5_000, keep=1).apply(loop([[RESULT]] * 6))
    assert totals(found.calls) == totals(plain.calls)
    # What was cleared at the third call is cleared alike in the fourth.
    third, fourth = (found.calls[number].call.prompt for number in (3, 4))
    assert fourth.prefixes[:7] == third.prefixes[:7]


class Listening:
    """A rule that removes nothing and writes down how long it expects conversations to go on."""

    def __init__(self) -> None:
        self.foresight = Foresight()
        self.expected: list[float] = []

    def decide(self, turn: Turn) -> Decision:
        self.expected.append(self.foresight.calls_to_come(turn))
        return Decision(turn.thread.cut)


def test_how_long_conversations_go_on_is_learned_from_those_that_lasted_as_long() -> None:
    runs = [loop([[10]] * 19, start=2_000.0 * number, run=f"run {number}") for number in range(30)]
    rule = Listening()
    carried([call for run in runs for call in run], rule, lambda _: True)
    first, last = rule.expected[:20], rule.expected[-20:]
    assert all(expected <= done for done, expected in enumerate(first, start=1))
    # Of conversations of 20 calls 15 are to come after the fifth; four counts say that there are at most 5.
    assert (29 * 15) / 33 <= last[4] <= (29 * 15 + 4 * 5) / 33
    assert last[19] <= 20 * 4 / 4


def test_priced_clearing_waits_until_waiting_has_cost_as_much_and_then_pays() -> None:
    calls = loop([[RESULT]] * 80)
    found = ClearPriced(risk=1.0).apply(calls)
    assert found.removed is not None
    sizes = sorted({b - a for b, a in zip(totals(calls), totals(found.calls), strict=True)})
    batches = [(more - less) // (RESULT - PLACEHOLDER) for less, more in pairwise(sizes)]
    assert batches
    assert min(batches[1:], default=2) >= 2  # never result by result
    bill = [
        sum(one.input_cost for one in replay(each, POLICIES["scrimp"]())) for each in (calls, found.calls)
    ]
    assert bill[1] < bill[0]


def test_a_cold_cache_is_the_moment_to_clear() -> None:
    quick = loop([[RESULT]] * 6)
    calls = [
        *quick[:-1],
        msgspec.structs.replace(
            quick[-1], call=msgspec.structs.replace(quick[-1].call, at=quick[-1].call.at + 1_000)
        ),
    ]
    removed = [
        b - a for b, a in zip(totals(calls), totals(ClearPriced(risk=1.0).apply(calls).calls), strict=True)
    ]
    assert removed == [0] * 6 + [3 * (RESULT - PLACEHOLDER)]
