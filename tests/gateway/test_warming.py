"""Prefixes kept warm on a schedule: written ahead where a call is sure to come, read while that pays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import anthropic
import pytest

from scrimp.core.commands import Answer, Began, Plan
from scrimp.core.keepalive import Entry, evenly, worth_ahead
from scrimp.emulator import Clock, Emulator, Fault
from scrimp.errors import InputError
from scrimp.facts.models import default
from scrimp.gateway import warming
from scrimp.gateway.cache_settings import FanoutSettings, WarmSettings
from scrimp.gateway.gating import GatedDesk, Gating
from scrimp.gateway.ids import Ids
from scrimp.gateway.offices import Offices
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings, Upstream
from scrimp.gateway.upstream import Way
from scrimp.gateway.warm_requests import Warm, read_warm
from scrimp.gateway.warm_times import opened_at
from scrimp.gateway.warming import Means, Warmer
from scrimp.office import Office, Remembering
from scrimp.stores.leases import Leases
from scrimp.stores.memory import MemoryLedger
from tests.patience import PATIENCE, eventually

BEGIN = datetime(2026, 10, 5, 8, 0, tzinfo=UTC).timestamp()  # a Monday
SYSTEM = "You are a careful assistant. " * 900
REQUEST = {"model": "claude-haiku-4-5", "max_tokens": 64, "system": SYSTEM}


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("settings", "now", "expected"),
    [
        ({}, "2026-10-05T03:00", "2026-10-05T00:00"),
        ({"start": 510, "end": 1080}, "2026-10-05T08:29:59", None),
        ({"start": 510, "end": 1080}, "2026-10-05T08:30", "2026-10-05T08:30"),
        ({"start": 510, "end": 1080}, "2026-10-05T17:59:59", "2026-10-05T08:30"),
        ({"start": 510, "end": 1080}, "2026-10-05T18:00", None),
        ({"start": 510, "end": 1080, "days": ("tue", "wed")}, "2026-10-05T12:00", None),
        ({"start": 1320, "end": 360, "days": ("mon",)}, "2026-10-06T05:59", "2026-10-05T22:00"),
        ({"start": 1320, "end": 360, "days": ("mon",)}, "2026-10-06T06:00", None),
        ({"start": 1320, "end": 360, "days": ("mon",)}, "2026-10-05T05:00", None),
        ({"start": 1320, "end": 360}, "2026-10-05T05:00", "2026-10-04T22:00"),
        ({"start": 510, "end": 510}, "2026-10-05T08:29", "2026-10-04T08:30"),
    ],
)
def test_times_are_those_of_the_clock_on_the_wall(
    settings: dict[str, Any], now: str, expected: str | None
) -> None:
    for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu"):
        one = WarmSettings(name="x", request=Path("x"), zone=zone, **settings)
        found = opened_at(one, at(now, zone))
        assert found == (None if expected is None else at(expected, zone))


def test_a_day_of_25_hours_keeps_its_times() -> None:
    one = WarmSettings(name="x", request=Path("x"), zone="Europe/Berlin", start=510, end=1080)
    assert opened_at(one, at("2026-10-25T08:30", "Europe/Berlin")) is not None
    assert opened_at(one, at("2026-10-25T08:29", "Europe/Berlin")) is None
    assert opened_at(one, at("2026-10-25T18:00", "Europe/Berlin")) is None


def test_writing_ahead_is_worth_it_where_a_use_is_almost_sure() -> None:
    """A write costs 1.25, a read 0.1: the loss of 1.15 may be expected for 0.1/1.15 = 8.7 % of the times."""
    entry = Entry(ping=10, saving=115, lifetime=300.0, lead=30.0)
    assert worth_ahead(entry, lambda seconds: 0.914)
    assert not worth_ahead(entry, lambda seconds: 0.912)
    assert worth_ahead(entry, evenly(30.0))  # 2.5 uses in five minutes: none in 8.2 % of the times
    assert not worth_ahead(entry, evenly(29.0))


class House(NamedTuple):
    """One prefix with all it needs, before an emulator that shares its clock."""

    warmer: Warmer
    means: Means
    warm: Warm
    emulator: Emulator
    ledger: MemoryLedger
    clock: Clock

    def call(self, question: str = "Hello.") -> anthropic.types.Message:
        """A call that marks its system prompt, as its office sees it."""
        office = self.means.offices.of(self.warm.caller)
        block = {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
        body = {**REQUEST, "system": [block], "messages": [{"role": "user", "content": question}]}
        planned = office.plan(Plan(body, again=False))
        assert planned is not None
        started_at = self.clock.now()
        with anthropic.Anthropic(api_key="sk-up", base_url=self.emulator.url) as client:
            message = client.messages.create(**body)  # type: ignore[call-overload]
        office.began(Began(planned.untouched(), Answer(200, started_at, self.clock.now(), "anthropic")))
        return message


def in_house(
    folder: Path,
    body: Callable[[House], Awaitable[None]],
    *,
    faults: tuple[Fault, ...] = (),
    leases: Leases | None = None,
    request: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    """Run a test around one prefix."""
    (folder / "warm.json").write_text(json.dumps(request or REQUEST))
    one = WarmSettings(name="desk", request=folder / "warm.json", **settings)
    clock, ledger = Clock(BEGIN), MemoryLedger()
    facts = default()

    def office(account: bytes) -> Office:
        return Office(Remembering(facts, clock.now, place=False), ledger, clock=clock.now, facts=facts)

    async def run(emulator: Emulator) -> None:
        upstreams = {"anthropic": Upstream(base_url=emulator.url)}
        whole = Settings(serve=Serve(port=0), upstreams=upstreams, warm=(one,))
        (warm,) = read_warm(whole, {"anthropic": "sk-up"}, facts, BEGIN)
        way = Way(connect_seconds=5.0)
        try:
            means = Means(
                offices=Offices(office),
                gating=Gating(FanoutSettings()),
                way=way,
                ids=Ids(),
                facts=facts,
                clock=clock.now,
                leases=leases,
            )
            await body(House(Warmer(warm, means), means, warm, emulator, ledger, clock))
        finally:
            await way.close()

    with Emulator(clock=clock, faults=faults) as emulator:
        asyncio.run(run(emulator))


def test_at_start_it_is_written_where_calls_are_sure_to_come_and_the_first_call_reads(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        assert await house.warmer.tick()
        assert not await house.warmer.tick()
        (record,) = house.ledger.records()
        assert record.tags.task_type == "warm-up"
        assert record.tags.run == ("warm-up", "desk")
        assert record.usage.cache_creation_input_tokens > 4_000
        assert record.usage.output_tokens == 0
        assert record.cost == house.emulator.total
        house.clock.advance(60)
        usage = (await asyncio.to_thread(house.call)).usage
        assert usage.cache_read_input_tokens == record.usage.cache_creation_input_tokens

    in_house(tmp_path, body, calls_per_hour=60.0)


def test_it_is_read_before_it_expires_until_its_time_ends(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        sent = []
        for second in range(0, 3600, 15):
            house.clock.set(BEGIN + second)
            if second % 600 == 300:
                await asyncio.to_thread(house.call)
            if await house.warmer.tick():
                sent.append(second)
        records = list(house.ledger.records())
        assert [record.usage.cache_creation_input_tokens > 0 for record in records] == [True] + [False] * (
            len(records) - 1
        )
        assert sent[0] == 0
        assert max(sent) < 1800
        assert all(record.usage.cache_read_input_tokens > 4_000 for record in records[1:])
        assert all(later - earlier >= 270 for earlier, later in pairwise(sent))

    in_house(tmp_path, body, calls_per_hour=60.0, start=8 * 60, end=8 * 60 + 30)


def test_nothing_is_sent_where_it_does_not_pay(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        assert not await house.warmer.tick()
        await asyncio.to_thread(house.call)
        for second in range(15, 600, 15):
            house.clock.set(BEGIN + second)
            assert not await house.warmer.tick()
        assert list(house.ledger.records()) == []

    in_house(tmp_path, body, calls_per_hour=0.5)


def test_what_a_call_has_written_is_kept_though_nothing_was_written_ahead(tmp_path: Path) -> None:
    """Six calls an hour: 39 % come within five minutes, too few to write ahead, enough to keep."""

    async def body(house: House) -> None:
        assert not await house.warmer.tick()
        house.clock.advance(60)
        await asyncio.to_thread(house.call)
        house.clock.advance(275)
        assert await house.warmer.tick()
        (record,) = house.ledger.records()
        assert record.usage.cache_read_input_tokens > 4_000
        house.clock.advance(250)
        assert (await asyncio.to_thread(house.call)).usage.cache_read_input_tokens > 4_000

    in_house(tmp_path, body, calls_per_hour=6.0)


def test_a_rate_that_was_not_so_ends_it(tmp_path: Path) -> None:
    """At 60 calls an hour 4.6 minutes without one are as rare as one in a hundred: then nobody is to come."""

    async def body(house: House) -> None:
        sent = 0
        for second in range(0, 7200, 15):
            house.clock.set(BEGIN + second)
            sent += await house.warmer.tick()
        assert sent == 2

    in_house(tmp_path, body, calls_per_hour=60.0)


def test_what_calls_have_taught_is_enough(tmp_path: Path) -> None:
    """Calls eight minutes apart each write anew, until it is learned that keeping the prefix pays."""

    async def body(house: House) -> None:
        written = []
        for _call in range(16):
            written.append((await asyncio.to_thread(house.call)).usage.cache_creation_input_tokens)
            for _ in range(32):
                house.clock.advance(15)
                await house.warmer.tick()
        assert written[0] > 4_000
        assert written[-4:] == [0] * 4
        assert all(record.tags.task_type == "warm-up" for record in house.ledger.records())

    in_house(tmp_path, body)


def test_an_upstream_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "_ANSWER_SECONDS", 0.2)

    async def body(house: House) -> None:
        with pytest.warns(UserWarning, match="'desk' could not be warmed"):
            assert not await house.warmer.tick()
        (record,) = house.ledger.records()
        assert record.outcome == "unknown"
        assert house.means.gating.following == 0

    in_house(tmp_path, body, faults=(Fault("slow_start", seconds=PATIENCE),), calls_per_hour=60.0)


def test_a_gateway_warms_at_its_start_and_books_it(tmp_path: Path) -> None:
    (tmp_path / "warm.json").write_text(json.dumps(REQUEST))
    one = WarmSettings(name="desk", request=tmp_path / "warm.json", calls_per_hour=60.0)
    ledger = MemoryLedger()
    with Emulator() as emulator:
        settings = Settings(
            serve=Serve(port=0), upstreams={"anthropic": Upstream(base_url=emulator.url)}, warm=(one,)
        )
        stores = Stores(ledger=ledger, learned=False)
        with Gateway(settings, upstream_keys={"anthropic": "sk-up"}, stores=stores) as gateway:
            eventually(lambda: len(list(ledger.records())) == 1)
            block = {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
            with anthropic.Anthropic(base_url=gateway.url, api_key="sk-up") as client:
                answer = client.messages.create(
                    model="claude-haiku-4-5",
                    max_tokens=64,
                    system=[block],  # type: ignore[list-item]
                    messages=[{"role": "user", "content": "Hello."}],
                )
    warmed, called = ledger.records()
    assert warmed.tags.task_type == "warm-up"
    assert warmed.usage.cache_creation_input_tokens > 4_000
    assert answer.usage.cache_read_input_tokens == warmed.usage.cache_creation_input_tokens
    assert called.cost + warmed.cost == emulator.total


def test_a_failure_is_told_and_then_it_rests(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        with pytest.warns(UserWarning, match="'desk' could not be warmed"):
            await house.warmer.tick()
        house.clock.advance(30)
        assert not await house.warmer.tick()
        assert len(house.emulator.requests) == 1

    in_house(tmp_path, body, faults=(Fault("overloaded", times=None),), calls_per_hour=60.0)


def test_what_could_not_be_kept_is_not_tried_again_at_once(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        await asyncio.to_thread(house.call)
        house.clock.advance(275)
        with pytest.warns(UserWarning, match="status 529"):
            await house.warmer.tick()
        sent = len(house.emulator.requests)
        house.clock.advance(15)
        assert not await house.warmer.tick()
        assert len(house.emulator.requests) == sent == 2

    in_house(tmp_path, body, faults=(Fault("overloaded", times=None, after=1),), calls_per_hour=6.0)


def test_a_call_that_comes_meanwhile_waits_for_it(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        warming_up = asyncio.ensure_future(house.warmer.tick())
        await asyncio.sleep(0.1)
        block = {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
        asked = {**REQUEST, "system": [block], "messages": [{"role": "user", "content": "Hello."}]}
        office = house.means.offices.of(house.warm.caller)
        planned = await GatedDesk(office, house.means.gating, stream=True).plan(Plan(asked, again=False))
        assert await warming_up
        assert planned.plan.chosen.outcome.read > 4_000

    in_house(tmp_path, body, faults=(Fault("slow_start", seconds=0.4),), calls_per_hour=60.0)


def test_of_several_processes_one_does_it(tmp_path: Path) -> None:
    async def body(house: House) -> None:
        other = Warmer(house.warm, house.means)
        assert sorted(await asyncio.gather(house.warmer.tick(), other.tick())) == [False, True]
        assert house.emulator.requests[0].path == "/v1/messages"
        assert len(house.emulator.requests) == 1

    in_house(tmp_path, body, leases=Leases(tmp_path / "leases.sqlite"), calls_per_hour=60.0)


def test_a_forced_tool_is_asked_for_one_token(tmp_path: Path) -> None:
    tool = {"name": "ls", "description": "List. " * 2_000, "input_schema": {"type": "object"}}
    forced = {**REQUEST, "tools": [tool], "tool_choice": {"type": "any"}}

    async def body(house: House) -> None:
        assert await house.warmer.tick()
        (record,) = house.ledger.records()
        assert record.usage.cache_creation_input_tokens > 4_000

    in_house(tmp_path, body, request=forced, calls_per_hour=60.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[]", "is no request"),
        ('{"system": "x"}', "is no request"),
        ('{"model": "claude-haiku-4-5", "system": "short"}', "nothing to warm"),
        ('{"model": "claude-haiku-4-5", "system": "x", "betas": "y"}', "betas"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "warm.json"
    if text is not None:
        file.write_text(text)
    settings = Settings(warm=(WarmSettings(name="desk", request=file),))
    with pytest.raises(InputError, match=f"warm 'desk': .*{said}"):
        read_warm(settings, {"anthropic": "sk"}, default(), BEGIN)
    with pytest.raises(InputError, match="has no key"):
        read_warm(settings, {}, default(), BEGIN)
