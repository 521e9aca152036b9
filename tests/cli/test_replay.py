"""`scrimp replay` on a recording whose bill is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from tests.cli.recordings import exchange, quick_agent, write
from tests.traces.sessions import assistant, result, tool_use, usage, user
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


def test_bad_lines_of_a_session_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hour_long_session(tmp_path)
    with (tmp_path / "session.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    assert main(["replay", str(tmp_path), "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert json.loads(out)["calls"] == 2
    assert f"{tmp_path / 'session.jsonl'}:5: " in err


def test_a_path_without_billed_calls_is_an_input_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "empty.jsonl", ["[]"])
    assert main(["replay", str(path)]) == ExitCode.INPUT
    told = capsys.readouterr().err
    assert "no billed call to replay was found" in told
    assert "capture=True" in told


def hour_long_session(folder: Path, name: str = "session") -> None:
    """A session of two calls a minute apart: 15,000 tokens written for an hour, then read and 400 written."""
    write_session(
        folder / f"{name}.jsonl",
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(write_1h=15_000), tool_use("t1")),
        user("u2", "a1", 60, [result("t1")]),
        assistant("a2", "u2", 64, "m2", usage(read=15_000, write_1h=400)),
    )


def test_sessions_are_replayed_beside_exchanges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hour_long_session(tmp_path)
    write(tmp_path / "agent.jsonl", quick_agent())
    found = replayed(capsys, str(tmp_path))
    assert [source["source"] for source in found["sources"]] == ["tests/agent", tmp_path.name]
    session = found["sources"][1]
    # Claude Opus 4.6: 5 / 10 / 0.50 USD per million (input / 1h write / read).
    recorded = (15_400 * 10 + 15_000 * 0.50 + 6 * 5) / 1e6
    assert float(session["policies"]["recorded"]["input_usd"]) == pytest.approx(recorded)
    assert float(session["billed_usd"]) == pytest.approx(recorded)
    assert session["calibration"] == {
        "calls": 2,
        "read_within_1pct": 1.0,
        "unexplained": 0,
        "inferred_markers": 0,
        "model_usd": session["billed_usd"],
        "billed_usd": session["billed_usd"],
    }
    assert [run["run"] for run in found["runs"]] == ["agent", "session"]
    assert found["calls"] == 4


def test_recordings_given_twice_count_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nameless = quick_agent()
    for call in nameless:
        del call["response"]["body"]["id"]
        call["run"] = "nameless"
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write(folder / "agent.jsonl", [*quick_agent(), *nameless])
        hour_long_session(folder)
    found = replayed(capsys, str(tmp_path))
    assert found["calls"] == 6
    assert float(found["billed_usd"]) == pytest.approx(
        2 * (WRITTEN + READ + PLAIN) / 1e6 + (15_400 * 10 + 15_000 * 0.50 + 6 * 5) / 1e6
    )
    assert found["skipped"] == {
        "copy of a call that another file holds": 4,
        "copy of a call in another file": 2,
    }


def test_a_bill_of_several_samplings_is_not_replayed_as_one_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = [{"type": "web_search_20250305", "name": "web_search"}]
    usage = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "input_tokens": 60_000}
    searched = exchange(0, at="2026-08-01T11:00:00Z", usage=usage, run="searcher", tools=search)
    found = replayed(capsys, str(write(tmp_path / "agent.jsonl", [*quick_agent(), searched])))
    assert found["calls"] == 2
    assert found["skipped"] == {"billed for several samplings of the provider's own tools": 1}


def test_runs_dearer_than_recorded_are_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hour_long_session(tmp_path)
    found = replayed(capsys, str(tmp_path), "--policy", "none", "--policy", "recorded")
    dearer = found["at_most_recorded"]["none"]["dearer"]
    # 30,406 plain tokens cost less than writing 15,400 for an hour and reading 15,000.
    plain = 30_406 * 5 / 1e6
    assert dearer == []
    assert float(found["policies"]["none"]["input_usd"]) == pytest.approx(plain)
    assert found["at_most_recorded"] == {"none": {"runs": 1, "at_most": 1, "share": 1.0, "dearer": []}}


def test_a_policy_that_was_not_offered_yet_is_not_available(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hour_long_session(tmp_path)  # on 2026-02-02; automatic caching came on 2026-02-19
    found = replayed(capsys, str(tmp_path))
    assert found["policies"]["auto"] is None
    assert "auto" not in found["at_most_recorded"]
    assert replayed(capsys, str(tmp_path), "--at", "2026-02-19")["policies"]["auto"] is not None
    assert main(["replay", str(tmp_path)]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "not available" in told
    assert "Automatic caching was not offered yet on the days of 2" in told


def test_people_see_a_table_against_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    assert main(["replay", str(path)]) == ExitCode.OK
    out = capsys.readouterr().out
    for word in ("recorded", "none", "auto", "scrimp", "floor", "estimated", "measured"):
        assert word in out
    assert out.index("bills reproduced") < out.index("policy"), "how far the model can be trusted comes first"
