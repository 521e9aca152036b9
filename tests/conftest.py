"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

PROJECT = Path(__file__).parents[1]
TRACES = PROJECT.parent / "shared" / "traces"

# A busy machine is no failing test: speed is what `make bench` measures.
settings.register_profile(
    "no deadline", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of recorded, billed calls that lies beside a full checkout."""
    if not TRACES.is_dir():
        pytest.skip(f"recorded traces not found at {TRACES}: put the corpus there to run this test")
    return TRACES
