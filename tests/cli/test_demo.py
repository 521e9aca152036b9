"""The demo: bundled runs as recorded, calibration before bills, and figures that a second count confirms."""

from __future__ import annotations

import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from scrimp.cli import main
from scrimp.cli.demo import RECORDINGS
from scrimp.cli.demo_bills import replay_corpus
from scrimp.cli.demo_http import OverHttp, drive_runs, moment
from scrimp.cli.demo_steps import run_steps
from scrimp.core.cache import CacheRules, Outcome
from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import Measured
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.errors import ScrimpError
from scrimp.facts.models import default, resolve
from scrimp.traces.corpus import Corpus, read_corpus
from scrimp.traces.exchanges import Exchange
from scrimp.traces.sizes import Sizes
from scrimp.wire.response import Usage, read_usage
from tests.forks import Forks

PROJECT = Path(__file__).parents[2]
SOURCES = {"openhands": "openhands_swebench", "moatless": "moatless_swebench"}
POLICIES = ("none", "recorded", "scrimp")
BILLS = ("none", "billed", "recorded", "scrimp", "floor")

# Claude 3.5 Sonnet in November and December 2024, USD per million tokens ("Pricing").
INPUT, WRITE, READ, OUTPUT = (Decimal(price) / 10**6 for price in ("3", "3.75", "0.30", "15"))

BOTH = """
import sys
from functools import cache
from scrimp.cli import demo, main
demo.run_demo = cache(demo.run_demo)
sys.exit(main() or print(chr(12)) or main(['demo', '--quick', '--json', '--html', 'quick.html']))
"""
"""The demo, a form feed, and what `--quick` says of the same replay."""

QUICK = """
import sys
from pathlib import Path
from scrimp.cli import demo, main
demo.RECORDINGS = Path(sys.argv.pop())
sys.exit(main() or any(name in sys.modules for name in ('anthropic', 'uvicorn')))
"""
"""Without HTTP, and without what only HTTP needs."""


class Ran(NamedTuple):
    """What the demo printed for people and the page it wrote; as JSON and as a page with --quick."""

    text: str
    page: str
    told: dict[str, Any]
    quick_page: str


def run_demo(
    *args: str, folder: Path, script: str = "import sys; from scrimp.cli import main; sys.exit(main())"
) -> subprocess.CompletedProcess[str]:
    """The demo in a process of its own, in an 80-column place that is not a terminal."""
    command = [sys.executable, "-c", script, "demo", *args]
    return subprocess.run(
        command, cwd=folder, env=env_in(folder), capture_output=True, text=True, check=False
    )


def env_in(folder: Path) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR")}
    env |= {"SCRIMP_HOME": str(folder / "home"), "PYTHONIOENCODING": "utf-8"}
    # A proxy that nobody serves: nothing may go through it.
    return env | {"ALL_PROXY": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Ran:
    folder = tmp_path_factory.mktemp("demo")
    program = folder / "both.py"
    program.write_text(BOTH, encoding="utf-8")
    done = forks.run(program, "demo", env=env_in(folder), cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    plain, quick = done.stdout.split("\f\n")
    pages = ((folder / name).read_text(encoding="utf-8") for name in ("scrimp-demo.html", "quick.html"))
    page, quick_page = pages
    return Ran(plain, page, json.loads(quick), quick_page)


@pytest.fixture(scope="module")
def told(ran: Ran) -> dict[str, Any]:
    return ran.told


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """Every bundled call, as recorded."""
    return [
        json.loads(line)
        for path in sorted(RECORDINGS.rglob("*.xz"))
        for line in lzma.open(path, "rt", encoding="utf-8")
    ]


def usd(bill: dict[str, Any], key: str = "usd") -> Decimal:
    return Decimal(bill[key])


def test_the_bundled_runs_are_the_recordings_byte_for_byte(traces: Path) -> None:
    counts = {}
    for folder, source in SOURCES.items():
        files = sorted((RECORDINGS / folder).iterdir())
        counts[folder] = len(files)
        for path in files:
            assert path.read_bytes() == (traces / "exchanges" / source / path.name).read_bytes()
    assert counts == {"openhands": 29, "moatless": 12}
    every_fifth = sorted((traces / "exchanges" / SOURCES["moatless"]).iterdir())[::5]
    assert [path.name for path in every_fifth] == sorted(p.name for p in (RECORDINGS / "moatless").iterdir())


def test_the_bundled_runs_are_free_to_copy_and_say_whose_they_are(lines: list[dict[str, Any]]) -> None:
    assert {line["source"]["licence"] for line in lines} == {"MIT"}
    beside = (RECORDINGS / "README.md").read_text(encoding="utf-8")
    notice = (PROJECT / "NOTICE").read_text(encoding="utf-8")
    for repo in {line["source"]["repo"] for line in lines}:
        assert f"https://github.com/{repo}" in beside
        assert f"https://github.com/{repo}" in notice
    assert RECORDINGS.relative_to(PROJECT).as_posix() in notice


def test_the_recordings_are_packaged_and_small() -> None:
    config = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = config["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert any(RECORDINGS.is_relative_to(PROJECT / package) for package in packages)
    assert sum(path.stat().st_size for path in RECORDINGS.rglob("*") if path.is_file()) < 3_000_000


def test_as_billed_is_the_recorded_usage_at_the_published_prices(
    told: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        usage = line["usage"]
        billed[line["run"]] += (
            usage["input_tokens"] * INPUT
            + usage.get("cache_creation_input_tokens", 0) * WRITE
            + usage.get("cache_read_input_tokens", 0) * READ
            + usage["output_tokens"] * OUTPUT
        )
    assert {run["run"]: usd(run["bills"]["billed"]) for run in told["runs"]} == billed
    assert usd(told["bills"]["billed"]) == sum(billed.values())


def test_without_markers_all_input_has_its_full_price(
    told: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    tokens = sum(
        line["usage"].get(key, 0)
        for line in lines
        for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    assert usd(told["bills"]["none"], "input_usd") == tokens * INPUT
    assert told["bills"]["none"]["tokens"]["plain"] == tokens
    assert told["bills"]["none"]["cache_read_share"] == 0


def test_every_bill_prices_its_tokens_and_output_is_the_same_in_all(told: dict[str, Any]) -> None:
    for run in told["runs"]:
        output = {bill["output_usd"] for bill in run["bills"].values()}
        assert len(output) == 1
        for name in ("none", "billed", "recorded", "scrimp"):
            bill = run["bills"][name]
            tokens = bill["tokens"]
            assert tokens["write_1h"] == 0
            input_usd = tokens["plain"] * INPUT + tokens["write_5m"] * WRITE + tokens["read"] * READ
            assert usd(bill, "input_usd") == input_usd
            assert usd(bill) == input_usd + tokens["output"] * OUTPUT


def test_totals_are_the_sums_of_their_runs(told: dict[str, Any]) -> None:
    for rows, bills in (
        (told["runs"], told["bills"]),
        (told["agents"], told["bills"]),
        *(
            ([run for run in told["runs"] if run["agent"] == agent["agent"]], agent["bills"])
            for agent in told["agents"]
        ),
    ):
        assert tuple(bills) == BILLS
        for name in BILLS:
            assert usd(bills[name]) == sum(usd(row["bills"][name]) for row in rows)
    assert told["calls"] == sum(run["calls"] for run in told["runs"]) == 730 + 182


def test_nothing_is_below_the_floor_and_scrimp_is_close_to_it(told: dict[str, Any]) -> None:
    for agent in told["agents"]:
        bills = agent["bills"]
        floor = usd(bills["floor"], "input_usd")
        assert all(usd(bills[name], "input_usd") >= floor for name in POLICIES)
        assert usd(bills["scrimp"]) < usd(bills["none"]) / 2
    openhands = told["agents"][0]["bills"]
    assert openhands["scrimp"]["vs_floor"] <= 1.01
    assert usd(openhands["scrimp"]) < usd(openhands["billed"]) / 3


def test_calibration_judges_only_whole_requests(told: dict[str, Any]) -> None:
    calibration = told["calibration"]
    cache, tokens = calibration["cache"], calibration["tokens"]
    # All 730 OpenHands calls carry markers; 414 of them went to Bedrock, where nothing was cached yet.
    assert cache["calls"] + cache["warm"]["calls"] == 730
    assert cache["caching_route"]["calls"] == cache["calls"] - 414
    assert cache["within_1pct"] >= 0.95
    assert cache["caching_route"]["within_1pct"] >= 0.95
    assert tokens["calls"] == 730
    assert tokens["median_abs_error"] <= 0.03
    assert tokens["interval_coverage"] >= 0.98


def test_the_figures_for_people_are_those_of_the_json(ran: Ran, told: dict[str, Any]) -> None:
    text = ran.text
    cells = [row.split() for row in text.splitlines()]
    whole = [f"{usd(told['bills'][name]):.3f}" for name in BILLS]
    assert ["All", "runs", "912", *whole] == next(
        row for row in cells if row[:2] == ["All", "runs"] and row[2:]
    )[:8]
    for run in told["runs"]:
        task = run["run"].rpartition("__")[2]
        row = next(row for row in cells if row[:2] == [task, str(run["calls"])])
        assert row[2:7] == [f"{usd(run['bills'][name]):.3f}" for name in BILLS]
    for name in BILLS:
        assert f"${usd(told['bills'][name]):.2f}" in text


def test_it_reads_in_80_columns_and_calibration_comes_first(ran: Ran) -> None:
    text = ran.text
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    first_dollars = text.index("OpenHands  ")
    assert (
        text.index("Calibration: 730 billed calls in 29 runs") < text.index("Token estimate") < first_dollars
    )
    assert text.index("182 calls of moatless-tools, recorded without") < first_dollars
    assert text.rstrip().endswith("scrimp-demo.html")


def test_the_page_holds_every_run_step_by_step(ran: Ran, told: dict[str, Any]) -> None:
    page = ran.page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert data
    runs = json.loads(data[1])["runs"]
    assert sorted(len(panels[0]["stacks"]) for panels in runs) == sorted(run["calls"] for run in told["runs"])
    for panels in runs:
        assert [panel["title"] for panel in panels] == [
            "What each request carried",
            "How it was billed",
            "With scrimp",
        ]
        for carried, billed, planned in zip(*(panel["stacks"] for panel in panels), strict=True):
            assert sum(carried) == sum(billed) == sum(planned)
    for run in told["runs"]:
        assert f">{run['agent']} {run['run'].rpartition('__')[2]}</option>" in page
    assert "https://" not in page
    assert 'class="unknown"' not in page  # what went to a provider without a cache was billed in full


def test_every_call_over_http_is_billed_as_in_the_replay(ran: Ran) -> None:
    sentence = (
        "All 912 calls, sent by the official SDK over HTTP to an emulator on localhost (no network), once "
        "as recorded, once with scrimp.Middleware: every run costs what One route and scrimp say, to the "
        "picodollar."
    )
    assert sentence in " ".join(ran.text.split())
    assert sentence in ran.page


def test_quick_needs_nothing_of_http(fewest: Path, tmp_path: Path) -> None:
    done = run_demo("--quick", str(fewest), folder=tmp_path, script=QUICK)
    assert (done.returncode, done.stderr) == (0, "")


def test_quick_drives_nothing_and_says_all_else_the_same(ran: Ran) -> None:
    assert ran.told["http"] is None
    assert "over HTTP" not in ran.quick_page
    assert ran.quick_page == re.sub(r"<li>[^<]*over HTTP[^<]*</li>", "", ran.page)


@pytest.fixture
def fewest(tmp_path: Path) -> Path:
    """The shortest run of each agent."""
    for folder in SOURCES:
        (tmp_path / "few" / folder).mkdir(parents=True)
        first = min((RECORDINGS / folder).iterdir(), key=lambda path: path.stat().st_size)
        shutil.copy(first, tmp_path / "few" / folder)
    return tmp_path / "few"


def test_the_json_says_what_http_was_billed(
    fewest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scrimp.cli.demo.RECORDINGS", fewest)
    assert main(["demo", "--json", "--html", str(tmp_path / "page.html")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["http"] == {
        "calls": told["calls"],
        "as_recorded_usd": told["bills"]["recorded"]["usd"],
        "scrimp_usd": told["bills"]["scrimp"]["usd"],
        "same_as_replay": True,
    }


@pytest.fixture(scope="module")
def few() -> Corpus:
    """Two short runs of each agent, the ones with times and the ones without."""
    return read_corpus(path for folder in SOURCES for path in sorted((RECORDINGS / folder).iterdir())[:2])


def driven(few: Corpus, clock: Callable[[Exchange], float] = moment) -> OverHttp:
    facts, sizes = default(), Sizes()
    runs = replay_corpus(few, facts, sizes, lambda _: None)
    return drive_runs(few, runs, facts=facts, sizes=sizes, clock=clock)


def test_runs_with_and_without_times_are_the_same_over_http(few: Corpus) -> None:
    found = driven(few)
    assert found.same
    assert found.calls == few.exchanges
    assert found.tell() == 0
    assert found.warnings == ()


def test_a_bill_that_is_not_that_of_the_replay_is_told(
    few: Corpus, capfd: pytest.CaptureFixture[str]
) -> None:
    # A day between two calls: every entry of the cache has expired, so nothing is ever read.
    days = count()
    found = driven(few, lambda call: moment(call) + 86_400 * next(days))
    assert not found.same
    assert found.json()["same_as_replay"] is False
    assert found.sentence.startswith(f"NOT the same over HTTP: of {few.exchanges} calls")
    assert "those of 4 runs" in found.sentence
    assert found.tell() == 1
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 8  # four runs, as recorded and with the middleware
    assert all(line.startswith("scrimp: error: not the bill of the replay: ") for line in lines)
    assert sum(", as recorded: $" in line for line in lines) == 4
    assert all("(0 tokens read) over HTTP" in line for line in lines)


def test_a_call_that_is_not_answered_is_named(few: Corpus) -> None:
    facts, sizes = default(), Sizes()
    runs = replay_corpus(few, facts, sizes, lambda _: None)
    source, (first, *_) = next(iter(few.sources.items()))
    refused = msgspec.structs.replace(first, body={**first.body, "max_tokens": -1})
    with pytest.raises(ScrimpError, match=f"{first.run}, call 0, was not answered over HTTP: .*400"):
        drive_runs(Corpus({source: [refused]}, [], []), runs, facts=facts, sizes=sizes)


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = run_demo("--quick", "--html", "missing/page.html", folder=tmp_path)
    assert done.returncode == 4
    assert done.stderr == "scrimp: error: missing/page.html: No such file or directory\n"


def test_the_readme_shows_what_the_demo_prints(ran: Ran) -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- demo output -->\n```text\n(.*?)```\n<!-- /demo output -->", readme, re.DOTALL)
    assert shown
    parts = [part.strip("\n") for part in re.split(r"^\s*⋮.*$", shown[1], flags=re.MULTILINE)]
    printed = "\n".join(line.rstrip() for line in ran.text.splitlines())
    assert len(parts) >= 2
    for part in parts:
        assert part in printed, f"README shows what the demo does not print:\n{part}"


def measured(body: dict[str, Any], ends: list[int], usage: dict[str, int], where: str = "a:1") -> Measured:
    """A call with these lengths."""
    model = resolve("claude-3-5-sonnet-20241022")
    call = RecordedCall(
        run="run",
        seq=0,
        at=0.0,
        timed=True,
        day=None,
        workspace="w",
        source="s",
        where=where,
        model=model,
        prompt=read_prompt(body, Reading(key=model.id)),
        sized=Sized(content=(), around=(), estimate=Estimate(0, 0, 0)),
        rules=CacheRules(lookback=20, minimum=1024),
        usage=read_usage(usage),
        complete=True,
        server_tools=False,
    )
    return Measured(call, ends, model.rates(prompt_tokens=ends[-1]))


def outcome(read: int, total: int) -> Outcome:
    return Outcome(plain=total - read, write_5m=0, write_1h=0, read=read, hit=-1, writes=())


TOOLS = [{"name": "bash", "input_schema": {"type": "object"}}]
ASKED = {"role": "user", "content": "list the files"}
CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "bash", "input": {}}]}
ANSWERED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a b"}]}
THANKED = {"role": "assistant", "content": "a and b"}


def test_every_token_of_a_step_has_one_category() -> None:
    def body(*messages: dict[str, Any]) -> dict[str, Any]:
        return {"tools": TOOLS, "system": "be brief", "messages": list(messages)}

    first = measured(body(ASKED), [100, 150, 160], {"input_tokens": 163, "output_tokens": 1})
    second = measured(
        body(ASKED, CALLED, ANSWERED), [100, 150, 160, 180, 210], {"input_tokens": 213, "output_tokens": 1}
    )
    third = measured(
        body(ASKED, CALLED, ANSWERED, THANKED, ASKED),
        [100, 150, 160, 180, 210, 230, 240],
        {
            "input_tokens": 0,
            "cache_read_input_tokens": 210,
            "cache_creation_input_tokens": 33,
            "output_tokens": 1,
        },
    )
    steps = list(run_steps([first, second, third], [outcome(0, 163), outcome(0, 213), outcome(9, 243)], ()))
    carried = [(s.tools, s.system, s.earlier_messages, s.earlier_results, s.new) for s in steps]
    # What closes the prompt, 3 tokens, is new each time.
    assert carried == [(100, 50, 0, 0, 13), (100, 50, 10, 0, 53), (100, 50, 30, 30, 33)]
    assert [step.index for step in steps] == [1, 2, 3]
    assert [(s.plain, s.write, s.read) for s in steps] == [(163, None, None), (213, None, None), (0, 33, 210)]
    planned = [step.planned for step in steps]
    assert [(p.plain, p.read) for p in planned if p] == [(163, 0), (213, 0), (234, 9)]


def test_a_conversation_beside_the_main_one_does_not_make_its_history_new() -> None:
    def call(*messages: dict[str, Any], ends: list[int]) -> Measured:
        return measured({"messages": list(messages)}, ends, {"input_tokens": ends[-1], "output_tokens": 1})

    aside = {"role": "user", "content": "something else"}
    calls = [call(ASKED, ends=[40]), call(aside, ends=[70]), call(ASKED, THANKED, ends=[40, 90])]
    steps = list(run_steps(calls, [outcome(0, 40), outcome(0, 70), outcome(0, 90)], ()))
    assert [(step.earlier_messages, step.new) for step in steps] == [(0, 40), (0, 70), (40, 50)]


def test_a_bill_without_a_split_is_full_price_where_nothing_is_cached() -> None:
    usage = {"input_tokens": 163, "output_tokens": 1}
    calls = [
        measured({"messages": [ASKED]}, [160], usage, where="a:1"),
        measured({"messages": [ASKED]}, [160], usage, where="a:2"),
    ]
    steps = list(run_steps(calls, [outcome(0, 163)] * 2, {"a:2"}))
    assert [(step.plain, step.write, step.read) for step in steps] == [(163, None, None), (163, 0, 0)]
    assert isinstance(calls[0].call.usage, Usage)
