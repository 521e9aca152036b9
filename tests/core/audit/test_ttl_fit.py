"""Lifetimes against gaps, by hand: what was never read, what expired, what an hour was not needed for."""

from __future__ import annotations

from scrimp.core.audit.model import TtlFit
from scrimp.core.audit.ttl_fit import TtlSums
from scrimp.core.reproduce import Measured
from tests.core.audit.making import PLAIN, READ, WRITE_1H, WRITE_5M, Conversation, text, walked

TOTAL = 3500
"""Tools 1,000, system 2,000, a task of 500: all of it cached."""


def fit(*bills: tuple[float, int], ttl: str = "5m") -> TtlFit:
    """Calls with one prompt: when, and how much was read; the rest was written."""
    talk = Conversation(ttl=ttl).turn("user", (text("task"), 500))
    calls: list[Measured] = [talk.call(at, read=read, write=TOTAL - read) for at, read in bills]
    found: TtlFit = walked(TtlSums(), calls).result()
    return found


def test_a_write_that_nobody_reads_is_wasted() -> None:
    found = fit((0, 0))
    assert (found.never_read, found.wasted) == (TOTAL, TOTAL * (WRITE_5M - PLAIN))
    assert found.written.amount == TOTAL * WRITE_5M


def test_a_write_that_is_read_is_not() -> None:
    found = fit((0, 0), (60, TOTAL))
    assert (found.never_read, found.wasted, found.expired) == (0, 0, 0)


def test_a_part_that_is_read_is_not_wasted() -> None:
    found = fit((0, 0), (60, 3000))
    # The first task was not read, and neither was the second one.
    assert found.never_read == 1000


def test_what_expired_within_the_hour_would_have_been_read_at_1h() -> None:
    found = fit((0, 0), (400, 0))
    assert (found.expired, found.rewritten) == (TOTAL, TOTAL * (WRITE_5M - READ))
    # At 1h the first write is dearer and the second is a read.
    at_5m, at_1h = 2 * TOTAL * WRITE_5M, TOTAL * WRITE_1H + TOTAL * READ
    assert found.saved_by_1h == at_5m - at_1h


def test_1h_everywhere_costs_more_where_nothing_expires() -> None:
    found = fit((0, 0), (60, TOTAL))
    assert found.saved_by_1h == TOTAL * (WRITE_5M - WRITE_1H)


def test_a_gap_of_more_than_an_hour_is_not_for_1h() -> None:
    found = fit((0, 0), (3700, 0))
    assert (found.expired, found.saved_by_1h) == (0, 2 * TOTAL * (WRITE_5M - WRITE_1H))


def test_a_read_keeps_an_entry_alive() -> None:
    found = fit((0, 0), (250, TOTAL), (500, TOTAL), (900, 0))
    assert found.expired == TOTAL
    assert fit((0, 0), (250, TOTAL), (500, 0)).expired == 0  # it was gone before its time


def test_an_hour_that_only_short_gaps_used_was_not_needed() -> None:
    found = fit((0, 0), (60, TOTAL), ttl="1h")
    assert (found.one_hour, found.hour_not_needed) == (TOTAL, TOTAL)
    assert found.spared_by_5m == TOTAL * (WRITE_1H - WRITE_5M)
    needed = fit((0, 0), (400, TOTAL), ttl="1h")
    assert (needed.hour_not_needed, needed.spared_by_5m) == (0, 0)


def test_gaps_are_counted_by_length_with_what_they_share() -> None:
    found = fit((0, 0), (5, TOTAL), (65, TOTAL), (365, TOTAL), (3965, 0), (20_000, 0))
    counted = {one.gap: (one.calls, one.tokens) for one in found.gaps if one.calls}
    assert counted == {
        "≤ 10 s": (1, TOTAL),
        "10–60 s": (1, TOTAL),
        "1–5 min": (1, TOTAL),
        "15–60 min": (1, TOTAL),
        "> 4 h": (1, TOTAL),
    }
    assert len(found.gaps) == 7


def test_no_call_has_no_fit() -> None:
    assert TtlSums().result() is None
