"""`scrimp budget set, list, why, remove`, over a real ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.core.budget import Ask, Held, Refusal, Settlement, scopes_of
from scrimp.core.money import PICODOLLARS
from scrimp.core.record import Tags
from scrimp.stores.ledger import Ledger
from scrimp.stores.opening import home_ledger
from tests.patience import PATIENCE
from tests.stores.records import record

Run = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("SCRIMP_DEBUG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    ledger = home_ledger(print)
    yield ledger
    ledger.close()


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `scrimp budget` and return what it prints, which has no more than one line on stderr."""

    def command(*args: str, status: int = 0) -> str:
        assert main(["budget", *args]) == status, capfd.readouterr()
        out, err = capfd.readouterr()
        assert err.count("\n") == (1 if status else 0)
        return err if status else out

    return command


def usd(amount: float) -> int:
    return int(amount * PICODOLLARS)


def reserve(ledger: Ledger, name: str, amount: float, tags: Tags, *, lease: float = 3600.0) -> Any:
    now = time.time()
    return ledger.budgets.reserve(Ask(name, usd(amount), now, now + lease, scopes_of(tags))).result(PATIENCE)


def spend(ledger: Ledger, name: str, held: float, bill: float, tags: Tags) -> None:
    assert isinstance(reserve(ledger, name, held, tags), Held)
    paid = record(id=name, started_at=time.time(), cost=usd(bill), tags=tags, measured=True)
    ledger.record(paid, Settlement(name, usd(bill)))


def test_a_limit_that_is_set_holds(run: Run, ledger: Ledger) -> None:
    said = run("set", "user:*", "$5.00", "--window", "day", "--zone", "Europe/Berlin", "--alert-at", "50,80")
    assert said == "user:*, each by itself, may spend $5.00 a day.\nAlerts at 50 %, 80 %.\n"
    found = reserve(ledger, "a", 5.01, Tags(user="u_1"))
    assert isinstance(found, Refusal)
    assert (found.limit.amount, found.limit.zone, found.limit.alert_at) == (
        5 * PICODOLLARS,
        "Europe/Berlin",
        (50, 80),
    )
    assert isinstance(reserve(ledger, "b", 5.0, Tags(user="u_1")), Held)


def test_what_was_spent_before_counts_and_is_said(run: Run, ledger: Ledger) -> None:
    ledger.record(record(id="a", started_at=time.time(), cost=usd(3), tags=Tags(team="t"), measured=True))
    assert "team:t has spent $3.00 of it so far." in run("set", "team:t", "10")
    said = run("set", "team:t", "2", "--alert-at", "")
    assert said == (
        "team:t may spend $2.00 in total.\n"
        "team:t has spent $3.00 already: no call of it goes out; this limit does not reset.\n"
        "Changed: amount $10.00 → $2.00, alerts 80 % → none.\n"
    )


def test_a_limit_set_again_keeps_what_is_not_said(run: Run, ledger: Ledger) -> None:
    run("set", "user:a", "5", "--window", "day", "--zone", "Europe/Berlin", "--alert-at", "50,90")
    said = run("set", "user:a", "7.50")
    assert said == ("user:a may spend $7.50 a day.\nAlerts at 50 %, 90 %.\nChanged: amount $5.00 → $7.50.\n")
    (limit,) = ledger.budgets.limits()
    assert (limit.amount, limit.window, limit.zone) == (usd(7.5), "day", "Europe/Berlin")
    assert limit.alert_at == (50, 90)
    assert "Changed: zone Europe/Berlin → UTC.\n" in run("set", "user:a", "7.50", "--zone", "UTC")
    assert "Nothing changed" in run("set", "user:a", "7.50")


def test_a_second_limit_of_a_scope_is_said_to_be_one(run: Run, ledger: Ledger) -> None:
    run("set", "user:a", "5", "--window", "day")
    assert run("set", "user:a", "50", "--window", "month").endswith(
        "Besides, it may spend no more than $5.00 a day.\n"
    )
    assert "user:a has several limits: say which with --window (" in run("set", "user:a", "6", status=3)
    assert {one.window: one.amount for one in ledger.budgets.limits()} == {"day": usd(5), "month": usd(50)}
    run("set", "user:a", "6", "--window", "day")
    assert {one.window: one.amount for one in ledger.budgets.limits()} == {"day": usd(6), "month": usd(50)}


@pytest.mark.parametrize("amount", ["5,00", "1,250"])
def test_an_amount_with_a_comma_sets_nothing(run: Run, ledger: Ledger, amount: str) -> None:
    assert "a comma is not taken here; write cents after a point" in run("set", "user:a", amount, status=2)
    assert not ledger.budgets.limits()


def test_list_shows_spent_held_and_left(run: Run, ledger: Ledger) -> None:
    run("set", "organisation", "100", "--window", "month")
    run("set", "user:*", "5")
    spend(ledger, "a", 2.0, 1.5, Tags(user="u_1"))
    reserve(ledger, "b", 1.0, Tags(user="u_1"))
    spend(ledger, "c", 0.5, 0.25, Tags(user="u_2"))
    lines = [" ".join(line.split()) for line in run("list").splitlines()]
    assert lines[0] == "limit used spent held left resets"
    assert lines[1].startswith("organisation 3 % ░░░░░░░░░░ $1.75 $1.00 $97.25 in ")
    assert lines[2:] == [
        "$100.00 a month",
        "user:*",
        "$5.00 in total",
        "user:u_1 50 % █████░░░░░ $1.50 $1.00 $2.50 never",
        "user:u_2 5 % ░░░░░░░░░░ $0.2500 $4.75 never",
    ]


def test_list_marks_what_is_no_bill_and_what_overran(run: Run, ledger: Ledger) -> None:
    run("set", "user:u_1", "5")
    spend(ledger, "a", 1.0, 1.5, Tags(user="u_1"))
    reserve(ledger, "b", 0.5, Tags(user="u_1"), lease=-1.0)
    said = run("list")
    assert "~!$2.00" in said
    assert "~ Part of it is no bill" in said
    assert "! A bill came out above what was held" in said
    (limit,) = json.loads(run("list", "--json"))["limits"]
    (standing,) = limit["standings"]
    assert {key: standing[key] for key in standing if key.endswith("_usd")} == {
        "spent_usd": "2",
        "held_usd": "0",
        "left_usd": "3",
        "unsettled_usd": "0.5",
        "overrun_usd": "0.5",
    }


def test_of_many_members_the_dearest_are_shown(run: Run, ledger: Ledger) -> None:
    run("set", "user:*", "5")
    for number in range(13):
        spend(ledger, f"c{number}", 1.0, 0.1 + number / 100, Tags(user=f"u_{number}"))
    said = run("list")
    assert "user:u_12" in said
    assert "user:u_2 " not in said
    assert "… and 3 more: --all" in said
    assert "user:u_0 " in run("list", "--all")


def test_why_explains_a_standing(run: Run, ledger: Ledger) -> None:
    run("set", "user:*", "5")
    spend(ledger, "first", 1.0, 1.5, Tags(user="u_1", run=("nightly", "reviewer")))
    spend(ledger, "other", 1.0, 1.0, Tags(user="u_2"))
    reserve(ledger, "going", 2.0, Tags(user="u_1"))
    reserve(ledger, "dead", 0.5, Tags(user="u_1"), lease=-1.0)
    assert isinstance(reserve(ledger, "late", 4.0, Tags(user="u_1")), Refusal)
    said = run("why", "user:u_1")
    assert said.startswith("user:* (each by itself) may spend $5.00 in total.\n  user:u_1: $2.00 spent, ")
    for words in (
        "$2.00 held, $1.00 left; this limit does not reset",
        "$0.5000 of it is no bill: the end of those calls was never seen",
        "$0.5000 of bills was above what had been held for them",
        "held by 1 call under way, the oldest for ",
        "(going)",
        "refused: could have cost up to $4.00; $2.00 spent and $2.00 held then",
        "billed above its hold: $1.50",
        "its end was never seen, so it counts with all it held: $0.5000",
        "$1.50  claude-",
        "user u_1, run nightly/reviewer",
    ):
        assert words in said
    assert "u_2" not in said
    found = json.loads(run("why", "user:u_1", "--json"))
    (limit,) = found["limits"]
    assert [event["kind"] for event in limit["events"]].count("refusal") == 1
    assert [hold["id"] for hold in limit["holds"]] == ["going"]
    assert [one["id"] for one in limit["dearest"]] == ["first"]


def test_equal_refusals_share_a_line_and_times_say_their_zone(run: Run, ledger: Ledger) -> None:
    run("set", "user:u", "1", "--zone", "Europe/Berlin")
    for name in ("a", "b", "c"):
        assert isinstance(reserve(ledger, name, 2.0, Tags(user="u")), Refusal)
    assert isinstance(reserve(ledger, "d", 3.0, Tags(user="u")), Refusal)
    said = run("why", "user:u").splitlines()
    at = said.index("  what happened, times in Europe/Berlin")
    lines = sorted(line.partition(" refused: ")[2] for line in said[at + 1 :])
    assert lines == [
        "could have cost up to $2.00; $0.00 spent and $0.00 held then × 3",
        "could have cost up to $3.00; $0.00 spent and $0.00 held then",
    ]


def test_a_limit_overrun_many_times_keeps_the_table_narrow(run: Run, ledger: Ledger) -> None:
    spend(ledger, "a", 1.0, 1.0, Tags(user="u"))
    run("set", "user:u", "0.0001")
    assert ">999 % ██████████ $1.00" in " ".join(run("list").split())


def test_remove_drops_the_limit(run: Run, ledger: Ledger) -> None:
    run("set", "team:t", "5")
    run("set", "user:u", "5")
    run("set", "user:u", "1", "--window", "day")
    assert run("remove", "team:t") == "Removed: team:t had $5.00 in total.\n"
    assert "say which with --window (day, total)" in run("remove", "user:u", status=3)
    assert run("remove", "user:u", "--window", "day") == "Removed: user:u had $1.00 a day.\n"
    assert [limit.id for limit in ledger.budgets.limits()] == ["user:u/total"]


def test_looking_makes_no_files(run: Run, home: Path) -> None:
    assert run("list").startswith("No limits are set. `scrimp budget set")
    assert run("list", "--json").count('"limits": []') == 1
    assert "there is no limit on user:x" in run("remove", "user:x", status=3)
    assert "nothing limits user:x: see `scrimp budget list`" in run("why", "user:x", status=3)
    assert not home.exists()


@pytest.mark.parametrize(
    ("args", "status", "line"),
    [
        (
            ("set", "usr:x", "5"),
            2,
            "Invalid value for 'SCOPE': 'usr:x' is no scope: did you mean user? write",
        ),
        (
            ("set", "user:x", "five"),
            2,
            "Invalid value for 'USD': 'five' is no amount of dollars: write it as",
        ),
        (
            ("set", "user:x", "5", "--zone", "berlin"),
            2,
            "'berlin' is no time zone: did you mean Europe/Berlin?",
        ),
        (
            ("set", "user:x", "5", "--zone", "?"),
            2,
            "'?' is no time zone: write one such as UTC or Europe/Berlin",
        ),
        (
            ("set", "user:x", "5", "--alert-at", "110"),
            2,
            "'110': write whole per cent from 1 to 100 with commas",
        ),
        (("set", "user:x", "5", "--window", "week"), 2, "Invalid value for '--window'"),
        (("set", "user:x", "99999999"), 3, "the amount must be from $0 to below"),
        (("remove", "usser:x"), 2, "did you mean user?"),
        (("nonsense",), 2, "No such command 'nonsense'"),
    ],
)
def test_a_mistake_is_one_clear_line(run: Run, args: tuple[str, ...], status: int, line: str) -> None:
    said = run(*args, status=status)
    assert said.startswith("scrimp: error: ")
    assert line in said


def test_a_scope_that_is_not_limited_names_the_nearest(run: Run, ledger: Ledger) -> None:
    run("set", "user:alexander", "5")
    assert "no limit on user:alexandre; did you mean user:alexander?" in run(
        "remove", "user:alexandre", status=3
    )
    assert "nothing limits user:alexandre; did you mean user:alexander?" in run(
        "why", "user:alexandre", status=3
    )
