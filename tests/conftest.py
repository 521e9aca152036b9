"""Fixtures every test may use."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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


class _Faults(logging.Handler):
    """What scrimp says of its own failures where warnings are errors, as they are in these tests."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "scrimp":
            self.lines.append(record.getMessage())


@pytest.fixture(autouse=True)
def nothing_of_ours_failed() -> Iterator[None]:
    """A fault that no test expects fails the test it happens in; `pytest.warns` is how to expect one."""
    faults, logger = _Faults(), logging.getLogger("scrimp")
    logger.addHandler(faults)
    yield
    logger.removeHandler(faults)
    assert faults.lines == []
