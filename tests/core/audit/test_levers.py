"""Levers on made-up calls whose worth can be worked out by hand."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import msgspec
import pytest

import scrimp
from scrimp.core.audit import replays
from scrimp.core.audit.bills import BillSums
from scrimp.core.audit.candidates import candidates
from scrimp.core.audit.cards import CARDS
from scrimp.core.audit.checklist import checklist
from scrimp.core.audit.idle import IdleTimes
from scrimp.core.audit.loops import StepSums
from scrimp.core.audit.miss_findings import miss_findings
from scrimp.core.audit.model import CauseLine, Misses, Span
from scrimp.core.audit.replays import Replays, Sourced
from scrimp.core.audit.results import ResultSums
from scrimp.core.audit.row_levers import RowSums, Total
from scrimp.core.audit.sub_agents import SubAgentSums
from scrimp.core.audit.tool_sets import ToolSetSums
from scrimp.core.audit.weighed import Weighed
from scrimp.core.bill import bill
from scrimp.core.money import PICODOLLARS
from scrimp.core.reproduce import Measured
from scrimp.core.summary import Foreseen
from scrimp.facts.models import default
from tests.core.audit.making import (
    CLOSING,
    EXACT,
    MODEL,
    OUTPUT,
    PLAIN,
    READ,
    WRITE_1H,
    WRITE_5M,
    Conversation,
    result,
    text,
    use,
    walked,
)

TOTAL = 3500


def one_prompt(*bills: tuple[float, int], ttl: str = "5m", **other: Any) -> list[Measured]:
    talk = Conversation(ttl=ttl).turn("user", (text("task"), 500))
    return [talk.call(at, read=read, write=TOTAL - read, **other) for at, read in bills]


def replayed(calls: list[Measured], foreseen: Foreseen = EXACT) -> dict[str, Weighed]:
    sums = RowSums(default())
    sums.take(Sourced(calls, foreseen, [True] * len(calls)))
    return {one.lever: one for one in sums.weighed()}


def test_5m_in_place_of_an_hour_nobody_needed() -> None:
    found = replayed(one_prompt((0, 0), (60, TOTAL), ttl="1h"))["ttl-5m"]
    saved = TOTAL * (WRITE_1H - WRITE_5M)
    assert (found.low, found.mid, found.high) == (saved, saved, saved)
    assert (found.cases, found.evidence[0].where) == (1, "run:0")


def test_1h_in_place_of_5m_that_expired() -> None:
    found = replayed(one_prompt((0, 0), (400, 0)))["ttl-1h"]
    assert found.mid == TOTAL * (2 * WRITE_5M - WRITE_1H - READ)


def test_a_lever_that_costs_money_has_a_negative_figure() -> None:
    found = replayed(one_prompt((0, 0), (60, TOTAL)))["ttl-1h"]
    assert found.mid == TOTAL * (WRITE_5M - WRITE_1H) < 0
    assert found.evidence == ()


def test_the_interval_is_the_models_error_on_the_calls_that_differ() -> None:
    calls = one_prompt((0, 0), (60, TOTAL), ttl="1h")
    found = replayed(calls, Foreseen(model=98, billed=100))["ttl-5m"]
    saved = TOTAL * (WRITE_1H - WRITE_5M)
    touched = TOTAL * WRITE_1H + CLOSING * PLAIN + 10 * OUTPUT  # the first call; the second is the same
    assert found.mid == saved
    assert found.mid - found.low == pytest.approx(touched * 0.02, abs=1)
    assert found.high - found.mid == found.mid - found.low


def test_a_ping_keeps_the_prefix_for_one_return() -> None:
    found = replayed(one_prompt((0, 0), (400, 0)))["keep-alive"]
    ping = TOTAL * READ + CLOSING * PLAIN
    # One ping brings the second call; another one after it finds nobody.
    assert found.mid == TOTAL * (WRITE_5M - READ) - 2 * ping


def test_of_two_writers_at_once_one_goes_first() -> None:
    calls = one_prompt((0, 0), (1, 0), began_at=5.0)
    found = replayed(calls)["fan-out"]
    assert found.mid == TOTAL * (WRITE_5M - READ)


def test_a_run_balanced_over_providers_could_have_had_one_cache() -> None:
    calls = one_prompt((0, 0), (10, 0), (20, TOTAL), (30, TOTAL))
    sums = RowSums(default())
    sums.take(Sourced(calls, EXACT, [True] * 4, frozenset({"run"})))
    found = {one.lever: one for one in sums.weighed()}["one-route"]
    assert (found.cases, found.mid) == (4, TOTAL * (WRITE_5M - READ))
    assert replayed(calls)["one-route"].cases == 0


def test_only_calls_that_count_are_counted() -> None:
    calls = one_prompt((0, 0), (60, TOTAL), ttl="1h")
    sums = RowSums(default())
    sums.take(Sourced(calls, EXACT, [False, True]))
    found = {one.lever: one for one in sums.weighed()}
    assert (found["ttl-5m"].mid, found["ttl-5m"].cases) == (0, 0)


def test_a_successor_costs_what_its_prices_say() -> None:
    later = default().resolve("claude-opus-5-5")
    found = replayed(one_prompt((0, 0), (60, TOTAL)))["successor"]
    rates = later.rates(None, prompt_tokens=TOTAL)
    now = TOTAL * (WRITE_5M + READ) + 2 * CLOSING * PLAIN + 20 * OUTPUT
    then = TOTAL * (rates.write_5m + rates.read) + 2 * CLOSING * rates.input + 20 * rates.output
    assert found.mid == now - then
    assert found.setting == 'model="claude-opus-5-5"  # in place of claude-opus-5'


def test_levers_together_are_replayed_not_added() -> None:
    # An hour for entries that expire, and pings that keep them alive: each spares the same second write.
    calls = one_prompt(*((number * 400.0, 0) for number in range(12)))
    sums = RowSums(default())
    sums.take(Sourced(calls, EXACT, [True] * len(calls)))
    alone = {one.lever: one.mid for one in sums.weighed()}
    assert alone["ttl-1h"] > 0
    assert alone["keep-alive"] > 0
    together = sums.together.sum.weighed("together").mid
    least = TOTAL * WRITE_1H + 11 * TOTAL * READ
    recorded = 12 * TOTAL * WRITE_5M
    assert max(alone["ttl-1h"], alone["keep-alive"]) <= together <= recorded - least
    assert sum(sums.together.singly.values()) >= together
    assert not {"successor", "clear", "clear-early"} & set(sums.together.singly)


def test_of_alternatives_only_one_is_taken() -> None:
    sums = RowSums(default())
    calls = one_prompt((0, 0), (60, TOTAL), ttl="1h")
    sums.take(Sourced(calls, EXACT, [True] * len(calls)))
    assert len({"ttl-5m", "ttl-1h", "caching"} & set(sums.together.singly)) == 1


def test_carry_is_weighed_beside_fixed_rules_and_only_one_of_them_is_taken() -> None:
    # Every step comes after the cache has gone, so that all that is carried along is written once more.
    talk = Conversation().turn("user", (text("task"), 500))
    calls, total = [talk.call(0, read=0, write=TOTAL)], TOTAL
    for number in range(1, 40):
        talk.turn("assistant", (use("search", number, q="abc"[number % 3] * 9), 100))
        talk.turn("user", (result(number, f"r{number}" * 40), 4000))
        total += 4100
        calls.append(talk.call(number * 1000.0, read=0, write=total))
    sums = RowSums(default())
    sums.take(Sourced(calls, EXACT, [True] * len(calls)))
    found = {one.lever: one for one in sums.weighed()}
    carried = found["carry"]
    assert carried.removed is not None
    # The API's clearing begins at 100,000 tokens and leaves three results: at call 25 of 40.
    assert carried.mid > found["clear"].mid > 0
    assert len({"carry", "clear", "clear-early", "compact", "trim"} & set(sums.bolder.singly)) == 1
    assert "carry" not in sums.together.singly  # it changes what the model reads


def test_every_candidate_is_a_lever_of_the_checklist() -> None:
    names = [one.lever for one in candidates(one_prompt((0, 0)), default())]
    assert len(names) == len(set(names))
    assert {"caching", "ttl-5m", "ttl-1h", "keep-alive", "fan-out", "grouping", "clear", "batch"} <= set(
        names
    )


def test_a_sample_of_a_large_source_is_scaled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "SAMPLE", 4)
    calls = []
    for number in range(6):
        talk = Conversation(run=f"run {number}").turn("user", (text("task"), 500))
        calls += [talk.call(number * 10 + n, read=TOTAL if n else 0, write=0 if n else TOTAL) for n in (0, 5)]
    whole = Replays(Sourced(calls, EXACT, [True] * 12))
    sample = whole.sample()
    assert [one.call.run for one in sample.source.calls] == ["run 0", "run 0", "run 3", "run 3"]
    assert sample.scale == Fraction(whole.cost(()), sample.cost(())) == 3
    # Both halves are alike, so that the sample says what the whole would.
    lever = next(one for one in candidates(calls, default()) if one.lever == "ttl-1h")
    assert sample.sampling_error([lever]) == 0
    assert whole.sample().scale == 3
    assert Replays(Sourced(calls[:4], EXACT, [True] * 4)).sample().scale == 1


def test_large_results_are_weighed_against_excerpts() -> None:
    talk = Conversation().turn("user", (text("task"), 500))
    talk.turn("assistant", (use("search", 1, q="a"), 100)).turn("user", (result(1, "long"), 10_000))
    calls = [talk.call(0, read=0, write=13_600), talk.call(9, read=13_600, write=0)]
    found = walked(ResultSums(), calls).offloaded()
    spared = 10_000 * (WRITE_5M + READ) * 8 // 10
    assert (found.cases, found.low, found.mid, found.high) == (1, spared // 4, spared // 2, spared)


def asking(*questions: str, tool: str = "search") -> list[Measured]:
    """A call for each question, which brings in its answer; everything before is read."""
    talk = Conversation().turn("user", (text("task"), 500))
    calls = []
    for number, question in enumerate(questions):
        talk.turn("assistant", (use(tool, number, q=question), 100))
        talk.turn("user", (result(number, "same"), 1000))
        calls.append(talk.call(number, read=TOTAL + 1100 * number, write=1100))
    return calls


def test_a_loop_is_charged_from_the_fourth_identical_call_on() -> None:
    guard = walked(StepSums(), asking("a", "b", "b", "b", "b", "b", "a")).weighed()[0]
    fourth, fifth = (
        (TOTAL + 1100 * number) * READ + 1100 * WRITE_5M + CLOSING * PLAIN + 10 * OUTPUT for number in (4, 5)
    )
    assert (guard.lever, guard.cases, guard.mid) == ("loop-guard", 2, fourth + fifth)
    assert guard.evidence[0].where == "run:5"


def test_three_identical_calls_are_no_loop() -> None:
    assert walked(StepSums(), asking("a", "a", "a", "b")).weighed()[0].cases == 0


def test_look_ups_in_a_row_could_have_been_asked_together() -> None:
    row = walked(StepSums(), asking("a", "b", "c")).weighed()[1]
    # The first and the second call did nothing but pass on what they got.
    spared = TOTAL * READ + (TOTAL + 1100) * READ
    assert (row.cases, row.low, row.mid, row.high) == (2, 0, spared // 3, spared)


def test_tools_that_write_are_no_look_ups() -> None:
    assert walked(StepSums(), asking("a", "b", "c", tool="Edit")).weighed()[1].cases == 0


def test_a_tool_that_is_never_used_is_charged_in_every_request() -> None:
    talk = Conversation(tools=[("search", 1000), ("deploy", 600)]).turn("user", (text("task"), 500))
    talk.turn("assistant", (use("search", 1, q="a"), 0)).turn("user", (result(1, "x"), 0))
    calls = [talk.call(0, read=0, write=4100), *(talk.call(n, read=4100, write=0) for n in range(1, 20))]
    found = walked(ToolSetSums(), calls).weighed()
    assert (found.cases, found.mid) == (1, 600 * WRITE_5M + 19 * 600 * READ)
    assert "deploy" in found.says
    assert walked(ToolSetSums(), calls[:19]).weighed().cases == 0


def test_a_sub_agent_is_weighed_against_the_main_conversation() -> None:
    main = Conversation(label="main", system=7000).turn("user", (text("task"), 2000))
    before = main.call(0, read=0, write=10_000)
    agent = Conversation(label="sub-agent", system=40_000).turn("user", (text("look"), 1000))
    step = agent.call(10, read=0, write=42_000, output=100)
    later = main.call(20, read=10_000, write=0)
    found = walked(SubAgentSums(), [before, step, later]).weighed()
    alone = 42_000 * WRITE_5M + CLOSING * PLAIN + 100 * OUTPUT
    fresh = 1000 + CLOSING
    within = (10_000 + CLOSING) * READ + fresh * WRITE_5M + 100 * OUTPUT + fresh * READ
    assert (found.cases, found.mid) == (1, alone - within)
    assert found.evidence[0].where == "run:10"


def test_a_run_far_above_its_peers_is_named_with_a_cap() -> None:
    sums = BillSums()
    usage = one_prompt((0, 0))[0].call.usage
    usual, wild = (
        bill(msgspec.structs.replace(usage, output_tokens=tokens), MODEL, at=None)
        for tokens in (10_000, 1_000_000)
    )
    for number in range(8):
        sums.add("source", f"run {number}", f"place {number}", usual)
    sums.add("source", "wild", "wild place", wild)
    found = sums.weighed()[0]
    cap = max(4 * usual.total, PICODOLLARS)
    assert (found.lever, found.cases, found.mid, found.low) == ("runaway", 1, wild.total - cap, 0)
    assert found.evidence[0].where == "wild place"


def test_fees_are_what_was_billed_beside_tokens_at_standard_rates() -> None:
    call = one_prompt((0, 0))[0].call
    fast = msgspec.structs.replace(call, usage=msgspec.structs.replace(call.usage, speed="fast"))
    sums = BillSums()
    for one in (call, fast):
        paid = bill(one.usage, one.model, at=one.day)
        sums.add("source", "run", one.where, paid)
        sums.add_premium(one.where, one.usage, one.model, one.day, paid)
    found = sums.weighed()[1]
    dearer = bill(fast.usage, fast.model, at=fast.day).total - bill(call.usage, call.model, at=call.day).total
    assert dearer > 0
    assert (found.lever, found.mid) == ("fees", dearer)


def test_claude_code_is_told_the_variables_and_code_the_line() -> None:
    main, agent = one_prompt((0, 0), (60, TOTAL))
    calls = [
        msgspec.structs.replace(one, call=msgspec.structs.replace(one.call, label=label))
        for one, label in ((main, "main"), (agent, "sub-agent"))
    ]
    assert replayed(calls)["successor"].setting.splitlines() == [
        "export ANTHROPIC_MODEL=claude-opus-5-5",
        "export CLAUDE_CODE_SUBAGENT_MODEL=claude-opus-5-5",
        "export ANTHROPIC_DEFAULT_OPUS_MODEL=claude-opus-5-5",
        'model="claude-opus-5-5"  # in place of claude-opus-5',
    ]


def test_every_lever_names_something_to_copy_or_says_that_there_is_nothing() -> None:
    # Those without a line of their own: nothing saves money, or the line depends on the models in use.
    without = {card.lever for card in CARDS.values() if not card.setting}
    assert without == {"warm-up", "successor", "small-model"}
    names = re.findall(r"export (\w+)=", "\n".join(card.setting for card in CARDS.values()))
    assert set(names) == {
        "FORCE_PROMPT_CACHING_5M",
        "ENABLE_PROMPT_CACHING_1H",
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
        "CLAUDE_CODE_EFFORT_LEVEL",
        "BASH_MAX_OUTPUT_LENGTH",
        "MAX_MCP_OUTPUT_TOKENS",
    }


@pytest.mark.parametrize("text", [one for card in CARDS.values() for one in card.setting.splitlines()])
def test_what_is_to_be_copied_of_scrimp_exists(text: str) -> None:
    for name in re.findall(r"\bscrimp\.(\w+)", text):
        assert name in scrimp.__all__


def test_what_loses_says_why() -> None:
    sums = RowSums(default())
    sums.take(Sourced(one_prompt((0, 0), (60, TOTAL)), EXACT, [True] * 2))
    found = checklist(sums.weighed(), None, (sums.together, sums.bolder), Span(0.0, 60.0, 1.0), 1)
    told = {one.lever: one for one in found.findings}
    assert told["ttl-1h"].why_not == "its dearer writes cost more than the writes they spare"
    assert (told["ttl-1h"].pays, told["ttl-1h"].saved.mid) == (False, -TOTAL * (WRITE_1H - WRITE_5M))


def test_a_lever_whose_interval_holds_zero_is_part_of_no_total() -> None:
    calls = one_prompt((0, 0), (60, TOTAL), ttl="1h")
    unsure = RowSums(default())
    unsure.take(Sourced(calls, Foreseen(model=150, billed=100), [True] * 2))
    assert {one.lever: one for one in unsure.weighed()}["ttl-5m"].low < 0
    assert (unsure.together.singly, unsure.bolder.singly) == ({}, {})
    sure = RowSums(default())
    sure.take(Sourced(calls, EXACT, [True] * 2))
    assert "ttl-5m" in sure.together.singly


def test_a_retired_model_is_named_first_and_moved_whatever_its_successor_costs() -> None:
    gone = default().resolve("claude-3-5-sonnet")
    calls = [
        msgspec.structs.replace(one, call=msgspec.structs.replace(one.call, model=gone))
        for one in one_prompt((0, 0), (60, TOTAL))
    ]
    found = replayed(calls)["successor"]
    assert found.says.startswith(f"no longer served, or soon: claude-3-5-sonnet ({gone.retired}); 2 calls")
    assert found.setting == 'model="claude-sonnet-5-5"  # in place of claude-3-5-sonnet'


def told(cause: str, fix: str, lost: int = PICODOLLARS) -> CauseLine:
    return CauseLine(cause, misses=2, tokens=1000, lost=lost, fix=fix, intended=False, examples=("a",))


def test_misses_save_nothing_where_nothing_can_be_done_or_a_lever_does_it() -> None:
    lines = (
        told("TTL expired (5m, back within 1h)", "Write for an hour."),
        told("unknown", "Compare."),
        told("evicted early", "None: it was gone."),
        told("tool order", "Sort them."),
    )
    expired, unknown, evicted, order = miss_findings(Misses(9, lines), Span(0.0, 1.0, 30.0), 10 * PICODOLLARS)
    assert [one.saved.high for one in (expired, unknown, evicted)] == [0, 0, 0]
    assert expired.why_not.startswith("$1.00 was lost; what spares such writes is replayed")
    assert unknown.why_not == "$1.00 was lost for a cause that is not known"
    assert evicted.why_not == "$1.00 was lost, and there is nothing to change: it was gone."
    assert (order.pays, order.monthly.mid, order.share) == (True, PICODOLLARS, 0.1)
    assert order.risk == "The prompt changes a little: see that answers do not."


@pytest.mark.parametrize(
    ("gap", "ttl", "idle"),
    [
        (200, "5m", None),
        (400, "5m", "5m, back within 1h"),
        (4000, "5m", "back after 1h"),
        (400, "1h", None),
        (4000, "1h", "back after 1h"),
    ],
)
def test_what_expired_is_told_apart_by_its_lifetime_and_the_time_away(
    gap: float, ttl: str, idle: str | None
) -> None:
    calls = one_prompt((0, 0), (gap, 0), ttl=ttl)
    assert IdleTimes(calls).of(calls[1].call.where) == idle


def test_of_the_two_lifetimes_one_is_recommended() -> None:
    both = [Weighed(lever="ttl-5m", low=5, mid=5_000, high=9_000, cases=1)]
    both.append(Weighed(lever="ttl-1h", low=5, mid=7_000, high=9_000, cases=1))
    found = checklist(both, None, (Total(), Total()), Span(0.0, 1.0, 30.0), PICODOLLARS)
    pays = {one.lever: one for one in found.findings}
    assert (pays["ttl-1h"].pays, pays["ttl-5m"].pays) == (True, False)
    assert pays["ttl-5m"].why_not.startswith("for all sources alike every cache write for an hour saves more")
    assert found.scaled
    assert not checklist([], None, (Total(), Total()), Span(0.0, 1.0, 6.0), 1).scaled
    assert not checklist([], None, (Total(), Total()), Span(), 1).scaled
