"""`scrimp explain`: the plan for one request file."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode

REQUEST: dict[str, Any] = {
    "model": "claude-opus-5",
    "max_tokens": 100,
    "system": "You are an agent. " * 500,
    "messages": [{"role": "user", "content": "Fix the failing test."}],
}


def write(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def explained(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main(["explain", *args, "--json"]) == ExitCode.OK
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON


def test_the_plan_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = explained(capsys, write(tmp_path / "request.json", REQUEST))
    assert found["basis"] == "estimated"
    assert found["tokens"]["low"] < found["tokens"]["mid"] < found["tokens"]["high"]
    assert {"path": ["system", 0], "ttl": "5m"} in found["edits"]
    outcome = found["outcome"]
    assert sum(outcome.values()) == found["tokens"]["mid"]
    # Opus 5: everything written at 6.25 but what closes the prompt, at 5 USD per million.
    expected = Decimal(outcome["write_5m"]) * 6_250_000 + Decimal(outcome["plain"]) * 5_000_000
    assert Decimal(found["input_usd"]["mid"]) == expected / 10**12
    assert [decision["action"] for decision in found["decisions"]] == ["mark"]


def test_what_ran_before_is_read_from_the_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "first.json", REQUEST)
    later = {**REQUEST, "messages": [{"role": "user", "content": "Something else entirely."}]}
    found = explained(capsys, write(tmp_path / "later.json", later), "--after", first)
    assert found["outcome"]["read"] > 1000


def test_people_see_reasons_and_dollars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", write(tmp_path / "request.json", REQUEST)]) == ExitCode.OK
    out = capsys.readouterr().out
    assert "All figures are estimated" in out
    assert "mark (safe)" in out
    assert "a next step within 5 minutes is" in out


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not JSON"),
        ("[1]", "expected the body of a Messages request"),
        ('{"model": "claude-opus-5"}', "messages: expected a list"),
    ],
)
def test_what_is_no_request_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fault: str
) -> None:
    path = tmp_path / "request.json"
    path.write_text(text, encoding="utf-8")
    assert main(["explain", str(path)]) == ExitCode.INPUT
    err = capsys.readouterr().err
    assert fault in err
    assert str(path) in err
    assert len(err.splitlines()) == 1
