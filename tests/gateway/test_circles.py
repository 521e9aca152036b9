"""A call that is over leaves nothing that only a garbage collection would find: bodies would stay with it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest

from scrimp.core.budget import Scope
from scrimp.core.money import picodollars
from scrimp.gateway.gating import GatedDesk
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.messages import Asked, Call
from scrimp.gateway.settings import Budget
from scrimp.office import CallDesk
from scrimp.office.reading import Reading
from tests.gateway.doors import ask, door, encoded
from tests.patience import eventually

CALLS = 8
OF_A_CALL = (Inbound, Asked, Call, CallDesk, GatedDesk, Reading)
HEADERS = {"x-api-key": "sk-test", "content-type": "application/json", "anthropic-version": "2023-06-01"}


def post(connection: HTTPConnection, body: bytes) -> tuple[int, bytes]:
    connection.request("POST", "/v1/messages", body, HEADERS)
    answer = connection.getresponse()
    return answer.status, answer.read()


def whole(connection: HTTPConnection) -> None:
    assert post(connection, encoded(ask()))[0] == 200


def streamed(connection: HTTPConnection) -> None:
    assert b"message_stop" in post(connection, encoded(ask(stream=True)))[1]


def refused_by_the_upstream(connection: HTTPConnection) -> None:
    assert post(connection, encoded(ask(model="claude-none")))[0] == 404


def refused_by_the_gateway(connection: HTTPConnection) -> None:
    assert post(connection, b"no JSON")[0] == 400


@pytest.mark.parametrize("call", [whole, streamed, refused_by_the_upstream, refused_by_the_gateway])
def test_nothing_of_a_call_is_left_to_collect(call: Callable[[HTTPConnection], None]) -> None:
    with door() as found, closing(HTTPConnection("127.0.0.1", found.gateway.port)) as connection:
        call(connection)
        gc.collect()
        gc.disable()
        try:
            for _ in range(CALLS):
                call(connection)
            eventually(lambda: found.gateway._parts.under_way() == 0)
            left_over = collected()
        finally:
            gc.enable()
    assert left_over == {}


def test_nothing_of_a_call_that_budgets_refuse_is_left_to_collect() -> None:
    budgets = (Budget(scope=Scope("organisation"), amount=picodollars("0.000001")),)
    with (
        door(budgets=budgets) as found,
        closing(HTTPConnection("127.0.0.1", found.gateway.port)) as connection,
    ):
        gc.collect()
        gc.disable()
        try:
            for _ in range(CALLS):
                assert post(connection, encoded(ask()))[0] == 402
            eventually(lambda: found.gateway._parts.under_way() == 0)
            left_over = collected()
        finally:
            gc.enable()
    assert left_over == {}


def collected() -> Counter[str]:
    """What of calls is there no more, and only found now."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return Counter(type(one).__name__ for one in gc.garbage if isinstance(one, OF_A_CALL))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
