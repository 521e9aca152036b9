"""The real SDK through the middleware over real HTTP: what the ledger says is what was billed."""

from __future__ import annotations

import json
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.budget import Settlement
from scrimp.core.record import Record
from scrimp.emulator import Emulator, Fault, Scripted
from scrimp.emulator.books import Billed
from scrimp.errors import ScrimpWarning, StoreError
from scrimp.stores.capture import Capture
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.opening import home_ledger
from scrimp.traces.corpus import read_corpus
from scrimp.traces.exchanges import read_exchange
from tests.patience import PATIENCE, eventually

SYSTEM = "You are a careful assistant. " * 900
ANSWER = "An answer of some length, so that it streams in several pieces. " * 5


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Scripted([ANSWER])) as running:
        yield running


def request(step: int = 0, **more: Any) -> dict[str, Any]:
    turns = [{"role": "assistant" if n % 2 else "user", "content": f"turn {n}"} for n in range(2 * step + 1)]
    return {"model": "claude-haiku-4-5", "max_tokens": 64, "system": SYSTEM, "messages": turns, **more}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every client is closed before the next test."""
    yield
    while OPEN:
        OPEN.pop().close()


OPEN: list[anthropic.Anthropic] = []


def client_of(emulator: Emulator, *middleware: anthropic.Middleware, retries: int = 3) -> anthropic.Anthropic:
    client = anthropic.Anthropic(
        base_url=emulator.url,
        api_key="sk-secret-key",
        middleware=middleware,
        max_retries=retries,
        timeout=PATIENCE,
    )
    OPEN.append(client)
    return client


def sync_client(emulator: Emulator, ledger: Ledger, **options: Any) -> anthropic.Anthropic:
    return client_of(emulator, scrimp.Middleware(ledger=ledger, **options))


def records(ledger: Ledger) -> list[Record]:
    ledger.flush()
    return list(ledger.records())


def bills(emulator: Emulator, count: int) -> list[Billed]:
    """What was billed, once it is `count` rows: the server is the last to learn that a stream was closed."""
    eventually(lambda: len(emulator.bill) >= count)
    return emulator.bill


def test_markers_are_placed_and_the_second_step_reads_the_first(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    for step in range(3):
        client.messages.create(**request(step))
    first, second, third = records(ledger)
    assert first.usage.cache_creation_input_tokens > 4096
    assert second.usage.cache_read_input_tokens > 4096
    assert third.usage.cache_read_input_tokens > second.usage.cache_read_input_tokens
    for record in (second, third):
        assert record.predicted_read == pytest.approx(record.usage.cache_read_input_tokens, abs=20)
        assert record.saved is not None
        assert record.saved > 0


def test_observing_leaves_the_request_as_it_is(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger, mode="observe")
    client.messages.create(**request())
    (received,) = [one for one in emulator.requests if one.method == "POST"]
    assert received.body == request()
    (record,) = records(ledger)
    assert record.mode == "observe"
    assert record.saved == 0


def test_only_markers_are_added(emulator: Emulator) -> None:
    client = sync_client(emulator, MemoryLedger())
    client.messages.create(**request(1, metadata={"user_id": "u"}, extra_body={"unknown_field": [1, 2]}))
    body = emulator.requests[0].body
    assert body["unknown_field"] == [1, 2]
    stripped = json.loads(json.dumps(body).replace(', "cache_control": {"type": "ephemeral"}', ""))
    stripped.pop("unknown_field")
    expected = request(1, metadata={"user_id": "u"})
    assert stripped["system"] in (expected["system"], [{"type": "text", "text": SYSTEM}])
    assert stripped["metadata"] == expected["metadata"]


def test_attempts_of_one_call_are_known_as_such(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    emulator.inject(Fault("overloaded", times=1))
    emulator.inject(Fault("rate_limit", times=1, seconds=0.01))
    client.messages.create(**request())
    (record,) = records(ledger)
    assert record.attempt == 2
    assert record.cost == emulator.total


def test_a_stream_closed_early_keeps_its_exact_input(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    with client.messages.stream(**request()) as stream:
        next(iter(stream))
    (record,) = records(ledger)
    assert (record.outcome, record.measured) == ("cut off", False)
    (billed,) = bills(emulator, 1)
    assert record.usage.total_input == billed.usage.total_input
    assert record.usage.write_5m == billed.usage.write_5m


def test_a_stream_that_breaks_is_kept_and_the_error_reaches_the_caller(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    emulator.inject(Fault("stream_error", times=1))
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(**request()) as stream:
        stream.get_final_message()
    (record,) = records(ledger)
    assert record.outcome == "cut off"
    assert record.usage.total_input > 0


def test_the_key_and_the_prompt_are_nowhere_in_a_record(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    sync_client(emulator, ledger).messages.create(**request())
    text = repr(records(ledger))
    assert "sk-secret-key" not in text
    assert "careful assistant" not in text


class Broken(MemoryLedger):
    """A ledger whose disk is full."""

    def submit(self, record: Record, settlement: Settlement | None = None) -> Any:
        raise StoreError("ledger.sqlite: the disk is full")


def test_a_ledger_that_fails_costs_one_warning_and_no_call(emulator: Emulator) -> None:
    client = sync_client(emulator, Broken())
    with pytest.warns(ScrimpWarning, match="the disk is full"):
        assert client.messages.create(**request()).content
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScrimpWarning)
        assert client.messages.create(**request(1)).content


def test_a_planner_that_fails_sends_the_very_request(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("secret words of a prompt")

    monkeypatch.setattr("scrimp.core.workspace.plan", broken)
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    with pytest.warns(ScrimpWarning) as caught:
        assert client.messages.create(**request()).content
    assert "secret" not in str(caught[0].message)
    (record,) = records(ledger)
    assert record.fault is not None
    assert record.cost == emulator.total
    assert emulator.requests[0].body == request()


def test_a_home_that_cannot_be_written_costs_one_warning(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "home"
    taken.write_text("a file where the folder should be")
    monkeypatch.setenv("SCRIMP_HOME", str(taken))
    client = client_of(emulator, scrimp.Middleware())
    with pytest.warns(ScrimpWarning, match="is not a folder"):
        assert client.messages.create(**request()).content


def test_the_default_ledger_is_in_the_home_folder(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    client = client_of(emulator, scrimp.Middleware())
    with scrimp.run("report") as run:
        client.messages.create(**request())
    (record,) = records(home_ledger(lambda _: None))
    assert record.tags.run == ("report",)
    assert record.cost == emulator.total
    assert run.cost * 10**12 == emulator.total


def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SCRIMP_HOME", str(home))
    damaged = b"this is no database " * 500
    (home / "ledger.sqlite").write_bytes(damaged)
    client = client_of(emulator, scrimp.Middleware())

    def call() -> None:
        assert client.messages.create(**request()).content
        home_ledger(lambda _: None).flush()  # the file is opened by the writer's thread, soon

    with pytest.warns(ScrimpWarning, match="was damaged: it is kept as"):
        call()
    (record,) = records(home_ledger(lambda _: None))
    assert record.cost == emulator.total
    (aside,) = home.glob("*corrupt*")
    assert aside.read_bytes() == damaged


def test_a_failing_estimate_sends_the_very_request(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("scrimp.core.workspace.Workspace._estimator", broken)
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    with pytest.warns(ScrimpWarning, match="planning it failed"):
        assert client.messages.create(**request()).content
    (record,) = records(ledger)
    assert record.fault == "the request goes out as it is, because planning it failed (ZeroDivisionError)"
    assert emulator.requests[0].body == request()


def test_a_plan_the_api_refuses_is_replaced_by_the_untouched_request(emulator: Emulator) -> None:
    # As if the API took no markers at all: the planned request is a 400, the caller's own is not.
    calls: list[Any] = []

    class Refusing(anthropic.Middleware):
        def handle(self, request: Any, call_next: Any) -> Any:
            calls.append(request.json)
            if "cache_control" in json.dumps(request.json):
                bad = {**request.json, "messages": []}
                return call_next(request.copy(body=bad))
            return call_next(request)

    ledger = MemoryLedger()
    client = client_of(emulator, scrimp.Middleware(ledger=ledger), Refusing(), retries=0)
    with pytest.warns(ScrimpWarning, match="the API refused the planned request"):
        assert client.messages.create(**request()).content
    assert len(calls) == 2
    assert calls[1] == request()
    (record,) = records(ledger)
    assert record.fault is not None
    assert record.cost == emulator.total


def test_captured_exchanges_are_what_calibrate_and_replay_read(emulator: Emulator, tmp_path: Path) -> None:
    capture = Capture(tmp_path / "capture.sqlite")
    client = sync_client(emulator, MemoryLedger(), capture=capture)
    with scrimp.run("captured", task_type="test"):
        client.messages.create(**request(0))
        with client.messages.stream(**request(1)) as stream:
            streamed = stream.get_final_message()
    capture.flush()
    first, second = (read_exchange(one, "capture", "captured") for one in capture.exchanges())
    assert first.body["system"][0]["text"] == SYSTEM
    assert first.usage is not None
    assert first.usage.total_input == emulator.bill[0].usage.total_input
    assert second.response["content"][0]["text"] == streamed.content[0].text
    assert second.usage is not None
    assert second.usage.cache_read_input_tokens == emulator.bill[1].usage.cache_read_input_tokens
    assert second.run.startswith("captured@")
    capture.close()
    (tmp_path / "ledger.sqlite").touch()
    corpus = read_corpus([tmp_path])
    assert [exchange.run for exchange in corpus.sources["captured"]] == [second.run] * 2
    assert not corpus.faults
    assert b"sk-secret-key" not in (tmp_path / "capture.sqlite").read_bytes()


def test_a_connection_that_is_never_made_costs_nothing() -> None:
    ledger = MemoryLedger()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = anthropic.Anthropic(
        base_url=url, api_key="sk", middleware=[scrimp.Middleware(ledger=ledger)], max_retries=1
    )
    OPEN.append(client)
    with scrimp.run("down") as run, pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**request())
    assert records(ledger) == []
    assert run.cost == 0


def test_nothing_is_captured_unless_asked_for(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    client_of(emulator, scrimp.Middleware()).messages.create(**request())
    home_ledger(lambda _: None).flush()
    files = [path for path in (tmp_path / "home").iterdir() if path.is_file()]
    assert not any("capture" in path.name for path in files)
    assert all(b"careful assistant" not in path.read_bytes() for path in files)


def test_the_provider_is_asked_why_a_prefix_was_missed(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    first = client.messages.create(**request(0))
    client.messages.create(**request(1))
    client.messages.create(**request(2, diagnostics={"previous_message_id": None}))
    bodies = [one.body for one in emulator.requests]
    assert "diagnostics" not in bodies[0]
    assert bodies[1]["diagnostics"] == {"previous_message_id": first.id}
    assert bodies[2]["diagnostics"] == {"previous_message_id": None}  # the caller's own word stands
    assert all(record.measured for record in records(ledger))


def test_the_providers_verdict_is_written_down(emulator: Emulator) -> None:
    ledger = MemoryLedger()
    client = sync_client(emulator, ledger)
    client.messages.create(**request(0))
    client.messages.create(**request(1))
    # The system prompt changes: only its caller can say that this goes on with the last answer.
    last = client.messages.create(**request(2))
    changed = request(3, system=SYSTEM + "And be brief.", diagnostics={"previous_message_id": last.id})
    client.messages.create(**changed)
    assert any("system_changed" in note for note in records(ledger)[-1].notes)


def test_observing_asks_nothing(emulator: Emulator) -> None:
    client = sync_client(emulator, MemoryLedger(), mode="observe")
    for step in range(2):
        client.messages.create(**request(step))
    assert all("diagnostics" not in one.body for one in emulator.requests)
