"""The bundled runs driven for real: the official SDK, over HTTP, against the emulator on localhost.

Only here does the demo need the SDK and the emulator, which take a second to import.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import anthropic
import click
import msgspec
from anthropic.types import Message

from scrimp.cli.demo_bills import DemoRun, tokens_of, total
from scrimp.cli.exit_codes import ExitCode
from scrimp.core import money
from scrimp.core.summary import Money
from scrimp.emulator import Billed, Clock, Emulator, Replayed
from scrimp.errors import CacheMissWarning, ScrimpError, ScrimpWarning
from scrimp.facts.models import Facts
from scrimp.middleware import Middleware
from scrimp.stores.memory import MemoryLedger
from scrimp.traces.corpus import Corpus
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.recorded_calls import unusable
from scrimp.traces.sizes import Sizes

__all__ = ["PASSES", "Difference", "OverHttp", "drive_runs", "moment"]

PASSES = {"recorded": "as recorded", "scrimp": "with scrimp.Middleware"}
"""Policy of the replay → how the same calls are sent over HTTP."""

_NEWEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
"""Every dated price and rule has begun by then: what the replay takes where no day was recorded."""


class Difference(msgspec.Struct, frozen=True):
    """A run whose bill over HTTP is not that of the replay under `policy`."""

    run: DemoRun
    policy: str
    served: Money

    def __str__(self) -> str:
        replayed = self.run.bills[self.policy]
        return (
            f"{self.run.agent} {self.run.task}, {PASSES[self.policy]}: "
            f"{_shown(self.served)} over HTTP, {_shown(replayed)} in the replay"
        )


class OverHttp(msgspec.Struct, frozen=True):
    """Every run over HTTP: `calls` of each pass, what all runs were billed, and what differs from the replay.

    `bills` and `replayed` are by policy; `warnings` has one line for each kind of fault of the middleware.
    """

    calls: int
    bills: dict[str, Money]
    replayed: dict[str, Money]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every run was billed as in the replay: the same tokens of each kind, the same money."""
        return not self.differences

    @property
    def sentence(self) -> str:
        """What came out, in words."""
        if self.same:
            return (
                f"All {self.calls:,} calls, sent by the official SDK over HTTP to an emulator on localhost "
                "(no network), once as recorded, once with scrimp.Middleware: every run costs what One route "
                "and scrimp say, to the picodollar. Replay and emulator share one cache model; calibration "
                "is what tests it."
            )
        sums = ", ".join(
            f"{how} {_usd(self.bills[policy])} against {_usd(self.replayed[policy])}"
            for policy, how in PASSES.items()
        )
        runs = len({difference.run.run for difference in self.differences})
        return (
            f"NOT the same over HTTP: of {self.calls:,} calls sent by the official SDK to an emulator on "
            f"localhost, those of {runs:,} runs were billed otherwise than in the replay. In all: {sums}."
        )

    def json(self) -> dict[str, Any]:
        """The documented JSON."""
        return {
            "calls": self.calls,
            "as_recorded_usd": money.dollars(self.bills["recorded"].total),
            "scrimp_usd": money.dollars(self.bills["scrimp"].total),
            "same_as_replay": self.same,
        }

    def tell(self) -> ExitCode:
        """The status of the command; what differs goes to stderr, run by run, and what scrimp warned of."""
        for warning in self.warnings:
            click.echo(warning, err=True)
        for difference in self.differences:
            click.echo(f"scrimp: error: not the bill of the replay: {difference}", err=True)
        return ExitCode.OK if self.same else ExitCode.BROKEN_PROMISE


def moment(exchange: Exchange) -> float:
    """The clock for a call: its own time, or its second on a day that has the newest prices and rules."""
    return exchange.at if exchange.timed else _NEWEST + exchange.at


def drive_runs(
    corpus: Corpus,
    runs: Sequence[DemoRun],
    *,
    facts: Facts,
    sizes: Sizes,
    advance: Callable[[int], None] = lambda _: None,
    clock: Callable[[Exchange], float] = moment,
) -> OverHttp:
    """Send every call of `corpus` as recorded and once more with the middleware; `runs` are its replay.

    One source, one pass: an API, a client and a workspace of their own, as in the replay. `clock` is the time
    (epoch seconds) at which a call is made; `advance(1)` comes after each. Raises `ScrimpError` when a call
    is not answered, OSError when there is no port to be had.
    """
    bills: dict[str, dict[str, Money]] = {policy: defaultdict(Money) for policy in PASSES}
    calls = 0
    with _overheard() as heard:
        for exchanges in corpus.sources.values():
            ordered = list(in_time_order(call for call in exchanges if unusable(call) is None))
            timed = [(clock(call), call) for call in ordered]
            recorded = Replayed(ordered, facts=facts, sizer=sizes)
            for policy in PASSES:
                emulator = Emulator(recorded.from_the_start(), facts=facts)
                billed = _pass(emulator, policy, timed, facts, advance)
                _book(bills[policy], ordered, billed)
            calls += len(ordered)
    return OverHttp(
        calls=calls,
        bills={policy: _sum(own.values()) for policy, own in bills.items()},
        replayed={policy: total(runs)[policy] for policy in PASSES},
        differences=tuple(
            Difference(run, policy, own[run.run])
            for policy, own in bills.items()
            for run in runs
            if own[run.run] != run.bills[policy]
        ),
        warnings=tuple(dict.fromkeys(heard)),
    )


def _pass(
    emulator: Emulator,
    policy: str,
    calls: Iterable[tuple[float, Exchange]],
    facts: Facts,
    advance: Callable[[int], None],
) -> Sequence[Billed]:
    """What the emulator bills for all of these calls."""
    middleware = Middleware(ledger=MemoryLedger(), facts=facts, clock=emulator.clock.now)
    with _serving(emulator), _client(emulator, [middleware] * (policy == "scrimp")) as client:
        _send(client, emulator.clock, calls, advance)
    return emulator.bill


def _book(bills: dict[str, Money], calls: Iterable[Exchange], billed: Iterable[Billed]) -> None:
    """Add what each call was billed to the bill of its run."""
    for call, one in zip(calls, billed, strict=True):
        bills[call.run].include(_money(one))


def _send(
    client: anthropic.Anthropic,
    clock: Clock,
    calls: Iterable[tuple[float, Exchange]],
    advance: Callable[[int], None],
) -> None:
    """Send calls at their times, one after the other, each body as it was recorded."""
    for at, call in calls:
        clock.set(at)
        try:
            # Not `messages.create`: today's SDK no longer names some of the recorded parameters.
            client.post("/v1/messages", body=dict(call.body), cast_to=Message)
        except anthropic.APIError as error:
            raise ScrimpError(f"{call.run}, call {call.seq}, was not answered over HTTP: {error}") from error
        advance(1)


@contextmanager
def _serving(emulator: Emulator) -> Iterator[None]:
    try:
        emulator.start()
    except OSError as error:
        raise OSError(f"no port on localhost: {error.strerror or error}; --quick does without") from error
    try:
        yield
    finally:
        emulator.stop()


def _client(emulator: Emulator, middleware: Sequence[Middleware]) -> anthropic.Anthropic:
    """A client for the emulator that no setting of the environment sends elsewhere: no proxy, no real key."""
    return anthropic.Anthropic(
        base_url=emulator.url,
        api_key="demo",
        max_retries=0,
        middleware=middleware,
        http_client=anthropic.DefaultHttpxClient(mounts={emulator.url: None}),
    )


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Keep Python's warnings off the terminal; yields a list that holds those of scrimp in the end."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ScrimpWarning)
        warnings.simplefilter("ignore", CacheMissWarning)  # what the recorded agents did is no news here
        yield told
    told.extend(str(warning.message) for warning in caught)


def _money(billed: Billed) -> Money:
    output = billed.bill.amount("output")
    return Money(billed.cost - output, output, tokens=tokens_of(billed.usage))


def _sum(bills: Iterable[Money]) -> Money:
    whole = Money()
    for bill in bills:
        whole.include(bill)
    return whole


def _shown(bill: Money) -> str:
    return f"{_usd(bill)} ({bill.tokens['read']:,} tokens read)"


def _usd(bill: Money) -> str:
    return f"${money.dollars(bill.total):f}"
