"""Fetches served inside SDKs old and new, each in an environment of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scrimp.emulator import Emulator
from tests.conftest import PATH, PROJECT, READY
from tests.fetching_agents import FETCHED
from tests.forks import Forks
from tests.middleware.test_sdk_versions import VERSIONS

SESSION = Path(__file__).with_name("fetching_session.py")
WAYS = 9


def spoken(body: dict[str, Any]) -> Any:
    """A fetch for a question, words for its result, and a last word."""
    last = body["messages"][-1]["content"]
    if isinstance(last, list) and last[0]["type"] == "tool_result":
        return FETCHED[1]
    return FETCHED[0] if len(body["messages"]) == 1 else "Gladly."


@pytest.mark.parametrize("version", ["installed", *VERSIONS])
def test_every_way_to_call_gets_one_answer(version: str, forks_of: Callable[..., Forks]) -> None:
    python = sys.executable
    if version != "installed":
        python = str(PROJECT / ".sdks" / version / "bin" / "python")
        if not Path(python).exists():
            pytest.skip(f"SDK {version} is not installed beside the tests: run `make sdks`")
    forks = forks_of(python, *READY, path=PATH)
    with Emulator(spoken) as emulator:
        done = forks.run(SESSION, emulator.url, env=os.environ, errors=["scrimp.errors.ScrimpWarning"])
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["kinds"] == [["thinking", "text", "thinking", "text"]] * WAYS
    assert found["texts"] == ["It fails in line 7.", "Let me look."]
    assert found["following"] == ["text"]
    assert found["read"] > 4_000
    assert found["faults"] == []
    assert [tuple(one) for one in found["costs"]] == sorted(
        (one.message_id, one.cost) for one in emulator.bill
    )
    assert len(emulator.bill) == 2 * WAYS + 1
