"""`scrimp key`: a secret once, a list without secrets, and budgets that stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.core.budget import Limit, Scope
from scrimp.stores.keys import Key, KeyStore
from scrimp.stores.sqlite_ledger import SqliteLedger


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main(["key", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON


def test_a_key_is_created_listed_and_revoked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--user", "u", "--team", "t", "--task-type", "review", "--mode", "observe", "--upstream", "eu"]
    made = said(capsys, "create", "ci", *options)
    store = KeyStore(home / "keys.sqlite")
    key = store.find(made["secret"])
    assert key is not None
    assert (key.name, key.user, key.team, key.task_type, key.mode, key.upstream) == (
        "ci",
        "u",
        "t",
        "review",
        "observe",
        "eu",
    )
    [listed] = said(capsys, "list")["keys"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert said(capsys, "revoke", "ci")["revoked_at"] is not None
    assert said(capsys, "list") == {"keys": []}
    assert [one["name"] for one in said(capsys, "list", "--all")["keys"]] == ["ci"]
    assert KeyStore(home / "keys.sqlite").find(made["secret"]) is None


def test_the_budget_of_a_key_is_a_limit_that_outlives_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "create", "ci", "--budget", "5.00/day", "--zone", "Europe/Berlin")
    ledger = SqliteLedger(home / "ledger.sqlite")
    [limit] = ledger.budgets.limits()
    assert limit == Limit(
        scope=Scope("key", "ci"),
        amount=5 * 10**12,
        window="day",
        zone="Europe/Berlin",
        created_at=limit.created_at,
    )
    [listed] = said(capsys, "list")["keys"]
    assert listed["budgets"] == [
        {
            "window": "day",
            "zone": "Europe/Berlin",
            "limit_usd": "5",
            "spent_usd": "0",
            "held_usd": "0",
            "left_usd": "5",
        }
    ]
    said(capsys, "revoke", "ci")
    said(capsys, "create", "ci")
    assert [one.id for one in ledger.budgets.limits()] == ["key:ci/day"]
    ledger.close()


def test_people_see_the_secret_once_and_a_table(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "list"]) == 0
    assert "No keys." in capsys.readouterr().out
    assert main(["key", "create", "ci", "--team", "[red]", "--budget", "20"]) == 0
    shown = capsys.readouterr().out
    [secret] = [line.strip() for line in shown.splitlines() if line.strip().startswith("scrimp-")]
    assert KeyStore(home / "keys.sqlite").find(secret) is not None
    assert main(["key", "list"]) == 0
    table = capsys.readouterr().out
    assert secret not in table
    assert "[red]" in table
    assert "$0.00 of $20.00" in " ".join(table.split())
    assert main(["key", "revoke", "ci"]) == 0
    assert "within a second" in capsys.readouterr().out


def test_the_amount_that_was_understood_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "create", "ci", "--budget", "1,250.00/day", "--zone", "Europe/Berlin"]) == 0
    shown = capsys.readouterr().out
    assert "ci may spend $1,250.00 a day, which begins at midnight in Europe/Berlin." in shown


@pytest.mark.parametrize(("name", "warned"), [("eu", False), ("anthropic", False), ("zzz", True)])
def test_an_upstream_that_the_settings_do_not_name_is_warned_of(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, warned: bool
) -> None:
    settings = '[upstream.eu]\nbase_url = "https://eu.example.com"\nkey_env = "NOT_SET_HERE"\n'
    (home / "scrimp.toml").write_text(settings, encoding="utf-8")
    assert main(["key", "create", "ci", "--upstream", name]) == 0
    told = "scrimp: warning: the settings name no upstream 'zzz'; they name anthropic, eu\n"
    assert capsys.readouterr().err == (told if warned else "")


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["create", "a/b"], 3, "'a/b' cannot name a key"),
        (["create", "taken"], 3, "there is a key 'taken' already"),
        (["create", "taken", "--budget", "1.00/day"], 3, "there is a key 'taken' already"),
        (["create", "x", "--budget", "5.00/week"], 2, "after the slash stands day or month or total"),
        (["create", "x", "--budget", "20,00/day"], 2, "'20,00': a comma is not taken here"),
        (["create", "x", "--budget", "five"], 2, "'five' is no amount of dollars"),
        (["create", "x", "--zone", "Mars"], 2, "'Mars' is no time zone"),
        (["create", "x", "--mode", "fast"], 2, "fast"),
        (["revoke", "takn"], 3, "no key 'takn' is in force; did you mean 'taken'?"),
    ],
)
def test_mistakes_change_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], args: list[str], status: int, words: str
) -> None:
    store = KeyStore(home / "keys.sqlite")
    store.create(Key(name="taken"))
    assert main(["key", *args]) == status
    assert words in capsys.readouterr().err
    assert [key.name for key in store.all()] == ["taken"]
    ledger = SqliteLedger(home / "ledger.sqlite")
    assert not ledger.budgets.limits()
    ledger.close()
