"""The bars that the model must hold on recorded, billed calls, through the commands users run."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scrimp.cli import main
from scrimp.cli.calibrate import calibration_json
from scrimp.core.causes import Cause
from scrimp.facts.models import default
from scrimp.traces.diagnosed_transcripts import diagnose_judged
from scrimp.traces.exchange_calibration import ExchangeCalibration
from scrimp.traces.transcript_calibration import JudgedCall, calibrate_sessions, judged_calls, placed_calls
from scrimp.traces.transcript_calls import Session
from scrimp.traces.transcripts import read_transcripts

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*args: str | Path) -> dict[str, Any]:
        assert main([*map(str, args), "--json"]) == 0
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]  # any JSON

    return command


@pytest.fixture(scope="module")
def calibrated(traces: Path) -> dict[str, Any]:
    """The model on every recorded exchange, as the command tells it."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert main(["calibrate", str(traces / "exchanges"), "--json"]) == 0
    return json.loads(told.getvalue())  # type: ignore[no-any-return]  # any JSON


def test_exchanges_are_reproduced(calibrated: dict[str, Any]) -> None:
    found = calibrated
    cache = found["cache"]
    assert cache["within_1pct"] >= 0.95
    assert cache["warm"]["within_1pct"] >= 0.90
    judged = cache["calls"] + cache["warm"]["calls"]
    assert sum(found["skipped"].values()) <= 0.25 * judged
    disagree = judged - round(cache["within_1pct"] * cache["calls"])
    disagree -= round(cache["warm"]["within_1pct"] * cache["warm"]["calls"])
    assert abs(len(found["disagreements"]) - disagree) <= 1
    assert all(row["cause"] for row in found["disagreements"])


def test_tokens_of_the_older_tokenizer_are_estimated_closely(calibrated: dict[str, Any]) -> None:
    older = calibrated["tokens"]["families"]["claude-3"]
    assert older["median_abs_error"] <= 0.03
    assert older["p95_abs_error"] <= 0.15
    assert older["interval_coverage"] >= 0.98
    assert older["interval_median_width"] <= 0.25


def test_scrimp_is_at_the_floor_and_below_every_other_policy(traces: Path, run: Run) -> None:
    found = run("replay", traces / "exchanges" / "openhands_swebench")
    # Automatic caching was not offered yet.
    assert found["policies"].pop("auto") is None
    paid = {name: float(policy["input_usd"]) for name, policy in found["policies"].items()}
    assert found["policies"]["scrimp"]["vs_floor"] <= 1.01
    for name, dollars in paid.items():
        assert paid["scrimp"] <= dollars, name
        better = [
            float(one["policies"]["scrimp"]["input_usd"]) <= 1.001 * float(one["policies"][name]["input_usd"])
            for one in found["runs"]
        ]
        assert sum(better) >= 0.95 * len(better), name
    assert paid["scrimp"] < float(found["billed_usd"])


def test_every_policy_stays_above_the_floor_on_other_recordings(traces: Path, run: Run) -> None:
    found = run("replay", traces / "exchanges" / "moatless_swebench", traces / "exchanges" / "cassettes")
    floor = float(found["floor_usd"])
    paid = {name: float(policy["input_usd"]) for name, policy in found["policies"].items() if policy}
    assert set(paid) >= {"none", "recorded", "scrimp"}
    assert all(dollars >= floor for dollars in paid.values())
    assert paid["scrimp"] == min(paid.values())


def test_sessions_are_replayed_at_no_more_than_their_bills(sessions: Path, run: Run) -> None:
    found = run("replay", sessions, "--policy", "recorded", "--policy", "scrimp")
    # Before anything is compared: the model foresees the bills, and replays them once each is known.
    assert found["calls"] > 20_000
    calibration = found["calibration"]
    billed = float(calibration["billed_usd"])
    assert abs(float(calibration["model_usd"]) / billed - 1) <= 0.03
    assert calibration["read_within_1pct"] >= 0.96
    paid = {name: float(policy["input_usd"]) for name, policy in found["policies"].items()}
    assert abs(paid["recorded"] / billed - 1) <= 0.005
    assert float(found["floor_usd"]) <= paid["scrimp"] <= paid["recorded"]
    assert found["at_most_recorded"]["scrimp"]["share"] >= 0.95
    for source in found["sources"]:
        mine = {name: float(policy["input_usd"]) for name, policy in source["policies"].items()}
        assert abs(mine["recorded"] / float(source["billed_usd"]) - 1) <= 0.01, source["source"]


class Recorded(NamedTuple):
    """The recorded sessions, what was left out on reading them, and their calls, each judged once."""

    sessions: list[Session]
    skipped: dict[str, int]
    judged: list[JudgedCall]


@pytest.fixture(scope="module")
def recorded(sessions: Path) -> Recorded:
    """Reading them takes much longer than judging them."""
    skipped: dict[str, int] = {}
    read = list(read_transcripts([sessions], [], skipped))
    placed = [one for session in read for one in placed_calls(session) if not one.call.duplicate]
    return Recorded(read, skipped, list(judged_calls({one.call.message_id: one for one in placed})))


def test_transcripts_are_reproduced(recorded: Recorded) -> None:
    found = calibrate_sessions(recorded.sessions)
    assert found.calls > 20_000
    assert found.main.within_1pct >= 0.98
    # What is left out: first calls, copies, and what no one was billed for.
    assert sum((Counter(found.skipped) + Counter(recorded.skipped)).values()) <= 0.05 * found.calls
    told = calibration_json(ExchangeCalibration(), found)["cache"]
    assert told["within_1pct"] >= 0.98
    assert told["full_miss"]["f1"] >= 0.88


def reading_on(sessions: Iterable[Session]) -> set[str]:
    """Calls that read all that the call before them in their conversation had read and written."""
    left: dict[str, int] = {}
    healthy = set()
    for found in sessions:
        for call in (call for conversation in found.conversations for call in conversation.calls):
            billed = call.usage
            if billed.cache_read_input_tokens >= left.get(call.parent_id or "", 1 << 60):
                healthy.add(call.message_id)
            left[call.message_id] = billed.cache_read_input_tokens + billed.cache_creation_input_tokens
    assert len(healthy) > 15_000
    return healthy


def test_misses_in_transcripts_are_classified(recorded: Recorded) -> None:
    found = [finding for finding in diagnose_judged(recorded.judged, default()) if finding is not None]
    causes = Counter(finding.diagnosis.cause for finding in found)
    assert causes.total() > 400
    # What the model of continuity did not foresee is the harder part, and judged apart.
    foreseen = {Cause.EXPIRED, Cause.COMPACTED, Cause.RESUMED, Cause.MODEL_SWITCH, Cause.THINKING_SWITCH}
    unexpected = Counter({cause: count for cause, count in causes.items() if cause not in foreseen})
    assert causes[Cause.UNKNOWN] <= 0.1 * unexpected.total()
    assert causes[Cause.EVICTED] <= 0.2 * causes.total()
    accused = {finding.where.rsplit(" ", 1)[1] for finding in found}
    assert accused & reading_on(recorded.sessions) == set()
