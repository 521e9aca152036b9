"""Levers in the gateway: what they change goes out as new bytes, and threads, which hide it, are refused."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from scrimp.emulator import Clock, Emulator
from scrimp.gateway.lever_settings import RelocateSettings
from scrimp.gateway.loop_settings import LoopSettings
from tests.gateway.doors import Door, ask, door, encoded

MODEL = "claude-opus-4-8"
RULES = "".join(f"Rule {n}: keep to what the manual says about case {n}.\n" for n in range(300))
RELOCATING = {"relocate": RelocateSettings(enabled=True)}
THREADS = "message-threads-2026-08-12"

pytestmark = pytest.mark.filterwarnings(r"ignore:scrimp. .* from the cache:scrimp.errors.ScrimpWarning")


def system(number: int) -> str:
    return f"You are an agent.\nThe time is 12:{number:02d}:07.\n{RULES}Serve everybody.\n"


def talk(gate: Door, conversations: int = 6) -> None:
    with gate.sdk() as sdk:
        for number in range(conversations):
            sdk.messages.create(
                model=MODEL,
                max_tokens=50,
                system=system(number),
                messages=[{"role": "user", "content": f"question {number}"}],
                extra_headers={"x-scrimp-agent": "support", "x-scrimp-user": "u"},
            )
            gate.emulator.clock.advance(5)


def open_door(**options: Any) -> Any:
    return door(Emulator(clock=Clock()), **options)


@pytest.mark.parametrize(("mode", "moves"), [("save", True), ("safe", False), ("observe", False)])
def test_a_lever_acts_in_the_mode_it_needs(mode: str, moves: bool) -> None:
    with open_door(serve={"mode": mode}, tables=RELOCATING) as gate:
        talk(gate)
        sent = [one.body for one in gate.emulator.requests]
        records = gate.records(len(sent))
    moved = [body for body in sent if isinstance(body["system"], list) and len(body["system"]) > 1]
    assert bool(moved) == moves
    assert any(note.startswith("relocate: ") for record in records for note in record.notes) == moves


def test_what_is_not_changed_keeps_every_byte() -> None:
    with open_door(serve={"mode": "save"}, tables=RELOCATING) as gate:
        body = b'{ "model":"claude-opus-4-8","max_tokens":9,"messages":[{"content":"\\u00e9","role":"user"}]}'
        assert gate.raw("POST", "/v1/messages", body).status == 200
        assert gate.emulator.requests[0].raw == body


@pytest.mark.filterwarnings("ignore:scrimp. an agent seems to go round:scrimp.errors.ScrimpWarning")
def test_a_lever_that_only_has_words_for_the_ledger_leaves_every_byte() -> None:
    turn = (
        b'{"role":"assistant","content":'
        b'[{"type":"tool_use","id":"toolu_%d","name":"read","input":{"n": 1e2}}]}, '
        b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":"no"}]}'
    )
    turns = b",".join(turn % (number, number) for number in range(6))
    body = (
        b'{ "model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"go"},%b],'
        b'"tools":[{"name":"read","input_schema":{"type":"object"}}]}' % turns
    )
    with open_door(tables={"loop": LoopSettings(enabled=True, on_loop="warn")}) as gate:
        assert gate.raw("POST", "/v1/messages", body).status == 200
        assert gate.emulator.requests[0].raw == body
        (record,) = gate.records(1)
    assert any(note.startswith("loop: ") for note in record.notes)


def test_a_thread_is_refused_where_histories_are_changed() -> None:
    with open_door(serve={"mode": "save"}, tables=RELOCATING) as gate:
        asked = encoded(ask(thread={"type": "create"}))
        refused = gate.raw("POST", "/v1/messages", asked, anthropic_beta=THREADS)
        assert refused.status == 400
        details = refused.error["details"]
        assert details == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        assert not gate.emulator.requests
        with gate.sdk(max_retries=0) as sdk, pytest.raises(anthropic.BadRequestError, match="send the whole"):
            sdk.messages.create(**ask(), extra_body={"thread": {"type": "create"}})


def test_a_thread_goes_through_where_nothing_is_changed() -> None:
    with open_door(tables=RELOCATING) as gate:
        asked = encoded(ask(thread={"type": "create"}))
        assert gate.raw("POST", "/v1/messages", asked, anthropic_beta=THREADS).status == 200
