"""`scrimp calibrate`: shares of agreement, disagreements with their causes, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from tests.cli.recordings import exchange, quick_agent, write
from tests.traces.sessions import assistant, usage, user
from tests.traces.sessions import write as write_session


def calibrated(capsys: pytest.CaptureFixture[str], *args: str) -> dict:  # type: ignore[type-arg]  # any JSON
    assert main(["calibrate", *args, "--json"]) == ExitCode.OK
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON


def test_a_recording_that_follows_the_rules_is_reproduced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = calibrated(capsys, str(write(tmp_path / "agent.jsonl", quick_agent())))
    assert (found["runs"], found["calls"]) == (1, 2)
    assert found["cache"]["calls"] == 2
    assert found["cache"]["within_1pct"] == 1.0
    assert found["cache"]["read_exact"] == 1.0
    assert found["cache"]["warm"] == {"calls": 0, "within_1pct": None}
    assert found["tokens"]["calls"] == 2
    assert list(found["tokens"]["families"]) == ["claude-4.7"]
    assert found["tokens"]["families"]["claude-4.7"]["calls"] == 2
    assert found["disagreements"] == []


def test_the_error_of_an_estimate_is_relative_to_the_bill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The same prompt billed at half and at double what it is: errors of at least 0.5 and 0.4 either way.
    call = quick_agent()[0]
    half, double = json.loads(json.dumps(call)), json.loads(json.dumps(call))
    half["usage"]["cache_creation_input_tokens"] = 800
    double["usage"]["cache_creation_input_tokens"] = 8000
    double["run"] = "other"
    tokens = calibrated(capsys, str(write(tmp_path / "a.jsonl", [half, double])))["tokens"]
    assert tokens["interval_coverage"] == 0.0
    assert tokens["p95_abs_error"] > 0.8
    assert tokens["median_abs_error"] > 0.5


def test_a_disagreement_is_listed_with_place_and_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = exchange(
        1,
        at="2026-08-01T10:00:10Z",
        usage={"cache_creation_input_tokens": 2600, "cache_read_input_tokens": 0},
    )
    path = write(tmp_path / "agent.jsonl", [quick_agent()[0], missed])
    found = calibrated(capsys, str(path))
    assert found["cache"]["within_1pct"] == 0.5
    (row,) = found["disagreements"]
    assert row["call"] == f"{path}:2"
    assert row["cause"] == "evicted early, or served from another cache"
    assert row["billed"] == {"read": 0, "write": 2600}
    assert row["predicted"] == {"read": 2000, "write": 600}
    assert found["cache"]["full_miss"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_calls_that_cannot_judge_are_counted_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = quick_agent()
    records[0]["partial_request"] = "tool definitions not recorded"
    redacted = exchange(
        2, at="2026-08-01T10:01:00Z", usage={"cache_creation_input_tokens": 2000}, system="REDACTED"
    )
    found = calibrated(capsys, str(write(tmp_path / "agent.jsonl", [*records, redacted])))
    assert found["out_of_scope"] == {"cached, but the request was recorded in part": 1}
    assert found["skipped"] == {"redaction placeholders in the request": 1}
    assert found["cache"]["calls"] + found["cache"]["warm"]["calls"] == 1


def test_transcripts_and_exchanges_are_judged_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "agent.jsonl", quick_agent())
    write_session(
        tmp_path / "session.jsonl",
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10_000, write_1h=5_000)),
        user("u2", "a1", 60, "and now?"),
        assistant("a2", "u2", 64, "m2", usage(read=15_000, write_1h=400)),
    )
    found = calibrated(capsys, str(tmp_path))
    assert (found["runs"], found["calls"]) == (2, 4)
    assert found["cache"]["calls"] == 3


def test_nothing_to_judge_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(write(tmp_path / "empty.jsonl", ["{}"]))]) == ExitCode.INPUT
    assert "no billed call" in capsys.readouterr().err


def test_people_get_figures_and_every_disagreement_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = exchange(1, at="2026-08-01T10:00:10Z", usage={"cache_creation_input_tokens": 2600})
    path = write(tmp_path / "agent.jsonl", [quick_agent()[0], missed])
    assert main(["calibrate", str(path)]) == ExitCode.OK
    assert f"{path}:2" not in capsys.readouterr().out
    assert main(["calibrate", str(path), "--list"]) == ExitCode.OK
    assert f"{path}:2: evicted early" in capsys.readouterr().out
