"""The cache model against a naive oracle, the documents' own examples, and the law of steady turns."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.cache import Cache, CacheRules, Outcome
from scrimp.core.prompt import Prompt, Reading, read_prompt
from tests.core.oracle import Oracle

READING = Reading(key="model")


def prompt_of(texts: list[str], markers: dict[int, str]) -> Prompt:
    """One user turn whose blocks are `texts`, marked at the positions of `markers`."""
    content: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        block: dict[str, Any] = {"type": "text", "text": text}
        if number in markers:
            block["cache_control"] = {"type": "ephemeral", "ttl": markers[number]}
        content.append(block)
    return read_prompt({"messages": [{"role": "user", "content": content}]}, READING)


def ends_of(tokens: list[int]) -> list[int]:
    return [sum(tokens[: number + 1]) for number in range(len(tokens))]


def send(
    cache: Cache,
    texts: list[str],
    markers: dict[int, str],
    *,
    now: float = 0.0,
    rules: CacheRules | None = None,
    first_event_after: float = 0.0,
) -> Outcome:
    """One request of 100 tokens a block."""
    prompt = prompt_of(texts, markers)
    ends = ends_of([100] * len(texts))
    outcome = cache.outcome(prompt, ends, ends[-1], rules or CacheRules(lookback=20, minimum=0), now)
    cache.commit(prompt, outcome, now, now + first_event_after)
    return outcome


# Strategies made in every step would be checked in every step.
BLOCKS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 400)), min_size=1, max_size=8)
PAUSES = st.sampled_from([0.0, 1.0, 20.0, 299.0, 300.0, 301.0, 3599.0, 3600.0, 4000.0])
UNTIL_FIRST_EVENT = st.sampled_from([0.0, 0.5, 2.0])


@functools.cache
def places_of(blocks: int) -> st.SearchStrategy[list[int]]:
    """At most four of so many."""
    return st.lists(st.integers(0, blocks - 1), unique=True, max_size=4)


@st.composite
def traffic(
    draw: st.DrawFn, *, mixed: bool = True
) -> list[tuple[list[tuple[str, int]], dict[int, str], float, float]]:
    """Conversations that grow, branch and pause: blocks with tokens, markers in legal order, two times.

    Unless `mixed`, all markers are of one lifetime.
    """
    hour = None if mixed else draw(st.booleans())
    calls = []
    now = 0.0
    history: list[list[tuple[str, int]]] = [[]]
    for _ in range(draw(st.integers(1, 12))):
        base = history[draw(st.integers(0, len(history) - 1))]
        kept = base[: draw(st.integers(0, len(base)))] if draw(st.booleans()) else base
        blocks = [*kept, *draw(BLOCKS)]
        places = draw(places_of(len(blocks)))
        hours = draw(st.integers(0, len(places))) if hour is None else len(places) if hour else 0
        markers = {place: "1h" if n < hours else "5m" for n, place in enumerate(sorted(places))}
        now += draw(PAUSES)
        calls.append((blocks, markers, now, now + draw(UNTIL_FIRST_EVENT)))
        history.append(blocks)
    return calls


@given(traffic(), st.sampled_from([1, 2, 3, 20]), st.sampled_from([0, 300, 900]))
@settings(max_examples=250, deadline=None)
def test_agrees_with_the_naive_oracle(
    calls: list[tuple[list[tuple[str, int]], dict[int, str], float, float]], lookback: int, minimum: int
) -> None:
    oracle = Oracle(lookback, minimum)
    cache = Cache()
    rules = CacheRules(lookback=lookback, minimum=minimum)
    for blocks, markers, start, first_event in calls:
        # Block text and size go together, as one text always has the same number of tokens.
        texts = [f"{text}{tokens}" for text, tokens in blocks]
        sized = list(zip(texts, [tokens for _, tokens in blocks], strict=True))
        prompt = prompt_of(texts, markers)
        ends = ends_of([tokens for _, tokens in sized])
        outcome = cache.outcome(prompt, ends, ends[-1], rules, start)
        cache.commit(prompt, outcome, start, first_event)
        expected = oracle.call(sized, markers, start, first_event)
        assert {
            "read": outcome.read,
            "write_1h": outcome.write_1h,
            "write_5m": outcome.write_5m,
            "plain": outcome.plain,
        } == expected


@given(traffic())
@settings(max_examples=100, deadline=None)
def test_every_token_is_billed_once(
    calls: list[tuple[list[tuple[str, int]], dict[int, str], float, float]],
) -> None:
    cache = Cache()
    for blocks, markers, start, first_event in calls:
        prompt = prompt_of([text for text, _ in blocks], markers)
        ends = ends_of([tokens for _, tokens in blocks])
        outcome = cache.outcome(prompt, ends, ends[-1], CacheRules(lookback=20, minimum=0), start)
        cache.commit(prompt, outcome, start, first_event)
        parts = (outcome.plain, outcome.write_5m, outcome.write_1h, outcome.read)
        assert sum(parts) == ends[-1]
        assert min(parts) >= 0


@given(traffic(), st.sampled_from([0.0, 299.0, 301.0, 4000.0]))
@settings(deadline=None)
def test_the_longest_entry_is_the_last_of_those_alive(
    calls: list[tuple[list[tuple[str, int]], dict[int, str], float, float]], later: float
) -> None:
    cache = Cache()
    for blocks, markers, start, first_event in calls:
        prompt = prompt_of([f"{text}{tokens}" for text, tokens in blocks], markers)
        ends = ends_of([tokens for _, tokens in blocks])
        outcome = cache.outcome(prompt, ends, ends[-1], CacheRules(lookback=20, minimum=0), start)
        cache.commit(prompt, outcome, start, first_event)
        alive = [cache.alive(prefix, start + later) for prefix in prompt.prefixes]
        known = [(at, entry.ttl) for at, entry in enumerate(alive) if entry is not None]
        assert cache.longest(prompt, start + later) == (known[-1] if known else (-1, "5m"))


def test_a_marker_tests_twenty_positions_counting_its_own() -> None:
    # "Marker at 35 tests 35…16; an entry at 15 misses" (positions counted from 1).
    texts = [f"block {n}" for n in range(1, 36)]
    hit, miss = Cache(), Cache()
    send(hit, texts[:16], {15: "5m"})
    send(miss, texts[:15], {14: "5m"})
    assert send(hit, texts, {34: "5m"}, now=1).read == 1600
    assert send(miss, texts, {34: "5m"}, now=1).read == 0


def test_the_search_resumes_at_the_next_marker() -> None:
    texts = [f"block {n}" for n in range(60)]
    cache = Cache()
    send(cache, texts[:5], {4: "5m"})
    assert send(cache, texts, {59: "5m"}, now=1).read == 0
    cache = Cache()
    send(cache, texts[:5], {4: "5m"})
    assert send(cache, texts, {10: "5m", 59: "5m"}, now=1).read == 500


def test_only_written_entries_match() -> None:
    texts = [f"block {n}" for n in range(10)]
    cache = Cache()
    send(cache, texts, {9: "5m"})
    assert send(cache, [*texts[:5], "other"], {5: "5m"}, now=1).read == 0


def test_parallel_cold_calls_each_write() -> None:
    cache = Cache()
    first = send(cache, ["a", "b"], {1: "5m"}, now=0, first_event_after=2.0)
    parallel = send(cache, ["a", "b"], {1: "5m"}, now=1, first_event_after=2.0)
    after = send(cache, ["a", "b"], {1: "5m"}, now=2)
    assert (first.write_5m, parallel.write_5m, after.read) == (200, 200, 200)


@pytest.mark.parametrize(
    ("ttl", "gap", "read"), [("5m", 299, 200), ("5m", 300, 0), ("1h", 3599, 200), ("1h", 3600, 0)]
)
def test_an_entry_lives_its_ttl_from_the_start_of_its_last_use(ttl: str, gap: float, read: int) -> None:
    cache = Cache()
    send(cache, ["a", "b"], {1: ttl})
    assert send(cache, ["a", "b"], {1: ttl}, now=gap).read == read


def test_a_read_renews_at_the_entrys_own_ttl() -> None:
    cache = Cache()
    send(cache, ["a", "b"], {1: "5m"})
    send(cache, ["a", "b"], {1: "1h"}, now=200)
    assert send(cache, ["a", "b"], {1: "5m"}, now=450).read == 200
    assert send(cache, ["a", "b"], {1: "5m"}, now=800).read == 0


def test_below_the_minimum_nothing_is_written() -> None:
    cache = Cache()
    rules = CacheRules(lookback=20, minimum=1024)
    outcome = send(cache, ["a"] * 10, {9: "5m"}, rules=rules)
    assert (outcome.plain, outcome.written, len(cache)) == (1000, 0, 0)


def test_mixed_ttls_bill_a_b_and_c() -> None:
    # Read up to A, 1h write up to the last 1h marker beyond A, 5m write up to the last marker, rest plain.
    cache = Cache()
    texts = ["tools", "system", "shared", "question", "tail"]
    outcome = send(cache, texts, {1: "1h", 3: "5m"})
    assert (outcome.read, outcome.write_1h, outcome.write_5m, outcome.plain) == (0, 200, 200, 100)
    outcome = send(cache, [*texts[:3], "other", "tail"], {1: "1h", 3: "5m"}, now=10)
    assert (outcome.read, outcome.write_1h, outcome.write_5m, outcome.plain) == (200, 0, 200, 100)


def test_where_the_provider_does_not_cache_everything_is_plain() -> None:
    cache = Cache()
    outcome = send(cache, ["a", "b"], {1: "5m"}, rules=CacheRules(lookback=20, minimum=0, caches=False))
    assert (outcome.plain, len(cache)) == (200, 0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=15), st.integers(1, 100))
def test_steady_conversations_read_what_was_read_and_written_before(turns: list[int], gap: int) -> None:
    cache = Cache()
    texts: list[str] = []
    before = None
    for number, size in enumerate(turns):
        texts = [*texts, *(f"{number}.{n}" for n in range(size))]
        outcome = send(cache, texts, {len(texts) - 1: "5m"}, now=number * gap)
        if before is not None:
            assert outcome.read == before.read + before.written
        before = outcome


def test_memory_is_bounded_by_what_can_still_be_read() -> None:
    cache = Cache()
    for number in range(10_000):
        send(cache, [f"conversation {number}"], {0: "5m"}, now=number)
    assert len(cache) < 5_000


def test_of_too_many_entries_those_last_used_stay() -> None:
    cache, known = Cache(), [number.to_bytes(16, "big") for number in range(60_000)]
    for number, prefix in enumerate(known):
        if number % 500 == 0:
            send(cache, ["read again and again"], {0: "5m"}, now=number / 1_000)
        cache.add(prefix, "5m", number / 1_000, number / 1_000)
    assert 38_000 < len(cache) <= 40_500
    alive = [cache.alive(prefix, 61.0) is not None for prefix in known]
    assert alive == sorted(alive)  # the first went, the last are there
    assert sum(alive) == len(cache) - 1
    assert cache.alive(prompt_of(["read again and again"], {}).prefixes[0], 61.0) is not None


def test_what_lives_an_hour_outlasts_what_is_long_dead() -> None:
    cache = Cache()
    for number in range(1_000):
        send(cache, [f"an hour {number}"], {0: "1h"}, now=number / 1_000)
    for number in range(20_000):
        send(cache, [f"five minutes {number}"], {0: "5m"}, now=1.0 + number / 6)
    assert len(cache) < 1_000 + 6 * 600 + 4_096 + 100
    hours = (cache.alive(prompt_of([f"an hour {n}"], {}).prefixes[0], 3_500.0) for n in range(1_000))
    assert all(entry is not None for entry in hours)
