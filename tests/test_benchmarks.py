"""Every benchmark runs at a small size and gives figures for each contender; speed is not judged."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.budgets import measure_budget_storm, measure_budgets
from benchmarks.call_path import STAGES, CallPath, measure_call_path
from benchmarks.conversations import BLOCKS_PER_STEP, Conversation, encoded
from benchmarks.growth import PLAN, measure_growth
from benchmarks.ledger import measure_ledger_rows, measure_ledger_wait
from benchmarks.metering import measure_metering_body, measure_metering_stream
from benchmarks.middleware import BARE, measure_calls, measure_events
from benchmarks.planning import NOW, answer, measure_planning, plan_bytes
from benchmarks.pricing import measure_pricing
from benchmarks.reading import json_sum, measure_reading, scrimp_sum, usage_sum
from benchmarks.report import as_json, print_tables
from benchmarks.serving import measure_serving
from benchmarks.timing import Contender, Section, compare, repeated, spread
from benchmarks.transcripts import write_transcripts

from scrimp.core.workspace import Workspace
from scrimp.facts import default
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.forks import Forks

PROJECT = Path(__file__).parents[1]


def assert_figures(section: Section, *, ours: int, baselines: int = 1) -> None:
    """Figures above nothing in every row, medians inside their quartiles, and the baseline at 1."""
    assert section.about
    assert sum(row.name.startswith("scrimp") for row in section.rows) == ours
    assert [row.ratio for row in section.rows if row.is_baseline] == pytest.approx([1.0] * baselines)
    for row in section.rows:
        assert 0 < row.figure.low <= row.figure.median <= row.figure.high
        assert row.ratio > 0


def test_planning_is_measured() -> None:
    section = measure_planning(size=30_000, rounds=2, seed=1)
    assert_figures(section, ours=2)
    assert "orjson.loads + orjson.dumps" in [row.name for row in section.rows]


@pytest.mark.parametrize("grows", [False, True])
def test_one_call_is_measured_stage_by_stage(grows: bool) -> None:
    section = measure_call_path(size=30_000, rounds=4, seed=1, grows=grows)
    assert_figures(section, ours=1)
    assert [row.name for row in section.rows][1:-1] == list(STAGES)


def test_the_measured_call_marks_its_request_and_ends_in_a_record() -> None:
    path, raw = CallPath(), encoded(Conversation(1, tools=4).grow(size=30_000).body)
    sent = [path.call(raw) for _ in range(2)]
    assert b'"cache_control"' in sent[0]
    first, second = path.records
    assert first.usage.cache_creation_input_tokens > 5_000
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.cost < first.cost
    assert all(path.seconds[stage] > 0 for stage in STAGES)


def test_budgets_are_measured(tmp_path: Path) -> None:
    assert_figures(measure_budgets(tmp_path, callers=8, each=3, rounds=2), ours=3)


def test_a_storm_is_measured_and_its_books_are_right(tmp_path: Path) -> None:
    section = measure_budget_storm(tmp_path, cycles=600, processes=2, callers=8, kills=2)
    assert_figures(section, ours=1)
    assert "2 SIGKILLs" in section.about
    assert "overshoot 0" in section.about


def test_metering_is_measured() -> None:
    assert_figures(measure_metering_body(rounds=2, seed=1), ours=1)
    assert_figures(measure_metering_stream(events=10, rounds=2, seed=1), ours=1)


def test_pricing_is_measured() -> None:
    assert_figures(measure_pricing(calls=8, rounds=2, seed=1), ours=1)


def test_reading_is_measured(tmp_path: Path) -> None:
    assert_figures(measure_reading(tmp_path, size=200_000, rounds=2, seed=1), ours=2)


def test_growth_is_measured() -> None:
    section = measure_growth(most_blocks=60, seed=1)
    assert_figures(section, ours=6, baselines=3)
    plans = [row for row in section.rows if row.name.startswith(PLAN)]
    assert [row.name.split()[2] for row in plans] == ["10", "50", "60"]
    assert [row.note.endswith("×") for row in plans] == [False, True, True]


def test_calls_through_the_middleware_are_measured(tmp_path: Path) -> None:
    section = measure_calls(tmp_path, size=2_000, rounds=2, seed=1)
    assert_figures(section, ours=2)
    assert [row.name for row in section.rows if row.is_baseline] == [BARE]
    assert all(row.note.endswith("µs") for row in section.rows if not row.is_baseline)
    ledger = SqliteLedger(next(tmp_path.glob("*.sqlite")))
    records = list(ledger.records())
    ledger.close()
    assert len(records) == 3  # one to warm up, then two rounds
    assert all(record.measured for record in records)


def test_events_through_the_middleware_are_measured(tmp_path: Path) -> None:
    section = measure_events(tmp_path, answer=100, rounds=2, seed=1)
    assert_figures(section, ours=2)
    assert int(section.about.split(" ")[0]) > 10


def test_serving_is_measured() -> None:
    assert_figures(measure_serving(requests=16, rounds=2, seed=1), ours=3)


def test_keeping_records_is_measured(tmp_path: Path) -> None:
    assert_figures(measure_ledger_rows(tmp_path, submitters=4, each=2, rounds=2), ours=3)
    assert_figures(measure_ledger_wait(tmp_path, rows=4), ours=2, baselines=2)


def test_the_next_step_is_a_warm_one() -> None:
    conversation = Conversation(seed=3).grow(size=40_000)
    workspace = Workspace(default())
    cold, _ = plan_bytes(workspace, encoded(conversation.body), NOW)
    answer(workspace, cold, NOW)
    before = conversation.blocks
    conversation.step()
    warm, out = plan_bytes(workspace, encoded(conversation.body), NOW + 8)
    assert conversation.blocks == before + BLOCKS_PER_STEP == len(warm.prompt)
    assert cold.plan.chosen.outcome.read == 0
    assert warm.plan.chosen.outcome.read > 10 * warm.plan.chosen.outcome.written > 0
    assert b'"cache_control"' in out


def test_resumed_sessions_repeat_calls_that_count_once(tmp_path: Path) -> None:
    files = write_transcripts(tmp_path, size=24_000_000, seed=2)
    lines = [file.read_bytes().splitlines() for file in files]
    resuming = [n for n, (before, after) in enumerate(pairwise(lines), 1) if before[:60] == after[:60]]
    assert resuming == [7]  # every eighth session
    calls = sum(json_sum([file])[0] for file in files)
    assert json_sum(files)[0] == calls - 20  # sixty lines, three a call
    assert scrimp_sum(files) == usage_sum(files) == json_sum(files)


def test_the_same_seed_makes_the_same_traffic(tmp_path: Path) -> None:
    one, other = (Conversation(seed=5).grow(size=30_000) for _ in range(2))
    assert encoded(one.body) == encoded(other.body) != encoded(Conversation(seed=6).grow(size=30_000).body)
    texts = [write_transcripts(tmp_path / name, size=50_000, seed=5)[0].read_bytes() for name in "ab"]
    assert texts[0] == texts[1]


def test_contenders_take_turns_and_figures_are_per_unit() -> None:
    turns: list[str] = []
    contenders = [
        Contender(name, lambda name=name: repeated(turns.append, name), units=4.0) for name in ("a", "b", "c")
    ]
    rows = compare(contenders, baseline="b", rounds=3)
    assert "".join(turns) == "abc" + "abc" + "bca" + "cab"  # once to warm up, then three rounds
    assert [row.name for row in rows if row.is_baseline] == ["b"]


def test_spread_is_the_median_and_the_quartiles() -> None:
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 2.0, 4.0)
    assert spread([7.0]) == (7.0, 7.0, 7.0)


def test_the_command_prints_the_sections_asked_for(forks: Forks) -> None:
    names = ["metering_body", "pricing"]
    command = ["-m", "benchmarks", "--only", *names, "--rounds", "1", "--json"]
    done = forks.run(*command, env=os.environ, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert list(printed["sections"]) == names
    assert set(printed["machine"]) == {"cpu", "system", "python"}
    assert printed["machine"]["cpu"]
    assert all(section["rows"] for section in printed["sections"].values())


def test_a_section_that_there_is_not_is_one_line(forks: Forks) -> None:
    done = forks.run("-m", "benchmarks", "--only", "pricng", env=os.environ, cwd=PROJECT)
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: no section 'pricng'; there are planning, call_path_2k")
    assert done.stderr.count("\n") == 1


def test_tables_name_every_row_and_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    section = measure_pricing(calls=4, rounds=1, seed=1)
    print_tables([section])
    said = capsys.readouterr().out
    assert "baseline" in said
    assert all(row.name in said for row in section.rows)


def test_json_has_every_row_of_a_section() -> None:
    section = measure_pricing(calls=4, rounds=1, seed=1)
    rows = as_json([section])["sections"]["pricing"]["rows"]
    assert [row["name"] for row in rows] == [row.name for row in section.rows]
    assert [row["median"] for row in rows] == [row.figure.median for row in section.rows]
