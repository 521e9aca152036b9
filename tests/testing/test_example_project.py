"""The example project as a user runs it: its tests pass, and fail for the right reasons once it is spoilt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.forks import Forks
from tests.suites import run_pytest

PROJECT = Path(__file__).parents[2] / "examples" / "ci"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy, so that it works wherever it is."""
    return Path(
        shutil.copytree(PROJECT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    )


def run_tests(forks: Forks, project: Path) -> tuple[int, str]:
    """Exit status of its tests, and what they print."""
    done = run_pytest(forks, project)
    return int(done.ret), "\n".join((*done.outlines, *done.errlines))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_its_tests_pass(project: Path, forks: Forks) -> None:
    status, said = run_tests(forks, project)
    assert status == 0, said
    assert "5 passed" in said


def test_a_prompt_that_is_spoilt_is_found_by_its_tests(project: Path, forks: Forks) -> None:
    agent = project / "house_finder" / "agent.py"
    edit(agent, "from typing import Any", "import uuid\nfrom typing import Any")
    edit(agent, '"system": SYSTEM', '"system": f"Session {uuid.uuid4()}.\\n{SYSTEM}"')
    edit(project / "house_finder" / "prompt.py", "Everything that is known", "All that is known")
    status, said = run_tests(forks, project)
    assert status == 1
    assert "UUID in the prefix at system.0" in said
    assert "fix: Leave the UUID out of the prompt, or put it behind the last marker." in said
    assert "changed  tools.1 (details), " in said
    assert "now begins “All that is known of one house, by its id.”" in said
    assert "changed  system.0" in said
    assert "now begins “Session " in said
    assert "tiers of the cache lost: tools, system, messages." in said
