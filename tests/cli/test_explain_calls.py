"""`scrimp explain` for recorded calls, records of the ledger and standard input; and the API's own count."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from scrimp.core.record import Tags
from scrimp.emulator import Emulator
from scrimp.office.captured import exchange_of
from scrimp.stores.capture import Capture
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import CacheCreation, Usage
from tests.cli.recordings import exchange, quick_agent, write
from tests.stores.records import record
from tests.traces.sessions import assistant, result, text, tool_use, usage, user
from tests.traces.sessions import write as write_session

Explain = Callable[..., Any]


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Explain:
    """Explain what has to be found; its JSON."""

    def done(*args: str) -> Any:
        assert main(["explain", *args, "--json"]) == ExitCode.OK
        return json.loads(capsys.readouterr().out)

    return done


@pytest.fixture
def fault(capsys: pytest.CaptureFixture[str]) -> Explain:
    """Explain what cannot be; the one line that says why."""

    def done(*args: str) -> str:
        assert main(["explain", *args]) == ExitCode.INPUT
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        return err

    return done


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    return write(tmp_path / "agent.jsonl", quick_agent())


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session whose second call came fifteen minutes after a 5m write."""
    return write_session(
        tmp_path / "session.jsonl",
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "msg_1", usage(read=10_000, write_5m=5_000), tool_use("t1")),
        user("u2", "a1", 900, [result("t1")]),
        assistant("a2", "u2", 904, "msg_2", usage(write_5m=15_400), text("done")),
    )


def test_a_recorded_call_shows_what_was_billed_beside_what_was_predicted(
    explain: Explain, agent: Path
) -> None:
    found = explain(f"{agent}:2")
    assert (found["what"], found["run"], found["seq"], found["basis"]) == ("call", "agent", 1, "measured")
    assert found["at"] == "2026-08-01T10:00:10+00:00"
    billed = found["billed"]
    assert {kind: billed[kind] for kind in ("plain", "write_5m", "write_1h", "read", "output")} == {
        "plain": 3,
        "write_5m": 600,
        "write_1h": 0,
        "read": 2000,
        "output": 10,
    }
    # Claude Opus 5: 5, 6.25, 0.50 and 25 USD per million tokens.
    cost = 3 * 5 + 600 * Decimal("6.25") + 2000 * Decimal("0.5")
    assert Decimal(billed["input_usd"]) == cost / 10**6
    assert Decimal(billed["usd"]) == (cost + 10 * 25) / 10**6
    assert (found["expected"]["read"], found["expected"]["write_5m"]) == (2000, 600)
    assert found["miss"] is None
    assert [decision["action"] for decision in found["decisions"]] == ["mark"]


def test_its_blocks_add_up_and_say_how_they_were_paid_for(explain: Explain, agent: Path) -> None:
    rows = explain(f"{agent}:2")["blocks"]
    assert [row["path"] for row in rows] == [["messages", 0, "content", 0], ["messages", 1, "content", 0]]
    assert [row["upto"] for row in rows] == [2000, 2600]
    assert [row["paid"] for row in rows] == ["read", "write"]
    assert [row["marker"] for row in rows] == [None, "5m"]
    assert sum(row["tokens"] for row in rows) == 2600


@pytest.mark.parametrize("place", ["#1", "#msg_agent_1", ":2", " msg_agent_1"])
def test_a_call_can_be_named_in_several_ways(explain: Explain, agent: Path, place: str) -> None:
    assert explain(f"{agent}{place}")["where"] == f"{agent}:2"


def test_a_call_of_a_session_is_named_as_findings_name_it(explain: Explain, session: Path) -> None:
    found = explain(str(session), "msg_2")
    assert found["where"] == f"{session}#msg_2"
    assert found["miss"]["cause"] == "TTL expired"
    assert (found["miss"]["promised"], found["miss"]["read"]) == (15_000, 0)
    # Claude Opus 4.6: a 5m write costs 6.25 and a read 0.50 USD per million.
    assert Decimal(found["miss"]["lost_usd"]) == 15_000 * (Decimal("6.25") - Decimal("0.5")) / 10**6
    assert "no system prompt" in found["missing"][0]
    assert found["tokens"] is None
    on_line = explain(f"{session}:4")
    assert on_line["where"] == found["where"]


def test_people_see_the_whole_story_of_a_call(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", f"{session}#2"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert (
        "claude-opus-4-6, per million tokens:\n  $5 in, $6.25 5m write, $10 1h write, $0.5 read, $25 out"
        in out
    )
    assert "missed   TTL expired: 0 of 15,000 tokens were read from the cache" in out
    assert "What scrimp would have done" in out
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith("messages"))
    assert "hello" not in out


def test_long_prompts_are_shortened_unless_all_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [
        exchange(40, at="2026-08-01T10:00:00Z", usage={"cache_creation_input_tokens": 18_000}),
    ]
    path = write(tmp_path / "long.jsonl", calls)
    assert main(["explain", f"{path}:1"]) == ExitCode.OK
    assert "… 11 blocks" in capsys.readouterr().out  # 41 blocks: the first 14 and the last 16
    assert main(["explain", f"{path}:1", "--all"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert sum(line.startswith("messages.") for line in out.splitlines()) == 41


def test_what_is_not_there_is_one_clear_line(fault: Explain, agent: Path, session: Path) -> None:
    assert "which of its 2 calls? Add :LINE, #NUMBER or #MESSAGE_ID" in fault(str(agent))
    assert "no call 7: its calls have the numbers 0 to 1" in fault(f"{agent}#7")
    assert "no billed call on this line" in fault(f"{agent}:9")
    assert "no billed call on this line" in fault(f"{session}:1")
    assert "no billed call msg_nowhere" in fault(f"{agent}#msg_nowhere")
    assert "after the colon comes the number of a line" in fault(f"{agent}:x")
    assert "gone.jsonl:3: no such file" in fault("gone.jsonl:3")


def test_other_recordings_explain_what_a_call_read(explain: Explain, tmp_path: Path) -> None:
    first, second = quick_agent()
    before, after = write(tmp_path / "a.jsonl", [first]), write(tmp_path / "b.jsonl", [second])
    assert explain(f"{after}:1")["expected"]["read"] == 0
    assert explain(f"{after}:1", "--beside", str(before))["expected"]["read"] == 2000


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two calls of the run `nightly`, the second with an answer's id and a miss."""
    path = tmp_path / "ledger.sqlite"
    store = SqliteLedger(path)
    tags = Tags(("nightly",), ("r1",), "u_42", "report")
    store.record(record(id="rec_first", call_id="call_first", started_at=1_780_000_000.0, tags=tags))
    store.record(
        record(
            id="rec_second",
            call_id="call_second",
            started_at=1_780_000_060.0,
            tags=tags,
            message_id="msg_second",
            request_id="req_second",
            own_cost=30_000_000_000,
            predicted_read=43_000,
            predicted_write=10,
            miss="TTL expired",
            lost=8_000_000_000,
        )
    )
    store.close()
    return path


@pytest.mark.parametrize(
    "name", ["rec_second", "call_second", "msg_second", "req_second", "nightly#2", "r1#2"]
)
def test_a_record_of_the_ledger(explain: Explain, ledger: Path, name: str) -> None:
    found = explain(name, "--ledger", str(ledger))
    assert (found["what"], found["record"]["id"]) == ("record", "rec_second")
    assert found["run"] == "nightly"
    assert (found["record"]["usd"], found["record"]["own_usd"]) == ("0.02355", "0.03")
    assert Decimal(found["record"]["saved_usd"]) == Decimal("0.00645")
    assert (found["record"]["predicted_read"], found["billed"]["read"]) == (43_000, 40_000)
    assert found["blocks"] == []
    assert "keeps no prompts" in found["missing"][0]


def test_a_record_for_people(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "rec_second", "--ledger", str(ledger)]) == ExitCode.OK
    out = " ".join(capsys.readouterr().out.split())
    assert "recorded $0.0236 (measured), complete, mode safe" in out
    assert "predicted 43,000 read and 10 written; billed 40,000 and 3,000" in out
    assert "missed: TTL expired, $0.0080 lost" in out


def test_names_the_ledger_does_not_know(fault: Explain, ledger: Path, tmp_path: Path) -> None:
    assert "no record, call, message or request of the ledger" in fault("rec_9", "--ledger", str(ledger))
    assert "the run has the calls 1 to 2" in fault("nightly#3", "--ledger", str(ledger))
    assert "no run of the ledger" in fault("daily#1", "--ledger", str(ledger))


def test_without_a_ledger_a_name_is_no_use(
    fault: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    assert "no ledger to look it up in" in fault("rec_1")


def test_a_captured_record_shows_its_blocks(
    explain: Explain, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    kept = record(id="rec_kept", message_id="msg_kept", usage=Usage(3, 10, 600, 2000, CacheCreation(600, 0)))
    capture = Capture(tmp_path / "capture.sqlite")
    body = exchange(1, at="", usage={})["request"]["body"]
    capture.record(exchange_of(kept, body, {"id": "msg_kept", "model": kept.model}), record_id=kept.id)
    capture.close()
    store = SqliteLedger(ledger)
    store.record(kept)
    store.close()
    found = explain("msg_kept")
    assert (found["what"], found["record"]["id"]) == ("record", "rec_kept")
    assert [row["upto"] for row in found["blocks"]] == [pytest.approx(2000, rel=0.05), 2600]


REQUEST: dict[str, Any] = {
    "model": "claude-opus-5",
    "max_tokens": 100,
    "system": "You are an agent. " * 500,
    "messages": [{"role": "user", "content": "Fix the failing test."}],
}


def given(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """Standard input holds `value` as JSON."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(value).encode())))


def test_a_request_from_standard_input(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, REQUEST)
    found = explain("-")
    assert (found["what"], found["where"], found["billed"]) == ("request", "standard input", None)
    assert found["model"]["usd_per_mtok"] == {
        "input": "5",
        "write_5m": "6.25",
        "write_1h": "10",
        "read": "0.5",
        "output": "25",
    }
    assert found["model"]["source"]
    assert [row["path"][0] for row in found["blocks"]] == ["system", "messages"]


def test_the_rewritten_request_is_the_request_and_its_markers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, REQUEST)
    assert main(["explain", "-", "--print-request"]) == ExitCode.OK
    sent = json.loads(capsys.readouterr().out)
    marker = {"cache_control": {"type": "ephemeral"}}
    assert sent["system"] == [{"type": "text", "text": REQUEST["system"], **marker}]
    [message] = sent["messages"]
    assert [message["content"][0][key] for key in ("type", "text")] == ["text", "Fix the failing test."]
    assert [sent[key] for key in ("model", "max_tokens")] == [REQUEST["model"], REQUEST["max_tokens"]]


def test_a_session_has_no_request_to_print(fault: Explain, session: Path) -> None:
    assert "the whole request was not kept" in fault(f"{session}#2", "--print-request")


def test_the_count_of_the_api_stands_beside_the_estimate(
    explain: Explain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST), encoding="utf-8")
    with Emulator() as emulator:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
        found = explain(str(path), "--count")
    assert found["tokens"]["low"] <= found["counted_tokens"] <= found["tokens"]["high"]
    assert explain(str(path))["counted_tokens"] is None


def test_without_a_key_the_rest_is_said_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    given(monkeypatch, REQUEST)
    assert main(["explain", "-", "--count"]) == ExitCode.BROKEN_PROMISE
    captured = capsys.readouterr()
    assert "mark (safe)" in captured.out
    assert captured.err == "scrimp: --count asks the API's free token counter: set ANTHROPIC_API_KEY\n"


def test_a_refusal_of_the_api_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, REQUEST | {"model": "claude-opus-5", "tools": [{"name": "no schema"}]})
    with Emulator() as emulator:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
        assert main(["explain", "-", "--count"]) == ExitCode.BROKEN_PROMISE
    err = capsys.readouterr().err
    assert err.startswith("scrimp: count_tokens: tools.0")
    assert len(err.splitlines()) == 1
