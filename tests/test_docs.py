"""The documentation of `--json` names exactly the keys that are printed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.demo import RECORDINGS
from scrimp.cli.exit_codes import ExitCode
from tests.cli.recordings import exchange, quick_agent, write

DOCS = Path(__file__).parents[1] / "docs" / "json.md"


def documented(command: str) -> dict[str, Any]:
    text = DOCS.read_text(encoding="utf-8")
    found = re.search(rf"## `scrimp {command} .*?```json\n(.*?)```", text, re.DOTALL)
    assert found, f"docs/json.md has no section for {command}"
    return json.loads(found[1])  # type: ignore[no-any-return]  # any JSON


def shape(value: Any) -> Any:
    """Keys all the way down; lists and empty objects say nothing of what they may hold."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return None


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main([*args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON


def test_calibrate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missed = exchange(1, at="2026-08-01T10:00:10Z", usage={"cache_creation_input_tokens": 2600})
    path = write(tmp_path / "agent.jsonl", [quick_agent()[0], missed])
    found = printed(capsys, "calibrate", str(path))
    families = found["tokens"].pop("families")
    assert shape(found) | {"tokens": {**shape(found["tokens"]), "families": {}}} == shape(
        documented("calibrate")
    )
    assert set(families["claude-4.7"]) == set(found["tokens"])
    row = {"call", "group", "cause", "total_input", "predicted", "billed"}
    assert set(found["disagreements"][0]) == row
    assert all(f"`{key}`" in DOCS.read_text(encoding="utf-8") for key in row)


def test_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "agent.jsonl", quick_agent())
    found = printed(capsys, "replay", str(path), "--policy", "scrimp")
    assert shape(found) == shape(documented("replay"))
    whole = set(found) - {"sources", "runs", "skipped"}
    assert set(found["sources"][0]) == whole | {"source"}
    apart = {"calibration", "at_most_recorded", "what_if"}
    assert set(found["runs"][0]) == (whole - apart) | {"source", "run"}
    unmarked = printed(capsys, "replay", str(path), "--policy", "none")["at_most_recorded"]["none"]
    assert [set(run) for run in unmarked["dearer"]] == [{"run", "recorded_usd", "usd"}]


def test_replay_what_if_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = DOCS.read_text(encoding="utf-8")
    path = write(tmp_path / "agent.jsonl", quick_agent())
    (row,) = printed(capsys, "replay", str(path), "--what-if", "clear")["what_if"]
    checked = printed(capsys, "replay", str(path), "--check")
    (source,) = checked["sources"]
    assert set(checked) == {"sources", "skipped"}
    told = page[page.index("`scrimp replay PATH") : page.index("`scrimp diagnose PATH")]
    for key in (*row, *row["removed"], *source, *source["policies"][0]):
        assert f"`{key}`" in told, key


def test_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = {
        "model": "claude-opus-5",
        "system": "agent " * 900,
        "messages": [{"role": "user", "content": "hi"}],
    }
    path = write(tmp_path / "request.json", [request])
    found = printed(capsys, "explain", str(path))
    assert set(found) == set(documented("explain"))
    recorded = write(tmp_path / "agent.jsonl", quick_agent())
    assert shape(printed(capsys, "explain", f"{recorded}:2")) == shape(documented("explain"))
    assert set(found["edits"][0]) == {"path", "ttl"}
    assert set(found["decisions"][0]) == {"action", "mode", "what", "why", "saves_usd"}


def test_lint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agent.py").write_text('model = "claude-3-opus-20240229"\n', encoding="utf-8")
    assert main(["lint", str(tmp_path), "--json"]) == ExitCode.BROKEN_PROMISE
    found, page = json.loads(capsys.readouterr().out), documented("lint")
    assert shape(found) == shape(page)
    assert [set(one) for one in found["findings"]] == [set(page["findings"][0])]


def keys_named(command: str) -> set[str]:
    """What a section without a skeleton puts in code style."""
    section = re.search(
        rf"## `scrimp {command} .*?\n(.*?)(?=\n## |\Z)", DOCS.read_text(encoding="utf-8"), re.DOTALL
    )
    assert section, command
    return set(re.findall(r"`(\w+)`", section[1]))


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "models", "opus-5-5")
    assert set(found) - keys_named("models") <= {"facts", "pricing", "endpoints", "factors", "image_rules"}
    assert {"features", "prices", "fast", "source", "inferred"} <= set(found["models"][0])


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("moatless", "openhands"):  # two short runs have all the keys that forty-one have
        (tmp_path / "few" / folder).mkdir(parents=True)
        first = min((RECORDINGS / folder).iterdir(), key=lambda path: path.stat().st_size)
        shutil.copy(first, tmp_path / "few" / folder)
    monkeypatch.setattr("scrimp.cli.demo.RECORDINGS", tmp_path / "few")
    found = printed(capsys, "demo", "--quick", "--html", str(tmp_path / "page.html"))
    assert set(found) <= keys_named("demo")
    for name, bill in found["bills"].items():
        assert name in keys_named("demo")
        assert set(bill) <= keys_named("demo")
