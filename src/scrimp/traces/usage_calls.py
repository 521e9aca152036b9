"""Answers of a session as calls that can be kept and priced: counts of tokens under where they belong."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from scrimp.core.spend import QUARTER, Call, Place
from scrimp.core.spend_pricing import described_by_counts
from scrimp.traces.transcript_lines import EMPTY
from scrimp.traces.usage_lines import Answer, Answers, Counted
from scrimp.wire.response import Usage, read_usage

__all__ = ["MAIN", "SUB_AGENT", "Calls", "quarter_of"]

MAIN, SUB_AGENT = "main", "sub-agent"

_QUARTERS = {f"{minute:02}": minute // 15 for minute in range(60)}


class _Sampling(msgspec.Struct, gc=False):
    type: str = ""
    model: str | None = None


class _Fees(msgspec.Struct, gc=False):
    web_search_requests: int | None = None
    code_execution_requests: int | None = None


_samplings = msgspec.json.Decoder(list[_Sampling] | None)
_fees = msgspec.json.Decoder(_Fees | None)


class Calls:
    """The calls of one recording by id, and the places they belong to."""

    def __init__(self, places: list[Place], calls: list[Call]) -> None:
        """Begin with what was read before."""
        self.places = {place: number for number, place in enumerate(places)}
        self.calls = {call.id: call for call in calls}

    def add(self, name: str, place: Place, usage: Usage) -> None:
        """Add a call; of two with one id the fuller usage counts, where the first belongs."""
        self._put(_call(name, self.places.setdefault(place, len(self.places)), usage))

    def add_answers(self, answers: Answers, *, project: str, session: str) -> None:
        """Add the answers of one session. Raises ResponseError for a usage that is none."""
        known: dict[tuple[object, ...], int] = {}
        for name, answer in answers.items():
            usage, at = answer.usage, answer.at
            # Calls of one quarter of an hour are told apart by their text: most times are never worked out.
            when = (at[:13], _QUARTERS.get(at[14:16])) if at is not None and at[-1:] == "Z" else at
            terms = (usage.service_tier, usage.speed, usage.inference_geo)
            key = (when, answer.model, answer.sub_agent, terms)
            place = known.get(key)
            if place is None:
                place = known[key] = self._place(answer, terms, project, session)
            call = _usual_call(name, place, usage) or _call(name, place, _whole(usage))
            if name in self.calls:
                self._put(call)
            else:
                self.calls[name] = call

    def _place(self, answer: Answer, terms: tuple[str | None, ...], project: str, session: str) -> int:
        agent = SUB_AGENT if answer.sub_agent else MAIN
        place = Place(quarter_of(answer.at), answer.model, project, session, agent, "transcript", *terms)
        return self.places.setdefault(place, len(self.places))

    def _put(self, call: Call) -> None:
        before = self.calls.get(call.id)
        if before is None:
            self.calls[call.id] = call
        elif _fullness(call) >= _fullness(before):
            self.calls[call.id] = msgspec.structs.replace(call, place=before.place)


def _usual_call(name: str, place: int, usage: Counted) -> Call | None:
    """A call that its counts describe, told without reading its usage again; None where that takes more."""
    split = usage.cache_creation
    write_5m = write_1h = 0
    if split is not None:
        write_5m, write_1h = split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens
    if write_5m + write_1h != usage.cache_creation_input_tokens or usage.service_tier == "priority":
        return None
    # Nothing stated is the one empty value: most usages say nothing more.
    if usage.fallback_credit is not EMPTY or not (
        (usage.server_tool_use is EMPTY or _without_fees(bytes(usage.server_tool_use)))
        and (usage.iterations is EMPTY or _one_sampling(bytes(usage.iterations)))
    ):
        return None
    read, output = usage.cache_read_input_tokens, usage.output_tokens
    return Call(name, place, usage.input_tokens, write_5m, write_1h, read, output)


def _call(name: str, place: int, usage: Usage) -> Call:
    counts = (usage.input_tokens, usage.write_5m, usage.write_1h)
    whole = None if described_by_counts(usage) else msgspec.json.encode(usage)
    return Call(name, place, *counts, usage.cache_read_input_tokens, usage.output_tokens, whole)


def _whole(usage: Counted) -> Usage:
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(usage))
    return read_usage(fields)


def _fullness(call: Call) -> tuple[int, int]:
    return call.input + call.write_5m + call.write_1h + call.read, call.output


@lru_cache(256)
def _without_fees(tools: bytes) -> bool:
    """Whether the provider's own tools cost nothing beside tokens; nearly always the same few bytes."""
    fees = _fees.decode(tools)
    return fees is None or not (fees.web_search_requests or fees.code_execution_requests)


def _one_sampling(iterations: bytes) -> bool:
    """Whether the counts are those of a single answer of the call's own model; none listed is that too."""
    listed = _samplings.decode(iterations)
    return not listed or (len(listed) == 1 and listed[0].type == "message" and listed[0].model is None)


def quarter_of(timestamp: str | None) -> int | None:
    """The quarter of an hour of an ISO 8601 time, UTC unless it says; None where there is none to be read."""
    try:
        at = datetime.fromisoformat(timestamp or "")
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() // QUARTER)
