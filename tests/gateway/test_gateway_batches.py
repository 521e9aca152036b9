"""Batches through the gateway: held for in advance, billed once when their results are read."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from typing import Any

import pytest

from scrimp.asgi.shapes import Receive, Scope, Send
from scrimp.core.budget import Limit
from scrimp.core.budget import Scope as BudgetScope
from scrimp.core.money import picodollars
from scrimp.emulator.server import Server
from scrimp.errors import ScrimpWarning
from scrimp.stores.memory import MemoryLedger
from tests.gateway.doors import Door, door, encoded

BATCH = "msgbatch_1"
USAGE = {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 10_000}
PARAMS = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "x" * 400}],
}
ASKED = encoded({"requests": [{"custom_id": f"c{n}", "params": PARAMS} for n in range(4)]})

# Sonnet 5.5: $2 and $10 a million, reads $0.10; a batch is half of that.
ONE = (1000 * 2_000_000 + 100 * 10_000_000 + 10_000 * 100_000) // 2


def line(number: int, kind: str = "succeeded") -> bytes:
    message = {"id": f"msg_{number}", "type": "message", "model": "claude-sonnet-5-5", "content": []}
    result: dict[str, Any] = {"type": kind}
    if kind == "succeeded":
        result["message"] = {**message, "usage": USAGE}
    return encoded({"custom_id": f"c{number}", "result": result}) + b"\n"


RESULTS = line(2) + line(0) + line(1, "errored") + line(3, "expired")


class Upstream:
    """An API that knows one batch; `status` is what creating it is answered with."""

    def __init__(self) -> None:
        self.status = 200
        self.results = RESULTS
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive())["body"])
        body = (
            self.results
            if scope["path"].endswith("/results")
            else encoded({"id": BATCH, "type": "message_batch"})
        )
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:50], "more_body": True})
        await send({"type": "http.response.body", "body": body[50:]})


@pytest.fixture
def upstream() -> Any:
    api = Upstream()
    server = Server(api)
    server.start()
    yield api, f"http://127.0.0.1:{server.port}"
    server.stop()


def spent(found: Door) -> tuple[int, int]:
    [standing] = found.ledger.budgets.standings(time.time())
    return standing.spent, standing.held


def limited(amount: str) -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.budgets.put(Limit(scope=BudgetScope("organisation"), amount=picodollars(amount)))
    return ledger


def test_results_are_billed_once_at_half_price(upstream: Any) -> None:
    api, url = upstream
    with door(upstream=url) as found:
        assert found.raw("POST", "/v1/messages/batches", ASKED).status == 200
        assert api.bodies == [ASKED]
        for _ in range(2):
            answer = found.raw("GET", f"/v1/messages/batches/{BATCH}/results", x_scrimp_user="u_1")
            assert answer.body == RESULTS
            records = found.records(2)
            assert sorted(record.id for record in records) == [f"{BATCH}/c0", f"{BATCH}/c2"]
            assert {record.cost for record in records} == {ONE}
            assert {record.tags.user for record in records} == {"u_1"}
            assert {record.tags.run_ids for record in records} == {(BATCH,)}


def test_a_batch_is_held_for_until_its_results_are_read(upstream: Any) -> None:
    _, url = upstream
    with door(upstream=url, ledger=limited("1.00")) as found:
        created = found.raw("POST", "/v1/messages/batches", ASKED, x_scrimp_user="alice")
        assert json.loads(created.body)["id"] == BATCH
        nothing, held = spent(found)
        assert nothing == 0
        assert held >= 4 * ONE
        found.ledger.budgets.recover(time.time() + 27 * 3600)
        assert spent(found) == (held, 0)
        for _ in range(2):
            found.raw("GET", f"/v1/messages/batches/{BATCH}/results", x_scrimp_user="bob")
            assert spent(found) == (2 * ONE, 0)
        billed = [record for record in found.records() if record.cost]
        assert {record.tags.user for record in billed} == {"alice"}
        assert sum(record.cost for record in found.records()) == 2 * ONE


def test_a_result_that_cannot_be_read_keeps_the_hold(upstream: Any) -> None:
    api, url = upstream
    for bad, heard in (
        (b'{"custom_id": "c9", "result"\n', nullcontext()),
        (line(9).replace(b'"usage"', b'"used"'), pytest.warns(ScrimpWarning, match="could not be metered")),
    ):
        api.results = RESULTS + bad
        with door(upstream=url, ledger=limited("1.00")) as found:
            found.raw("POST", "/v1/messages/batches", ASKED)
            _, held = spent(found)
            assert held >= 4 * ONE
            with heard:
                found.raw("GET", f"/v1/messages/batches/{BATCH}/results")
                assert spent(found) == (2 * ONE, held)


def test_a_batch_whose_results_nobody_reads_counts_as_spent_in_full(upstream: Any) -> None:
    _, url = upstream
    with door(upstream=url, ledger=limited("1.00")) as found:
        found.raw("POST", "/v1/messages/batches", ASKED)
        _, held = spent(found)
        [standing] = found.ledger.budgets.standings(time.time() + 27 * 3600)
        assert (standing.spent, standing.held, standing.unsettled) == (held, 0, held)
        assert held >= 4 * ONE


def test_a_batch_beyond_a_limit_is_refused_and_one_that_is_not_created_holds_nothing(upstream: Any) -> None:
    api, url = upstream
    with door(upstream=url, ledger=limited("0.000001")) as found:
        answer = found.raw("POST", "/v1/messages/batches", ASKED)
        assert (answer.status, answer.error["type"]) == (402, "billing_error")
        assert not api.bodies
    api.status = 400
    with door(upstream=url, ledger=limited("1.00")) as found:
        assert found.raw("POST", "/v1/messages/batches", ASKED).status == 400
        assert spent(found) == (0, 0)
