"""What a gateway does not take: too much, too slowly, too many at once, beyond a budget; and how it stops."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anthropic
import pytest

from scrimp.core.budget import Limit, Scope
from scrimp.core.money import picodollars
from scrimp.emulator import Emulator, Fault
from scrimp.gateway.settings import Budget
from scrimp.runs import Run
from scrimp.stores.keys import Key
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.gateway.doors import (
    MODEL,
    PROMPT,
    Answered,
    KeyRing,
    ask,
    door,
    encoded,
    fixed_upstream,
    request_bytes,
    talk,
)
from tests.patience import PATIENCE, HeldBack, eventually

pytestmark = pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")


def test_bodies_and_heads_of_any_length_get_a_clear_answer() -> None:
    with door(limits={"body": 5000, "headers": 2000}) as found:
        long = encoded(ask("x" * 6000))
        for answer in (
            found.raw("POST", "/v1/messages", long),
            found.raw("POST", "/v1/messages", b"%x\r\n%b\r\n0\r\n\r\n" % (len(long), long), **CHUNKED),
        ):
            assert (answer.status, answer.error["type"]) == (413, "request_too_large")
        packed = gzip.compress(encoded(ask("x" * 20_000)))
        assert found.raw("POST", "/v1/messages", packed, content_encoding="gzip").status == 413
        assert found.raw("POST", "/v1/messages", b"{}", x_long="x" * 3000).status == 431
        lines = b"POST /v1/messages HTTP/1.1\r\nx-long: " + b"x" * 9000
        assert Answered(talk(found.gateway.port, lines)).status == 431
        garbage = Answered(talk(found.gateway.port, b"\x00\x01 no http\r\n\r\n"))
        assert (garbage.status, json.loads(garbage.body)["error"]["type"]) == (400, "invalid_request_error")
        assert not found.emulator.requests


CHUNKED = {"transfer_encoding": "chunked", "content_length": ""}


def test_bodies_that_are_no_request_are_refused_or_passed_on_untouched() -> None:
    short = encoded(ask("Hello.", system="Be brief."))
    with door() as found:
        for body in (b"", b"{", b"[1]", b'"x"', b"\xff\xfe{}", b'{"a": "\xff"}', b"[" * 100_000, short[:-9]):
            answer = found.raw("POST", "/v1/messages", body)
            assert (answer.status, answer.error["type"]) == (400, "invalid_request_error"), body[:20]
        packed = gzip.compress(short)
        assert found.raw("POST", "/v1/messages", packed[:-5], content_encoding="gzip").status == 400
        assert found.raw("POST", "/v1/messages", short, content_encoding="zstd").status == 400
        assert not found.emulator.requests
        assert found.raw("POST", "/v1/messages", packed, content_encoding="gzip").status == 200
        assert found.emulator.requests[0].raw == short
        for wrong in (
            {"messages": "x"},
            {"model": 7},
            {"messages": [{"role": 1}]},
            {"model": None, "x": [[]]},
        ):
            answer = found.raw("POST", "/v1/messages", encoded(wrong))
            assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
            assert found.emulator.requests[-1].raw == encoded(wrong)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    body = encoded(ask())
    head = request_bytes("POST", "/v1/messages", b"", expect="100-continue", content_length=str(len(body)))
    with (
        door() as found,
        socket.create_connection(("127.0.0.1", found.gateway.port), timeout=PATIENCE) as line,
    ):
        line.sendall(head)
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(body)
        parts = []
        while part := line.recv(65536):
            parts.append(part)
        assert Answered(b"".join(parts)).status == 200


def test_paths_are_known_or_clearly_not() -> None:
    with door(serve={"other_paths": False}) as found:
        for path in ("/v1/files", "/v2/messages", "/etc/passwd", "/v1/messages/../files", "//v1/messages"):
            answer = found.raw("POST", path, b"{}")
            assert (answer.status, answer.error["type"]) == (404, "not_found_error"), path
        assert not found.emulator.requests
        for path in ("/healthz", "/readyz", "/", "/api/hello"):
            assert found.raw("GET", path, x_api_key="").status == 200
            assert found.raw("HEAD", path, x_api_key="").body == b""
        assert found.raw("POST", "/healthz").status == 404
    with door() as found:
        assert found.raw("GET", "/v1/unheard-of?a=b").status == 404
        assert found.emulator.requests[0].path == "/v1/unheard-of?a=b"


def test_no_spelling_of_a_path_goes_by_unmetered() -> None:
    with door() as found:
        spelt = (
            "/v1/messages/",
            "/v1/%6dessages",
            "/v1/messages%2F",
            "/v1/mess%61ges?beta=true",
            "/v1/Messages",
        )
        for path in spelt:
            found.raw("POST", path, encoded(ask()))
        assert len(found.emulator.bill) == len(found.records()) >= 4
        for path in (
            "/v1//messages",
            "/v1/./messages",
            "/v1/x/../messages",
            "/v1/messages;x",
            "/v1/x%2f..%2fmessages",
        ):
            assert found.raw("POST", path, encoded(ask())).status == 404
        assert len(found.emulator.requests) == len(spelt)


def test_what_nobody_can_price_is_not_passed_on_where_money_is_limited() -> None:
    budgets = (Budget(scope=Scope("organisation"), amount=picodollars("5")),)
    with door(budgets=budgets) as found:
        assert found.raw("POST", "/v1/agents/run", b"{}").status == 403
        assert not found.emulator.requests
        assert found.raw("POST", "/v1/files", b"{}").status == 404
        assert found.raw("GET", "/v1/agents/run").status == 404
        assert [entry.path for entry in found.emulator.requests] == ["/v1/files", "/v1/agents/run"]
    with Run("paid", budget="1.00") as run, door(run=run) as found:
        assert found.raw("POST", "/v1/messages/batches", b'{"requests": []}').status == 403
        assert not found.emulator.requests


HI = [{"role": "user", "content": "Hi"}]
NO_REQUESTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "model: Field required"),
    ({"model": MODEL, "max_tokens": 5}, "messages: Field required"),
    ({"model": MODEL, "messages": HI}, "max_tokens: Field required"),
    ({"model": 1, "max_tokens": 5, "messages": HI}, "model: Input should be a valid string"),
    ({"model": MODEL, "max_tokens": 5, "messages": "Hi"}, "messages: Input should be a valid list"),
    ({"model": MODEL, "max_tokens": None, "messages": HI}, "max_tokens: Input should be a valid integer"),
    (
        {"model": MODEL, "max_tokens": -1, "messages": HI},
        "max_tokens: Input should be greater than or equal to 0",
    ),
)


def test_what_is_no_request_is_no_question_of_money() -> None:
    """The texts are the API's own, as the emulator has them from its reference."""
    budgets = (Budget(scope=Scope("organisation"), amount=picodollars("0.000001")),)
    with door(budgets=budgets) as found:
        for body, said in NO_REQUESTS:
            answer = found.raw("POST", "/v1/messages", encoded(body))
            assert (answer.status, answer.error) == (400, {"type": "invalid_request_error", "message": said})
        assert found.raw("POST", "/v1/messages", encoded(ask(max_tokens=0))).status == 402
        assert not found.emulator.requests
    with door() as found:
        for body, said in NO_REQUESTS:
            answer = found.raw("POST", "/v1/messages", encoded(body))
            assert (answer.status, answer.error["message"]) == (400, said)
        assert len(found.emulator.requests) == len(NO_REQUESTS)


def test_a_base_url_that_ends_with_v1_is_told_so() -> None:
    budgets = (Budget(scope=Scope("organisation"), amount=picodollars("5")),)
    with door(budgets=budgets) as found:
        with pytest.raises(anthropic.NotFoundError, match="the base URL of this gateway is without /v1"):
            found.sdk(base_url=f"{found.url}/v1").messages.create(**ask())
        assert not found.emulator.requests


def test_prompts_longer_than_the_ceiling_are_refused_as_the_api_does() -> None:
    with door(limits={"context": 3000}) as found:
        error = found.raw("POST", "/v1/messages", encoded(ask())).error
        assert error["type"] == "invalid_request_error"
        assert re.match(r"prompt is too long: \d+ tokens > 3000 maximum", error["message"])
        assert not found.emulator.requests
        assert found.raw("POST", "/v1/messages", encoded(ask(system="Be brief."))).status == 200


def test_slow_clients_are_let_go() -> None:
    timeouts = {"headers": 0.2, "request": 0.3}
    with door(timeouts=timeouts) as found:
        whole = request_bytes("POST", "/v1/messages", encoded(ask()))
        head = Answered(talk(found.gateway.port, whole[:40]))
        body = Answered(talk(found.gateway.port, whole[:-40]))
        assert (head.status, body.status) == (408, 408)
        assert body.error["type"] == "timeout_error"
        assert not found.emulator.requests


def test_an_upstream_that_says_nothing_is_given_up() -> None:
    with door(Emulator(faults=[Fault("slow_start", seconds=PATIENCE)]), timeouts={"answer": 0.3}) as found:
        answer = found.raw("POST", "/v1/messages", encoded(ask()))
        assert (answer.status, answer.error["type"]) == (504, "timeout_error")
        assert [record.outcome for record in found.records(1)] == ["unknown"]
    with (
        fixed_upstream(STREAM_HEAD, START) as upstream,
        door(upstream=upstream.url, timeouts={"silence": 0.2}) as found,
    ):
        cut = found.raw("POST", "/v1/messages", encoded(ask(stream=True)))
        assert (cut.status, cut.body, cut.whole) == (200, START, False)
        [record] = found.records(1)
        assert (record.outcome, record.usage.total_input) == ("cut off", 9000)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def test_more_calls_than_there_is_room_for_wait_and_then_are_refused() -> None:
    emulator, limits = HeldBack(), {"concurrent": 2, "waiting": 2}
    with (
        door(emulator, limits=limits, timeouts={"turn": PATIENCE}) as found,
        ThreadPoolExecutor(8) as pool,
    ):
        asked = [pool.submit(found.raw, "POST", "/v1/messages", encoded(ask(str(n)))) for n in range(8)]
        eventually(lambda: sum(one.done() for one in asked) == 4)
        emulator.may_answer.set()
        answers = [one.result() for one in asked]
        refused = [answer for answer in answers if answer.status == 429]
        assert sorted(answer.status for answer in answers) == [200] * 4 + [429] * 4
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert {answer.error["type"] for answer in refused} == {"rate_limit_error"}
    emulator = HeldBack()
    with door(emulator, limits={"concurrent": 1}, timeouts={"turn": 0.1}) as found:
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(found.raw, "POST", "/v1/messages", encoded(ask(str(n)))) for n in range(2)]
            eventually(lambda: any(one.done() for one in asked))
            emulator.may_answer.set()
            assert sorted(one.result().status for one in asked) == [200, 429]
        assert found.raw("POST", "/v1/messages", encoded(ask())).status == 200


def test_a_budget_refuses_before_anything_is_sent_and_no_client_tries_again() -> None:
    keys = KeyRing(bob=Key(name="bob", user="bob"), eve=Key(name="eve", user="eve"))
    budgets = (Budget(scope=Scope("user", "bob"), amount=picodollars("0.000001"), window="day"),)
    options: dict[str, Any] = {"keys": keys, "upstream_keys": {"anthropic": "sk"}, "budgets": budgets}
    with door(**options) as found:
        with found.sdk(api_key="scrimp-bob") as sdk, pytest.raises(anthropic.APIStatusError) as caught:
            sdk.messages.create(**ask())
        answer = caught.value.response
        assert (answer.status_code, answer.headers["x-should-retry"]) == (402, "false")
        error = answer.json()["error"]
        assert error["type"] == "billing_error"
        for said in ("user:bob", "0.000001", "reset"):
            assert said in error["message"]
        assert not found.emulator.requests
        with found.sdk(api_key="scrimp-eve") as sdk:
            assert sdk.messages.create(**ask()).content
        [standing] = found.ledger.budgets.standings(time.time())
        assert (standing.spent, standing.held) == (0, 0)


def test_a_sub_budget_is_spent_to_the_last_call_that_fits_and_never_beyond(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    limit = Limit(scope=Scope("organisation"), amount=picodollars("0.04"))
    ledger.budgets.put(limit)
    with door(ledger=ledger) as found, ThreadPoolExecutor(12) as pool:
        body = encoded(ask(max_tokens=16))
        asked = [pool.submit(found.raw, "POST", "/v1/messages", body) for _ in range(60)]
        statuses = [one.result().status for one in asked]
        assert set(statuses) == {200, 402}
        eventually(lambda: ledger.budgets.standings(time.time())[0].held == 0)
        [standing] = ledger.budgets.standings(time.time())
        assert standing.spent == found.emulator.total <= limit.amount
    ledger.close()


def test_the_budget_of_a_run_around_the_gateway_holds_for_its_calls() -> None:
    with Run("child", user="u_1") as run, door(run=run) as found, found.sdk() as sdk:
        sdk.messages.create(**ask())
        [record] = found.records(1)
        assert (record.tags.run, record.tags.run_ids, record.tags.user) == (("child",), (run.id,), "u_1")
        assert run.usage.calls == 1


STREAMED = encoded(ask(stream=True))
USAGE = {"input_tokens": 9_000, "output_tokens": 1}
START, END = (
    f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()
    for kind, more in (
        ("message_start", {"message": {"id": "msg_1", "model": MODEL, "usage": USAGE}}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 300}}),
    )
)
COST = 9_000 * 1_000_000 + 300 * 5_000_000
"""Claude Haiku 4.5 is a dollar a million tokens in, five out."""


@contextmanager
def under_way(port: int) -> Iterator[socket.socket]:
    """A client whose answer has begun."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        line.sendall(request_bytes("POST", "/v1/messages", STREAMED))
        line.recv(1, socket.MSG_PEEK)
        yield line


def rest_of(line: socket.socket) -> Answered:
    """All that the client is sent."""
    return Answered(b"".join(iter(lambda: line.recv(65536), b"")))


@pytest.mark.parametrize(("drain", "outcome"), [(PATIENCE, "complete"), (0.1, "cut off")])
def test_stopping_finishes_what_is_under_way_and_cuts_what_takes_longer(drain: float, outcome: str) -> None:
    with (
        fixed_upstream(STREAM_HEAD, START, then=[END, b""]) as upstream,
        door(upstream=upstream.url, timeouts={"drain": drain}) as found,
        under_way(found.gateway.port) as line,
        ThreadPoolExecutor(1) as pool,
    ):
        stopping = pool.submit(found.gateway.stop)
        if outcome == "complete":
            eventually(lambda: found.gateway._parts.house.draining)
            upstream.may_go_on.set()
        stopping.result()
        [record] = found.records()
        assert record.outcome == outcome
        assert rest_of(line).whole == (outcome == "complete")


def test_a_gateway_that_stops_takes_nothing_new(tmp_path: Path) -> None:
    """As a process of its own, told by SIGTERM in the middle of a stream."""
    with fixed_upstream(STREAM_HEAD, START, then=[END, b""]) as upstream:
        code = SERVER.format(url=upstream.url, ledger=str(tmp_path / "ledger.sqlite"))
        server = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with server, ExitStack() as at_the_end:
            at_the_end.callback(server.kill)
            assert server.stdout is not None
            port = int(server.stdout.readline())
            line = at_the_end.enter_context(under_way(port))
            os.kill(server.pid, signal.SIGTERM)
            eventually(lambda: _status(port, "GET", "/readyz") == 503)
            refused = Answered(talk(port, request_bytes("POST", "/v1/messages", encoded(ask()))))
            assert (refused.status, refused.error["type"]) == (529, "overloaded_error")
            assert refused.headers["retry-after"] == "1"
            assert _status(port, "GET", "/healthz") == 200
            upstream.may_go_on.set()
            answer = rest_of(line)
            assert (answer.body, answer.whole) == (START + END, True)
            assert server.stderr is not None
            assert "1 call under way is waited for" in server.stderr.read()
            assert server.wait(PATIENCE) == 0
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        assert [record.cost for record in ledger.records()] == [COST]
        ledger.close()


SERVER = """
import sys
from pathlib import Path
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings, Upstream
from scrimp.stores.sqlite_ledger import SqliteLedger
ledger = SqliteLedger(Path({ledger!r}))
settings = Settings(serve=Serve(port=0), upstreams={{"anthropic": Upstream(base_url={url!r})}})
gateway = Gateway(settings, stores=Stores(ledger=ledger, learned=False))
gateway.serve(lambda: print(gateway.port, flush=True))
"""


def _status(port: int, method: str, path: str) -> int:
    return Answered(talk(port, request_bytes(method, path))).status


def test_nothing_that_is_thrown_at_it_makes_it_fail_or_tell(capfd: pytest.CaptureFixture[str]) -> None:
    random_source = random.Random(7)  # noqa: S311 - the same bytes in every run
    secret = "sk-very-secret-key"
    with door() as found:
        whole = request_bytes("POST", "/v1/messages", encoded(ask(PROMPT, stream=True)), x_api_key=secret)
        for _ in range(150):
            data = bytearray(
                whole[: random_source.randrange(40, len(whole))] if random_source.random() < 0.2 else whole
            )
            for _ in range(random_source.randrange(1, 6)):
                data[random_source.randrange(len(data))] = random_source.randrange(256)
            answer = _thrown(found.gateway.port, bytes(data))
            assert answer is None or answer.status not in (500, 503)
            assert answer is None or secret.encode() not in answer.body
        assert found.raw("POST", "/v1/messages", encoded(ask())).status == 200
    said = "".join(capfd.readouterr())
    assert secret not in said
    assert PROMPT not in said


def _thrown(port: int, data: bytes) -> Answered | None:
    """What comes back for bytes of any kind, after which nothing more is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := line.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            return None
    return Answered(b"".join(parts)) if parts else None


def test_a_gateway_whose_ledger_cannot_be_written_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ledger = SqliteLedger(tmp_path / "file" / "ledger.sqlite")
    with door(ledger=ledger) as found:
        answer = found.raw("GET", "/readyz")
        assert answer.status == 503
        assert "ledger cannot be written" in json.loads(answer.body)["reason"]
        assert found.raw("GET", "/healthz").status == 200


def test_metrics_count_what_was_answered() -> None:
    with door() as found, found.sdk() as sdk:
        sdk.messages.create(**ask())
        found.raw("POST", "/v1/messages", b"{")
        with urlopen(f"{found.url}/metrics") as page:  # noqa: S310 - our own address
            text = page.read().decode()
        assert 'scrimp_http_responses_total{route="/v1/messages",status="200"} 1' in text
        assert 'scrimp_http_responses_total{route="/v1/messages",status="400"} 1' in text
        assert "scrimp_in_flight 0" in text
