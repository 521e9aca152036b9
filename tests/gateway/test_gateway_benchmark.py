"""The parts of the gateway's benchmark: bodies, upstream, load, promises, and the check of the books."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from benchmarks.gateway.bodies import PACED, SIZES, Usage, asked_step, family, is_repeated, sent_again
from benchmarks.gateway.books import Books, audited, counted
from benchmarks.gateway.contenders import (
    CORES,
    DIRECT,
    LITELLM,
    PORTKEY,
    SCRIMP,
    WORKERS,
    Proxy,
    Running,
    serving,
    spread,
)
from benchmarks.gateway.load import Job, Seen
from benchmarks.gateway.rounds import CELLS, Figures, quantile
from benchmarks.gateway.stolen import undisturbed
from benchmarks.gateway.tables import Report, as_json, print_report
from benchmarks.gateway.upstream import DELTAS
from benchmarks.gateway.verdict import promises

from scrimp.stores.sqlite_ledger import SqliteLedger


@pytest.mark.parametrize("size", list(SIZES.values()))
def test_every_step_extends_the_one_before_and_two_conversations_share_no_message(size: int) -> None:
    made = family(size, seed=1)
    bodies = [json.loads(made.body(step, 7)) for step in range(len(made.steps))]
    for before, after in pairwise(bodies):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert (after["tools"], after["system"]) == (before["tools"], before["system"])
    other = json.loads(made.body(0, 8))
    assert other["system"] == bodies[0]["system"]
    assert not [message for message in other["messages"] if message in bodies[0]["messages"]]
    sizes = [len(body) for body in made.steps]
    assert 0.7 * size < sum(sizes) / len(sizes) < 1.3 * size
    for step, usage in enumerate(made.usages[1:], 1):
        if usage.read:
            assert usage.read == sum(made.usages[step - 1][:3])  # all of the step before


def test_a_request_says_which_step_it_is() -> None:
    made = family(2_000, seed=1, stream=True, paced=True)
    assert [asked_step(made.body(step, 3)) for step in range(4)] == [(step, True) for step in range(4)]
    assert asked_step(family(2_000, seed=1).body(2, 3)) == (2, False)
    assert json.loads(made.body(1, 3))["max_tokens"] == 1_001 + PACED
    with pytest.raises(ValueError, match="max_tokens"):
        asked_step(b"{}")


def test_a_request_that_was_sent_before_reads_what_it_wrote() -> None:
    made = family(200_000, seed=1)
    assert is_repeated(made.steps[0])
    assert not is_repeated(made.body(0, 1))
    assert sent_again(Usage(plain=3, written=100, read=20, output=64)) == Usage(3, 0, 120, 64)
    assert sent_again(Usage(plain=500, written=0, read=0, output=64)) == Usage(500, 0, 0, 64)


def test_load_counts_what_the_upstream_counts() -> None:
    with (
        serving("benchmarks.gateway.upstream", "1", core=None) as upstream,
        serving("benchmarks.gateway.load", "1", core=None) as load,
    ):
        assert upstream.stdout
        assert load.stdin
        assert load.stdout
        port = int(upstream.stdout.readline())
        answered = 0
        for grows, stream in ((False, False), (True, False), (True, True)):
            job = Job(
                port=port, headers={}, size="2 KB", connections=2, seconds=0.1, grows=grows, stream=stream
            )
            load.stdin.write(msgspec.json.encode(job).decode() + "\n")
            load.stdin.flush()
            seen = msgspec.json.decode(load.stdout.readline(), type=Seen)
            answered += seen.answered
            assert seen.faults == {}
            assert 0 < seen.requests <= seen.answered
            assert len(seen.delays) >= stream * DELTAS
        assert counted(port)["requests"] == answered


def figures(rate: float, latency: int, delay: int, taken: float = 0.0) -> Figures:
    return Figures([rate, rate * 2, rate / 2], [0.001], [0.0001], [latency] * 100, [delay] * 100, {}, [taken])


TABLE = {
    cell.name: {
        DIRECT: figures(20_000.0, 100, 50),
        SCRIMP: figures(2_000.0, 1_100, 950),
        LITELLM: figures(40.0, 50_100, 9_000),
        PORTKEY: figures(600.0, 4_000, 900),
        spread(SCRIMP): figures(3_000.0, 1_100, 950),
        spread(LITELLM): figures(100.0, 50_100, 9_000),
    }
    for cell in CELLS
}


def test_promises_are_ratios_of_medians() -> None:
    found = {promise.what: (promise.figure, promise.kept) for promise in promises(TABLE)}
    kind = "growing conversations"
    assert found[f"2 KB, {kind}: requests/s of {SCRIMP} ÷ {LITELLM}"] == (50.0, True)
    assert found[f"200 KB, {kind}: requests/s of {spread(SCRIMP)} ÷ {spread(LITELLM)}"] == (30.0, True)
    assert found[f"2 KB, {kind}: added p50 of {LITELLM} ÷ ours"] == (50.0, True)
    ratio, kept = found[f"2 KB, {kind}: requests/s of {SCRIMP} ÷ {PORTKEY}"]
    assert ratio == pytest.approx(10 / 3)
    assert kept
    [late] = [promise for promise in promises(TABLE) if promise.at_most]
    assert (late.figure, late.kept) == (0.9, True)
    assert not late._replace(figure=1.01).kept
    assert not late._replace(figure=float("nan")).kept


def test_several_workers_are_judged_where_the_load_has_a_core_to_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for cores, judged in ((WORKERS, False), (WORKERS + 1, True)):
        monkeypatch.setattr("benchmarks.gateway.verdict.CORES", cores)
        several = [promise for promise in promises(TABLE) if spread(SCRIMP) in promise.what]
        assert [promise.judged for promise in several] == 4 * [judged]
        print_report(Report(TABLE, {}, {}, {}))
        lines = capsys.readouterr().out.splitlines()
        words = {line.partition(" ")[0] for line in lines if spread(SCRIMP) in line and "÷" in line}
        assert words == ({"PASS", "FAIL"} if judged else {"----"})
    assert WORKERS <= CORES


def test_who_is_not_measured_stands_still(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        one = Running(Proxy("idle", 0, [], {}, {}, tmp_path), process, 0.0)
        stat = Path(f"/proc/{process.pid}/stat")

        def state() -> str:
            return stat.read_text().rpartition(")")[2].split()[0]

        with one.paused():
            while state() != "T":
                pass
        while state() == "T":
            pass
        process.kill()
    with one.paused():  # who is gone is not waited for
        assert process.returncode


def test_only_what_was_measured_is_judged_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    alone = {name: {DIRECT: cells[DIRECT], SCRIMP: cells[SCRIMP]} for name, cells in TABLE.items()}
    assert len(promises(alone)) == 1
    report = Report(alone, {SCRIMP: 0.8}, {SCRIMP: (10**8, 2 * 10**8)}, {})
    print_report(report)
    said = capsys.readouterr().out
    assert all(cell.name in said for cell in CELLS)
    assert "PASS  paced streams" in said
    assert as_json(report)["cells"]["streams, c=32"][SCRIMP]["requests_per_second"] == 2_000.0


def test_a_window_in_which_the_host_takes_time_is_measured_again() -> None:
    taken = iter(
        [0.0, 9.0, 9.0, 9.0]
    )  # the first window loses nine seconds of its second core, the second none
    found = undisturbed(iter("abc").__next__, lambda: [0.0, next(taken)])
    assert found == ("b", 0.0)


def test_the_least_disturbed_window_counts_where_none_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    lost = iter([0.0, 9.0, 9.0, 13.0, 13.0, 20.0, 20.0, 28.0, 28.0, 36.0])
    windows_of_ten_seconds = iter(range(0, 1_000, 10))
    found = undisturbed(iter("abcdef").__next__, lambda: [next(lost)], lambda: next(windows_of_ten_seconds))
    assert found == ("b", 0.4)
    disturbed = figures(2_000.0, 1_100, 950, taken=0.25)
    table = {name: {DIRECT: cells[DIRECT], SCRIMP: disturbed} for name, cells in TABLE.items()}
    print_report(Report(table, {}, {}, {}))
    assert f"up to 25% of a core away in {len(CELLS)} of {2 * len(CELLS)} windows" in capsys.readouterr().out


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert quantile([5, 1, 4, 2, 3], 0.5) == 3
    assert quantile(list(range(100)), 0.99) == 99
    assert quantile([], 0.5) != quantile([], 0.5)  # no number


def test_books_that_do_not_agree_are_said_to(tmp_path: Path) -> None:
    SqliteLedger(tmp_path / "ledger.sqlite").close()
    sums = {"requests": 1, "plain": 10, "written": 0, "read": 0, "output": 2}
    found = audited(tmp_path / "ledger.sqlite", sums)
    assert found.billed == 10 * 3_000_000 + 2 * 15_000_000
    assert "requests: the upstream counted 1, the ledger has 0" in found.faults
    same = Books(sums, sums, 60, 60, 0, {"organisation/total": 0}, {"organisation/total": 60})
    assert same.faults == []
    assert same._replace(held={"organisation/total": 5}).faults == ["organisation/total: 5 p$ still held"]
    assert same._replace(spent={"organisation/total": 61}).faults
