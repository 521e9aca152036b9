"""Marker placement: every expected choice follows from the published prices, worked out by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.cache import Cache, CacheRules
from scrimp.core.horizon import Odds
from scrimp.core.passes.mark import Choice, Situation, choose, priced
from scrimp.core.plan import marker_edits, plan
from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt
from scrimp.facts.prices import Rates
from scrimp.wire.request import blocks, with_markers

READING = Reading(key="model")
# Claude Opus 5 in picodollars a token: 5 / 6.25 / 10 / 0.50 / 25 USD per million.
OPUS_5 = Rates(5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000)
NEVER, SURE = Odds(0.0, 0.0), Odds(1.0, 0.0)
RULES = CacheRules(lookback=20, minimum=1000)


def body_of(*texts: str, system: bool = True, tools: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": [_text(text) for text in texts]}]}
    if system:
        body["system"] = [_text("you are an agent")]
    if tools:
        body["tools"] = [{"name": "ls", "input_schema": {}}]
    return body


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def situation_of(
    prompt: Prompt,
    *,
    cache: Cache | None = None,
    continues: Odds = SURE,
    shares: Odds = NEVER,
    rules: CacheRules = RULES,
    now: float = 100.0,
    each: int = 2000,
) -> Situation:
    ends = [each * (n + 1) for n in range(len(prompt))]
    return Situation(
        prompt=prompt,
        ends=ends,
        total=ends[-1],
        cache=cache or Cache(),
        rules=rules,
        rates=OPUS_5,
        continues=continues,
        shares=shares,
        now=now,
    )


def chosen(situation: Situation) -> Choice:
    return choose(situation)[0]


def read(body: dict[str, Any]) -> Prompt:
    return read_prompt(body, READING)


def sent(cache: Cache, prompt: Prompt, positions: list[int], *, ttl: Any = "5m", now: float = 0.0) -> None:
    marked = prompt.remarked([Marker(position, ttl) for position in positions])
    situation = situation_of(prompt)
    outcome = cache.outcome(marked, situation.ends, situation.total, RULES, now)
    cache.commit(marked, outcome, now, now)


def test_an_agent_about_to_go_on_gets_tools_system_and_tail() -> None:
    choice = chosen(situation_of(read(body_of("task"))))
    assert [(m.position, m.ttl) for m in choice.markers] == [(0, "5m"), (1, "5m"), (2, "5m")]


@pytest.mark.parametrize(("p", "writes"), [(0.21, False), (0.23, True)])
def test_a_tail_write_pays_from_odds_of_0_217_on(p: float, *, writes: bool) -> None:
    # p · (1.25 − 0.1) > 1.25 − 1  ⇔  p > 0.2174
    situation = situation_of(read(body_of("task", system=False, tools=False)), continues=Odds(p, 0.0))
    assert bool(chosen(situation).outcome.written) is writes


def test_a_one_shot_call_still_reads_what_lives_and_writes_nothing() -> None:
    cache = Cache()
    sent(cache, read(body_of("first")), [1])
    choice = chosen(situation_of(read(body_of("second")), cache=cache, continues=NEVER))
    assert choice.outcome.read == 4000
    assert choice.outcome.written == 0


def test_a_start_that_others_share_is_written_though_the_tail_is_not() -> None:
    choice = chosen(situation_of(read(body_of("question")), continues=NEVER, shares=SURE))
    assert [m.position for m in choice.markers] == [0, 1]
    assert choice.outcome.write_5m == 4000


def test_a_turn_longer_than_the_lookback_still_reads_the_last_entry() -> None:
    cache = Cache()
    sent(cache, read(body_of("task")), [2])
    long_turn = read(body_of("task", *(f"result {n}" for n in range(50))))
    choice = chosen(situation_of(long_turn, cache=cache))
    assert choice.outcome.read == 6000
    assert {2, 52} <= {m.position for m in choice.markers}


def test_nothing_is_marked_below_the_minimum() -> None:
    situation = situation_of(read(body_of("task")), each=300)
    assert chosen(situation).markers == ()
    assert [m.position for m in chosen(situation_of(read(body_of("task")), each=400)).markers] == [2]


@pytest.mark.parametrize(("within_1h", "ttl"), [(0.2, "5m"), (0.9, "1h")])
def test_long_pauses_choose_the_hour(within_1h: float, ttl: str) -> None:
    # 1h costs 2 − 1.25 more and saves (1.25 − 0.1) when the next step comes after 5 minutes: from 0.65 on.
    situation = situation_of(
        read(body_of("task", system=False, tools=False)), continues=Odds(1 - within_1h, within_1h)
    )
    assert [m.ttl for m in chosen(situation).markers] == [ttl]


def test_an_hour_is_never_bought_on_top_of_a_5m_entry() -> None:
    cache = Cache()
    sent(cache, read(body_of("task")), [2])
    choice = chosen(situation_of(read(body_of("task", "next")), cache=cache, continues=Odds(0.0, 1.0)))
    beyond = [m.ttl for m in choice.markers if m.position > 2]
    assert "1h" not in beyond


def test_a_tail_that_will_be_dropped_is_not_written() -> None:
    situation = msgspec.structs.replace(situation_of(read(body_of("task", "step", "reminder"))), stable_end=3)
    assert max(m.position for m in chosen(situation).markers) == 3


def test_a_free_slot_keeps_the_callers_last_marker_below_the_tail() -> None:
    body = body_of("task", "step", "result", tools=False)
    body["messages"][0]["content"][1]["cache_control"] = {"type": "ephemeral"}
    assert [m.position for m in chosen(situation_of(read(body))).markers] == [0, 2, 3]


def test_the_callers_own_markers_win_a_tie() -> None:
    body = body_of("task")
    body["tools"][0]["cache_control"] = {"type": "ephemeral"}
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    body["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    best, own = choose(situation_of(read(body)))
    assert best is own
    assert plan(situation_of(read(body))).edits == ()


def test_the_price_of_a_choice_is_tokens_times_rates() -> None:
    cache = Cache()
    sent(cache, read(body_of("task")), [1])
    situation = situation_of(read(body_of("task", "next")), cache=cache)
    choice = priced(situation, "by hand", (Marker(1, "5m"), Marker(2, "5m")))
    # 4,000 read at 0.50, 2,000 written at 6.25, 2,000 plain at 5 USD per million: 0.002 + 0.0125 + 0.01.
    assert choice.input_cost == 24_500_000_000


MARKS = st.dictionaries(st.integers(0, 7), st.sampled_from(["5m", "1h"]), max_size=4)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A conversation with a few live entries, the caller's own legal markers, any odds."""
    texts = [f"block {n}" for n in range(draw(st.integers(1, 30)))]
    prompt = read(body_of(*texts))
    places = sorted(p for p in draw(MARKS) if p < len(prompt))
    hours = draw(st.integers(0, len(places)))
    prompt = prompt.remarked([Marker(p, "1h" if n < hours else "5m") for n, p in enumerate(places)])
    cache = Cache()
    for position in draw(st.lists(st.integers(0, len(prompt) - 1), max_size=3)):
        ttl = draw(st.sampled_from(["5m", "1h"]))
        sent(
            cache, prompt.remarked(()), [position], ttl=ttl, now=draw(st.sampled_from([0.0, -290.0, -3000.0]))
        )
    odds = st.floats(0, 1).flatmap(lambda p: st.floats(0, 1 - p).map(lambda q: Odds(p, q)))
    return situation_of(
        prompt,
        cache=cache,
        continues=draw(odds),
        shares=draw(odds),
        rules=CacheRules(
            lookback=draw(st.sampled_from([1, 3, 20])),
            minimum=1000,
            max_markers=draw(st.sampled_from([3, 4])),
        ),
        each=draw(st.sampled_from([50, 500, 5000])),
    )


@given(situations())
@settings(max_examples=300, deadline=None)
def test_do_no_harm(situation: Situation) -> None:
    planned = plan(situation)
    best, own = planned.chosen, planned.own
    assert best.expected_cost <= own.expected_cost
    if not planned.edits:
        return
    assert len(best.markers) <= situation.rules.max_markers
    lifetimes = [m.ttl for m in sorted(best.markers, key=lambda m: m.position)]
    assert lifetimes == sorted(lifetimes)  # "1h" sorts before "5m"
    assert all(situation.prompt.blocks[m.position].markable for m in best.markers)
    assert all(situation.ends[m.position] >= situation.rules.minimum for m in best.markers)


@given(
    st.dictionaries(st.integers(0, 4), st.sampled_from(["5m", "1h"])),
    st.dictionaries(st.integers(0, 4), st.sampled_from(["5m", "1h"])),
    st.booleans(),
)
def test_edits_turn_the_callers_markers_into_the_planned_ones(
    before: dict[int, Any], after: dict[int, Any], automatic: bool
) -> None:
    body: Any = body_of("a", "b", "c")
    edits = marker_edits(read(body), [Marker(position, ttl) for position, ttl in before.items()])
    body = with_markers(body, edits)
    if automatic:
        body = {**body, "cache_control": {"type": "ephemeral"}}
    edits = marker_edits(read(body), [Marker(position, ttl) for position, ttl in after.items()])
    edited = with_markers(body, edits)
    assert {n: block.ttl for n, block in enumerate(blocks(edited)) if block.ttl} == after
    assert "cache_control" not in edited
    assert read(edited).prefixes == read(body).prefixes
