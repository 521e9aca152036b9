"""The floor: no strategy of markers can be below it, and a brute force finds the same."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.cache import Cache, CacheRules
from scrimp.core.floor import FloorCall, floor
from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

OPUS_5 = Rates(5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000)
READING = Reading(key="model")
TTLS: tuple[TTL, ...] = ("5m", "1h")
UNLIMITED = CacheRules(lookback=1000, minimum=0, max_markers=1000)


def prompt_of(texts: str) -> Prompt:
    content = [{"type": "text", "text": text} for text in texts]
    return read_prompt({"messages": [{"role": "user", "content": content}]}, READING)


def call(texts: str, now: float, tokens: int = 100) -> FloorCall:
    ends = [tokens * (n + 1) for n in range(len(texts))]
    return FloorCall(prompt_of(texts), ends, ends[-1], OPUS_5, now)


def test_one_call_pays_plain() -> None:
    assert sum(floor([call("ab", 0)])) == 200 * 5_000_000


def test_two_quick_calls_write_once_and_read_once() -> None:
    # 100 written at 6.25, then read at 0.50; the new block is plain.
    assert floor([call("a", 0), call("ab", 10)]) == [100 * 6_250_000, 100 * 500_000 + 100 * 5_000_000]


def test_a_pause_of_half_an_hour_is_bridged_by_the_hour_only_when_that_is_cheaper() -> None:
    # Two uses: 2 + 0.1 for the hour against 1 + 1 plain. Three uses: 2 + 0.2 against 3.
    assert sum(floor([call("a", 0), call("a", 1800)])) == 2 * 100 * 5_000_000
    assert sum(floor([call("a", 0), call("a", 1800), call("a", 3600)])) == 100 * (10_000_000 + 2 * 500_000)


def test_a_use_between_two_calls_keeps_a_block_alive_for_either_lifetime() -> None:
    def bill(*used: tuple[int, float], gap: float = 500.0) -> int:
        later = FloorCall(prompt_of("ab"), [100, 200], 200, OPUS_5, gap, used=used)
        return sum(floor([call("ab", 0), later]))

    apart, together = 2 * 200 * 5_000_000, 200 * (6_250_000 + 500_000)
    assert bill() == apart
    assert bill((1, 250.0)) == together
    assert bill((1, 199.0)) == apart, "301 seconds are left"
    assert bill((1, 301.0)) == apart, "nothing lives then"
    assert bill((1, 250.0), (1, 500.0), gap=700.0) == together
    # Only the first block is used: the second one is plain each time.
    assert bill((0, 250.0)) == 100 * (6_250_000 + 500_000) + 2 * 100 * 5_000_000


def test_runs_of_one_workspace_share_their_prefix() -> None:
    together = sum(floor([call("ax", 0), call("ay", 10)]))
    apart = sum(floor([call("ax", 0)])) + sum(floor([call("ay", 10)]))
    assert together < apart


TRAFFIC = st.lists(
    st.tuples(
        st.text("ab", min_size=1, max_size=3), st.sampled_from([0.0, 10.0, 299.0, 400.0, 3599.0, 4000.0])
    ),
    min_size=1,
    max_size=4,
)


@given(TRAFFIC)
@settings(max_examples=60, deadline=None)
def test_no_choice_of_markers_is_cheaper(traffic: list[tuple[str, float]]) -> None:
    now = 0.0
    calls = []
    for texts, gap in traffic:
        now += gap
        calls.append(call(texts, now))
    bound = sum(floor(calls))
    options = [[(), *((m,) for m in _markers(len(texts)))] for texts, _ in traffic]
    for choice in product(*options):
        paid = _cost(calls, choice)
        assert paid is None or paid >= bound


def _markers(length: int) -> list[Marker]:
    return [Marker(position, ttl) for position in range(length) for ttl in TTLS]


def _cost(calls: list[FloorCall], choice: Any) -> int | None:
    """What a choice of markers pays; None if it buys 1h on top of a 5m hit, which no strategy may."""
    cache = Cache()
    paid = 0
    for number, markers in enumerate(choice):
        one = calls[number]
        prompt = one.prompt.remarked(markers)
        outcome = cache.outcome(prompt, one.ends, one.total, UNLIMITED, one.now)
        hit = cache.alive(prompt.prefixes[outcome.hit], one.now) if outcome.hit >= 0 else None
        if hit is not None and hit.ttl == "5m" and outcome.write_1h:
            return None
        cache.commit(prompt, outcome, one.now, one.now)
        paid += outcome.plain * 5_000_000 + outcome.write_5m * 6_250_000
        paid += outcome.write_1h * 10_000_000 + outcome.read * 500_000
    return paid
