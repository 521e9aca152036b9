"""Seconds of mixed load with all going wrong upstream; `python -m benchmarks.soak` does it for minutes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks.soak import stage
from benchmarks.soak.growth import Growth, Sample, growth
from benchmarks.soak.stage import JUDGED_SECONDS, LEAST, Outcome, judged, soak

from tests.patience import free_port

MINUTES = 10
CALLS_A_SECOND = 100
FLAT = 200_000_000


def memory(leak: float, *, seed: int, tables: int = 4, every: int = 5_000) -> list[Sample]:
    """What is in use while nothing grows but what leaks, in bytes a call.

    Tables of 8 MB each let go of an eighth at once; garbage of up to 2 MB waits to be collected; a hundred
    calls at a time hold 20 KB each.
    """
    chances = random.Random(seed)  # noqa: S311 - a seed, no secret
    starts = [chances.randrange(every) for _ in range(tables)]
    samples = []
    for second in range(MINUTES * 60):
        calls = round(second * CALLS_A_SECOND * chances.uniform(0.99, 1.01))
        filled = sum((calls + start) % every / every * 1e6 for start in starts)
        garbage = calls % 800 / 800 * 2e6
        used = FLAT + filled + garbage + 20_000 * chances.randrange(100) + leak * calls
        samples.append(Sample(float(second), calls, round(1.3 * used), round(used)))
    return samples


def outcome_of(samples: Sequence[Sample], *, seconds: float = MINUTES * 60, filling: int = 60_000) -> Outcome:
    return Outcome(
        seconds,
        filling=filling,
        memory=list(samples),
        used=growth(samples, [sample.used for sample in samples]),
        resident=growth(samples, [FLAT] * len(samples)),
    )


def test_nothing_is_lost_twice_or_held_and_nobody_hangs(tmp_path: Path) -> None:
    heard: list[str] = []
    for seconds in (3.0, 12.0, 48.0):  # until a slow machine has done enough of it
        folder = tmp_path / f"{seconds}"
        outcome = soak(
            seconds, folder=folder, port=free_port(), filling=60, told=lambda what, _, __: heard.append(what)
        )
        assert outcome.faults == []
        assert outcome.late == 0
        if outcome.calls >= 80:
            break
    assert outcome.ended["message"] > 10
    assert outcome.ended["stream"] > 10
    assert outcome.ended["left a message"] + outcome.ended["left a stream"] > 0
    assert outcome.ended["402"] > 0  # the poor key ran out of money
    assert sum(outcome.ended.values()) == outcome.calls
    assert outcome.billed > 60 + 20
    assert set(heard) == {"filling, calls", "soaking, seconds"}
    assert all(sample.resident > sample.used > 10_000_000 for sample in outcome.memory)


def test_memory_is_looked_at_once_its_own_load_has_filled_what_it_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "JUDGED_SECONDS", 1.0)
    monkeypatch.setattr(stage, "SETTLING", 50)
    heard: list[str] = []
    outcome = soak(
        1.0, folder=tmp_path, port=free_port(), filling=10, told=lambda what, _, __: heard.append(what)
    )
    assert outcome.settling == 50
    assert outcome.memory[0].seconds == 0.0
    assert outcome.memory[0].calls >= 50
    assert heard.index("settling, calls") < heard.index("soaking, seconds")
    assert [fault for fault in outcome.faults if "memory" not in fault] == []


@pytest.mark.parametrize("seed", range(5))
def test_what_leaks_a_kilobyte_in_a_hundred_calls_is_found(seed: int) -> None:
    assert len(list(judged(outcome_of(memory(10.24, seed=seed))))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_what_goes_up_and_down_is_flat(seed: int) -> None:
    outcome = outcome_of(memory(0.0, seed=seed))
    assert outcome.used is not None
    assert outcome.used.per_call - outcome.used.unsure < 0.0 < outcome.used.most
    assert list(judged(outcome)) == []


def test_growth_is_told_in_bytes_a_call_and_megabytes_an_hour() -> None:
    samples = [Sample(float(second), 50 * second, 0, 0) for second in range(100)]
    found = growth(samples, [1_000_000 + 30 * sample.calls for sample in samples])
    assert found is not None
    assert found.per_call == pytest.approx(30.0)
    assert found.unsure == pytest.approx(0.0, abs=1e-6)
    assert found.per_hour(found.per_call) == pytest.approx(30 * 50 * 3600 / 1e6)


def test_too_few_samples_tell_nothing() -> None:
    assert growth([Sample(0.0, 0, 1, 1)] * 19, [1] * 19) is None
    assert growth([Sample(float(n), 0, 1, 1) for n in range(40)], [1] * 40) is None
    assert "seen often enough" in " ".join(judged(outcome_of([])))


def test_who_cannot_tell_does_not_pass() -> None:
    samples = memory(0.0, seed=1)
    outcome = outcome_of(samples)
    outcome.used = Growth(0.0, LEAST + 1.0, 1.0)
    assert len(list(judged(outcome))) == 1


def test_resident_memory_has_its_own_bound() -> None:
    outcome = outcome_of(memory(0.0, seed=1))
    outcome.resident = Growth(1_000.0, 1.0, 360_000.0)
    assert len(list(judged(outcome))) == 1


@pytest.mark.parametrize(("seconds", "filling"), [(JUDGED_SECONDS - 1, 60_000), (600.0, 0)])
def test_memory_that_is_still_being_filled_is_not_judged(seconds: float, filling: int) -> None:
    assert list(judged(outcome_of(memory(1_000.0, seed=1), seconds=seconds, filling=filling))) == []
