"""One strategy plays one population against the emulator's provider, event by event in simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from benchmarks.caching.lengths import TrueLengths
from benchmarks.caching.traffic import Call
from scrimp.core.floor import FloorCall, floor
from scrimp.core.prompt import read_prompt
from scrimp.core.workspace import reading
from scrimp.emulator.asked import Asked
from scrimp.emulator.ids import Ids
from scrimp.emulator.provider import Provider, Serving, day_at
from scrimp.emulator.refusals import Refusal
from scrimp.emulator.replies import Answer, Replies
from scrimp.errors import ScrimpError
from scrimp.facts import default
from scrimp.wire.response import Usage

__all__ = ["Played", "Strategy", "play", "play_floor"]

_HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "interleaved-thinking-2025-05-14"}
_WORKSPACE = "bench"
_FIRST_EVENT, _END, _START = range(3)


class Strategy(Protocol):
    """Decides where the markers of each request are, knowing only what came before."""

    def request(self, call: Call) -> dict[str, Any]:
        """The body that goes out at `call.at`."""

    def began(self, call: Call) -> None:
        """The answer's first event came in, at `call.first_event_at`."""

    def billed(self, call: Call, usage: Usage, message_id: str) -> None:
        """The answer ended, at `call.ended_at`."""


class Played(msgspec.Struct, frozen=True):
    """What one call was billed; money in picodollars. `prompt` is its digest, markers left out."""

    key: str
    label: str
    usage: Usage
    input_cost: int
    total_cost: int
    prompt: bytes


class _Script(Replies):
    """Says what the call at hand says."""

    def __init__(self) -> None:
        self.call: Call | None = None

    def answer(self, asked: Asked, prompt: Any) -> Answer:  # noqa: ARG002  # the protocol's
        if self.call is None:
            raise ScrimpError("no call is being made")
        return Answer(self.call.answer, output_tokens=self.call.output_tokens)


def play(calls: Sequence[Call], strategy: Strategy, lengths: TrueLengths) -> list[Played]:
    """Every call under `strategy`, one workspace for all; raises `ScrimpError` where a request is refused."""
    script = _Script()
    provider = Provider(
        default(), script, measure=lengths, ids=Ids("bench"), route="anthropic", retires=False
    )
    servings: dict[int, Serving] = {}
    events = [(call.at, _START, number) for number, call in enumerate(calls)]
    heapq.heapify(events)
    while events:
        now, event, number = heapq.heappop(events)
        call = calls[number]
        if event == _START:
            script.call = call
            servings[number] = _serve(provider, strategy.request(call), call)
            heapq.heappush(events, (call.first_event_at, _FIRST_EVENT, number))
        elif event == _FIRST_EVENT:
            provider.began(servings[number], now)
            strategy.began(call)
            heapq.heappush(events, (call.ended_at, _END, number))
        else:
            serving = servings.pop(number)
            provider.settle(serving, began_at=call.first_event_at, ended_at=now)
            strategy.billed(call, serving.usage, serving.message["id"])
    return _bills(provider, calls)


def play_floor(calls: Sequence[Call], lengths: TrueLengths) -> list[int]:
    """Each call's share of the least input bill in hindsight, picodollars."""
    return floor([_floor_call(call, lengths) for call in calls])


def _serve(provider: Provider, body: dict[str, Any], call: Call) -> Serving:
    serving = provider.serve(provider.ask(body, _HEADERS, call.at), _WORKSPACE, call.at, call.key)
    if isinstance(serving, Refusal):
        raise ScrimpError(f"call {call.key}: the emulator refused the request: {serving}")
    return serving


def _bills(provider: Provider, calls: Sequence[Call]) -> list[Played]:
    books = {entry.request_id: entry for entry in provider.books}
    found = []
    for call in calls:
        entry = books[call.key]
        spoken = entry.bill.amount("output")
        found.append(Played(call.key, call.label, entry.usage, entry.cost - spoken, entry.cost, entry.prompt))
    return found


def _floor_call(call: Call, lengths: TrueLengths) -> FloorCall:
    facts, day = default(), day_at(call.at)
    model = facts.resolve(call.body["model"])
    prompt = read_prompt(call.body, reading(facts, model, day))
    length = lengths(prompt, call.body, model, call.body["model"])
    rates = model.rates(day, prompt_tokens=length.total)
    return FloorCall(prompt, length.ends, length.total, rates, call.at)
