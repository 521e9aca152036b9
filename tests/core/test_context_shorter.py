"""How much shorter a prompt is taken to be than it looks."""

from __future__ import annotations

from scrimp.core.context_shorter import Shorter
from scrimp.wire.response import Usage

CHAIN = [b"one", b"two", b"three", b"four"]


def billed(tokens: int) -> Usage:
    return Usage(input_tokens=1_000, cache_read_input_tokens=tokens - 1_000)


def test_what_was_missing_from_the_last_prompt_is_missing_from_the_next() -> None:
    shorter = Shorter()
    assert shorter.by(CHAIN) == 0
    shorter.asked(1, CHAIN[:1], 50_000)
    shorter.answered(1, billed(20_000))
    assert shorter.by(CHAIN[:2]) == 30_000
    shorter.asked(2, CHAIN[:2], 53_000)
    shorter.answered(2, billed(12_000))
    assert shorter.by(CHAIN) == 41_000
    assert shorter.by([b"other", *CHAIN[1:1]]) == 0


def test_what_estimates_are_off_by_counts_only_where_more_was_missing_before() -> None:
    shorter = Shorter()
    shorter.asked(1, CHAIN[:1], 50_000)
    shorter.answered(1, billed(48_000))
    assert shorter.by(CHAIN[:2]) == 0
    shorter.asked(2, CHAIN[:2], 50_000)
    shorter.answered(2, billed(30_000))
    assert shorter.by(CHAIN[:3]) == 20_000
    shorter.asked(3, CHAIN[:3], 50_000)
    shorter.answered(3, billed(50_500))  # nothing is cleared any more
    assert shorter.by(CHAIN) == 0


def test_steps_without_a_bill_say_nothing() -> None:
    shorter = Shorter()
    shorter.asked(1, CHAIN[:1], 50_000)
    shorter.answered(1, Usage())
    shorter.asked(2, CHAIN[:1], 50_000)
    shorter.forget(2)
    shorter.answered(2, billed(9_000))
    shorter.answered(3, billed(9_000))
    assert shorter.by(CHAIN) == 0
