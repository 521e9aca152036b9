"""Runs: tags and live money across nesting, tasks and threads."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal

import msgspec
import pytest

import scrimp
from scrimp.core.record import Record, Tags
from scrimp.runs import current_run, current_tags
from scrimp.wire.response import CacheCreation, Usage


def record(
    cost: int = 5_000_000_000, own_cost: int | None = 8_000_000_000, *, measured: bool = True
) -> Record:
    """One call of 0.005 USD."""
    usage = Usage(
        input_tokens=3,
        output_tokens=20,
        cache_creation_input_tokens=300,
        cache_read_input_tokens=1000,
        cache_creation=CacheCreation(100, 200),
    )
    return Record(
        id="1",
        call_id="1",
        attempt=0,
        started_at=0.0,
        first_event_at=None,
        ended_at=None,
        provider="anthropic",
        model="claude-opus-5",
        tags=Tags(),
        mode="safe",
        outcome="complete",
        status=200,
        stream=False,
        usage=usage,
        cost=cost,
        measured=measured,
        own_cost=own_cost,
    )


def test_a_run_tags_what_is_inside_and_nothing_after() -> None:
    with scrimp.run("report", user="u_1", task_type="nightly") as run:
        assert current_tags() == Tags(
            run=("report",), run_ids=(run.id,), user="u_1", task_type="nightly", agent=None
        )
    assert current_run() is None
    assert current_tags() == Tags()


def test_inner_runs_form_a_tree_inherit_tags_and_count_in_both() -> None:
    with scrimp.run("outer", user="u_1") as outer:
        with scrimp.run("inner", task_type="search") as inner:
            assert current_tags().run == ("outer", "inner")
            assert current_tags().user == "u_1"
            assert current_tags().task_type == "search"
            inner.book(record())
        outer.book(record(cost=1_000_000_000, own_cost=None))
    assert inner.cost == Decimal("0.005")
    assert inner.saved == Decimal("0.003")
    assert outer.cost == Decimal("0.006")
    assert outer.saved == Decimal("0.003")
    assert (outer.usage.calls, outer.usage.input, outer.usage.output) == (2, 2606, 40)
    assert (inner.usage.plain, inner.usage.write_5m, inner.usage.write_1h, inner.usage.read) == (
        3,
        100,
        200,
        1000,
    )


def test_tasks_inherit_the_run_they_were_made_in() -> None:
    async def work() -> tuple[str, ...]:
        await asyncio.sleep(0)
        return current_tags().run

    async def main() -> list[tuple[str, ...]]:
        async with scrimp.run("a"):
            first = asyncio.create_task(work())
        async with scrimp.run("b"):
            second = asyncio.create_task(work())
        return [await first, await second]

    assert asyncio.run(main()) == [("a",), ("b",)]


def test_threads_join_a_run_by_bind() -> None:
    seen: dict[str, Tags] = {}

    def work(name: str) -> None:
        seen[name] = current_tags()

    with scrimp.run("pool", user="u_2") as run:
        threads = [
            threading.Thread(target=work, args=("unbound",)),
            threading.Thread(target=run.bind(work), args=("bound",)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen["unbound"] == Tags()
    assert seen["bound"].run == ("pool",)
    assert seen["bound"].user == "u_2"


def test_as_a_decorator_each_call_is_a_run_of_its_own() -> None:
    @scrimp.run("job", user="u_3")
    def job() -> Tags:
        return current_tags()

    @scrimp.run("async-job")
    async def async_job() -> Tags:
        await asyncio.sleep(0)
        return current_tags()

    one, two = job(), job()
    assert one.run == two.run == ("job",)
    assert one.run_ids != two.run_ids
    assert asyncio.run(async_job()).run == ("async-job",)


def test_a_failure_inside_ends_the_run_and_goes_on() -> None:
    with pytest.raises(ValueError, match="inside"), scrimp.run("fails"):
        raise ValueError("inside")
    assert current_run() is None


def test_booking_is_exact_from_many_threads() -> None:
    with scrimp.run("busy") as run:
        threads = [
            threading.Thread(target=lambda: [run.book(record()) for _ in range(200)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert run.cost == Decimal("8.000")
    assert run.usage.calls == 1600


def test_the_receipt_says_what_was_spent_and_what_is_estimated() -> None:
    with scrimp.run("report") as run:
        run.book(record())
        run.book(record(measured=False))
    text = run.receipt()
    assert text.splitlines()[0] == "report: 2 calls, $0.01"
    assert "saved $0.006" in text
    assert "(estimated)" in text
    assert "1 of the calls had no whole answer" in text


def test_the_receipt_of_one_call_that_wrote_more_than_it_saved_says_so() -> None:
    with scrimp.run("report") as run:
        run.book(msgspec.structs.replace(record(), own_cost=4_000_000_000))
    text = run.receipt()
    assert "report: 1 call, $0.005" in text
    assert "$0.001 more so far than the requests as they were written" in text
