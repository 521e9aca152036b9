"""Marker placement: every expected choice follows from the published prices, worked out by hand."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.cache import Cache, CacheRules

# Private on purpose: the quick pricing must agree with the slow one, and prudence moves the thresholds.
from scrimp.core.passes.mark import (
    _PRUDENCE,
    _PRUDENCE_UNMARKED,
    Choice,
    Situation,
    _Pricing,
    candidates,
    choose,
    priced,
)
from scrimp.core.plan import marker_edits, plan
from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt
from scrimp.core.worth import Chances, Event
from scrimp.facts.prices import Rates
from scrimp.wire.request import blocks, with_markers

READING = Reading(key="model")
# Claude Opus 5 in picodollars a token: 5 / 6.25 / 10 / 0.50 / 25 USD per million.
OPUS_5 = Rates(5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000)
W5, W1, R = 1.25, 2.0, 0.1  # the same, per token of input price
KEPT = 0.95  # how much a later use counts against the one before
RULES = CacheRules(lookback=20, minimum=1000)

Odds = tuple[float, float]
"""Probabilities of a use within five minutes, and after that within the hour; each use has the same."""
NEVER, SURE = (0.0, 0.0), (1.0, 0.0)


def body_of(*texts: str, system: bool = True, tools: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": [_text(text) for text in texts]}]}
    if system:
        body["system"] = [_text("you are an agent")]
    if tools:
        body["tools"] = [{"name": "ls", "input_schema": {}}]
    return body


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def event_at(position: int, odds: Odds) -> Event:
    return Event(position, ((Chances(1.0, *odds),),))


def situation_of(
    prompt: Prompt,
    *,
    cache: Cache | None = None,
    goes_on: Odds = SURE,
    joined: dict[int, Odds] | None = None,
    stable_end: int | None = None,
    each: int = 2000,
    **fields: Any,
) -> Situation:
    """`joined`: positions where other conversations join; `stable_end`: the last the next step shares."""
    ends = [each * (n + 1) for n in range(len(prompt))]
    last = len(prompt) - 1 if stable_end is None else stable_end
    known: dict[str, Any] = {
        "ends": ends,
        "total": ends[-1],
        "cache": cache or Cache(),
        "rules": RULES,
        "rates": OPUS_5,
        "events": (event_at(last, goes_on), *(event_at(at, odds) for at, odds in (joined or {}).items())),
        "now": 100.0,
    }
    return Situation(prompt, **{**known, **fields})


def chosen(situation: Situation) -> Choice:
    return choose(situation)[0]


def read(body: Mapping[str, Any]) -> Prompt:
    return read_prompt(body, READING)


def sent(cache: Cache, prompt: Prompt, positions: list[int], *, ttl: Any = "5m", now: float = 0.0) -> None:
    marked = prompt.remarked([Marker(position, ttl) for position in positions])
    situation = situation_of(prompt)
    outcome = cache.outcome(marked, situation.ends, situation.total, RULES, now)
    cache.commit(marked, outcome, now, now)


def test_an_agent_about_to_go_on_gets_tools_system_and_tail() -> None:
    choice = chosen(situation_of(read(body_of("task"))))
    assert [(m.position, m.ttl) for m in choice.markers] == [(0, "5m"), (1, "5m"), (2, "5m")]


def threshold(prudence: float) -> float:
    """From which probability on a write for five minutes is expected to pay, prudence included.

    Without it, p (w5 - r) > w5 - 1: 0.217. With it the premium has to come back so many times and once more.
    """
    return (1 + prudence) * (W5 - 1) / (W5 - R) / KEPT


def test_the_threshold_is_near_the_published_one() -> None:
    assert 0.217 < threshold(_PRUDENCE_UNMARKED) < 0.27


@pytest.mark.parametrize(("off", "writes"), [(-0.005, False), (0.005, True)])
def test_a_tail_write_pays_from_the_threshold_on(off: float, *, writes: bool) -> None:
    bare = read(body_of("task", system=False, tools=False))
    situation = situation_of(bare, goes_on=(threshold(_PRUDENCE_UNMARKED) + off, 0.0))
    assert bool(chosen(situation).outcome.written) is writes


@pytest.mark.parametrize(("off", "writes"), [(-0.005, False), (0.005, True)])
def test_a_callers_markers_are_left_for_dearer_ones_when_well_repaid(off: float, *, writes: bool) -> None:
    body = body_of("task")
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    p = threshold(_PRUDENCE) + off
    assert threshold(_PRUDENCE) > 2 * threshold(_PRUDENCE_UNMARKED)
    best, own = choose(situation_of(read(body), goes_on=(p, 0.0)))
    assert (best is own) is not writes
    assert best.outcome.write_5m == (6000 if writes else 4000)


def test_what_the_caller_marks_is_left_out_only_where_no_other_use_is_likely() -> None:
    body = body_of("task", system=False, tools=False)
    body["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert chosen(situation_of(read(body), goes_on=(0.15, 0.0))).outcome.written == 2000
    assert chosen(situation_of(read(body), goes_on=(0.01, 0.0))).outcome.written == 0


@pytest.mark.parametrize("goes_on", [(0.9, 0.05), (0.4, 0.4)])
def test_a_caller_of_five_minutes_gets_no_hour_that_may_not_be_needed(goes_on: Odds) -> None:
    body = body_of("task")
    body["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert chosen(situation_of(read(body), goes_on=goes_on)).outcome.write_1h == 0


def test_a_one_shot_call_still_reads_what_lives_and_writes_nothing() -> None:
    cache = Cache()
    sent(cache, read(body_of("first")), [1])
    choice = chosen(situation_of(read(body_of("second")), cache=cache, goes_on=NEVER))
    assert choice.outcome.read == 4000
    assert choice.outcome.written == 0


def test_a_one_shot_call_with_nothing_to_read_has_no_markers() -> None:
    assert chosen(situation_of(read(body_of("question")), goes_on=NEVER)).markers == ()


def test_without_any_future_nothing_is_written() -> None:
    assert chosen(situation_of(read(body_of("question")), events=())).outcome.written == 0


def test_a_start_that_others_share_is_written_though_the_tail_is_not() -> None:
    choice = chosen(situation_of(read(body_of("question")), goes_on=NEVER, joined={1: SURE}))
    assert [m.position for m in choice.markers] == [0, 1]
    assert choice.outcome.write_5m == 4000


def test_a_document_that_others_will_ask_about_is_written_though_the_question_is_not() -> None:
    prompt = read(body_of("document", "question"))
    choice = chosen(situation_of(prompt, goes_on=NEVER, joined={1: (0.3, 0.0), 2: (0.9, 0.0)}))
    assert max(m.position for m in choice.markers) == 2
    assert choice.outcome.plain == 2000


def test_what_others_share_is_no_reason_to_write_what_only_this_one_has() -> None:
    # Others join at the end of system for sure: an entry there serves them as well as a deeper one.
    prompt = read(body_of("document", "question"))
    choice = chosen(situation_of(prompt, goes_on=NEVER, joined={1: SURE, 2: (0.01, 0.0)}))
    assert choice.outcome.write_5m == 4000


def test_a_tail_keeps_free_slots_for_those_who_join() -> None:
    prompt = read(body_of("document", "example", "question"))
    choice = chosen(situation_of(prompt, joined={2: (0.5, 0.0), 3: (0.5, 0.0)}))
    assert {2, 3, 4} <= {m.position for m in choice.markers}


def test_prefixes_that_a_request_under_way_writes_are_not_written_twice() -> None:
    prompt = read(body_of("document", "question"))
    future: dict[str, Any] = {"goes_on": NEVER, "joined": {2: SURE}}
    assert chosen(situation_of(prompt, **future)).outcome.write_5m == 6000
    waiting = situation_of(prompt, **future, pending=((0, "5m"), (1, "5m"), (2, "5m")))
    assert chosen(waiting).outcome.written == 0


def test_what_is_pending_for_a_part_only_leaves_the_rest_to_be_written() -> None:
    prompt = read(body_of("document", "question"))
    waiting = situation_of(prompt, goes_on=SURE, pending=((1, "5m"),))
    assert max(write.position for write in chosen(waiting).outcome.writes) == 3


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


@pytest.mark.parametrize("goes_on", [(0.5, 0.05), (0.9, 0.05), (0.1, 0.8), (0.85, 0.1), (0.0, 0.97)])
def test_the_hour_is_bought_where_the_published_rule_says_so(goes_on: Odds) -> None:
    # (w1 - w5) (1 + E[gaps > 1h]) < E[gaps in (5m, 1h]] (w5 - r): of every use, `late` come in between and
    # `over` end the life of an entry of an hour, so that 1 + E[gaps > 1h] is to E[gaps between] as they are.
    late, over = KEPT * goes_on[1], 1 - KEPT * sum(goes_on)
    an_hour = (W1 - W5) * over < late * (W5 - R)
    bare = read(body_of("task", system=False, tools=False))
    assert [m.ttl for m in chosen(situation_of(bare, goes_on=goes_on)).markers] == ["1h" if an_hour else "5m"]


def test_the_shared_start_may_live_longer_than_the_tail() -> None:
    choice = chosen(situation_of(read(body_of("task")), goes_on=(0.9, 0.0), joined={1: (0.1, 0.85)}))
    assert [(m.position, m.ttl) for m in choice.markers] == [(0, "1h"), (1, "1h"), (2, "5m")]


def test_an_hour_for_others_needs_proof() -> None:
    unproven = Event(1, ((Chances(1.0, 0.1, 0.85),),), proven=0.0)
    prompt = read(body_of("task"))
    assert chosen(situation_of(prompt, events=(event_at(2, (0.9, 0.0)), unproven))).outcome.write_1h == 0


def test_an_hour_is_never_bought_on_top_of_a_5m_entry() -> None:
    cache = Cache()
    sent(cache, read(body_of("task")), [2])
    choice = chosen(situation_of(read(body_of("task", "next")), cache=cache, goes_on=(0.0, 1.0)))
    assert choice.outcome.read == 0 or choice.outcome.write_1h == 0


def test_a_short_entry_is_left_behind_for_an_hour_of_all_that_has_grown_since() -> None:
    # Reading the 6,000 tokens of a 5m entry would mean five minutes for the 100,000 since, too: no use here.
    cache = Cache()
    sent(cache, read(body_of("task")), [2])
    long_turn = read(body_of("task", *(f"result {n}" for n in range(50))))
    choice = chosen(situation_of(long_turn, cache=cache, goes_on=(0.0, 0.97)))
    assert choice.outcome.read == 0
    assert choice.outcome.write_1h == 53 * 2000


def test_a_tail_that_will_be_dropped_is_not_written() -> None:
    situation = situation_of(read(body_of("task", "step", "reminder")), stable_end=3)
    assert max(m.position for m in chosen(situation).markers) == 3


def test_a_free_slot_keeps_the_callers_last_marker_below_the_tail() -> None:
    body = body_of("task", "step", "result", tools=False)
    body["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert [m.position for m in chosen(situation_of(read(body))).markers] == [0, 1, 2, 3]


def test_the_callers_own_markers_win_a_tie() -> None:
    body = body_of("task")
    body["tools"][0]["cache_control"] = {"type": "ephemeral"}
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    body["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    best, own = choose(situation_of(read(body)))
    assert best is own
    assert plan(situation_of(read(body))).edits == ()


def test_where_there_is_no_cache_nothing_is_marked() -> None:
    rules = CacheRules(lookback=20, minimum=1000, caches=False)
    assert chosen(situation_of(read(body_of("task")), rules=rules)).markers == ()


def test_the_price_of_a_choice_is_tokens_times_rates() -> None:
    cache = Cache()
    sent(cache, read(body_of("task")), [1])
    situation = situation_of(read(body_of("task", "next")), cache=cache)
    choice = priced(situation, "by hand", (Marker(1, "5m"), Marker(2, "5m")))
    # 4,000 read at 0.50, 2,000 written at 6.25, 2,000 plain at 5 USD per million: 0.002 + 0.0125 + 0.01.
    assert choice.input_cost == 24_500_000_000


def test_what_entries_save_is_counted_once_for_those_who_share_more() -> None:
    # Who asks about the document shares the system prompt too. An entry at the document saves 6,000 tokens
    # for it; one at the system 4,000, and the uses of the system alone that are beyond those: none.
    prompt = read(body_of("document", "question"))
    rare = (0.2, 0.0)
    value = KEPT * 0.2 * (1 - R) / (1 - KEPT * 0.2) * 5_000_000  # plain is cheaper than a write at these odds
    both = situation_of(prompt, goes_on=NEVER, joined={1: rare, 2: rare})
    assert priced(both, "", (Marker(2, "5m"),)).future_saving == pytest.approx(value * 6000)
    assert priced(both, "", (Marker(1, "5m"),)).future_saving == pytest.approx(value * 4000)
    assert priced(both, "", (Marker(1, "5m"), Marker(2, "5m"))).future_saving == pytest.approx(value * 6000)


def test_who_shares_more_shares_the_shorter_start_as_well() -> None:
    # The document is asked about more often than the system prompt alone is used: its uses would read the
    # entry at the system prompt too.
    prompt = read(body_of("document", "question"))
    likely = KEPT * 0.2 * (1 - R) / (1 - KEPT * 0.2) * 5_000_000
    both = situation_of(prompt, goes_on=NEVER, joined={1: (0.05, 0.0), 2: (0.2, 0.0)})
    assert priced(both, "", (Marker(1, "5m"),)).future_saving == pytest.approx(likely * 4000)


def test_a_callers_marker_beyond_what_is_known_may_read_what_another_process_wrote() -> None:
    body = body_of("task", tools=False)
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    situation = situation_of(read(body), goes_on=NEVER, elsewhere=0.25)
    # 2,000 tokens, not written at 6.25 but read at 0.50 with one in four.
    assert priced(situation, "", (Marker(0, "5m"),)).future_saving == 2000 * 5_750_000 // 4
    known = msgspec.structs.replace(situation, seen=0)
    assert priced(known, "", (Marker(0, "5m"),)).future_saving == 0
    assert priced(situation, "", (Marker(1, "5m"),)).future_saving == 0  # not the caller's own


def test_a_marker_below_the_minimum_can_have_been_written_by_nobody() -> None:
    body = body_of("task", tools=False)
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    situation = situation_of(read(body), goes_on=NEVER, elsewhere=0.25, each=600)
    assert priced(situation, "", (Marker(0, "5m"),)).future_saving == 0


SHARES = st.floats(0, 1)
ODDS = st.tuples(SHARES, SHARES).map(lambda two: (two[0], two[1] * (1 - two[0])))
STAGES = st.lists(
    st.one_of(
        ODDS.map(lambda odds: (Chances(1.0, *odds),)),
        st.tuples(ODDS, ODDS).map(lambda two: (Chances(0.7, *two[0]), Chances(0.3, *two[1]))),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


def legal_markers(draw: st.DrawFn, prompt: Prompt) -> tuple[Marker, ...]:
    places = sorted(draw(st.sets(st.integers(0, len(prompt) - 1), max_size=4)))
    hours = draw(st.integers(0, len(places)))
    return tuple(Marker(place, "1h" if n < hours else "5m") for n, place in enumerate(places))


@functools.cache
def talk(blocks: int) -> Prompt:
    return read(body_of(*(f"block {n}" for n in range(blocks))))


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A conversation with a few live entries, the caller's own legal markers, any future."""
    prompt = talk(draw(st.integers(1, 30)))
    prompt = prompt.remarked(legal_markers(draw, prompt))
    position = st.integers(0, len(prompt) - 1)
    cache = Cache()
    for at in draw(st.lists(position, max_size=3)):
        ttl = draw(st.sampled_from(["5m", "1h"]))
        now = draw(st.sampled_from([0.0, -290.0, -3000.0]))
        sent(cache, prompt.remarked(()), [at], ttl=ttl, now=now)
    joined = draw(st.dictionaries(position, STAGES, max_size=4))
    return situation_of(
        prompt,
        cache=cache,
        events=(
            Event(draw(st.integers(-1, len(prompt) - 1)), draw(STAGES)),
            *(Event(at, stages, draw(st.floats(0, 1))) for at, stages in joined.items()),
        ),
        rules=CacheRules(
            lookback=draw(st.sampled_from([1, 3, 20])),
            minimum=1000,
            max_markers=draw(st.sampled_from([3, 4])),
        ),
        each=draw(st.sampled_from([50, 500, 5000])),
        pending=tuple(draw(st.dictionaries(position, st.sampled_from(["5m", "1h"]), max_size=2)).items()),
        elsewhere=draw(st.sampled_from([0.0, 0.25, 0.9])),
        seen=draw(st.integers(-1, len(prompt) - 1)),
    )


@given(situations())
@settings(max_examples=120)
def test_do_no_harm(situation: Situation) -> None:
    planned = plan(situation)
    best, own = planned.chosen, planned.own
    assert best.expected_cost <= own.expected_cost
    if not planned.edits:
        return
    hit = best.outcome.hit
    read_from = situation.cache.alive(situation.prompt.prefixes[hit], situation.now) if hit >= 0 else None
    # What an hour on top of a 5m entry would bill is not published.
    assert read_from is None or read_from.ttl == "1h" or best.outcome.write_1h == 0
    assert len(best.markers) <= situation.rules.max_markers
    lifetimes = [m.ttl for m in sorted(best.markers, key=lambda m: m.position)]
    assert lifetimes == sorted(lifetimes)  # "1h" sorts before "5m"
    assert all(situation.prompt.blocks[m.position].markable for m in best.markers)
    callers = {m.position for m in situation.prompt.markers}
    added = [m.position for m in best.markers if m.position not in callers]
    assert all(situation.ends[position] >= situation.rules.minimum for position in added)


@given(situations(), st.data())
@settings(max_examples=80)
def test_quick_pricing_agrees_with_asking_the_cache(situation: Situation, data: st.DataObject) -> None:
    pricing = _Pricing(situation)
    drawn = st.composite(legal_markers)(situation.prompt)
    tried = [markers for _, markers in candidates(situation)]
    for markers in (*tried, data.draw(drawn), data.draw(drawn)):
        slow = priced(situation, "", markers)
        cost, saving = pricing.expected(markers)
        hit = slow.outcome.hit
        entry = situation.cache.alive(situation.prompt.prefixes[hit], situation.now) if hit >= 0 else None
        if entry is not None and entry.ttl == "5m" and slow.outcome.write_1h:
            assert cost == float("inf")  # what that would bill is not published
        else:
            assert (cost, saving) == (slow.input_cost, slow.future_saving)
            assert pricing.as_expected("", markers, cost, saving) == slow


@pytest.mark.parametrize(
    ("blocks_since", "ttl", "tried"),
    [(2, "5m", False), (2, "1h", True), (30, "5m", True)],
    ids=["on top of five minutes", "on top of an hour", "out of reach"],
)
def test_an_hour_is_not_tried_on_top_of_five_minutes(blocks_since: int, ttl: str, tried: bool) -> None:
    texts = [f"block {n}" for n in range(3 + blocks_since)]
    prompt, cache = read(body_of(*texts)), Cache()
    sent(cache, prompt, [4], ttl=ttl, now=0.0)
    names = [name for name, _ in candidates(situation_of(prompt, cache=cache))]
    assert ("write the tail for 1h, read nothing" in names) == tried


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


def marked(body: dict[str, Any], *places: tuple[str, int]) -> dict[str, Any]:
    """The body with a marker of the caller's at each place: a section and a number in it."""
    for section, number in places:
        blocks_of = body["system"] if section == "system" else body["messages"][0]["content"]
        blocks_of[number]["cache_control"] = {"type": "ephemeral"}
    return body


def test_a_join_within_what_is_read_takes_no_slot_from_the_callers_own_marker() -> None:
    # Tools 0, system 1, six texts: 2 to 7. The step before left an entry up to 5, the caller marks 6 as well,
    # the tail is 7; others join at 3 and 4, which a marker could not write: the entry beyond is read.
    prompt = read(marked(body_of(*"abcdef"), ("system", 0), ("messages", 3), ("messages", 4)))
    cache = Cache()
    sent(cache, prompt, [1, 5])
    situation = situation_of(prompt, cache=cache, joined={3: (0.9, 0.0), 4: (0.9, 0.0)})
    places = {marker.position for marker in chosen(situation).markers}
    assert {5, 6, 7} <= places
    assert not places & {3, 4}


def test_a_callers_marker_that_looks_too_short_stays_where_a_slot_is_free() -> None:
    # Of tools and system only 900 tokens are seen; the API takes no entry below 1,000.
    prompt = read(marked(body_of("task"), ("system", 0)))
    ends = [400, 900, 3000]
    choice = chosen(situation_of(prompt, ends=ends, total=3000))
    assert [marker.position for marker in choice.markers] == [1, 2]
    assert [write.position for write in choice.outcome.writes] == [2]
