"""The floor of a run, kept up with call by call."""

from __future__ import annotations

import pytest

from scrimp.cli import run_floor
from scrimp.cli.run_floor import Floor, FloorKeeper
from scrimp.core.flow import Billed
from scrimp.core.workspace import Planned, Workspace
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage

INPUT = 5_000_000  # picodollars: claude-opus-5 costs 5 dollars for a million tokens of input
BODY = {
    "model": "claude-opus-5",
    "max_tokens": 10,
    "system": "You are an agent. " * 800,
    "messages": [{"role": "user", "content": "Go on."}],
}


def planned(at: float) -> Planned:
    found = Workspace(default()).plan(BODY, at, again=False, label=None)
    assert found is not None
    return found.untouched()  # no markers, so nothing is cached


def test_two_equal_calls_write_once_and_read_once() -> None:
    keeper = FloorKeeper()
    keeper.billed(Billed(planned(1_790_000_000.0), Usage(input_tokens=4000)))
    keeper.billed(Billed(planned(1_790_000_060.0), Usage(input_tokens=4000)))
    cached = 4000 - 3  # what closes a prompt is never cached
    least = cached * (INPUT * 5 // 4 + INPUT // 10) + 2 * 3 * INPUT
    assert keeper.floor() == Floor(calls=2, billed=2 * 4000 * INPUT, least=least)


def test_two_calls_an_hour_apart_pay_in_full_or_by_the_hour() -> None:
    keeper = FloorKeeper()
    for at in (1_790_000_000.0, 1_790_003_000.0):
        keeper.billed(Billed(planned(at), Usage(input_tokens=4000)))
    found = keeper.floor()
    assert found is not None
    assert (
        found.least == found.billed == 2 * 4000 * INPUT
    )  # 2 + 0.1 for the hour's lifetime is more than 1 + 1


def test_what_was_billed_is_what_was_used() -> None:
    keeper = FloorKeeper()
    written = CacheCreation(3997, 0)
    usage = Usage(input_tokens=3, cache_creation_input_tokens=3997, cache_creation=written, output_tokens=9)
    keeper.billed(Billed(planned(1_790_000_000.0), usage))
    found = keeper.floor()
    assert found == Floor(calls=1, billed=3 * INPUT + 3997 * INPUT * 5 // 4, least=4000 * INPUT)


def test_nothing_is_said_of_no_calls_or_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FloorKeeper().floor() is None
    monkeypatch.setattr(run_floor, "_MOST_POSITIONS", 3)
    keeper = FloorKeeper()
    for at in range(3):
        keeper.billed(Billed(planned(1_790_000_000.0 + at), Usage(input_tokens=4000)))
    assert keeper.floor() is None
