"""What one test notes is not the next one's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scrimp.core.record import Tags
from scrimp.tool_servings import take_notes


@pytest.fixture(autouse=True)
def nothing_is_left_to_note() -> Iterator[None]:
    yield
    take_notes(Tags())
