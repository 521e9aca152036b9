"""`scrimp report`: the terminal, JSON, CSV and the page say the same, exactly."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.moments import moment
from scrimp.core.record import Tags
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.browser import look_at
from tests.stores.records import record

DAY, USD = 86_400, 10**12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Twelve users over twelve days: one far above, a grown system prompt, a miss, an inferred type."""
    file = tmp_path / "ledger.sqlite"
    ledger, now = SqliteLedger(file), time.time()
    for number in range(12):
        inferred = number % 3 == 0
        tags = Tags(
            ("nightly", "search") if number % 4 == 0 else ("nightly",),
            (f"r{number}", f"s{number}") if number % 4 == 0 else (f"r{number}",),
            "<b>u0" if number == 0 else f"u{number}",
            "chat" if inferred else "report",
            None if inferred else "writer",
            team="red" if number % 2 else "blue",
            inferred=inferred,
        )
        ledger.record(
            record(
                started_at=now - number * DAY - 60,
                tags=tags,
                cost=USD * (40 if number == 5 else 1),
                own_cost=USD * (50 if number == 5 else 2),
                measured=number != 7,
                miss="TTL expired" if number == 2 else None,
                lost=USD // 4 if number == 2 else None,
                static_tokens=12_000 if number > 4 else 18_000,
                model="claude-opus-5" if number % 2 else "claude-haiku-5-5",
            )
        )
    ledger.close()
    return file


@pytest.fixture
def said(path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*args: str) -> str:
        assert main(["report", "--ledger", str(path), *args]) == ExitCode.OK
        return capsys.readouterr().out

    return run


def test_the_text_says_spent_saved_lost_who_and_what(said: Callable[..., str]) -> None:
    text = said()
    plain = " ".join(text.split())
    assert "Spent $51.00 on 12 calls (measured, but for $1.00 estimated where no bill was seen)" in plain
    assert "Saved $21.00 (estimated): the callers' own requests would have cost $72.00." in plain
    assert "Lost $0.2500 (estimated) to 1 cache miss." in plain
    assert "user u5: $40.00, 40.0 × what is typical of 12 users ($1.00)" in plain
    assert "run r5: $40.00, 40.0 × what is typical of 12 runs of nightly ($1.00)" in plain
    assert "of 2 task types" not in plain  # of two types one is always most of it
    assert re.search(r"^chat\* +4 +\$4\.00 +7\.8 %", text, re.MULTILINE)
    assert re.search(r"^claude-opus-5 +6 +~\$45\.00 +88\.2 %", text, re.MULTILINE)
    assert re.search(r"^nightly/search +3", text, re.MULTILINE)
    assert "TTL expired: Use the 1h TTL" in plain
    assert re.search(r"writer jumped on \d{4}-\d\d-\d\d: 12k → 18k \(\+50 %\)", text)
    assert "* Nobody named the task type" in text
    assert "<b>u0" in text
    assert max(map(len, text.splitlines())) <= 80


def test_only_what_is_asked_for_is_shown(said: Callable[..., str]) -> None:
    text = said("--by", "team,sub-agents", "--top", "1", "--since", "5d")
    assert "Spent $5.00 on 5 calls" in " ".join(text.split())
    assert re.search(r"^blue +3 +\$3\.00", text, re.MULTILINE)
    assert "and 1 more, $2.00 together" in text
    assert "claude" not in text.split("cache misses")[0]
    assert "Spent $40.00 on 1 call " in said("--run", "r5")
    assert "Spent $3.00 on 3 calls" in said("--run", "nightly/search")
    assert "Spent $4.00 on 4 calls" in said("--task", "chat", "--since", "all")


def test_the_json_is_exact_and_documented(said: Callable[..., str]) -> None:
    found = json.loads(said("--json"))
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    section = documented.split("## `scrimp report --json`")[1].split("\n## ")[0]
    example = json.loads(section.split("```json\n")[1].split("```")[0])
    assert set(found) == set(example)
    assert set(found["total"]) == set(example["total"])
    for name in ("outliers", "misses", "sizes", "days"):
        assert set(found[name][0]) == set(example[name][0]), name
    assert set(found["by"]["model"][0]) == set(example["by"]["model"][0])
    assert found["total"]["usd"] == "51"
    assert found["total"]["estimated_usd"] == "1"
    assert {line["name"]: line["usd"] for line in found["by"]["team"]} == {"red": "45", "blue": "6"}
    assert found["pareto"] == {"tasks": ["report"], "of": 2, "share": 0.9216}
    assert sum(Decimal(day["usd"]) for day in found["days"]) == 51
    for lines in found["by"].values():
        assert sum(Decimal(line["usd"]) for line in lines) == 51


def test_the_csv_has_every_line(said: Callable[..., str], tmp_path: Path) -> None:
    said("--csv", str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["by"] == "total"
    by: dict[str, Decimal] = {}
    for row in rows:
        by[row["by"]] = by.get(row["by"], Decimal(0)) + Decimal(row["usd"])
    assert set(by.values()) == {Decimal(51)}
    assert len([row for row in rows if row["by"] == "user"]) == 12
    assert [row["inferred"] for row in rows if row["name"] == "chat"] == ["true"]


def test_the_page_is_whole_escaped_and_drawn(said: Callable[..., str], tmp_path: Path) -> None:
    assert said("--html", str(tmp_path / "out.html")) == ""
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;u0" in page
    assert "<b>u0" not in page
    assert page.count("<svg") == 1
    assert not re.search(r"https?://|src=|url\(", page)
    columns = [title for title in re.findall(r"<title>(\d{4}-[^<]*)</title>", page) if title]
    assert len(columns) in (12, 13)
    assert any("$40.00" in title for title in columns)
    heights = [float(height) for height in re.findall(r'<rect class="(?!catch)[^>]*height="([\d.]+)"', page)]
    assert len(heights) == 12
    assert max(heights) / sorted(heights)[-2] == pytest.approx(40, rel=0.01)


def test_the_page_fits_a_phone(said: Callable[..., str], tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    said("--html", str(page))
    seen = look_at(page, width=360, scheme="dark")
    assert (seen.console, seen.asked) == ([], [page.resolve().as_uri()])
    assert (seen.wide, seen.small, seen.unnamed) == (360, 0, 0)


def test_nothing_recorded_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["report"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "The ledger is empty" in text
    assert "scrimp run -- COMMAND" in text
    assert "Claude Code" not in text
    (tmp_path / ".claude" / "projects" / "x").mkdir(parents=True)
    (tmp_path / ".claude" / "projects" / "x" / "1.jsonl").touch()
    assert main(["report"]) == ExitCode.OK
    assert "Claude Code keeps transcripts of its own" in capsys.readouterr().out
    assert main(["report", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["total"]["calls"] == 0
    assert not (tmp_path / "home").exists()


def test_no_such_calls_names_the_days_there_are(said: Callable[..., str]) -> None:
    assert re.search(
        r"No such calls\. The ledger has 12, from 2\S+ to 2\S+: --since all",
        said("--user", "u9", "--since", "1d"),
    )


def test_a_filter_that_never_finds_anything_is_named(said: Callable[..., str]) -> None:
    words = " ".join(said("--team", "nobody", "--user", "u1").split())
    assert words == (
        "--user u1 --team nobody finds nothing, at no time: none of the 12 calls in the ledger is such."
    )
    assert "finds nothing" not in said("--team", "red")


def test_of_many_task_types_the_few_that_make_most_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = SqliteLedger(tmp_path / "types.sqlite")
    for number, (task, cost) in enumerate({"a": 5, "b": 90, "c": 3, "d": 2}.items()):
        paid = record(id=str(number), started_at=time.time() - 60, tags=Tags(task_type=task), cost=cost * USD)
        ledger.record(paid)
    ledger.close()
    assert main(["report", "--ledger", str(tmp_path / "types.sqlite")]) == ExitCode.OK
    assert "1 of 4 task types makes 90 % of their bill: b." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["--by", "usre"], "nothing is told apart by 'usre': did you mean user?"),
        (["--by", "xyz"], "there are model, user, team"),
        (["--since", "tomorrow"], "'tomorrow' is no time: write 7d"),
        (["--top", "0"], "0"),
    ],
)
def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str], args: list[str], hint: str) -> None:
    assert main(["report", *args]) == ExitCode.USAGE
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", 1e9 - 7 * DAY),
        ("24 hours", 1e9 - DAY),
        ("2w", 1e9 - 14 * DAY),
        ("all", None),
        ("1970-01-02", DAY),
        ("1970-01-01T01:00", 3_600),
        ("1970-01-01T01:00+01:00", 0),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: float | None) -> None:
    assert moment(text, 1e9) == expected
