"""`scrimp diagnose` on recordings whose misses are known."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from tests.cli.recordings import exchange, quick_agent, write
from tests.traces.sessions import assistant, result, tool_use, usage, user
from tests.traces.sessions import write as write_session


def missed() -> list[dict[str, Any]]:
    """The quick agent, and a third step whose system prompt holds another time than the second's."""
    calls = [
        exchange(
            step,
            at=f"2026-08-01T10:00:{10 * step:02}Z",
            usage={"cache_creation_input_tokens": written, "cache_read_input_tokens": read},
            system=f"Now: 2026-08-01 10:00:{second}. Be brief, and keep to the house's rules.",
        )
        for step, second, written, read in ((0, "00", 2020, 0), (1, "00", 600, 2020), (2, "20", 3220, 0))
    ]
    calls[2]["response"]["body"]["diagnostics"] = {
        "cache_miss_reason": {"type": "system_changed", "cache_missed_input_tokens": 2620}
    }
    return calls


# Claude Opus 5: 6.25 USD per million for a 5m write, 0.50 for a read.
LOST = 2620 * (6.25 - 0.50) / 1e6


def test_the_json_names_cause_place_bytes_and_dollars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "agent.jsonl", missed())
    assert main(["diagnose", str(path), "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["calls"], found["missed"], found["unknown_share"]) == (3, 1, 0.0)
    assert float(found["lost_usd"]) == pytest.approx(LOST)
    [cause] = found["causes"]
    assert (cause["cause"], cause["misses"]) == ("timestamp in the prefix", 1)
    assert cause["fix"].startswith("Move the time")
    [miss] = found["misses"]
    assert (miss["where"], miss["run"], miss["seq"]) == (f"{path}:3", "agent", 2)
    assert (miss["path"], miss["offset"]) == ("system.0", len("Now: 2026-08-01 10:00:"))
    assert (miss["promised"], miss["read"]) == (2620, 0)
    assert "10:00:00" in miss["before"]
    assert "10:00:20" in miss["after"]
    assert (miss["provider"], miss["provider_agrees"]) == ("system_changed", True)
    assert found["others"] == {"first call": {"calls": 1, "lost_usd": "0"}}


def test_the_text_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "agent.jsonl", missed())
    assert main(["diagnose", str(path), "--list"]) == ExitCode.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "1 of 3 calls (33.3 %) read less than was there for them" in text
    assert "timestamp in the prefix. Move the time behind the last marker" in text
    assert "call 2, system.0, byte 22): 0 of 2,620 tokens read, $0.0151 lost" in text
    assert "the provider says system_changed, and so do we" in text
    assert "No miss, but nothing read either: 1 first call." in text


def test_a_healthy_recording_has_nothing_to_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    assert main(["diagnose", str(path)]) == ExitCode.OK
    assert "2 calls: every one read what it should have." in capsys.readouterr().out


def test_transcripts_are_diagnosed_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_session(
        tmp_path / "session.jsonl",
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10_000, write_5m=5_000), tool_use("t1")),
        user("u2", "a1", 900, [result("t1")]),
        assistant("a2", "u2", 904, "m2", usage(write_5m=15_400)),
    )
    assert main(["diagnose", str(tmp_path), "--json"]) == ExitCode.OK
    [miss] = json.loads(capsys.readouterr().out)["misses"]
    assert (miss["cause"], miss["promised"], miss["path"]) == ("TTL expired", 15_000, None)
    assert miss["where"] == f"{tmp_path / 'session.jsonl'}#m2"


def test_places_are_printed_as_explain_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my notes").mkdir()
    write_session(
        tmp_path / "my notes" / "session (1).jsonl",
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10_000, write_5m=5_000), tool_use("t1")),
        user("u2", "a1", 900, [result("t1")]),
        assistant("a2", "u2", 904, "m2", usage(write_5m=15_400)),
    )
    assert main(["diagnose", str(tmp_path)]) == ExitCode.OK
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "m2" in line)
    pasted = shlex.split(line.partition(" (session")[0])
    assert main(["explain", *pasted, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["miss"]["lost_usd"] == "0.08625"


def test_a_path_without_calls_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "empty.jsonl", ["{}"])
    assert main(["diagnose", str(path)]) == ExitCode.INPUT
    assert "no billed call was found" in capsys.readouterr().err
    assert main(["diagnose", str(tmp_path / "nowhere")]) == ExitCode.INPUT
