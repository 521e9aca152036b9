"""Patterns known beforehand: proper distributions that say what the recordings say."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest

from scrimp.core.gaps import EDGES, GapTable, Pattern
from scrimp.core.habits import (
    BRANCHING,
    BRANCHING_WEIGHTS,
    CONTINUING,
    SHARING,
    SHARING_WEIGHTS,
    continuing_weights,
    shape_of,
)
from scrimp.core.prompt import Prompt, Reading, read_prompt

READING = Reading(key="model")
TOOLS = [{"name": "ls", "input_schema": {}}]


def prompt(*, messages: int = 1, **fields: Any) -> Prompt:
    said = [{"role": "assistant" if n % 2 else "user", "content": str(n)} for n in range(messages)]
    return read_prompt({"messages": said, **fields}, READING)


def by(hazards: Pattern, seconds: float) -> float:
    return 1 - prod(1 - hazard for hazard in hazards.hazards[: EDGES.index(seconds) + 1])


@pytest.mark.parametrize("kind", [*CONTINUING, *SHARING, *BRANCHING], ids=lambda one: str(one.name))
def test_every_bin_has_its_share(kind: Pattern) -> None:
    assert len(kind.hazards) == len(EDGES)
    assert all(0 < hazard < 1 for hazard in kind.hazards)


@pytest.mark.parametrize(
    ("patterns", "weights"),
    [
        (SHARING, SHARING_WEIGHTS),
        (BRANCHING, BRANCHING_WEIGHTS),
        *(
            (CONTINUING, continuing_weights(prompt(messages=messages, **fields)))
            for messages in (1, 3)
            for fields in ({}, {"system": "s"}, {"system": "s", "tools": TOOLS})
        ),
    ],
)
def test_each_pattern_has_a_weight(patterns: tuple[Pattern, ...], weights: tuple[float, ...]) -> None:
    assert len(weights) == len(patterns)
    assert sum(weights) == pytest.approx(1.0)


def test_loops_are_as_quick_as_recorded_ones() -> None:
    # Median gap 7 s and 97 in 100 within five minutes, of those that were followed by a step at all.
    loop = CONTINUING[0]
    assert by(loop, 5.0) < 0.5 < by(loop, 15.0)
    assert by(loop, 300.0) / by(loop, 86_400.0) == pytest.approx(0.97, abs=0.015)


def test_what_a_prompt_looks_like() -> None:
    assert shape_of(prompt()) == "bare"
    assert shape_of(prompt(system="s")) == "system"
    assert shape_of(prompt(tools=TOOLS)) == "agent"
    assert shape_of(prompt(system="s", tools=TOOLS)) == "agent"


def test_a_caller_who_marks_messages_expects_to_send_them_again() -> None:
    marked = {"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}
    assert shape_of(prompt(cache_control={"type": "ephemeral"})) == "agent"
    assert shape_of(prompt(system=[marked])) == "system"


def test_agents_go_on_and_bare_questions_hardly() -> None:
    def goes_on(one: Prompt) -> float:
        return GapTable(CONTINUING, continuing_weights(one)).returns().within[-1]

    assert goes_on(prompt(tools=TOOLS)) > 0.4
    assert goes_on(prompt()) < 0.25
    for fields in ({}, {"system": "s"}, {"tools": TOOLS}):
        assert goes_on(prompt(messages=3, **fields)) > goes_on(prompt(**fields))
