"""What is asserted of a run: exact money, exact shares, and failures that say what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.errors import InputError
from scrimp.stores.memory import MemoryLedger
from scrimp.testing import Recording, assert_cache_read_share, assert_cost
from tests.testing.agents import ask, round_emulator

# The first call writes the 1,000 tokens of the system prompt, the second reads them:
# 1,000 × $2.50 + 1,000 × $2 + 100 × $10 = $0.0055, and 1,000 × $0.10 + 1,000 × $2 + 100 × $10 = $0.0031.
FIRST, BOTH = Decimal("0.0055"), Decimal("0.0086")


@pytest.fixture(scope="module")
def two_calls() -> Iterator[Recording]:
    """A run to look at, not to add to."""
    with round_emulator() as emulator:
        ask(emulator, "Is it so?")
        ask(emulator, "Is it not?")
        yield Recording(emulator)


def test_the_cost_of_a_run_is_exact(two_calls: Recording) -> None:
    cost = assert_cost(two_calls)
    assert cost.value == BOTH
    assert isinstance(cost.value, Decimal)
    assert repr(cost) == "<$0.0086, 2 calls>"
    assert assert_cost(two_calls.emulator).value == BOTH


@pytest.mark.parametrize(
    ("holds", "limit"),
    [
        (lambda cost, limit: cost <= limit, "0.0086"),
        (lambda cost, limit: cost < limit, "0.008600000001"),
        (lambda cost, limit: cost >= limit, Decimal("0.0086")),
        (lambda cost, limit: cost > limit, 0),
        (lambda cost, limit: cost == limit, "0.00860"),
        (lambda cost, limit: cost != limit, 1),
        (lambda cost, limit: limit >= cost, Decimal("0.0086")),
        (lambda cost, limit: "0.001" < cost <= limit, "1"),
    ],
)
def test_comparisons_that_hold_are_true(
    holds: Callable[[Any, Any], bool], limit: Any, two_calls: Recording
) -> None:
    assert holds(assert_cost(two_calls), limit) is True


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda cost: cost <= "0.008599999999", "more than $0.008599999999: $0.000000000001 over, 2 calls"),
        (lambda cost: cost < "0.0086", "not less than $0.0086: 2 calls"),
        (lambda cost: cost >= "0.01", "less than $0.01: $0.0014 under, 2 calls"),
        (lambda cost: cost > "0.0086", "not more than $0.0086: 2 calls"),
        (lambda cost: cost == "0.0087", "not $0.0087: $0.0001 under, 2 calls"),
        (lambda cost: cost != Decimal("0.0086"), "exactly $0.0086: 2 calls"),
        (lambda cost: "0.02" <= cost <= "1", "less than $0.02: $0.0114 under, 2 calls"),
    ],
)
def test_comparisons_that_do_not_hold_raise_by_themselves(
    breaks: Callable[[Any], bool], said: str, two_calls: Recording
) -> None:
    with pytest.raises(AssertionError) as caught:
        breaks(assert_cost(two_calls))
    assert str(caught.value).startswith(f"this run cost $0.0086, {said}\n")


def test_a_failure_shows_every_call_and_where_the_money_went(two_calls: Recording) -> None:
    with pytest.raises(AssertionError) as caught:
        assert assert_cost(two_calls) <= "0.001"
    lines = [" ".join(line.split()) for line in str(caught.value).splitlines()]
    assert "call model plain write 5m write 1h read output dollars" in lines
    assert "1 claude-sonnet-5-5 1,000 1,000 0 0 100 $0.0055" in lines
    assert "2 claude-sonnet-5-5 1,000 0 0 1,000 100 $0.0031" in lines
    assert "all 2,000 1,000 0 1,000 200 $0.0086" in lines
    assert lines[-1] == (
        "Spent on plain input $0.004 (47 %), 5m writes $0.0025 (29 %), "
        "output $0.002 (23 %), reads $0.0001 (1 %)."
    )


def test_the_middle_of_a_long_run_is_left_out() -> None:
    with round_emulator() as emulator:
        for number in range(45):
            ask(emulator, f"Question {number}?")
        with pytest.raises(AssertionError) as caught:
            assert assert_cost(emulator) <= 0
    lines = str(caught.value).splitlines()
    assert sum("claude-sonnet-5-5" in line for line in lines) == 40
    assert any("… 5 more calls" in " ".join(line.split()) for line in lines)


@pytest.mark.parametrize("limit", [0.02, True, "two cents", "NaN", "Infinity", None])
def test_money_is_given_exactly(limit: Any, two_calls: Recording) -> None:
    with pytest.raises(
        InputError, match=r'no exact amount of US dollars: write it as a string, like "0\.02"'
    ):
        assert assert_cost(two_calls) <= limit


def test_the_share_of_cache_reads_is_exact() -> None:
    with round_emulator() as emulator:
        run = Recording(emulator)
        for _ in range(5):
            ask(emulator, "Once more?")
    # Five calls of 2,000 tokens, the last four read 1,000 each: 4,000 of 10,000.
    share = assert_cache_read_share(run)
    assert share.value == Fraction(2, 5)
    for limit in (0.4, "0.4", Decimal("0.4"), Fraction(2, 5), 0):
        assert share >= limit
    with pytest.raises(AssertionError) as caught:
        assert share >= 0.41
    said = str(caught.value)
    assert said.startswith(
        "this run read 40 % of its input from the cache, less than 41 %: 4,000 of 10,000 tokens, 5 calls\n"
    )
    assert "Not read: 1,000 tokens written, 5,000 plain." in said


@pytest.mark.parametrize("limit", [80, "80 %", -0.1, None, True])
def test_a_share_is_a_number_from_0_to_1(limit: Any, two_calls: Recording) -> None:
    with pytest.raises(InputError, match="no share: write a number from 0 to 1"):
        assert assert_cache_read_share(two_calls) >= limit


def test_a_run_that_caches_nothing_is_told_so() -> None:
    with round_emulator() as emulator:
        ask(emulator, "Is it so?", mark=False)
    with pytest.raises(AssertionError, match="Nothing was cached: no request had a marker"):
        assert assert_cache_read_share(emulator) > 0


def test_a_part_of_a_run_counts_what_was_billed_in_it() -> None:
    with round_emulator() as emulator:
        run = Recording(emulator, name="the whole")
        ask(emulator, "Is it so?")
        with run.part("the second question") as part:
            ask(emulator, "Is it not?")
        ask(emulator, "Why?")
    assert assert_cost(part).value == BOTH - FIRST
    assert [call.number for call in part.calls] == [1]
    assert part.calls[0].body["messages"] == [{"role": "user", "content": "Is it not?"}]
    assert repr(run) == "<Recording 'the whole': 3 billed calls>"
    with pytest.raises(AssertionError, match=r"^the second question cost \$0\.0031"):
        assert assert_cost(part) <= "0.003"


def test_a_run_of_scrimp_is_a_run() -> None:
    with round_emulator() as emulator:
        middleware = scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now, mode="observe")
        client = anthropic.Anthropic(base_url=emulator.url, api_key="any", middleware=[middleware])
        with client, scrimp.run("nightly") as run:
            client.messages.create(
                model="claude-sonnet-5-5", max_tokens=200, messages=[{"role": "user", "content": "Is it so?"}]
            )
    # 1,000 × $2 + 100 × $10
    assert assert_cost(run).value == Decimal("0.003")
    assert assert_cache_read_share(run) == 0
    with pytest.raises(
        AssertionError, match=r"^run 'nightly' cost \$0\.003, more than \$0\.002: \$0\.001 over, 1 call"
    ):
        assert assert_cost(run) <= "0.002"


@pytest.mark.parametrize("check", [assert_cost, assert_cache_read_share])
def test_a_run_without_calls_never_passes(check: Callable[[Any], Any]) -> None:
    with round_emulator() as emulator:
        with pytest.raises(
            AssertionError, match=r"no call was billed.*No request arrived.*ANTHROPIC_BASE_URL"
        ):
            check(emulator)
        with pytest.raises(anthropic.BadRequestError):
            ask(emulator, "Is it so?", max_tokens=-1)
        with pytest.raises(
            AssertionError, match="1 request arrived, none was answered; the last was POST /v1/messages"
        ):
            check(emulator)
    with pytest.raises(AssertionError, match=r"no call was billed.*scrimp\.Middleware\(\)"):
        check(scrimp.run("empty"))


def test_what_is_no_run_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="dict is not a run: pass the fixture scrimp_run"):
        assert_cost({})  # type: ignore[arg-type]  # the point
