"""docs/audit.md shows what its commands print, and every key of the JSON has its place in docs/json.md."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.audit_by import spend_json
from scrimp.cli.audit_json import audit_json
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.output import json_text
from tests.cli.audit_sample import sample_audit, sample_spend
from tests.cli.recordings import quick_agent, write

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "audit.md").read_text(encoding="utf-8")
JSON = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")
SESSIONS = re.findall(r"```console\n\$ scrimp ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_the_page_shows_what_is_printed(
    command: str,
    shown: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    assert main(shlex.split(command)) == ExitCode.OK
    out = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    assert out == shown, f"renew it: python docs/renew_pages.py audit ({command})"


def test_the_page_has_its_sessions() -> None:
    assert len(SESSIONS) == PAGE.count("$ scrimp ") >= 3


def test_the_page_names_every_exit_status_it_can_have() -> None:
    table = PAGE[PAGE.index("## Bad input") :]
    statuses = [int(row) for row in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert statuses == [ExitCode.OK, ExitCode.USAGE, ExitCode.INPUT, ExitCode.SYSTEM]


def keys(value: Any) -> Iterator[str]:
    """Every key of a document, however deep; names that recordings bring are no keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key == "by":
                yield from keys(list(inner.values()))
            elif key not in ("projects", "skipped", "guesses"):
                yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def section(heading: str) -> str:
    begun = JSON[JSON.index(f"## `{heading}") :]
    return begun[: begun.index("\n## ", 3)]


def test_every_key_of_the_audit_is_documented() -> None:
    told = audit_json(sample_audit()) | {"spend": spend_json(sample_spend(), ("model", "day"))}
    named = set(re.findall(r"\w+", section("scrimp audit")))
    assert set(keys(json.loads(json_text(told)))) - named == set()


def test_every_key_of_an_explanation_is_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    assert main(["explain", f"{path}:2", "--json"]) == ExitCode.OK
    named = set(re.findall(r"\w+", section("scrimp explain") + section("scrimp diagnose")))
    assert set(keys(json.loads(capsys.readouterr().out))) - named == set()
