"""Levers through the real SDK: what goes out, what they hear of it, and what becomes of their failures."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.money import dollars
from scrimp.core.plan import Decision, Mode
from scrimp.emulator import Clock, Emulator, Scripted
from scrimp.errors import ContextExceeded, InputError, ScrimpWarning
from scrimp.middleware.betas import betas_of
from scrimp.stores.learned import LearnedStore
from scrimp.stores.memory import MemoryLedger
from tests.patience import PATIENCE, eventually

MODEL = "claude-opus-4-8"
NOON = 1_795_000_000.0
ASKED = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}


class Writing:
    """A lever that changes what it is told to, and keeps what it hears."""

    name = "writing"

    def __init__(self, make: Callable[[Step], Change | None], mode: Mode = "save") -> None:
        self.mode: Mode = mode
        self.make = make
        self.steps: list[Step] = []
        self.heard: list[Answered] = []
        self.refusals = 0

    def change(self, step: Step) -> Change | None:
        self.steps.append(step)
        return self.make(step)

    def answered(self, step: Step, answered: Answered) -> None:
        assert step in self.steps
        self.heard.append(answered)

    def refused(self, step: Step) -> None:
        assert step in self.steps
        self.refusals += 1


def shorter(step: Step) -> Change:
    decision = Decision("writing", "save", "50 tokens are enough", "they are", 0)
    return Change({**step.body, "max_tokens": 50}, ("some-beta-2026-01-01",), (decision,), own_extra=7)


@pytest.fixture
def emulator() -> Any:
    with Emulator(Scripted(["hello yourself"]), clock=Clock(NOON)) as running:
        yield running


def middleware_of(emulator: Emulator, *levers: Any, **options: Any) -> tuple[scrimp.Middleware, MemoryLedger]:
    ledger = MemoryLedger()
    return scrimp.Middleware(ledger=ledger, clock=emulator.clock.now, levers=levers, **options), ledger


def call(emulator: Emulator, middleware: scrimp.Middleware, *, times: int = 1, **asked: Any) -> Any:
    asked = {**ASKED, "betas": ["files-api-2025-04-14"], **asked}
    with anthropic.Anthropic(
        base_url=emulator.url, api_key="k", max_retries=0, middleware=[middleware]
    ) as sdk:
        return [sdk.beta.messages.create(**asked) for _ in range(times)]


def call_async(emulator: Emulator, middleware: scrimp.Middleware, *, times: int = 1, **asked: Any) -> Any:
    asked = {**ASKED, "betas": ["files-api-2025-04-14"], **asked}

    async def calls() -> Any:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="k", max_retries=0, middleware=[middleware]
        ) as sdk:
            return [await sdk.beta.messages.create(**asked) for _ in range(times)]

    return asyncio.run(calls())


@pytest.mark.parametrize("calls", [call, call_async])
def test_what_a_lever_makes_goes_out_and_is_written_down(emulator: Emulator, calls: Any) -> None:
    lever = Writing(shorter)
    middleware, ledger = middleware_of(emulator, lever)
    (answer,) = calls(emulator, middleware)
    (sent,) = emulator.requests
    assert sent.body["max_tokens"] == 50
    assert sent.headers["anthropic-beta"] == "files-api-2025-04-14,some-beta-2026-01-01"
    (record,) = ledger.records()
    assert "writing: 50 tokens are enough" in record.notes
    assert record.own_cost == record.cost + 7
    (heard,) = lever.heard
    assert heard.usage.output_tokens == answer.usage.output_tokens
    assert (heard.stop_reason, heard.complete, lever.refusals) == ("end_turn", True, 0)


@pytest.mark.parametrize("calls", [call, call_async])
def test_what_the_api_refuses_goes_out_as_the_caller_wrote_it(emulator: Emulator, calls: Any) -> None:
    lever = Writing(lambda step: Change({**step.body, "max_tokens": -1}))
    middleware, ledger = middleware_of(emulator, lever)
    with pytest.warns(ScrimpWarning, match="refused the planned request"):
        calls(emulator, middleware, times=2)
    assert [one.body["max_tokens"] for one in emulator.requests] == [-1, 100, -1, 100]
    assert lever.refusals == 2
    assert all(record.fault and not record.notes for record in ledger.records())


def test_a_lever_that_fails_is_passed_over(emulator: Emulator) -> None:
    def broken(step: Step) -> Change:
        raise RuntimeError("secret words of a prompt")

    middleware, _ = middleware_of(emulator, Writing(broken), Writing(shorter))
    with pytest.warns(ScrimpWarning, match="writing changed nothing, because it failed") as caught:
        call(emulator, middleware)
    assert "secret" not in str(caught[0].message)
    assert emulator.requests[0].body["max_tokens"] == 50


@pytest.mark.parametrize("calls", [call, call_async])
def test_what_a_lever_raises_reaches_the_caller_and_nothing_is_sent(emulator: Emulator, calls: Any) -> None:
    lever = Writing(lambda step: Change(step.body, error=ContextExceeded(10, 5, 100)), mode="safe")
    after = Writing(shorter)
    middleware, ledger = middleware_of(emulator, lever, after)
    with pytest.raises(ContextExceeded):
        calls(emulator, middleware)
    assert not emulator.requests
    assert not after.steps
    assert not list(ledger.records())


def test_each_lever_is_shown_what_the_one_before_it_made(emulator: Emulator) -> None:
    second = Writing(lambda step: None)
    middleware, _ = middleware_of(emulator, Writing(shorter), second)
    call(emulator, middleware)
    assert second.steps[0].body["max_tokens"] == 50
    assert second.steps[0].betas == {"files-api-2025-04-14", "some-beta-2026-01-01"}
    assert len(second.heard) == 1


def test_each_clients_own_default_betas_are_kept(emulator: Emulator) -> None:
    middleware, _ = middleware_of(emulator, Writing(shorter))
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as plain:
        for own in (None, "own-2026-01-01", "other-2026-01-01"):
            client = plain.with_options(default_headers={"Anthropic-Beta": own}) if own else plain
            client.messages.create(**ASKED)
    added = "some-beta-2026-01-01"
    sent = [one.headers["anthropic-beta"] for one in emulator.requests]
    assert sent == [added, f"own-2026-01-01,{added}", f"other-2026-01-01,{added}"]


def test_each_asynchronous_clients_own_default_betas_are_kept(emulator: Emulator) -> None:
    middleware, _ = middleware_of(emulator, Writing(shorter))

    class Passing(anthropic.Middleware):
        """Somebody else's middleware in between."""

        async def handle_async(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    async def ask(own: str) -> None:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url,
            api_key="k",
            middleware=[Passing(), middleware, Passing()],
            default_headers={"anthropic-beta": own},
        ) as sdk:
            await sdk.messages.create(**ASKED)

    for own in ("own-2026-01-01", "other-2026-01-01"):
        asyncio.run(ask(own))
    sent = [one.headers["anthropic-beta"] for one in emulator.requests]
    assert sent == ["own-2026-01-01,some-beta-2026-01-01", "other-2026-01-01,some-beta-2026-01-01"]


def test_nothing_is_asked_for_where_the_client_cannot_be_found() -> None:
    assert betas_of(SimpleNamespace(headers={}), print) is None
    assert betas_of(SimpleNamespace(headers={}), lambda request: request) is None
    assert betas_of(SimpleNamespace(headers={"Anthropic-Beta": "a, b"}), print) == ("a", "b")


def test_threads_are_not_shown_to_levers(emulator: Emulator) -> None:
    lever = Writing(shorter)
    middleware, _ = middleware_of(emulator, lever)
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as sdk:
        sdk.messages.create(
            **ASKED,
            extra_body={"thread": {"type": "create"}},
            extra_headers={"anthropic-beta": "message-threads-2026-08-12"},
        )
    assert not lever.steps


@pytest.mark.parametrize("mode", ["safe", "observe"])
def test_a_lever_that_changes_what_is_read_needs_its_mode(emulator: Emulator, mode: Mode) -> None:
    with pytest.raises(InputError, match="writing: changes what the model reads"):
        middleware_of(emulator, Writing(shorter), mode=mode)


class Counting(Writing):
    """A lever that learns how often it was asked."""

    def __init__(self) -> None:
        super().__init__(lambda step: None)
        self.asked = 0

    def change(self, step: Step) -> Change | None:
        return None  # to keep a step is to keep its middleware

    def answered(self, step: Step, answered: Answered) -> None:
        self.asked += 1

    def learned(self) -> dict[str, bytes]:
        return {"agents": b"%d" % self.asked}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        self.asked = int(kept.get("agents", b"0"))


def test_what_a_lever_learns_is_there_for_the_next_process(emulator: Emulator, tmp_path: Path) -> None:
    kept = tmp_path / "learned.sqlite"
    for calls in (2, 3):
        lever = Counting()
        middleware, _ = middleware_of(emulator, lever, learned=kept)
        call(emulator, middleware, times=calls)
        del middleware  # what it learned is saved when it goes
        gc.collect()
        eventually(lambda: LearnedStore(kept).load().levers == {"writing/agents": b"%d" % lever.asked})  # noqa: B023 - at once
    assert lever.asked == 5


def too_much(step: Step) -> Change:
    """Cheap, and nothing that the API takes."""
    return Change({**step.body, "max_tokens": 5, "top_k": -1})


@pytest.mark.parametrize("calls", [call, call_async])
@pytest.mark.filterwarnings("ignore:scrimp. the API refused:scrimp.errors.ScrimpWarning")
def test_the_callers_own_request_is_paid_for_before_it_takes_the_place_of_a_refused_one(
    emulator: Emulator, calls: Any
) -> None:
    ask = functools.partial(calls, emulator, max_tokens=8_000)
    lever = Writing(too_much)
    with scrimp.run("small", budget="0.10") as run, pytest.raises(scrimp.BudgetExceeded):
        ask(middleware_of(emulator, lever)[0])
    assert [one.body["max_tokens"] for one in emulator.requests] == [5]
    assert (run.cost, run.left, lever.refusals) == (0, Decimal("0.10"), 0)
    with scrimp.run("large", budget="0.50") as run:
        ask(middleware_of(emulator, lever)[0])
    assert [one.body["max_tokens"] for one in emulator.requests] == [5, 5, 8_000]
    assert (run.cost, lever.refusals) == (dollars(emulator.total), 1)
    assert run.left == Decimal("0.50") - run.cost


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_while_a_lever_acts_can_call(emulator: Emulator, tmp_path: Path) -> None:
    acts, go_on = threading.Event(), threading.Event()

    def slow(step: Step) -> None:
        acts.set()
        go_on.wait(PATIENCE)

    middleware, _ = middleware_of(emulator, Writing(slow))
    thread = threading.Thread(target=call, args=(emulator, middleware))
    thread.start()
    assert acts.wait(PATIENCE)
    threading.Timer(0.3, go_on.set).start()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            call(emulator, middleware)
            (tmp_path / "called").touch()
        os._exit(0)
    thread.join()
    eventually(lambda: os.waitpid(child, os.WNOHANG)[0] == child)
    assert (tmp_path / "called").exists()


class Broken(Counting):
    """A lever that cannot say what it learned, nor be told."""

    name = "broken"

    def learned(self) -> dict[str, bytes]:
        raise RuntimeError("secret words of a prompt")

    def recall(self, kept: Mapping[str, bytes]) -> None:
        raise RuntimeError("secret words of a prompt")


def test_a_lever_that_cannot_be_kept_costs_the_others_nothing(emulator: Emulator, tmp_path: Path) -> None:
    kept = tmp_path / "learned.sqlite"

    def process() -> None:
        middleware, _ = middleware_of(emulator, Broken(), Counting(), learned=kept)
        call(emulator, middleware)
        del middleware
        gc.collect()

    for calls in (1, 2):
        with pytest.warns(ScrimpWarning, match="what the lever broken learned is lost: RuntimeError"):
            process()
        eventually(lambda: LearnedStore(kept).load().levers == {"writing/agents": b"%d" % calls})  # noqa: B023 - at once


def test_nobody_is_warned_of_what_a_lever_cuts(emulator: Emulator, recwarn: pytest.WarningsRecorder) -> None:
    ledger = MemoryLedger()
    levers = [scrimp.Trim(trigger=6_000, keep=3_000)]
    middleware = scrimp.Middleware(ledger=ledger, clock=emulator.clock.now, levers=levers)
    asked = {**ASKED, "model": "claude-sonnet-4-6"}
    history: list[dict[str, Any]] = []
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as sdk:
        for step in range(12):
            history += [{"role": "user", "content": f"{step} " + "what now? " * 300}]
            sdk.messages.create(**{**asked, "messages": history})
            history += [{"role": "assistant", "content": "This. " * 100}]
            emulator.clock.advance(5)
    assert any(note.startswith("trim: ") for record in ledger.records() for note in record.notes)
    assert not any(record.miss == "history shortened" for record in ledger.records())
    assert not [str(one.message) for one in recwarn.list]


@pytest.mark.parametrize(
    ("levers", "mode", "said"),
    [
        ([scrimp.Carry], None, "Carry without () is no lever"),
        (["carry"], None, "'carry' is no lever"),
        (scrimp.LoopGuard(), None, "expected a list such as"),
        ([scrimp.Carry(), scrimp.Carry()], None, "Carry is there twice"),
        ([], "sav", "say observe, safe or save"),
    ],
)
def test_what_is_no_lever_and_no_mode_is_told_at_once(levers: Any, mode: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        scrimp.Middleware(levers=levers, mode=mode, ledger=MemoryLedger())


def test_a_name_where_a_list_of_names_is_meant_is_told() -> None:
    with pytest.raises(InputError, match="exclude"):
        scrimp.Offload(exclude="read")
    with pytest.raises(InputError, match="exclude_tools"):
        scrimp.Carry(exclude_tools="read")
