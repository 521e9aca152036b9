"""`scrimp audit --only spend`: figures for people and programs, and nothing imported that is not needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scrimp.cli.audit_spend import spend_only
from scrimp.cli.exit_codes import ExitCode
from scrimp.errors import TraceError
from tests.traces.sessions import assistant, usage, write


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two calls of two models on two days, of which one is known."""
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    second = {"model": "claude-nobody-1", "timestamp": "2026-02-03T00:00:00.000Z"}
    lines = (
        assistant("a", None, 0, "msg_1", usage(1_000_000, output=0)),
        assistant("b", None, 1, "msg_2", usage(1), **second),
    )
    write(folder / "a.jsonl", *lines)
    return folder


def test_json_has_exact_dollars_of_each_line(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = spend_only([sessions], by=("model",), until="2026-02-02", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert status == ExitCode.OK
    # A prompt of a million tokens in February 2026: ten dollars per million.
    assert said["total"]["usd"] == "10"
    assert [(line["name"], line["calls"]) for line in said["by"]["model"]] == [("claude-opus-4-6", 1)]


def test_tables_say_what_is_equivalent_and_what_estimated(
    sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spend_only([sessions], by=("model", "day"))
    said = capsys.readouterr().out
    assert "Spent $10.00 in 2 calls (measured; 1 file)." in said
    assert "At API prices" in said
    assert "Estimated: claude-nobody-1 is not in the facts" in said
    assert "2026-02-02" in said
    assert max(map(len, said.splitlines())) <= 120


def test_bad_files_are_named_and_unknown_dimensions_refused(
    sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sessions / "empty.jsonl").touch()
    assert spend_only([sessions]) == ExitCode.OK
    assert f"scrimp: skipped {sessions / 'empty.jsonl'}: is empty" in capsys.readouterr().err
    with pytest.raises(click.UsageError, match="model"):
        spend_only([sessions], by=("modle",))


def test_a_second_look_imports_no_prices_and_no_tables(sessions: Path) -> None:
    code = (
        "import sys; from scrimp.spending import spend; spend([sys.argv[1]])\n"
        "print(sorted({'rich', 'tomllib', 'sqlite3', 'scrimp.facts.models'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(sessions)]
    first, second = (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)
    )
    assert "scrimp.facts.models" in first
    assert second == "[]\n"


def test_nothing_to_add_up_is_an_error_that_says_why(sessions: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TraceError, match=r"empty: no billed call was found"):
        spend_only([empty])
    with pytest.raises(TraceError, match=r"none of 2 billed calls is within --since 2031-01-01"):
        spend_only([sessions], since="2031-01-01")
