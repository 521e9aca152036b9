"""`scrimp ledger`: show, export, prune – and `scrimp report` after pruning."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from scrimp.core.record import Tags
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.stores.records import record

DAY = 86_400
Run = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a call of each of ten days, the newest an hour ago."""
    file = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(file)
    now = time.time()
    for number in range(10):
        tags = Tags(("nightly",), (f"r{number}",), f"u{number % 2}", "report")
        ledger.record(
            record(id=str(number), started_at=now - number * DAY - 3_600, tags=tags, cost=10**number)
        )
    ledger.close()
    return file


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that has to work; its JSON."""

    def done(*args: str) -> Any:
        assert main([*args, "--json"]) == ExitCode.OK
        return json.loads(capsys.readouterr().out)

    return done


def test_show_says_what_is_in_it(run: Run, path: Path) -> None:
    found = run("ledger", "show", "--ledger", str(path))
    assert (found["path"], found["calls"], found["usd"]) == (str(path), 10, "0.001111111111")
    assert found["bytes"] > 10_000
    assert found["records_since"] is None
    assert found["first_day"] < found["last_day"]


def test_pruning_keeps_every_sum_and_says_what_cannot_be_listed(
    run: Run, path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    of = ("--ledger", str(path))
    before = run("report", "--since", "all", *of)
    assert run("ledger", "prune", "--keep-days", "4", "--yes", *of)["deleted"] == 6
    after = run("report", "--since", "all", *of)
    assert after["by"] == before["by"]
    assert after["records_since"] is not None
    main(["report", "--since", "all", *of])
    assert "were pruned: their sums are in all of this" in " ".join(capsys.readouterr().out.split())
    out = tmp_path / "x.jsonl"
    assert main(["ledger", "export", str(out), *of]) == ExitCode.OK
    assert "--totals day,model" in capsys.readouterr().err
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4
    assert run("ledger", "prune", "--keep-days", "4", *of)["deleted"] == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--before", "3d"], "this deletes 7 records: say --yes"),
        ([], "--before TIME or --keep-days N"),
        (["--before", "3d", "--keep-days", "3"], "--before TIME or --keep-days N"),
        (["--before", "2999-01-01", "--yes"], "a time that has passed"),
        (["--before", "yesterday"], "'yesterday' is no time: write 7d"),
    ],
)
def test_pruning_by_mistake_is_hard(
    path: Path, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    assert main(["ledger", "prune", "--ledger", str(path), *args]) == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert len(list(SqliteLedger(path).records())) == 10


def test_exports_are_filtered_and_stdout_is_csv(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of = ["--ledger", str(path), "--user", "u1", "--since", "6d"]
    assert main(["ledger", "export", "-", *of]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "5", "3", "1"]
    assert main(["ledger", "export", "-", "--totals", "user,task", *of]) == ExitCode.OK
    header, row = capsys.readouterr().out.splitlines()
    assert header.startswith("user,task_type,calls,")
    assert row.startswith("u1,report,3,")
    assert "0.00000010101" in row


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["x.txt"], ExitCode.INPUT, "call the file .csv"),
        (["x.csv", "--totals", "colour"], ExitCode.INPUT, "no group 'colour'"),
        (["."], ExitCode.INPUT, ". is a folder"),
        (["missing/x.csv"], ExitCode.SYSTEM, "missing"),
        (["x.csv", "--since", "1d", "--until", "2d"], ExitCode.INPUT, "--since 1d is not before --until 2d"),
    ],
)
def test_bad_exports_are_one_line(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    code: ExitCode,
    said: str,
) -> None:
    monkeypatch.chdir(path.parent)
    if args == ["."]:
        args = [".", "--format", "csv"]
    assert main(["ledger", "export", *args, "--ledger", str(path)]) == code
    assert said in capsys.readouterr().err


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["ledger", "show"], ["report"], ["ledger", "export", "x.csv"]):
        assert main([*args, "--ledger", str(tmp_path / "no.sqlite")]) == ExitCode.INPUT
        assert "no.sqlite: there is no such ledger" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
