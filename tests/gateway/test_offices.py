"""Which accounts keep an office of their own, and which make way."""

from __future__ import annotations

import time
import warnings

import pytest

import scrimp.office.office as office_module
from scrimp.errors import ResponseError
from scrimp.facts.models import default
from scrimp.gateway import callers
from scrimp.gateway.callers import Caller, Callers
from scrimp.gateway.headers import Fields
from scrimp.gateway.offices import Offices
from scrimp.gateway.settings import Settings
from scrimp.office import Office, Remembering
from scrimp.stores.keys import SECRET_PREFIX, Key
from scrimp.stores.memory import MemoryLedger
from tests.gateway.doors import SYSTEM, ask, door, encoded

URL = "https://api.example"


def offices(**bounds: int) -> Offices:
    facts, ledger = default(), MemoryLedger()
    return Offices(
        lambda account: Office(
            Remembering(facts, time.time, place=False), ledger, clock=time.time, facts=facts
        ),
        **bounds,
    )


def caller(secret: str, key: Key | None = None) -> Caller:
    return Caller("anthropic", URL, secret, "safe", key=key)


def test_keys_that_are_made_up_push_out_nobody() -> None:
    found = offices()
    real = found.of(caller("sk-real"))
    found.proved(caller("sk-real"), real)
    for number in range(1_000):
        found.of(caller(f"sk-{number}"))
    assert found.of(caller("sk-real")) is real


def test_an_account_that_is_proved_late_keeps_the_office_of_its_first_call() -> None:
    found = offices()
    real = found.of(caller("sk-real"))
    for number in range(100):  # while its first call is under way
        found.of(caller(f"sk-{number}"))
    found.proved(caller("sk-real"), real)
    assert found.of(caller("sk-real")) is real


def test_the_gateways_own_accounts_need_no_proof() -> None:
    found, key = offices(), Key(name="ci", created_at=0.0)
    own = found.of(caller("sk-own", key))
    for number in range(1_000):
        found.of(caller(f"sk-{number}"))
    assert found.of(caller("sk-own", key)) is own


def test_of_proved_accounts_the_one_used_longest_ago_makes_way() -> None:
    found = offices()
    first, second = found.of(caller("sk-first")), found.of(caller("sk-second"))
    found.proved(caller("sk-first"), first)
    found.proved(caller("sk-second"), second)
    for number in range(255):
        found.proved(caller(f"sk-{number}"), found.of(caller(f"sk-{number}")))
        assert found.of(caller("sk-first")) is first
    assert found.of(caller("sk-second")) is not second


def test_where_all_remember_too_much_those_used_longest_ago_make_way() -> None:
    found = offices(most_bytes=3_000_000)
    for number in range(10):
        office = found.of(caller(f"sk-{number}"))
        found.proved(caller(f"sk-{number}"), office)
        look_at(office, "x" * 400_000)
        assert 800_000 < office.weight < 1_000_000  # its text twice, encoded and as it is
    kept = {number: found.of(caller(f"sk-{number}")) for number in (9, 8, 7)}
    for _ in range(256):
        assert found.of(caller("sk-9")) is kept[9]
    assert [found.of(caller(f"sk-{number}")) is kept[number] for number in (9, 8, 7)] == [True] * 3
    assert found.of(caller("sk-6")).weight == 0  # a new one


def look_at(office: Office, text: str) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    office.look(body, None)


def test_an_answer_proves_an_account_and_a_refusal_does_not() -> None:
    marked = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    body = ask("Hello.", system=marked)
    with door() as found:
        assert found.raw("POST", "/v1/messages", encoded(body)).status == 200
        for number in range(20):
            refused = encoded({**body, "max_tokens": -1})
            assert found.raw("POST", "/v1/messages", refused, x_api_key=f"sk-{number}").status == 400
        assert found.raw("POST", "/v1/messages", encoded(body)).status == 200
        first, second = found.records(2)
        assert first.predicted_read == 0
        assert second.predicted_read == first.usage.cache_creation_input_tokens


def test_what_was_told_is_not_remembered_for_ever() -> None:
    office = offices().of(caller("sk-own"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for number in range(3_000):  # as faults do that say where in an answer they are
            office.fault("the response could not be metered", ResponseError(f"character {number}"))
        office.fault("the response could not be metered", ResponseError("character 2999"))
        shown = vars(office_module)["__warningregistry__"]
        assert 0 < len(shown) <= 1_002  # with the version of the filters, and the last one told
    assert len(told) == 3_000
    assert 0 < len(office._warned) <= 1_000


def test_of_keys_that_come_and_go_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made:
        """A key for every secret, each of another name."""

        def find(self, secret: str) -> Key:
            return Key(name=secret)

    monkeypatch.setattr(callers, "_CALLERS", 32)
    found = Callers(Settings(), {"anthropic": "sk-real"}, Made())
    for number in range(100):
        secret = f"{SECRET_PREFIX}{number}"
        made = found.of(Fields([(b"x-api-key", secret.encode())]))
        assert made.key is not None
        assert (made.account, made.key.name) == ("sk-real", secret)
    assert len(found._made) <= 32
