"""Budgets in the SDK: what could go beyond one is not sent, however many call at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.budget import Ask, Held, Limit, Refusal, Scope
from scrimp.core.causes import Diagnosis
from scrimp.core.record import Record, Tags
from scrimp.emulator import Emulator, Fault, Scripted
from scrimp.errors import BudgetUnavailable, ContextExceeded, ScrimpWarning
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.memory_budgets import MemoryBudgets
from scrimp.stores.promise import Promise
from tests.patience import PATIENCE

DOLLAR = 10**12
ANSWER = "An answer of some length, so that it streams in several pieces. " * 5


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Scripted([ANSWER])) as running:
        yield running


def request(text: str = "Hello.", **more: Any) -> dict[str, Any]:
    return {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def client(emulator: Emulator, ledger: MemoryLedger, **options: Any) -> anthropic.Anthropic:
    middleware = scrimp.Middleware(ledger=ledger, **options)
    return anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware], max_retries=3)


def aclient(emulator: Emulator, ledger: MemoryLedger, **options: Any) -> anthropic.AsyncAnthropic:
    middleware = scrimp.Middleware(ledger=ledger, **options)
    return anthropic.AsyncAnthropic(
        base_url=emulator.url, api_key="k", middleware=[middleware], max_retries=3
    )


def billed(emulator: Emulator) -> int:
    return sum(entry.cost for entry in emulator.bill)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_could_go_beyond_its_run_is_not_sent_nor_retried(
    emulator: Emulator, *, stream: bool
) -> None:
    # Haiku 4.5: 100 tokens of output at 5 USD per million are 0.0005 at most, and the input is about as much.
    with (
        client(emulator, MemoryLedger()) as sdk,
        scrimp.run("job", budget="0.0004"),
        pytest.raises(scrimp.BudgetExceeded, match=r"run:job .*\$0\.0004") as refused,
    ):
        sdk.messages.create(**request(), stream=stream)
    assert isinstance(refused.value.refusal, Refusal)
    assert refused.value.refusal.asked > 500_000_000
    assert not emulator.requests


def test_a_run_within_its_budget_settles_to_the_bill(emulator: Emulator) -> None:
    with client(emulator, MemoryLedger()) as sdk, scrimp.run("job", budget="0.01") as run:
        sdk.messages.create(**request())
        with sdk.messages.stream(**request()) as stream:
            stream.until_done()
    assert run.cost == Decimal(billed(emulator)) / DOLLAR
    assert run.left == Decimal("0.01") - run.cost


def test_many_calls_at_once_never_spend_more_than_the_budget(emulator: Emulator) -> None:
    budget = Decimal("0.016")

    async def calls() -> list[Any]:
        async with aclient(emulator, MemoryLedger()) as sdk, scrimp.run("burst", budget=budget):
            together = (sdk.messages.create(**request(f"call {n}")) for n in range(40))
            return await asyncio.gather(*together, return_exceptions=True)

    answers = asyncio.run(calls())
    refused = [answer for answer in answers if isinstance(answer, scrimp.BudgetExceeded)]
    assert 0 < len(refused) < 40
    assert len(emulator.bill) == 40 - len(refused)
    assert billed(emulator) <= budget * DOLLAR


def test_a_failed_attempt_gives_its_hold_back_before_the_next_one(emulator: Emulator) -> None:
    ledger = MemoryLedger()  # room for one hold of this request, not for two
    ledger.budgets.put(Limit(scope=Scope("organisation"), amount=DOLLAR * 3 // 1000))
    emulator.inject(Fault("overloaded", times=2))
    with client(emulator, ledger) as sdk:
        assert sdk.messages.create(**request()).content
    (standing,) = ledger.budgets.standings(0.0)
    assert standing.held == 0
    assert standing.spent == emulator.bill[-1].cost


def test_limits_of_the_ledger_count_every_call_of_their_scope(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    ledger.budgets.put(Limit(scope=Scope("user", "u_1"), amount=DOLLAR * 6 // 1000))
    with client(emulator, ledger) as sdk:
        for _ in range(2):
            with scrimp.run("other", user="u_2"):
                sdk.messages.create(**request())
        others = billed(emulator)
        with scrimp.run("one", user="u_1"):
            refusals = [refused(sdk) for _ in range(20)]
    assert 0 < sum(refusals) < 20
    assert 0 < billed(emulator) - others <= DOLLAR * 6 // 1000


def refused(sdk: anthropic.Anthropic) -> bool:
    try:
        sdk.messages.create(**request())
    except scrimp.BudgetExceeded as error:
        assert "user:u_1" in str(error)  # noqa: PT017 - it is counted as well
        return True
    return False


def test_a_cancelled_call_keeps_its_hold() -> None:
    async def cancelled(emulator: Emulator, ledger: MemoryLedger) -> None:
        async with aclient(emulator, ledger) as sdk:
            task = asyncio.create_task(sdk.messages.create(**request()))
            while not emulator.requests:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    ledger = MemoryLedger()
    ledger.budgets.put(Limit(scope=Scope("organisation"), amount=DOLLAR))
    with Emulator(Scripted([ANSWER])) as emulator:
        emulator.inject(Fault("slow_start", seconds=PATIENCE))
        asyncio.run(cancelled(emulator, ledger))
    ledger.flush()
    (record,) = ledger.records()
    (standing,) = ledger.budgets.standings(record.started_at)
    assert record.outcome == "unknown"
    assert standing.spent + standing.held > record.cost


class LateBudgets(MemoryBudgets):
    """Says later what it has decided."""

    def __init__(self, records: dict[str, Record], lock: threading.Lock) -> None:
        super().__init__(records, lock)
        self.asked: list[tuple[Promise[Held | Refusal], Promise[Held | Refusal]]] = []

    def reserve(self, ask: Ask) -> Promise[Held | Refusal]:
        late: Promise[Held | Refusal] = Promise()
        self.asked.append((late, super().reserve(ask)))
        return late

    def say(self) -> None:
        for late, decided in self.asked:
            late.keep(decided.result())


class LateLedger(MemoryLedger):
    def __init__(self) -> None:
        super().__init__()
        self._late = LateBudgets(self._records, self._lock)

    @property
    def budgets(self) -> LateBudgets:
        return self._late


@pytest.mark.parametrize(("amount", "heard"), [(DOLLAR, ["crossed"]), (1, ["refused"])])
def test_what_is_decided_after_a_call_was_cancelled_is_heard_and_holds_nothing(
    emulator: Emulator, amount: int, heard: list[str]
) -> None:
    class Told(Heard):
        def crossed(self, crossing: object) -> None:
            told.append("crossed")

        def refused(self, refusal: Refusal, tags: Tags) -> None:
            told.append("refused")

    async def cancelled() -> None:
        async with aclient(emulator, ledger, listeners=[Told()]) as sdk:
            task = asyncio.create_task(sdk.messages.create(**request()))
            while not ledger.budgets.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    told: list[str] = []
    ledger = LateLedger()
    scope = Scope("organisation")
    ledger.budgets.put(Limit(scope=scope, amount=amount, alert_at=(50,)))
    # A hold of long ago whose lease ran out counts as spent once the next one is asked for.
    MemoryBudgets.reserve(ledger.budgets, Ask("long ago", DOLLAR // 2, 1.0, 2.0, (scope,)))
    with scrimp.run("job", budget="0.01") as run:
        asyncio.run(cancelled())
        assert not told
        ledger.budgets.say()
        assert told == heard
        assert run.left == Decimal("0.01")
    assert not emulator.requests
    (standing,) = ledger.budgets.standings(1.8e9)
    assert standing.held == 0


def test_a_prompt_beyond_the_context_of_its_run_is_not_sent(emulator: Emulator) -> None:
    with client(emulator, MemoryLedger()) as sdk, scrimp.run("job", max_context=500) as run:
        sdk.messages.create(**request())
        with pytest.raises(ContextExceeded, match="its run allows 500"):
            sdk.messages.create(**request("word " * 2000))
    assert len(emulator.bill) == 1
    assert 0 < run.context < 500


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.refusals: list[tuple[Refusal, Tags]] = []

    def recorded(self, record: Record) -> None:
        self.records.append(record)

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        assert not diagnosis.alarming

    def crossed(self, crossing: object) -> None:
        raise RuntimeError("a listener that fails")

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        self.refusals.append((refusal, tags))


def test_listeners_hear_of_calls_and_refusals(emulator: Emulator) -> None:
    heard = Heard()
    with client(emulator, MemoryLedger(), listeners=[heard]) as sdk, scrimp.run("job", user="u_1"):
        sdk.messages.create(**request())
        with scrimp.run("tight", budget="0.0001"), pytest.raises(scrimp.BudgetExceeded):
            sdk.messages.create(**request())
    (record,) = heard.records
    assert (record.cost, record.tags.user) == (billed(emulator), "u_1")
    ((refusal, tags),) = heard.refusals
    assert (refusal.scope.name, tags.run) == ("job/tight", ("job", "tight"))


def test_without_any_home_calls_go_out_with_a_warning(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", "/proc/none/scrimp")
    with anthropic.Anthropic(
        base_url=emulator.url, api_key="k", middleware=[scrimp.Middleware(learned=False)]
    ) as sdk:
        with pytest.warns(ScrimpWarning, match="SCRIMP_HOME at one that can be written"):
            assert sdk.messages.create(**request()).content
        with scrimp.run("job", budget="0.0001"), pytest.raises(scrimp.BudgetExceeded):
            sdk.messages.create(**request())  # the budget of a run needs no home


def test_a_batch_is_not_sent_past_a_limit(emulator: Emulator) -> None:
    batch = [{"custom_id": "a", "params": request()}]
    with client(emulator, MemoryLedger()) as sdk:
        with (
            scrimp.run("job", budget="1.00"),
            pytest.raises(BudgetUnavailable, match="send it through the gateway"),
        ):
            sdk.messages.batches.create(requests=batch)  # type: ignore[arg-type]  # plain dicts
        assert not emulator.requests
        with pytest.raises(
            anthropic.NotFoundError
        ):  # without a limit it goes out: the emulator has no batches
            sdk.messages.batches.create(requests=batch)  # type: ignore[arg-type]  # plain dicts


def test_a_hold_given_back_while_no_limit_is_set_does_not_come_back_with_one(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    limit = Limit(scope=Scope("organisation"), amount=DOLLAR)
    ledger.budgets.put(limit)
    emulator.inject(Fault("server_error", times=1))

    middleware = scrimp.Middleware(ledger=ledger)

    class Lifted(anthropic.Middleware):
        def handle(self, request: Any, call_next: Any) -> Any:
            ledger.budgets.remove(limit.id)
            return call_next(request)

    with (
        anthropic.Anthropic(
            base_url=emulator.url, api_key="k", middleware=[middleware, Lifted()], max_retries=0
        ) as sdk,
        pytest.raises(anthropic.InternalServerError),
    ):
        sdk.messages.create(**request())
    ledger.budgets.put(limit)
    (standing,) = ledger.budgets.standings(0.0)
    assert standing.held == standing.spent == 0
