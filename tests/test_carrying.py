"""Carrying less on recorded runs: below caching alone wherever it acts, and no run dearer."""

from __future__ import annotations

import lzma
from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from benchmarks.carrying import ALONE, LEVERS, Carried, main, measure

from scrimp.core.whatif.changed import Removed
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.replays import Replayable, replayable
from tests.conftest import PROJECT

PI = "trajectories/pi_coding_agent/before-compaction.json.xz"
BUNDLED = PROJECT / "src/scrimp/cli/recordings/moatless"
OWN = {name: lever for name, lever in LEVERS.items() if name.startswith("scrimp")}


def replayed(path: Path) -> Replayable:
    (source,) = replayable(read_corpus([path]), default(), skipped=Counter(), needles=True)
    return source


def judged(source: Replayable, *, least: int = 1) -> dict[str, Carried]:
    """Each of scrimp's own rows, none of whose runs may cost over 1 % more than under caching alone."""
    rows = {row.lever: row for row in measure(source, OWN, policy="recorded", least=least)}
    alone = rows.pop(ALONE)
    for row in rows.values():
        assert row.alone == alone.paid
        assert row.paid <= row.alone
        assert max(run.dearer for run in row.runs) <= 0.01
        assert row.removed is not None
        assert row.beside >= row.removed.charged >= 0
        assert (row.removed.uses > 0) == (row.removed.charged > 0)
    return rows


def test_long_sessions_cost_less_and_none_of_them_more(traces: Path) -> None:
    rows = judged(replayed(traces / "transcripts" / "entireio__skills"), least=50)
    assert rows["scrimp clear"].paid < 0.9 * rows["scrimp clear"].alone
    assert rows["scrimp carry"].paid < 0.7 * rows["scrimp carry"].alone


def test_another_agents_session_is_foreseen_call_by_call_and_costs_less(traces: Path, tmp_path: Path) -> None:
    session = orjson.loads(lzma.decompress((traces / PI).read_bytes()))
    recorded = tmp_path / "session.jsonl"
    recorded.write_bytes(orjson.dumps({**session, "entries": session["entries"][:650]}))
    source = replayed(recorded)
    assert source.foreseen.calls == len(source.calls) > 300
    assert source.foreseen.within > 0.97 * source.foreseen.calls
    rows = judged(source)
    assert rows["scrimp carry"].paid < 0.9 * rows["scrimp carry"].alone


def test_short_runs_with_no_moment_to_act_are_left_alone() -> None:
    for row in judged(replayed(BUNDLED)).values():
        assert row.changed == 0
        assert row.removed == Removed()


def test_what_no_lever_touches_costs_what_it_did_under_any_caching() -> None:
    source = replayed(BUNDLED)
    rows = {row.lever: row for row in measure(source, OWN, policy="scrimp")}
    assert {row.paid for row in rows.values()} == {rows[ALONE].alone}


def test_the_command_shows_every_rule_beside_caching_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(BUNDLED), "--json"]) == 0
    rows = orjson.loads(capsys.readouterr().out)
    assert [row["lever"] for row in rows] == [ALONE, *LEVERS]
    by_name = {row["lever"]: row for row in rows}
    assert by_name["scrimp carry"]["input_usd"] == by_name[ALONE]["input_usd"]
    moving = by_name["keep last 6 pairs"]
    assert moving["runs_over_1_percent_dearer"] > 0
    assert Decimal(moving["input_usd"]) > Decimal(moving["input_alone_usd"])
    assert main([str(BUNDLED), "--lever", "scrimp carry"]) == 0
    assert "none" in capsys.readouterr().out
    assert main(["no such recording"]) == 2
    assert "no such file or folder" in capsys.readouterr().err
