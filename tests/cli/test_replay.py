"""`scrimp replay` on a recording whose bill is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from tests.cli.recordings import exchange, quick_agent, write
from tests.traces.sessions import assistant, usage, user
from tests.traces.sessions import write as write_session

# Claude Opus 5: 5 / 6.25 / 0.50 / 25 USD per million (input / 5m write / read / output).
WRITTEN = 2600 * 6.25
READ = 2000 * 0.50
PLAIN = 6 * 5


def replayed(capsys: pytest.CaptureFixture[str], *args: str) -> dict:  # type: ignore[type-arg]  # any JSON
    assert main(["replay", *args, "--json"]) == ExitCode.OK
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON


def test_the_json_says_what_each_policy_would_have_paid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    found = replayed(capsys, str(path))
    assert found["calls"] == 2
    assert float(found["billed_usd"]) == pytest.approx((WRITTEN + READ + PLAIN) / 1e6)
    assert float(found["policies"]["recorded"]["input_usd"]) == pytest.approx((WRITTEN + READ + PLAIN) / 1e6)
    assert float(found["policies"]["none"]["input_usd"]) == pytest.approx((4600 + 6) * 5 / 1e6)
    assert float(found["policies"]["none"]["output_usd"]) == pytest.approx(20 * 25 / 1e6)
    # In hindsight the last 600 tokens were never read: the floor sends them plain.
    floor = (2000 * 6.25 + READ + 600 * 5 + PLAIN) / 1e6
    assert float(found["floor_usd"]) == pytest.approx(floor)
    assert found["policies"]["scrimp"]["vs_floor"] >= 1
    assert [run["run"] for run in found["runs"]] == ["agent"]
    assert found["runs"][0]["policies"] == found["policies"]


def test_only_the_policies_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    found = replayed(capsys, str(path), "--policy", "none", "--policy", "scrimp")
    assert list(found["policies"]) == ["none", "scrimp"]


def test_another_day_has_other_prices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Sonnet 5.5 reads: 0.20 a million until 2026-10-06, 0.10 from 2026-10-07 on.
    records = [{**call, "request": {**call["request"]}} for call in quick_agent()]
    for call in records:
        call["request"]["body"] = {**call["request"]["body"], "model": "claude-sonnet-5-5"}
    path = write(tmp_path / "agent.jsonl", records)
    before = replayed(capsys, str(path), "--policy", "recorded", "--at", "2026-10-06")
    after = replayed(capsys, str(path), "--policy", "recorded", "--at", "2026-10-07")
    saved = float(before["billed_usd"]) - float(after["billed_usd"])
    assert saved == pytest.approx(2000 * 0.10 / 1e6)


def test_bad_lines_are_named_and_the_rest_is_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = exchange(1, at="2026-08-01T10:00:20Z", usage={})
    failed["response"]["status"] = 529
    path = write(tmp_path / "agent.jsonl", [*quick_agent(), "{broken", failed])
    assert main(["replay", str(path), "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert json.loads(out)["calls"] == 2
    assert json.loads(out)["skipped"] == {"the API answered with an error": 1}
    assert f"{path}:3: not JSON" in err


def test_a_path_without_billed_calls_is_an_input_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "empty.jsonl", ["[]"])
    assert main(["replay", str(path)]) == ExitCode.INPUT
    assert "no billed call with its whole request" in capsys.readouterr().err


def test_transcripts_are_named_as_what_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_session(
        tmp_path / "session.jsonl",
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10_000, write_1h=5_000)),
    )
    assert main(["replay", str(tmp_path)]) == ExitCode.INPUT
    assert "`scrimp calibrate` reads transcripts" in capsys.readouterr().err
    write(tmp_path / "agent.jsonl", quick_agent())
    found = replayed(capsys, str(tmp_path))
    assert found["skipped"] == {"transcripts, which hold no system prompt and no tools": 1}


def test_people_see_a_table_against_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    assert main(["replay", str(path)]) == ExitCode.OK
    out = capsys.readouterr().out
    for word in ("recorded", "none", "auto", "scrimp", "floor", "estimated", "measured"):
        assert word in out
