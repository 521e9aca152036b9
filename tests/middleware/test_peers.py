"""Agents of other frameworks, each in an environment of its own, against the emulator over real HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scrimp.emulator import Agent, Emulator, Fault, Scripted, tool_use
from tests.forks import Forks

PROJECT = Path(__file__).parents[2]
PEERS = {
    "langchain-anthropic": ("langchain_anthropic", "scrimp.errors"),
    "pydantic-ai": ("pydantic_ai.models.anthropic", "scrimp.middleware"),
}
"""Environments, and what takes long to import in them."""


def outcome(forks_of: Callable[..., Forks], peer: str, script: str, *arguments: str) -> dict[str, Any]:
    """What the script printed, run by the interpreter that has `peer`; skips where there is none."""
    python = PROJECT / ".sdks" / peer / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{peer} is not installed beside the tests: run `make sdks`")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "ANTHROPIC"))}
    forks = forks_of(python, *PEERS[peer], path=str(PROJECT / "src"))
    file = Path(__file__).with_name(script)
    done = forks.run(file, *arguments, env=env, errors=["scrimp.errors.ScrimpWarning"])
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # any JSON


def assert_counted(found: dict[str, Any], emulator: Emulator) -> None:
    """The peer counted the requests and tokens that were billed."""
    assert found["requests"] == len(emulator.bill)
    assert found["input"] == sum(one.usage.total_input for one in emulator.bill)
    assert found["output"] == sum(one.usage.output_tokens for one in emulator.bill)


@pytest.mark.parametrize("kind", ["bare", "middleware"])
def test_pydantic_ai_runs_its_tool_and_answers(kind: str, forks_of: Callable[..., Forks]) -> None:
    with Emulator(Agent()) as emulator:
        found = outcome(forks_of, "pydantic-ai", "pydantic_ai_agent.py", emulator.url, kind)
    assert [answer.split(":")[0] for answer in found["answers"]] == ["Done after 1 tool calls"] * 2
    assert len(found["called"]) == 2
    assert [one.stream for one in emulator.bill] == [False, False, True, True]
    assert_counted(found, emulator)
    if kind == "bare":
        assert found["read"] == 0
        return
    # Three of four requests begin with the system text, which is longer than the model's least to cache.
    assert found["read"] > 3 * 4096
    assert found["kept"] == [[one.message_id, one.cost, None] for one in emulator.bill]


def test_pydantic_ai_retries_and_the_ledger_has_what_was_billed(forks_of: Callable[..., Forks]) -> None:
    script = [tool_use("list_files", {"folder": "src"}), "Two files.", "Nothing new."]
    faults = [Fault("overloaded", times=1), Fault("rate_limit", times=1, seconds=0.01)]
    with Emulator(Scripted(script), faults=faults) as emulator:
        found = outcome(forks_of, "pydantic-ai", "pydantic_ai_agent.py", emulator.url, "middleware")
        received = len([one for one in emulator.requests if one.method == "POST"])
    assert found["answers"] == ["Two files.", "Nothing new."]
    assert found["called"] == ["src"]
    assert received == len(emulator.bill) + 2
    assert found["kept"] == [[one.message_id, one.cost, None] for one in emulator.bill]


def test_langchain_runs_its_tool_and_answers_in_all_four_ways(forks_of: Callable[..., Forks]) -> None:
    with Emulator(Agent()) as emulator:
        found = outcome(forks_of, "langchain-anthropic", "langchain_agent.py", emulator.url)
    assert [answer.split(":")[0] for answer in found["answers"]] == ["Done after 1 tool calls"] * 4
    assert len(found["called"]) == 4
    assert [one.stream for one in emulator.bill] == [False, False, True, True] * 2
    assert_counted(found, emulator)
