"""Entries other processes may have written: the odds move with what bills say of prefixes never met here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scrimp.core.elsewhere import Elsewhere, Tries
from scrimp.core.passes.mark import Situation
from scrimp.core.prompt import Marker
from tests.core.test_mark import body_of, read, situation_of

SYSTEM = Marker(1, "5m")


def situation(**fields: Any) -> Situation:
    """Tools, a system prompt the caller marks, and a task; 2,000 tokens each."""
    body = body_of("task")
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    return situation_of(read(body), **{"elsewhere": 0.25, **fields})


def test_to_begin_with_one_in_four() -> None:
    assert Elsewhere().odds == 0.25


def test_a_read_raises_the_odds_and_a_miss_lowers_them() -> None:
    found, missed = Elsewhere(), Elsewhere()
    found.billed(situation(), [SYSTEM], read=4000)
    missed.billed(situation(), [SYSTEM], read=0)
    assert found.odds == pytest.approx(2 / 5)
    assert missed.odds == pytest.approx(1 / 5)


def test_reading_what_was_known_here_is_no_find() -> None:
    known = Elsewhere()
    known.billed(situation(seen=0), [SYSTEM], read=2000)
    assert known.odds == pytest.approx(1 / 5)
    known.billed(situation(seen=0), [SYSTEM], read=4000)
    assert known.odds == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    ("fields", "markers"),
    [
        ({"seen": 1}, [SYSTEM]),  # the prefix had been met
        ({}, [Marker(2, "5m")]),  # not the caller's marker
        ({}, []),
        ({"elsewhere": 0.0}, [SYSTEM]),  # a retry
    ],
)
def test_what_says_nothing_about_others_is_not_counted(fields: dict[str, Any], markers: list[Marker]) -> None:
    odds = Elsewhere()
    odds.billed(situation(**fields), markers, read=4000)
    assert odds.odds == 0.25
    assert odds.learned == Tries()


def test_odds_follow_when_habits_change() -> None:
    odds = Elsewhere()
    for _ in range(500):
        odds.billed(situation(), [SYSTEM], read=0)
    assert odds.odds < 0.01
    for _ in range(120):
        odds.billed(situation(), [SYSTEM], read=4000)
    assert odds.odds > 0.85


def test_what_was_learned_outlives_the_process() -> None:
    odds = Elsewhere()
    for _ in range(80):
        odds.billed(situation(), [SYSTEM], read=4000)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(odds.learned), type=Tries)
    assert stored.sound
    assert Elsewhere(stored).odds == odds.odds


@pytest.mark.parametrize("tries", [Tries(5.0, 4.0), Tries(-1.0, 4.0), Tries(0.0, 0.0), Tries(1.0, 1e9)])
def test_what_cannot_have_been_counted_is_not_sound(tries: Tries) -> None:
    assert not tries.sound
