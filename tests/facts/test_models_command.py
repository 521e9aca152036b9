"""`scrimp models` shows what the facts hold: for people as tables, for programs as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli.app import main
from scrimp.facts import default


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    status = main(["models", *args])
    said = capsys.readouterr()
    return status, said.out, said.err


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    status, out, err = run(capsys, "--json", *args)
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_json_holds_every_model_rule_and_fee(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "--at", "2026-11-21")
    assert [model["id"] for model in found["models"]] == [model.id for model in default().models]
    assert found["rules"]["lookback"]["value"] == 20
    assert [row["value"] for row in found["rules"]["lookback"]["history"]] == [1, 20]
    assert found["fees"]["web_search"]["usd"] == "0.01"
    assert found["caching_since"]["bedrock"]["from"] == "2025-04-07"
    assert (found["at"], found["as_of"]) == ("2026-11-21", "2026-11-21")


def test_json_of_one_model(capsys: pytest.CaptureFixture[str]) -> None:
    (model,) = shown(capsys, "--at", "2026-11-21", "haiku-5-5")["models"]
    assert model["usd_per_mtok"] == {
        "input": "0.1",
        "write_5m": "0.125",
        "write_1h": "0.2",
        "read": "0.01",
        "output": "0.5",
    }
    assert model["usd_per_mtok_batch"]["output"] == "0.25"
    assert model["prices"][0]["tiers"][0]["above"] == 100_000
    assert model["prices"][0]["tiers"][0]["usd_per_mtok"]["output"] == "2.5"
    assert (model["window"], model["cache_minimum"], model["released"]) == (1_000_000, 512, "2026-10-07")
    assert model["features"]["default_effort"] == "medium"
    assert model["source"]


def test_a_past_day_shows_that_days_price(capsys: pytest.CaptureFixture[str]) -> None:
    prices = [
        shown(capsys, "--at", day, "sonnet-5-5")["models"][0]["usd_per_mtok"]["read"]
        for day in ("2026-10-06", "2026-10-07")
    ]
    assert prices == ["0.2", "0.1"]


def test_another_spelling_shows_what_it_is_taken_for(capsys: pytest.CaptureFixture[str]) -> None:
    (model,) = shown(capsys, "us.anthropic.claude-sonnet-4-5-20250929-v1:0")["models"]
    assert (model["id"], model["endpoint_factor"], model["usd_per_mtok"]["input"]) == (
        "claude-sonnet-4-5",
        "1.1",
        "3.3",
    )


def test_an_unknown_model_is_shown_as_estimated(capsys: pytest.CaptureFixture[str]) -> None:
    (model,) = shown(capsys, "claude-nonsense-9")["models"]
    assert (model["known"], model["estimated"], model["usd_per_mtok"]["output"]) == (False, True, "50")
    _, out, _ = run(capsys, "claude-nonsense-9")
    assert "(estimated)" in out


def test_tables_show_prices_limits_features_and_sources(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(capsys, "--at", "2026-11-21", "haiku-5-5")
    lines = [line.split() for line in out.splitlines()]
    assert status == 0
    assert ["claude-haiku-5-5", "0.1", "0.125", "0.2", "0.01", "0.5", "2026-10-07"] in lines
    assert ["prompt", ">", "100,000", "0.5", "0.625", "1", "0.05", "2.5"] in lines
    assert ["claude-haiku-5-5", "1,000,000", "128,000", "512", "2026-10-07"] in lines
    assert "default medium" in out
    assert "Haiku 5.5 overview" in out
    assert "lookback" not in out


def test_the_whole_table_shows_fast_mode_and_rules(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = run(capsys, "--at", "2026-11-21")
    lines = [line.split() for line in out.splitlines()]
    fast = ["claude-opus-4-8", "fast", "10", "12.5", "20", "1", "50", "2026-05-28", "until", "2026-11-30"]
    assert fast in lines
    assert any(line[:4] == ["lookback", "20", "2025-01-15", "inferred"] for line in lines)


def test_a_users_file_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "facts.toml"
    mine.write_text('[[models]]\nid = "claude-opus-5-5"\ncache_minimum = 99\n')
    (model,) = shown(capsys, "--facts", str(mine), "opus-5-5")["models"]
    assert (model["cache_minimum"], model["source"]) == (99, "your facts")


def test_a_fault_in_a_users_file_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "facts.toml"
    mine.write_text('[[models]]\nid = "claude-opus-5-5"\nwindow = "long"\n')
    status, out, err = run(capsys, "--facts", str(mine))
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert f"{mine}: model 'claude-opus-5-5': window: Expected `int`, got `str`" in err


def test_a_day_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "--at", "yesterday")
    assert status == 2
    assert "'yesterday' is not a day" in err
