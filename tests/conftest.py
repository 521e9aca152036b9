"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TRACES = PROJECT.parent / "shared" / "traces"


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of recorded, billed calls that lies beside a full checkout."""
    if not TRACES.is_dir():
        pytest.skip(f"recorded traces not found at {TRACES}: put the corpus there to run this test")
    return TRACES
