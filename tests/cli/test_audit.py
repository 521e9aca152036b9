"""`scrimp audit`: what it says, in which order, for whom; and what it does with input that is not sound."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from scrimp.cli import main
from scrimp.cli.audit import BY, SECTIONS
from scrimp.cli.audit_checklist_text import print_checklist
from scrimp.cli.audit_checklist_words import assumed, regret_sentence
from scrimp.cli.audit_days import DAY
from scrimp.cli.audit_faults import left_out, one_line_a_file
from scrimp.cli.audit_json import audit_json
from scrimp.cli.audit_paths import default_paths
from scrimp.cli.audit_text import print_head, print_sections, print_spend, print_table
from scrimp.cli.audit_words import billed_sentences, curable, short_run, smaller_causes, worth_showing
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.explain_place import typed
from scrimp.cli.output import json_text
from scrimp.core.audit import model
from scrimp.core.audit.checklist_model import Checklist, Regret
from scrimp.core.audit.model import Audit, CauseLine, Floor, Misses
from scrimp.core.spend import DIMENSIONS
from scrimp.spending import Spent
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.cli.audit_sample import CENT, sample_audit, sample_finding, sample_spend
from tests.cli.recordings import exchange, quick_agent, write
from tests.powerless import powerless
from tests.stores.records import record
from tests.traces.sessions import assistant, result, text, tool_use, usage, user
from tests.traces.sessions import write as write_session

Run = Callable[..., Any]

NOBODY = 65534


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is remembered in a folder of the test's own."""
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Audit what has to be readable; the JSON, and what was said beside it."""

    def done(*args: str) -> tuple[Any, str]:
        assert main(["audit", *args, "--json"]) == ExitCode.OK
        captured = capsys.readouterr()
        return json.loads(captured.out), captured.err

    return done


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    return write(tmp_path / "agent.jsonl", quick_agent())


def session(path: Path) -> Path:
    return write_session(
        path,
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "msg_1", usage(read=10_000, write_5m=5_000, output=50), tool_use("t1")),
        user("u2", "a1", 900, [result("t1", "lines " * 400)]),
        assistant("a2", "u2", 904, "msg_2", usage(write_5m=15_400, output=70), text("done")),
    )


# What the two calls of `quick_agent` cost: Claude Opus 5 at 5, 6.25, 0.50 and 25 USD per million.
INPUT = (2 * 3 * 5 + 2_600 * Decimal("6.25") + 2_000 * Decimal("0.5")) / 10**6
OUTPUT = Decimal(2 * 10 * 25) / 10**6


def test_what_was_billed_is_what_the_calls_cost(run: Run, agent: Path) -> None:
    found, err = run(str(agent))
    assert err == ""
    assert (found["calls"], found["runs"], found["api_equivalent"]) == (2, 1, False)
    assert Decimal(found["input_usd"]) == INPUT
    assert Decimal(found["output_usd"]) == OUTPUT
    assert Decimal(found["billed_usd"]) == INPUT + OUTPUT
    assert found["calibration"]["calls"] == 2
    assert found["calibration"]["error"] == 0.0
    assert Decimal(found["spend"]["total"]["usd"]) == INPUT + OUTPUT
    [project] = found["spend"]["by"]["project"]
    assert (project["calls"], project["write_5m"], project["read"]) == (2, 2_600, 2_000)
    parts = found["tax"]["parts"]
    assert sum(Decimal(part["usd"]) for part in parts) == INPUT
    assert sum(part["plain"] + part["write_5m"] + part["read"] for part in parts) == 4_606


def test_only_what_is_asked_for_is_worked_out(run: Run, agent: Path) -> None:
    found, _ = run(str(agent), "--only", "misses", "--only", "ttl")
    assert [name for name in SECTIONS if found.get(name) is not None] == ["misses", "ttl"]
    assert found["calibration"] is not None


def test_spending_is_told_apart_as_asked(run: Run, agent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = run(str(agent), "--only", "spend", "--only", "ttl", "--by", "session,day")
    assert list(found["spend"]["by"]) == ["session", "day"]
    assert found["spend"]["by"]["day"][0]["name"] == "2026-08-01"
    assert main(["audit", str(agent), "--only", "spend", "--only", "ttl", "--by", "modell"]) == ExitCode.USAGE
    assert "nothing is told apart by 'modell': did you mean model?" in capsys.readouterr().err


def test_sections_are_those_of_the_audit() -> None:
    assert SECTIONS == model.SECTIONS
    assert BY == DIMENSIONS


def test_a_session_says_that_its_dollars_are_no_plans_bill(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session(tmp_path / "session.jsonl")
    found, _ = run(str(path))
    assert found["api_equivalent"] is True
    [line] = found["misses"]["causes"]
    # Claude Opus 4.6 at 6.25 USD for a 5m write, 0.50 for a read: 15,000 tokens were to be read.
    lost = 15_000 * (Decimal("6.25") - Decimal("0.5")) / 10**6
    assert (line["cause"], Decimal(line["lost_usd"])) == ("TTL expired (5m, back within 1h)", lost)
    assert main(["audit", str(path)]) == ExitCode.OK
    assert "API-equivalent, not a plan's bill" in capsys.readouterr().out


def test_what_it_points_at_can_be_explained(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = run(str(session(tmp_path / "session.jsonl")))
    [line] = found["misses"]["causes"]
    assert main(["explain", *line["examples"], "--json"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert line["cause"].startswith(told["miss"]["cause"])
    assert told["miss"]["lost_usd"] == line["lost_usd"]


def test_days_bound_what_is_counted(run: Run, agent: Path, tmp_path: Path) -> None:
    later = [exchange(0, at="2026-08-03T09:00:00Z", usage={"cache_creation_input_tokens": 2000}, run="later")]
    write(tmp_path / "later.jsonl", later)
    assert run(str(tmp_path))[0]["calls"] == 3
    assert run(str(tmp_path), "--since", "2026-08-02")[0]["calls"] == 1
    assert run(str(tmp_path), "--until", "2026-08-01")[0]["calls"] == 2


def test_calls_without_a_time_are_on_no_day(
    run: Run, agent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    untimed = [
        exchange(step, at="", usage={"cache_creation_input_tokens": 2_000}, run="untimed")
        | {"started_at": None}
        for step in range(2)
    ]
    write(tmp_path / "untimed.jsonl", untimed)
    found, err = run(str(tmp_path), "--since", "2026-08-01", "--until", "2026-08-01")
    assert err == (
        "scrimp: 2 calls without a recorded time left out: --since and --until cannot be applied to them\n"
    )
    assert found["calls"] == found["spend"]["total"]["calls"] == 2
    assert main(["audit", str(tmp_path / "untimed.jsonl"), "--since", "2026-08-01"]) == ExitCode.INPUT
    assert "none of the calls has a recorded time: --since cannot be applied" in capsys.readouterr().err


def test_days_can_be_counted_back_from_today() -> None:
    today = datetime.now(UTC).date()
    assert DAY.convert("0d", None, None) == today
    assert DAY.convert("7d", None, None) == today - timedelta(days=7)
    assert DAY.convert("Yesterday", None, None) == today - timedelta(days=1)
    assert DAY.convert("2026-08-01", None, None) == date(2026, 8, 1)


def test_a_page_is_written_where_asked(
    agent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "audit.html"
    assert main(["audit", str(agent), "--html", str(page)]) == ExitCode.OK
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"wrote {page}\n"
    drawn = page.read_text(encoding="utf-8")
    assert drawn.startswith("<!doctype html>")
    assert "http://" not in drawn
    assert "https://" not in drawn.replace("https://api.anthropic.com", "")


def test_a_page_that_cannot_be_written_is_the_systems_fault(
    agent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "nowhere" / "audit.html"
    assert main(["audit", str(agent), "--html", str(page)]) == ExitCode.SYSTEM
    assert capsys.readouterr().err == f"scrimp: error: {page}: No such file or directory\n"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--only", "nothing"], ExitCode.USAGE, "'nothing' is not one of"),
        (["--since", "last week"], ExitCode.USAGE, "'last week' is no day: give 2026-11-01, 7d"),
        (["--since", "2026-02-30"], ExitCode.USAGE, "'2026-02-30' is no day"),
        (["--since", "2026-08-02", "--until", "2026-08-01"], ExitCode.USAGE, "is after --until"),
        (["--by", "modle"], ExitCode.USAGE, "did you mean model?"),
        (["--only", "misses", "--by", "day"], ExitCode.USAGE, "--by tells spending apart: add --only spend"),
        ([""], ExitCode.USAGE, "a PATH is empty"),
        (["gone.jsonl"], ExitCode.INPUT, "gone.jsonl: no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    agent: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: ExitCode, words: str
) -> None:
    paths = [] if args == ["gone.jsonl"] else [str(agent)]
    assert main(["audit", *paths, *args]) == code
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1


def test_bad_files_get_a_line_each_and_the_rest_is_read(run: Run, tmp_path: Path) -> None:
    good = [json.dumps(one) for one in quick_agent()]
    (tmp_path / "agent.jsonl").write_text(
        "\n".join([good[0], "{broken", "[1]", good[1], ""]), encoding="utf-8"
    )
    (tmp_path / "binary.jsonl").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(("\n".join(good) + "\n").encode() * 30)[:-60])
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "nul.jsonl").write_bytes(b"\0" * 100_000)
    found, err = run(str(tmp_path))
    assert Decimal(found["billed_usd"]) == INPUT + OUTPUT
    lines = err.splitlines()
    assert [line.split(": ")[1].rpartition("/")[2].split(":")[0] for line in lines] == [
        "agent.jsonl",
        "binary.jsonl",
        "cut.jsonl.gz",
        "nul.jsonl",
    ]
    assert f"{tmp_path}/agent.jsonl:2: not JSON" in lines[0]
    assert lines[0].endswith("(and 1 more line)")
    assert "damaged after this line" in lines[2]
    assert all(len(line) < 400 for line in lines)
    assert len(found["faults"]) >= 4


def test_nothing_to_read_says_so_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.jsonl").write_text("{", encoding="utf-8")
    assert main(["audit", str(tmp_path)]) == ExitCode.INPUT
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"scrimp: skipped {tmp_path}/bad.jsonl:1: not JSON")
    assert second.startswith("scrimp: error: no billed call was found")


def test_what_may_not_be_opened_is_named_and_the_rest_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write(folder / "agent.jsonl", quick_agent())
        shut = write(folder / "shut.jsonl", quick_agent())
        shut.chmod(0)
        hidden = folder / "hidden"
        hidden.mkdir(mode=0o000)
        assert main(["audit", str(folder), "--only", "misses", "--json"]) == ExitCode.OK  # all is imported
        capsys.readouterr()
        with powerless():
            assert main(["audit", str(folder), "--only", "misses", "--json"]) == ExitCode.OK
        captured = capsys.readouterr()
        hidden.chmod(0o700)
    assert json.loads(captured.out)["calls"] == 2
    assert captured.err.splitlines() == [
        f"scrimp: skipped {hidden}: cannot be listed: Permission denied",
        f"scrimp: skipped {shut}: cannot be opened: Permission denied",
    ]


def test_faults_are_summed_up_by_file() -> None:
    faults = ["a b.jsonl:1: not JSON: x: y", "a b.jsonl:2: not JSON", "c.jsonl: cannot be opened"]
    assert one_line_a_file(faults) == [
        "a b.jsonl:1: not JSON: x: y (and 1 more line)",
        "c.jsonl: cannot be opened",
    ]
    assert left_out({"few": 1, "many": 2_000}) == "Left out: many (2,000); few (1)."
    assert left_out({}) == ""


def test_claude_codes_folders_are_where_it_writes(tmp_path: Path) -> None:
    usual = [tmp_path / ".config" / "claude" / "projects", tmp_path / ".claude" / "projects"]
    assert default_paths({}, tmp_path) == usual
    assert default_paths({"CLAUDE_CONFIG_DIR": " "}, tmp_path) == usual
    two = default_paths({"CLAUDE_CONFIG_DIR": "/one, /two/projects"}, tmp_path)
    assert two == [Path("/one/projects"), Path("/two/projects")]
    moved = default_paths({"XDG_CONFIG_HOME": "/cfg"}, tmp_path)
    assert moved[0] == Path("/cfg/claude/projects")


def test_without_a_path_they_are_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    assert main(["audit"]) == ExitCode.INPUT
    assert f"no sessions of Claude Code in {tmp_path}/projects" in capsys.readouterr().err
    folder = tmp_path / "projects" / "shop"
    folder.mkdir(parents=True)
    session(folder / "s1.jsonl")
    assert run()[0]["calls"] == 2


def printed(audit: Audit, width: int = 80) -> str:
    out = Console(width=width, highlight=False, emoji=False, record=True, file=io.StringIO())
    print_head(out, audit)
    print_sections(out, audit)
    if audit.levers is not None:
        print_checklist(out, audit.levers)
    return out.export_text()


def test_the_terminal_says_all_of_it_in_order_and_in_80_columns() -> None:
    shown = printed(sample_audit())
    order = [
        "Calibration: the model puts the input of 2,000 billed calls at $10.10",
        "Billed at least $20.00 (measured) for 2,000 calls in 40 runs",
        "Sent again",
        "Tool results",
        "Cache misses",
        "Lifetimes",
        "What to change",
        "1. Let scrimp place the markers",
        "2. Clear old tool results",
        "Together, replayed as one: $12.00 a month ($9.00 to $15.00)",
        "Would not have paid here",
        "For 1 other lever there is nothing here to gain",
    ]
    places = [shown.index(words) for words in order]
    assert places == sorted(places)
    commands = ("  scrimp explain", "   scrimp explain", "     client")
    assert all(len(line) <= 80 for line in shown.splitlines() if not line.startswith(commands))


def test_figures_of_the_terminal_are_those_of_the_audit() -> None:
    shown = " ".join(printed(sample_audit()).split())
    assert "the bill is 2.50 times that" in shown
    # 1,000 times 10 + 5 + 20 + 55 of 100 were sent before; each nine times as a read, once as plain
    assert "of 15M input tokens 12.15M had been sent before" in shown
    assert "growing by 412 tokens a step" in shown
    assert "history compacted (intend" in shown
    assert "$12.00 a month ($9.00 to $15.00), 20.0 % of the bill, high confidence" in shown
    assert (
        "$20.00 would have been $16.00, $4.00 less; added up one by one the same changes would claim $4.50"
        in shown
    )
    assert "Write for 1h: −$2.00 a month (−$3.00 to −$1.00). Gaps are short." in shown


def test_more_than_a_few_changes_are_listed_in_short() -> None:
    checklist = sample_audit().levers
    assert checklist is not None
    many = tuple(sample_finding(lever=f"l{number}", title=f"Change {number}") for number in range(8))
    shown = printed(sample_audit(levers=type(checklist)(many, None, 2_000 * CENT)))
    assert "5. Change 4" in shown
    assert "6. Change 5" not in shown
    assert " • Change 5: $12.00 a month" in shown


def shown_table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    out = Console(width=width, highlight=False, emoji=False, record=True, file=io.StringIO())
    print_table(out, ("cause", "misses", "lost", ""), rows)
    return out.export_text().splitlines()


def test_a_narrow_terminal_loses_the_bars_then_names_and_never_figures() -> None:
    rows = [
        ("written too recently to be read", "1,234", "$20,860.12", "█" * 20),
        ("other", "1", "$0.10", "█"),
    ]
    # 31 of the longest name, 6 and 10 of the figures, 20 of the longest bar, two spaces between them
    assert shown_table(rows, 73)[1] == f"written too recently to be read   1,234  $20,860.12  {'█' * 20}"
    assert shown_table(rows, 72)[1] == "written too recently to be read   1,234  $20,860.12"
    assert shown_table(rows, 51)[1] == "written too recently to be read   1,234  $20,860.12"
    assert shown_table(rows, 40)[1] == "written too recentl…   1,234  $20,860.12"
    assert all(len(line) <= 40 for line in shown_table(rows, 40))


def test_words_after_the_figures_give_way_only_when_names_would_vanish() -> None:
    rows = [("django__django-11265", "50", "$3.10", "growing by 981 tokens a step")]
    assert shown_table(rows, 80)[1].endswith("$3.10  growing by 981 tokens a step")
    assert shown_table(rows, 50)[1] == "django__django-11265      50  $3.10"


def test_what_was_recorded_as_a_placeholder_makes_the_bill_a_least() -> None:
    first = billed_sentences(sample_audit())[0]
    assert first.startswith("Billed at least $20.00 (measured)")
    assert first.endswith("$15.00 for input, at least $5.00 for output.")
    exact = billed_sentences(sample_audit(output_doubtful=0, output_billed=440 * CENT))
    assert exact[0].startswith("Billed $20.00 (measured)")
    assert exact[0].endswith(
        "$15.00 for input, $4.40 for output, $0.6000 in fees, for searches and the like."
    )
    assert not any("placeholder" in said for said in exact)


def cause(name: str, lost: int, fix: str = "Do it.", *, intended: bool = False) -> CauseLine:
    return CauseLine(name, 2, 1_000, lost * CENT, fix, intended=intended, examples=())


def test_causes_worth_next_to_nothing_are_summed_up() -> None:
    causes = (cause("a", 5_000), cause("b", 50), cause("c", 49), cause("d", 1), cause("e", 0))
    misses = Misses(100, causes)
    shown = worth_showing(misses, 10_000 * CENT)  # a two-hundredth of 100 dollars is 50 cents
    assert [line.cause for line in shown] == ["a", "b"]
    assert smaller_causes(misses, shown) == "And 3 more causes, 6 misses, $0.5000: --json has all."
    assert len(worth_showing(Misses(100, causes[:3]), 10_000 * CENT)) == 3  # one left over needs no line
    even = (cause("a", 3), cause("b", 2), cause("c", 2))
    assert len(worth_showing(Misses(100, even), 10_000 * CENT)) == 3  # small, but all there is


def test_what_no_prompt_is_known_of_has_a_row_of_its_own() -> None:
    tax = sample_audit().tax
    assert tax is not None
    shown = printed(sample_audit(tax=msgspec.structs.replace(tax, beside=500 * CENT)))
    # 15 dollars of parts and 5 beside them
    assert re.search(r"^not told apart +\$5\.00 +25\.0 %", shown, re.MULTILINE)


def test_it_says_how_much_the_calibration_covers() -> None:
    shown = " ".join(printed(sample_audit()).split())
    assert "The calibration covers $10.00 of the input, 2,000 calls; the rest could not be judged." in shown
    assert "paid for the same input is $6.00 (estimated): the bill is 2.50 times that" in shown
    part = " ".join(printed(sample_audit(floor=Floor(1_000 * CENT, 600 * CENT))).split())
    assert (
        "for the $10.00 of input that can be judged is $6.00 (estimated): that part of the bill is 1.67"
        in part
    )


def test_a_long_setting_is_cut_in_a_terminal() -> None:
    many = sample_finding(setting="\n".join(f"line {number}" for number in range(9)))
    shown = printed(sample_audit(levers=Checklist((many,), None, 2_000 * CENT)))
    assert "line 4" in shown
    assert "line 5" not in shown
    assert "… 4 more lines: --json" in shown


def test_advice_is_given_where_something_can_be_done() -> None:
    causes = [
        cause("evicted", 9, "None: gone before its time."),
        cause("compacted", 8, intended=True),
        cause("tools", 7),
    ]
    assert [line.cause for line in curable(causes)] == ["tools"]


def test_totals_name_their_members_and_findings_their_total() -> None:
    shown = " ".join(printed(sample_audit()).split())
    assert "In it: Let scrimp place the markers." in shown
    assert "Added to it: Clear old tool results." in shown
    assert "20.0 % of the bill, high confidence, in the total" in shown
    assert "20.0 % of the bill, medium confidence, in the bolder total" in shown


def test_too_short_a_time_makes_no_month() -> None:
    checklist = sample_audit().levers
    assert checklist is not None
    shown = " ".join(printed(sample_audit(levers=msgspec.structs.replace(checklist, scaled=False))).split())
    assert "a month" not in shown.partition("What to change")[2].replace("makes no month", "")
    assert "$4.00 on these calls ($3.00 to $5.00), 20.0 % of the bill" in shown


def test_regret_beyond_everything_removed_is_said_in_times() -> None:
    assert regret_sentence(Regret(removed=100, uses=1, share=1.545, charged=2 * CENT)) == (
        "What it removes was used again later, 1.5 times over (once); fetching it again, $0.0200, is counted."
    )


def test_spend_has_a_line_for_each_and_the_rest_in_one() -> None:
    out = Console(width=80, highlight=False, emoji=False, record=True, file=io.StringIO())
    print_spend(out, Spent(sample_spend(), 3, 0, ()), ("model", "session"))
    shown = " ".join(out.export_text().split())
    # 75 cents a call and 30 more each day: the odd days 1.35 to 3.75 dollars
    assert "claude-opus-5 1,000 467,000 $12.75 53.1 %" in shown
    assert "2 more: --json $2.40 10.0 %" in shown  # the first two days of ten


def test_a_ledger_is_audited_for_what_its_records_say(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.sqlite"
    store = SqliteLedger(path)
    store.record(record())
    store.close()
    found, err = run(str(path))
    # Sonnet 4.5: 100 plain at 3 USD per million, 20 out at 15, 3,000 written at 3.75, 40,000 read at 0.30
    assert found["spend"]["total"]["usd"] == "0.02385"
    assert found["billed_usd"] == "0.02385"
    assert err == ""


def test_every_figure_of_the_json_is_there() -> None:
    found = json.loads(json_text(audit_json(sample_audit())))
    assert found["floor"] == {"billed_usd": "15", "floor_usd": "6", "multiple": 2.5}
    assert found["tax"]["again"]["usd"] == "6.75"
    assert found["tax"]["runs"][0]["tokens_per_step"] == 412.4
    assert found["results"]["tools"][0]["usd"] == "5"
    assert found["ttl"]["gaps"][0] == {"gap": "≤ 10 s", "calls": 900, "tokens": 900_000}
    first = found["levers"]["findings"][0]
    assert first["monthly_usd"] == {"low": "9", "mid": "12", "high": "15"}
    assert first["evidence"] == [
        {"where": "runs/a.jsonl:29", "note": "0 of 18,900 tokens read", "usd": "0.07"}
    ]
    assert found["levers"]["together"]["summed_usd"] == "4.5"
    assert found["levers"]["bolder"]["share"] == 0.275


def test_money_alone_needs_no_cache_model() -> None:
    """`--only spend` is asked for most often: what it does not need is not even imported."""
    heavy = "n.startswith('scrimp.core') or n in ('rich', 'scrimp.facts.models')"
    code = f"import sys, scrimp.cli.audit; print([n for n in sys.modules if {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_and_assumptions_are_kept_short() -> None:
    assert short_run("030df228-1b4b-482d-b343-0fc9c13a3d1a.73de2e60") == "030df228"
    assert short_run("nightly/030df228") == "nightly/030df228"
    many = sample_finding(assumptions=("one", "two", "three", "four"))
    assert assumed(many, 2) == "Assumes: one; two; and 2 more."
    assert assumed(sample_finding(assumptions=("one",)), 2) == "Assumes: one."
    assert assumed(sample_finding(), 2) == ""


def test_the_dearest_misses_of_real_sessions_are_the_same_one_by_one(
    traces: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = run(str(traces / "transcripts" / "entireio__skills"), "--only", "misses")
    causes = found["misses"]["causes"]
    assert causes
    for line in causes:
        assert main(["explain", line["examples"][0], "--json"]) == ExitCode.OK
        told = json.loads(capsys.readouterr().out)
        assert line["cause"].startswith(told["miss"]["cause"])
        assert Decimal(told["miss"]["lost_usd"]) <= Decimal(line["lost_usd"])
        billed = told["billed"]
        whole = sum(billed[kind] for kind in ("plain", "write_5m", "write_1h", "read"))
        assert 0.99 * whole <= told["blocks"][-1]["upto"] <= whole


def test_places_are_written_as_one_types_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/ada")
    assert typed("/srv/ada/runs/a.jsonl:3") == "~/runs/a.jsonl:3"
    assert typed("runs/a.jsonl msg_1") == "runs/a.jsonl#msg_1"
    assert typed("my runs/a.jsonl.xz msg_1") == "'my runs/a.jsonl.xz#msg_1'"
    assert typed("runs/a (1).jsonl:3") == "'runs/a (1).jsonl:3'"
