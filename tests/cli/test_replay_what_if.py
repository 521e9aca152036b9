"""`scrimp replay --what-if` and `--check` on recordings whose bills are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from tests.cli.recordings import exchange, quick_agent, write
from tests.cli.test_replay import hour_long_session

# Claude Opus 5: 5 / 6.25 / 10 / 0.50 / 25 USD per million (input / 5m write / 1h write / read / output).
RECORDED = (2600 * 6.25 + 2000 * 0.50 + 6 * 5 + 20 * 25) / 1e6


def asked(capsys: pytest.CaptureFixture[str], *args: str) -> dict:  # type: ignore[type-arg]  # any JSON
    assert main(["replay", *args, "--json"]) == ExitCode.OK
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON


def test_rows_stand_side_by_side_with_what_each_saves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    found = asked(capsys, str(path), "--what-if", "ttl=1h", "--what-if", "batch=100%+effort=low:0.5")
    assert list(found["policies"]) == ["recorded"]
    hour, batch = found["what_if"]
    assert hour["row"] == "ttl=1h"
    assert float(hour["usd"]) == pytest.approx(RECORDED + 2600 * 3.75 / 1e6)
    assert float(hour["saved_usd"]) == pytest.approx(-2600 * 3.75 / 1e6)
    assert batch["row"] == "effort=low:0.5+batch=100%"
    assert float(batch["usd"]) == pytest.approx((RECORDED - 10 * 25 / 1e6) / 2)
    assert float(batch["saved_usd"]) == pytest.approx(RECORDED - float(batch["usd"]))
    assert batch["tokens"]["output"] == 10
    assert batch["removed"] is None
    (source,) = found["sources"]
    assert source["what_if"] == found["what_if"]


def test_the_models_own_error_on_the_source_is_beside_each_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The second call read nothing of what was written ten seconds before.
    gone = {"cache_creation_input_tokens": 2600, "cache_read_input_tokens": 0}
    path = write(
        tmp_path / "agent.jsonl", [quick_agent()[0], exchange(1, at="2026-08-01T10:00:10Z", usage=gone)]
    )
    found = asked(capsys, str(path), "--what-if", "ttl=1h")
    foreseen = (2600 * 6.25 + 2000 * 0.50 + 6 * 5) / 1e6
    billed = (4600 * 6.25 + 6 * 5) / 1e6
    assert float(found["calibration"]["model_usd"]) == pytest.approx(foreseen)
    (row,) = found["what_if"]
    # One run, off by itself: 1.96 standard deviations of what is known of it.
    off = 1.96 * (billed - foreseen) / billed * float(row["input_usd"])
    assert float(row["high_usd"]) - float(row["usd"]) == pytest.approx(off, rel=1e-4)
    assert float(row["usd"]) - float(row["low_usd"]) == pytest.approx(off, rel=1e-4)


def test_people_see_rows_with_their_interval_and_what_they_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "agent.jsonl", quick_agent())
    hour_long_session(tmp_path)
    model = "model=claude-opus-*->claude-sonnet-5@agent"
    assert (
        main(["replay", str(tmp_path), "--what-if", f"{model}+batch", "--what-if", "clear=1k"]) == ExitCode.OK
    )
    out = capsys.readouterr().out
    for word in ("between", "[1] ", "[2] clear=1k", f"{model}+batch", "not judged", "your claim", "regret"):
        assert word in out
    assert out.index("bills reproduced") < out.index("what if")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--what-if", "modle=a->b"], "no lever is called 'modle': did you mean model?"),
        (["--check", "--what-if", "batch"], "leave out the rest"),
        (["--check", "--policy", "none"], "leave out the rest"),
    ],
)
def test_a_wrong_option_is_one_line_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], told: str
) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    assert main(["replay", str(path), *args]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_the_check_says_how_each_policy_in_force_was_foreseen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "agent.jsonl", quick_agent())
    hour_long_session(tmp_path)
    found = asked(capsys, str(tmp_path), "--check")
    assert {(one["source"], tuple(p["policy"] for p in one["policies"])) for one in found["sources"]} == {
        ("tests/agent", ("5m",)),
        (tmp_path.name, ("1h",)),
    }
    for one in found["sources"]:
        assert one["billed_usd"] == one["rules_usd"] == one["blind_usd"]
        # Nothing was lost here; elsewhere some 0.3 % of what the rules foresee to be read was.
        assert 0 < one["error"] < 0.01
    assert main(["replay", str(tmp_path), "--check"]) == ExitCode.OK
    out = capsys.readouterr().out
    for word in ("in force", "foreseen", "rules alone", "tests/agent"):
        assert word in out


def test_a_bill_that_contradicts_itself_judges_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }
    records = [*quick_agent(), exchange(0, at="2026-08-02T10:00:00Z", usage=wrong, run="wrong")]  # type: ignore[arg-type]
    found = asked(capsys, str(write(tmp_path / "agent.jsonl", records)), "--check")
    assert [one["calls"] for one in found["sources"]] == [2]
    assert list(found["skipped"].values()) == [1]


def test_a_cache_before_its_day_was_a_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Amazon Bedrock: caching for everyone from 2025-04-07 on.
    early = [
        {**call, "provider": "bedrock", "started_at": call["started_at"].replace("2026-08", "2025-03")}
        for call in quick_agent()
    ]
    (one,) = asked(capsys, str(write(tmp_path / "agent.jsonl", early)), "--check")["sources"]
    assert one["rules_usd"] == one["billed_usd"]
