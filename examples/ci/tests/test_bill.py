"""What a task costs, tested without a key and without network.

The emulator answers as the Messages API does: it caches, bills and calls the tools it is given. Lengths of
prompts are estimated, to a few percent; leave the limits that much room.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import house_finder
import pytest

from scrimp.emulator import Clock, tool_use
from scrimp.testing import Recording, assert_cache_read_share, assert_cost, assert_no_bust

PROJECT = Path(__file__).parents[1]
WISH = "We are four and have a dog: is there a house with a garden?"


def test_a_task_answers_within_its_budget(scrimp_client: anthropic.Anthropic, scrimp_run: Recording) -> None:
    assert house_finder.find(scrimp_client, WISH)
    assert_cost(scrimp_run) <= "0.01"
    assert_no_bust(scrimp_run)


@pytest.mark.parametrize(
    "scrimp_replies",
    [
        [
            tool_use("search", {"rooms": 4}),
            [tool_use("details", {"id": 3}), tool_use("details", {"id": 4})],
            "Orchard Close: four rooms and a garden.",
        ]
    ],
)
def test_the_answers_can_be_scripted(scrimp_client: anthropic.Anthropic, scrimp_run: Recording) -> None:
    assert house_finder.find(scrimp_client, WISH) == "Orchard Close: four rooms and a garden."
    assert len(scrimp_run.calls) == 3


def test_one_question_after_another_reads_the_cache(
    scrimp_client: anthropic.Anthropic, scrimp_run: Recording, scrimp_clock: Clock
) -> None:
    house_finder.find(scrimp_client, WISH)
    with scrimp_run.part("the questions after the first") as later:
        for wish in ("The cheapest one?", "Two rooms, please.", "By the water?"):
            scrimp_clock.advance(60)
            house_finder.find(scrimp_client, wish)
    assert_cache_read_share(later) >= 0.7
    assert_cost(later) <= "0.01"


def test_a_program_in_any_language(scrimp_run: Recording) -> None:
    # Its environment has ANTHROPIC_BASE_URL (also the fixture scrimp_url), and a key that opens nothing.
    subprocess.run([sys.executable, "-m", "house_finder", WISH], cwd=PROJECT, check=True)
    assert_cost(scrimp_run) <= "0.02"


def test_nobody_edited_the_prefix(scrimp_prompt_snapshot: Any) -> None:
    scrimp_prompt_snapshot(house_finder.request([]))
