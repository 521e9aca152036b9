"""Who waits for whom: one writes, the others read, nobody waits in vain for long, and nothing hangs."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

from scrimp.core.commands import Answer, Began, Dropped, Plan
from scrimp.core.workspace import Planned
from scrimp.facts.models import default
from scrimp.gateway.cache_settings import FanoutSettings
from scrimp.gateway.gating import GatedDesk, Gating
from scrimp.office import Office, Remembering
from scrimp.stores.memory import MemoryLedger
from tests.gateway.instant import now, run_at_once, take_its_time

MODEL = "claude-sonnet-4-5"
LONG = "You are a careful reviewer of code. " * 300


def body(question: str = "?", system: str = LONG, *, marked: bool = True) -> dict[str, Any]:
    """A request with a long shared system prompt and a question of its own."""
    block: dict[str, Any] = {"type": "text", "text": system}
    if marked:
        block["cache_control"] = {"type": "ephemeral"}
    return {
        "model": MODEL,
        "max_tokens": 8,
        "system": [block],
        "messages": [{"role": "user", "content": question}],
    }


class House:
    """An office with a gate in front, and calls whose answers begin when the test says so."""

    def __init__(self, **settings: Any) -> None:
        self.ends: list[tuple[str, float]] = []
        self.gating = Gating(FanoutSettings(**settings), lambda how, waited: self.ends.append((how, waited)))
        self.sent: list[Planned] = []
        self.office = self.new_office()

    def new_office(self) -> Office:
        remembering = Remembering(default(), time.time, place=False)
        return Office(remembering, MemoryLedger(), clock=time.time, facts=default())

    async def call(
        self,
        asked: dict[str, Any],
        *,
        begins: float = 0.05,
        fails: bool = False,
        office: Office | None = None,
        stream: bool = True,
        again: bool = False,
    ) -> Planned:
        """One call: planned, sent when it is let, begun or failed after so many seconds."""
        office = office or self.office
        desk = GatedDesk(office, self.gating, stream=stream)
        planned = await desk.plan(Plan(asked, again=again))
        assert isinstance(planned, Planned)
        self.sent.append(planned)
        started_at = time.time()
        try:
            await asyncio.sleep(begins)
        except asyncio.CancelledError:
            desk.answer(Dropped(planned, None))
            raise
        if fails:
            desk.answer(Dropped(planned, None))
        else:
            desk.answer(Began(planned, Answer(200, started_at, time.time(), "anthropic")))
        return planned

    @property
    def writes(self) -> list[int]:
        return [planned.plan.chosen.outcome.written for planned in self.sent]

    @property
    def reads(self) -> list[int]:
        return [planned.plan.chosen.outcome.read for planned in self.sent]

    def settled(self) -> bool:
        """Whether nobody is waited for, nor waits."""
        return self.gating.following == 0 and not self.office.led


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    take_its_time(monkeypatch, "scrimp.gateway.gating")


def test_of_many_at_once_one_writes_and_the_others_read() -> None:
    house = House()

    async def all_at_once() -> float:
        began = now()
        await asyncio.gather(*(house.call(body(f"question {n}"), begins=0.2) for n in range(32)))
        return now() - began

    took = run_at_once(all_at_once())
    assert sum(written > 1_000 for written in house.writes) == 1
    assert sum(read > 1_000 for read in house.reads) == 31
    assert [how for how, _ in house.ends] == ["read"] * 31
    assert [waited for _, waited in house.ends] == [pytest.approx(0.2)] * 31
    assert took == pytest.approx(0.4)
    assert house.settled()


def test_nothing_shared_waits_for_nobody() -> None:
    house = House()
    asked = [body(system=f"Number {n}. {LONG}") for n in range(8)]

    async def all_at_once() -> None:
        await asyncio.gather(*(house.call(one) for one in asked))

    run_at_once(all_at_once())
    assert house.ends == []
    assert house.settled()


def test_a_prefix_too_short_to_be_cached_is_not_waited_for() -> None:
    house = House()

    async def all_at_once() -> None:
        await asyncio.gather(*(house.call(body(str(n), system="Be brief.")) for n in range(8)))

    run_at_once(all_at_once())
    assert house.ends == []


def test_what_is_there_already_is_not_waited_for() -> None:
    house = House()

    async def in_turn() -> None:
        await house.call(body("first"))
        await asyncio.gather(*(house.call(body(str(n))) for n in range(8)))

    run_at_once(in_turn())
    assert [how for how, _ in house.ends] in ([], ["read"] * len(house.ends))
    assert sum(written > 1_000 for written in house.writes) == 1


def test_nobody_counts_on_what_one_who_waits_was_to_write() -> None:
    house = House()
    asked = body("A long question. " * 400)
    asked["messages"][0]["content"] = [
        {"type": "text", "text": asked["messages"][0]["content"], "cache_control": {"type": "ephemeral"}}
    ]

    async def third() -> int:
        leading = asyncio.ensure_future(house.call(body("leader"), begins=0.2))
        await asyncio.sleep(0.02)
        follower = asyncio.ensure_future(house.call(asked))
        await asyncio.sleep(0.05)
        assert house.gating.following == 1
        same = house.office.plan(Plan(asked, again=False))
        assert same is not None
        house.office.unplan(same)
        await asyncio.gather(leading, follower)
        return len(same.situation.pending)

    assert run_at_once(third()) == 1
    assert [written > 1_000 for written in house.writes] == [True, True]


def test_accounts_are_apart() -> None:
    house = House()
    other = house.new_office()

    async def both() -> None:
        await asyncio.gather(house.call(body("a")), house.call(body("b"), office=other))

    run_at_once(both())
    assert house.ends == []
    assert sum(written > 1_000 for written in house.writes) == 2


def test_a_leader_that_fails_is_followed_by_one_not_by_all() -> None:
    house = House()

    async def first_fails() -> None:
        leading = asyncio.ensure_future(house.call(body("leader"), begins=0.1, fails=True))
        await asyncio.sleep(0.02)
        await asyncio.gather(leading, *(house.call(body(str(n)), begins=0.1) for n in range(12)))

    run_at_once(first_fails())
    assert sum(written > 1_000 for written in house.writes) == 2
    assert sorted(how for how, _ in house.ends) == ["lead"] + ["read"] * 11
    assert house.settled()


def test_a_row_of_failing_leaders_lets_the_last_one_through() -> None:
    house = House()

    async def all_but_the_last_fail() -> None:
        await asyncio.gather(
            *(house.call(body(str(n)), begins=0.03, fails=n < 5) for n in range(6)), return_exceptions=True
        )

    run_at_once(all_but_the_last_fail())
    assert len(house.sent) == 6
    assert house.settled()


def test_a_leader_that_never_begins_is_waited_for_no_longer_than_the_timeout() -> None:
    house = House(timeout=0.2)

    async def stuck() -> list[float]:
        leading = asyncio.ensure_future(house.call(body("leader"), begins=30))
        await asyncio.sleep(0.02)
        began = now()
        took = []

        async def follow(number: int) -> None:
            await house.call(body(str(number)), begins=0)
            took.append(now() - began)

        await asyncio.gather(*(follow(n) for n in range(5)))
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        return took

    took = run_at_once(stuck())
    assert took == [pytest.approx(0.2)] * 5
    assert house.ends[0][0] == "in vain"
    assert house.settled()


def test_a_client_that_leaves_frees_its_place_also_when_it_was_just_to_lead() -> None:
    house = House()

    async def leaving() -> None:
        desk = GatedDesk(house.office, house.gating, stream=True)
        leader = await desk.plan(Plan(body("leader"), again=False))
        calls = [asyncio.ensure_future(house.call(body(str(n)))) for n in range(6)]
        await asyncio.sleep(0.1)
        assert house.gating.following == 6
        calls[1].cancel()
        desk.answer(Dropped(leader, None))
        calls[0].cancel()  # it has just been woken to take the leader's place
        calls[2].cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in done] == [True] * 3 + [False] * 3

    run_at_once(leaving())
    assert [written > 1_000 for written in house.writes] == [True, False, False]
    assert [how for how, _ in house.ends] == ["lead", "read", "read"]
    assert house.settled()


def test_waiting_is_no_longer_than_it_saves() -> None:
    """About 5,000 tokens at $3 a million, for 1 or 1.25 of it instead of 0.1: about two cents."""
    dear = House(second=10**12)

    async def both(house: House) -> None:
        leading = asyncio.ensure_future(house.call(body("leader"), begins=0.25))
        await asyncio.sleep(0.02)
        await asyncio.gather(leading, house.call(body("follower")))

    run_at_once(both(dear))
    assert [(how, waited < 0.15) for how, waited in dear.ends] == [("in vain", True)]
    cheap = House()
    run_at_once(both(cheap))
    assert [how for how, _ in cheap.ends] == ["read"]


def test_answers_in_one_piece_that_take_long_are_soon_not_waited_for() -> None:
    house = House(timeout=0.05)

    async def many() -> None:
        for number in range(8):
            await house.call(body(str(number), system=f"{number} {LONG}"), begins=0.08, stream=False)
        leading = asyncio.ensure_future(house.call(body("leader"), begins=0.2, stream=False))
        await asyncio.sleep(0.01)
        await asyncio.gather(leading, house.call(body("follower"), begins=0, stream=False))

    run_at_once(many())
    assert house.ends == []


def test_a_retry_waits_for_the_one_that_took_its_place() -> None:
    house = House()

    async def retried() -> None:
        leading = asyncio.ensure_future(house.call(body("leader"), begins=0.02, fails=True))
        await asyncio.sleep(0.01)
        follower = asyncio.ensure_future(house.call(body("follower"), begins=0.1))
        await leading
        await asyncio.sleep(0.01)
        await asyncio.gather(follower, house.call(body("leader"), again=True))

    run_at_once(retried())
    assert [how for how, _ in house.ends] == ["lead", "read"]
    assert sum(written > 1_000 for written in house.writes) == 2


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_nobody_hangs_and_nothing_is_left_behind(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - keeps no secret
    house = House(timeout=0.15)

    async def some(number: int) -> None:
        await asyncio.sleep(chance.random() * 0.1)
        asked = body(str(number % 7), system=f"{number % 3} {LONG}", marked=chance.random() < 0.8)
        await house.call(asked, begins=chance.random() * 0.1, fails=chance.random() < 0.3)

    async def chaos() -> None:
        calls = [asyncio.ensure_future(some(number)) for number in range(60)]
        for call in chance.sample(calls, 20):
            asyncio.get_running_loop().call_later(chance.random() * 0.2, call.cancel)
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert not [one for one in done if isinstance(one, Exception)]

    run_at_once(chaos())
    assert house.settled()
