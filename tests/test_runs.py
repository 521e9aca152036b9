"""Runs: tags and live money across nesting, tasks and threads."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest

import scrimp
from scrimp.core.budget import Ask, Held, Refusal, Settlement
from scrimp.core.record import Record, Tags
from scrimp.errors import BudgetExceeded, BudgetUnavailable, InputError
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


def ask(hold: str, amount: int) -> Ask:
    return Ask(hold, amount, at=0.0, lease_until=60.0, scopes=())


def test_a_budget_is_what_calls_of_the_run_may_hold() -> None:
    with scrimp.run("report", budget="0.02") as run:
        assert isinstance(run.reserve(ask("a", 15_000_000_000)), Held)
        assert run.left == Decimal("0.005")
        assert isinstance(run.reserve(ask("b", 5_000_000_001)), Refusal)
        run.settle(Settlement("a", 2_000_000_000))
        assert (run.budget, run.left) == (Decimal("0.02"), Decimal("0.018"))
        assert run.limited
    assert not scrimp.run("free").limited


def test_runs_without_a_budget_of_their_own_pay_from_the_nearest_one() -> None:
    with (
        scrimp.run("outer", budget=1) as outer,
        scrimp.run("middle"),
        scrimp.run("inner") as inner,
    ):
        inner.reserve(ask("a", 250_000_000_000))
        assert inner.left == outer.left == Decimal("0.75")
        inner.release("a")
        assert outer.left == Decimal(1)


def test_an_inner_budget_is_carved_out_and_its_rest_comes_back() -> None:
    with scrimp.run("outer", budget="2.00") as outer:
        with scrimp.run("inner", budget=Decimal("1.50")) as inner:
            assert (outer.left, inner.left) == (Decimal("0.50"), Decimal("1.50"))
            inner.reserve(ask("a", 10**12))
            inner.settle(Settlement("a", 10**11))
            with (
                pytest.raises(BudgetExceeded, match=r"run:outer/inner") as refused,
                scrimp.run("x", budget="1.41"),
            ):
                pytest.fail("the run around it has $1.40 left")
            assert refused.value.refusal.asked == 1_410_000_000_000
        assert outer.left == Decimal("1.90")


def test_a_budget_that_is_no_amount_says_how_to_write_one() -> None:
    for wrong in ("two", "-1", "1e", "nan", ""):
        with pytest.raises(InputError, match=r"budget: .*5\.00"):
            scrimp.run("r", budget=wrong)
    with pytest.raises(InputError, match=r'say "0\.1", as a string'):
        scrimp.run("r", budget=0.1)  # type: ignore[arg-type]  # a float is what people try
    with pytest.raises(InputError, match="max_context: 0"):
        scrimp.run("r", max_context=0)
    with pytest.raises(TypeError, match="colour"):
        scrimp.run("r", colour="red")  # type: ignore[call-arg]  # no such tag


def test_the_tightest_context_of_all_runs_around_a_call_holds() -> None:
    with scrimp.run("outer", max_context=1000), scrimp.run("inner", max_context=5000) as inner:
        assert inner.max_context == 1000


def test_the_receipt_says_what_is_left_and_how_full_the_window_was() -> None:
    with scrimp.run("report", budget="0.02") as run:
        run.reserve(ask("a", 6_000_000_000))
        run.settle(Settlement("a", 5_000_000_000))
        run.book(record())
    assert run.context == 1303
    assert "budget $0.02, $0.015 left" in run.receipt()
    assert "longest prompt 1,303 tokens, 0% of the model's window" in run.receipt()


def test_every_call_of_a_decorated_function_has_the_budget_anew() -> None:
    left = []

    @scrimp.run("step", budget="0.01")
    def step() -> None:
        run = current_run()
        assert run is not None
        run.reserve(ask("a", 4_000_000_000))
        left.append(run.left)

    step()
    step()
    assert left == [Decimal("0.006"), Decimal("0.006")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this system")
def test_a_forked_process_has_no_copy_of_the_money() -> None:
    with scrimp.run("report", budget="1.00") as run:
        child = os.fork()
        if not child:
            code = 1
            with suppress(BudgetUnavailable):
                run.reserve(ask("a", 1))
                code = 2
            os._exit(code - 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert isinstance(run.reserve(ask("a", 10**12)), Held)
