"""`scrimp budget resume`, over a ledger that was lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.core.money import PICODOLLARS
from scrimp.core.record import Tags
from scrimp.stores.opening import LEDGER_FILE, home_ledger
from tests.stores.records import record

Run = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SCRIMP_DEBUG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def command(*args: str, status: int = 0) -> str:
        assert main(["budget", *args]) == status, capfd.readouterr()
        out, err = capfd.readouterr()
        assert err.count("\n") == (1 if status else 0)
        return err if status else out

    return command


def spend(dollars: int) -> None:
    tags = Tags(team="t")
    home_ledger(print).record(record(started_at=time.time(), cost=dollars * PICODOLLARS, tags=tags))


def lose(home: Path) -> None:
    for path in home.glob(f"{LEDGER_FILE}*"):
        path.unlink()


def test_limits_wait_until_someone_says_to_go_on(run: Run, home: Path) -> None:
    run("set", "team:t", "10")
    spend(4)
    lose(home)
    for command in (["list"], ["why", "team:t"], ["set", "team:u", "5"]):
        said = run(*command, status=1)
        assert "scrimp budget resume" in said
        assert "ledger.limits.json" in said
    spend(3)
    assert run("resume") == (
        "The limits hold again, and count from what this ledger says:\n"
        "  team:t: $3.00 of $10.00 in total is spent\n"
    )
    assert "$3.00" in run("list")
    assert run("resume") == "Nothing to resume: every limit counts in this ledger.\n"


def test_resuming_as_json(run: Run, home: Path) -> None:
    run("set", "team:t", "10")
    lose(home)
    said = json.loads(run("resume", "--json"))
    assert said["resumed"] is True
    assert [(limit["id"], limit["standings"][0]["spent_usd"]) for limit in said["limits"]] == [
        ("team:t/total", "0")
    ]
    assert json.loads(run("resume", "--json"))["resumed"] is False


def test_limits_of_a_lost_ledger_can_be_removed(run: Run, home: Path) -> None:
    run("set", "team:t", "10")
    lose(home)
    assert "Removed" in run("remove", "team:t")
    run("set", "team:t", "10")
    assert "team:t" in run("list")
