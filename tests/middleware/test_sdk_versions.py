"""SDKs old and new, each in an environment of its own, through the middleware over real HTTP."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scrimp.emulator import Agent, Emulator, Fault, Scripted
from tests.conftest import PATH, PROJECT, READY
from tests.forks import Forks

SESSION = Path(__file__).with_name("session.py")
VERSIONS = ("0.125.0", "1.17.0", "2.11.0")
"""Before and after the change of the HTTP library, and the one the API facts were read from."""

FAULTS = (
    Fault("overloaded", times=None, every=17),
    Fault("rate_limit", times=None, every=23, seconds=0.001),
    Fault("server_error", times=None, every=29),
    Fault("cut", times=None, every=37),
    Fault("disconnect", times=None, every=41),
    Fault("stream_error", times=None, every=43),
)


@pytest.fixture(scope="module", params=["installed", *VERSIONS])
def python(request: pytest.FixtureRequest) -> str:
    """An interpreter that has one version of the SDK."""
    if request.param == "installed":
        return sys.executable
    found = PROJECT / ".sdks" / str(request.param) / "bin" / "python"
    if not found.exists():
        pytest.skip(f"SDK {request.param} is not installed beside the tests: run `make sdks`")
    return str(found)


@pytest.fixture(scope="module")
def forks(python: str, forks_of: Callable[..., Forks]) -> Forks:
    """Processes of that interpreter."""
    return forks_of(python, *READY, path=PATH)


def session(forks: Forks, url: str, *kind: str) -> dict[str, Any]:
    done = forks.run(SESSION, url, *kind, env=os.environ, errors=["scrimp.errors.ScrimpWarning"])
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # any JSON


def test_every_way_to_call_is_recorded_to_the_picodollar(forks: Forks) -> None:
    with Emulator(Scripted(["An answer of some length. " * 9])) as emulator:
        found = session(forks, emulator.url, "mixed")
    assert found["calls"] == found["records"] == len(emulator.bill)
    assert found["faults"] == []
    assert found["runs"] == ["async", "sync"]
    assert found["read"] > 0
    exact = dict(found["exact"])
    assert len(exact) == found["records"] - found["cut_off"]
    billed = {one.message_id: one.cost for one in emulator.bill}
    assert exact == {message: billed[message] for message in exact}


def test_mixed_calls_with_faults_add_up_to_the_picodollar(python: str, forks: Forks) -> None:
    with Emulator(Scripted(["An answer of some length. " * 9])) as emulator:
        for fault in FAULTS:
            emulator.inject(fault)
        # All versions do the same; the newest does it long enough for every fault to meet every way to call.
        calls = 900 if VERSIONS[-1] in python else 200
        found = session(forks, emulator.url, "many", str(calls))
    assert found["calls"] == calls
    assert found["faults"] == []
    complete = {one.message_id: one.cost for one in emulator.bill if one.outcome == "complete"}
    assert len(complete) > 0.75 * calls
    assert dict(found["exact"]) == complete
    # Of answers that broke off the input is exact from their first event on; the rest is marked as estimated.
    cut = {one.message_id: one.usage for one in emulator.bill if one.outcome == "cut off"}
    begun = [row for row in found["broken"] if row[0]]
    assert begun
    assert [(total, read) for _, total, read in begun] == [
        (cut[message].total_input, cut[message].cache_read_input_tokens) for message, *_ in begun
    ]


def test_the_tool_runner_works_and_is_recorded(forks: Forks) -> None:
    with Emulator(Agent()) as emulator:
        found = session(forks, emulator.url, "tools")
    assert found["calls"] >= 1
    assert found["records"] == len(emulator.bill) >= 2
    assert found["faults"] == []
    assert dict(found["exact"]) == {one.message_id: one.cost for one in emulator.bill}
