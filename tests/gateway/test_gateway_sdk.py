"""The official SDK with nothing but a base URL: what it gets, what goes upstream, what is written down."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any

import anthropic
import pytest

from scrimp.asgi.shapes import Receive, Scope, Send
from scrimp.emulator import Emulator, Fault
from scrimp.emulator.server import Server
from scrimp.stores.keys import Key
from tests.gateway.doors import (
    ENDLESS,
    MODEL,
    Answered,
    Door,
    KeyRing,
    ask,
    door,
    encoded,
    raw,
    request_bytes,
    talk,
)
from tests.patience import PATIENCE, eventually

pytestmark = pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")

CLOCKED = re.compile("date|anthropic-ratelimit-.*-(remaining|reset)")


def billed(found: Door) -> list[tuple[str, int]]:
    return sorted((entry.message_id, entry.cost) for entry in found.emulator.bill)


def written(found: Door) -> list[tuple[str | None, int]]:
    return sorted((record.message_id, record.cost) for record in found.records(len(found.emulator.bill)))


def test_every_way_the_sdk_asks_is_answered_and_billed_to_the_picodollar() -> None:
    with door() as found, found.sdk() as sdk:
        assert sdk.messages.create(**ask()).content
        assert sdk.beta.messages.create(**ask("And now?")).content
        with sdk.messages.stream(**ask()) as stream:
            message = stream.get_final_message()
            assert message.usage.cache_read_input_tokens > 0
        events = [event.type for event in sdk.messages.create(**ask(), stream=True)]
        assert (events[0], events[-1]) == ("message_start", "message_stop")
        counted = sdk.messages.count_tokens(model=MODEL, messages=ask()["messages"])
        assert counted.input_tokens > 0
        assert sdk.models.list().data
        assert sdk.models.retrieve(MODEL).id == MODEL
        assert len(found.emulator.bill) == 4
        assert written(found) == billed(found)
        assert all(record.measured for record in found.records())
        assert {record.stream for record in found.records()} == {True, False}


def test_many_async_calls_at_once_with_faults_are_all_in_the_ledger_once() -> None:
    faults = [
        Fault("rate_limit", times=None, every=11, seconds=0.01),
        Fault("overloaded", times=None, every=13),
        Fault("server_error", times=None, every=17),
        Fault("slow_events", times=20, every=7, seconds=0.001),
    ]

    async def one(sdk: anthropic.AsyncAnthropic, number: int) -> None:
        if number % 2:
            async with sdk.messages.stream(**ask(f"turn {number % 5}")) as stream:
                await stream.get_final_message()
        else:
            await sdk.messages.create(**ask(f"turn {number % 5}"))

    async def many(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="sk-test", max_retries=8) as sdk:
            await asyncio.gather(*(one(sdk, number) for number in range(80)))

    with door(Emulator(faults=faults)) as found:
        asyncio.run(many(found.url))
        assert len(found.emulator.bill) == 80
        assert written(found) == billed(found)


def test_streams_and_bodies_that_are_not_changed_pass_byte_for_byte() -> None:
    whole, streamed = encoded(ask()), encoded(ask(stream=True))
    with Emulator(seed="same") as alone, door(Emulator(seed="same"), serve={"mode": "observe"}) as found:
        port = int(alone.url.rsplit(":", 1)[1])
        for body in (whole, streamed, b'{"model": "claude-haiku-4-5", "max_tokens": 9}', b'{"messages": 1}'):
            straight = raw(port, "POST", "/v1/messages?beta=true", body)
            through = found.raw("POST", "/v1/messages?beta=true", body)
            assert (through.status, through.body) == (straight.status, straight.body)
            ours, theirs = (
                {name: value for name, value in answer.headers.items() if not CLOCKED.match(name)}
                for answer in (through, straight)
            )
            assert ours == theirs
            assert through.headers.keys() == straight.headers.keys()
        assert [entry.raw for entry in found.emulator.requests][:2] == [whole, streamed]
        assert {entry.path for entry in found.emulator.requests} == {"/v1/messages?beta=true"}


def test_headers_and_unknown_fields_go_on_unchanged() -> None:
    body = (
        b'{ "max_tokens":64, "zeta": [1.50, 1e3, "\\u00fc"],"model":"claude-haiku-4-5",' + encoded(ask())[1:]
    )
    with door() as found:
        answer = found.raw(
            "POST",
            "/v1/messages?beta=true&x=%2F",
            body,
            anthropic_beta="one-2025-01-01,two-2026-02-02",
            anthropic_version="2026-10-21",
            x_own="kept",
            x_scrimp_task_type="audit",
            user_agent="curl/8",
        )
        assert answer.status in (200, 400)
        [received] = found.emulator.requests[:1]
        assert received.path == "/v1/messages?beta=true&x=%2F"
        assert received.headers["anthropic-beta"] == "one-2025-01-01,two-2026-02-02"
        assert received.headers["anthropic-version"] == "2026-10-21"
        assert received.headers["x-own"] == "kept"
        assert received.headers["user-agent"] == "curl/8"
        assert not [name for name in received.headers if name.startswith("x-scrimp-")]
        assert received.raw.startswith(b'{ "max_tokens":64, "zeta": [1.50, 1e3, "\\u00fc"],"model"')


def test_a_planned_request_differs_in_its_markers_alone() -> None:
    body = json.dumps(ask(), indent=1).encode()
    with door() as found:
        assert found.raw("POST", "/v1/messages", body).status == 200
        [received] = found.emulator.requests
        sent = received.raw
        assert sent != body
        assert sent.replace(b',"cache_control":{"type":"ephemeral"}', b"").count(b"cache_control") == 0
        plain = json.loads(sent)
        assert plain["system"][0].pop("cache_control") == {"type": "ephemeral"}
        assert plain["system"][0]["text"] == ask()["system"]


@pytest.mark.parametrize("times", [1, 12])
def test_the_provider_is_asked_why_a_prefix_was_missed(times: int) -> None:
    def step(number: int, **more: Any) -> dict[str, Any]:
        turns = [
            {"role": "assistant" if turn % 2 else "user", "content": f"turn {turn}"}
            for turn in range(2 * number + 1)
        ]
        return ask(messages=turns, **more) | {"system": times * ask()["system"]}

    with door() as found, found.sdk() as sdk:
        first = sdk.messages.create(**step(0))
        sdk.messages.create(**step(1))
        sdk.beta.messages.create(**step(2, diagnostics={"previous_message_id": None}))
        bodies = [entry.body for entry in found.emulator.requests]
        assert "diagnostics" not in bodies[0]
        assert bodies[1].pop("diagnostics") == {"previous_message_id": first.id}
        assert bodies[1]["messages"][-1]["content"][0]["text"] == "turn 2"
        assert bodies[1]["system"][0]["text"] == step(1)["system"]
        assert bodies[2]["diagnostics"] == {"previous_message_id": None}  # the caller's own word stands
        assert written(found) == billed(found)


@pytest.mark.parametrize("kind", ["rate_limit", "spend_limit", "overloaded", "server_error"])
def test_errors_of_the_provider_arrive_verbatim(kind: Any) -> None:
    with (
        Emulator(seed="e", faults=[Fault(kind)]) as alone,
        door(Emulator(seed="e", faults=[Fault(kind)])) as found,
    ):
        straight = raw(int(alone.url.rsplit(":", 1)[1]), "POST", "/v1/messages", encoded(ask()))
        through = found.raw("POST", "/v1/messages", encoded(ask()), x_stainless_retry_count="0")
        assert through.status == straight.status >= 400
        assert through.body == straight.body
        assert through.headers.get("retry-after") == straight.headers.get("retry-after")
        assert not found.emulator.bill
        assert not found.records()


def test_who_does_not_retry_is_retried_for_and_who_does_is_not() -> None:
    busy = Fault("rate_limit", times=2, seconds=0.05)
    with door(Emulator(faults=[busy])) as found:
        assert found.raw("POST", "/v1/messages", encoded(ask())).status == 200
        assert len(found.emulator.requests) == 3
        [record] = found.records(1)
        assert record.attempt == 2
    with door(Emulator(faults=[busy])) as found:
        assert found.raw("POST", "/v1/messages", encoded(ask()), x_stainless_retry_count="0").status == 429
        assert len(found.emulator.requests) == 1


def test_no_more_is_waited_for_than_a_client_would_wait() -> None:
    with door(Emulator(faults=[Fault("rate_limit", seconds=60)])) as found:
        answer = found.raw("POST", "/v1/messages", encoded(ask()))
        assert (answer.status, answer.headers["retry-after"]) == (429, "60")
        assert len(found.emulator.requests) == 1


def test_a_stream_that_the_upstream_cuts_is_cut_for_the_client_and_written_down() -> None:
    with Emulator(seed="cut", faults=[Fault("cut", events=4)]) as alone:
        straight = raw(int(alone.url.rsplit(":", 1)[1]), "POST", "/v1/messages", encoded(ask(stream=True)))
    with door(Emulator(seed="cut", faults=[Fault("cut", events=4)]), serve={"mode": "observe"}) as found:
        answer = found.raw("POST", "/v1/messages", encoded(ask(stream=True)))
        assert (answer.body, answer.whole) == (straight.body, straight.whole)
        assert not answer.whole
        assert b"content_block_delta" in answer.body
        [record] = found.records(1)
        [entry] = found.emulator.bill
        assert record.outcome == "cut off"
        assert not record.measured
        assert record.usage.total_input == entry.usage.total_input


def test_an_upstream_that_hangs_up_unanswered_is_a_502_and_its_bill_unknown() -> None:
    with door(Emulator(faults=[Fault("disconnect")])) as found:
        answer = found.raw("POST", "/v1/messages", encoded(ask()), x_stainless_retry_count="0")
        assert (answer.status, answer.error["type"]) == (502, "api_error")
        [record] = found.records(1)
        assert record.outcome == "unknown"
        assert record.cost > 0


def test_an_upstream_that_is_not_there_is_a_502_and_bills_nothing() -> None:
    with door() as found:
        found.emulator.stop()
        answer = found.raw("POST", "/v1/messages", encoded(ask()), x_stainless_retry_count="0")
        assert (answer.status, answer.error["type"]) == (502, "api_error")
        assert not found.records()


def test_a_client_that_leaves_ends_the_upstream_stream_and_is_billed_what_is_known() -> None:
    slow = Fault("slow_events", times=None, seconds=0.05)
    with door(Emulator([ENDLESS], faults=[slow])) as found, found.sdk() as sdk:
        with sdk.messages.stream(**ask(max_tokens=30_000)) as stream:
            for event in stream:
                if event.type == "content_block_delta":
                    break
        [record] = found.records(1)
        eventually(lambda: len(found.emulator.bill) == 1)
        [entry] = found.emulator.bill
        assert record.outcome == "cut off"
        assert record.usage.total_input == entry.usage.total_input
        assert 0 < entry.usage.output_tokens < 20_000


def test_a_client_that_leaves_before_the_answer_leaves_an_unknown_bill() -> None:
    with door(Emulator(faults=[Fault("slow_start", seconds=PATIENCE)])) as found:
        with socket.create_connection(("127.0.0.1", found.gateway.port)) as line:
            line.sendall(request_bytes("POST", "/v1/messages", encoded(ask())))
            eventually(lambda: found.emulator.requests)
        [record] = found.records(1)
        assert (record.outcome, record.measured) == ("unknown", False)
        assert not found.emulator.bill


def test_what_the_api_does_not_take_as_planned_goes_out_as_it_was() -> None:
    seen: list[bytes] = []

    async def picky(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["body"])
        usage = {"input_tokens": 9, "output_tokens": 1}
        message = {"type": "message", "id": "msg_1", "model": MODEL, "content": [], "usage": usage}
        body = encoded({} if b"cache_control" in seen[-1] else message)
        status = 400 if body == b"{}" else 200
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    server = Server(picky)
    server.start()
    with door(upstream=f"http://127.0.0.1:{server.port}") as found:
        assert found.raw("POST", "/v1/messages", encoded(ask())).status == 200
        assert (len(seen), seen[1]) == (2, encoded(ask()))
        [record] = found.records(1)
        assert "refused the planned request" in (record.fault or "")
    server.stop()


def test_a_virtual_key_pays_with_the_upstreams_and_is_never_sent_on() -> None:
    keys = KeyRing(alice=Key(name="laptop", user="alice", team="red", mode="observe"))
    with door(Emulator(keys=["sk-real"]), keys=keys, upstream_keys={"anthropic": "sk-real"}) as found:
        for options in ({"api_key": "scrimp-alice"}, {"api_key": None, "auth_token": "scrimp-alice"}):
            with found.sdk(**options, default_headers={"x-scrimp-user": "mallory"}) as sdk:
                sdk.messages.create(**ask())
        first, second = found.records(2)
        assert first.tags.key == second.tags.key == "laptop"
        assert {record.tags.user for record in (first, second)} == {"alice"}
        assert {record.tags.team for record in (first, second)} == {"red"}
        assert {record.mode for record in (first, second)} == {"observe"}


def test_an_unknown_virtual_key_is_refused_and_goes_nowhere() -> None:
    with door(keys=KeyRing(), upstream_keys={"anthropic": "sk-real"}) as found:
        answer = found.raw("POST", "/v1/messages", encoded(ask()), x_api_key="scrimp-nobody")
        assert (answer.status, answer.error["type"]) == (401, "authentication_error")
        assert b"scrimp-nobody" not in answer.body
        assert answer.headers["x-should-retry"] == "false"
        assert found.raw("POST", "/v1/messages", encoded(ask()), x_api_key="").status == 401
        assert not found.emulator.requests


def test_a_virtual_key_is_known_wherever_it_is_shown_and_never_sent_on() -> None:
    with door(keys=KeyRing(), upstream_keys={"anthropic": "sk-real"}) as found:
        for shown in ("Bearer scrimp-x", "scrimp-x", "bearer  scrimp-x"):
            assert found.raw("POST", "/v1/messages", encoded(ask()), authorization=shown).status == 401
        twice = request_bytes("POST", "/v1/messages", encoded(ask()), x_api_key="one\r\nx-api-key: scrimp-x")
        assert Answered(talk(found.gateway.port, twice)).status == 400
        assert not found.emulator.requests


def test_only_keys_of_the_gateway_are_let_in_where_it_says_so() -> None:
    with door(serve={"auth": "keys"}, keys=KeyRing()) as found:
        assert found.raw("POST", "/v1/messages", encoded(ask())).status == 401
        assert not found.emulator.requests


def test_tags_come_from_headers_and_from_claude_code() -> None:
    claude = {
        "x-claude-code-session-id": "s1",
        "x-claude-code-parent-agent-id": "a1",
        "x-claude-code-agent-id": "a2",
    }
    own = {"x-scrimp-run": "nightly@n1/reviewer", "x-scrimp-user": "u_42", "x-scrimp-agent": "reviewer"}
    metadata = {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s2"})}
    with door() as found, found.sdk() as sdk:
        sdk.messages.create(**ask(), extra_headers=own)
        sdk.messages.create(**ask(), extra_headers=claude)
        sdk.messages.create(**ask(), metadata=metadata)
        ours, code, inside = (record.tags for record in found.records(3))
        assert (ours.run, ours.run_ids, ours.user, ours.agent) == (
            ("nightly", "reviewer"),
            ("n1",),
            "u_42",
            "reviewer",
        )
        assert (code.run, code.run_ids) == (("claude-code", "sub-agent", "sub-agent"), ("s1", "a1", "a2"))
        assert (inside.run, inside.run_ids) == (("claude-code",), ("s2",))
