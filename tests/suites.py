"""Test suites of users, each run by a pytest of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.forks import Forks

__all__ = ["run_pytest"]


def run_pytest(forks: Forks, folder: Path, *args: str) -> pytest.RunResult:
    """`python -m pytest` in `folder`, which may not touch what the tests around it keep."""
    words = ("pytest", "-p", "no:cacheprovider", f"--basetemp={folder / '.basetemp'}", *args)
    done = forks.run("-m", *words, env=os.environ, cwd=folder)
    return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0.0)
